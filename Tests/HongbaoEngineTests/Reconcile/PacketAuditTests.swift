import GRDB
import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// The audit of red packets is clean on what the engine wrote, and each of its checks can fail (M7, M8, M10, RP-10).
@Suite(.timeLimit(.minutes(15))) struct PacketAuditTests {
    private static let book = BookID(campaign: 7, phase: .live)
    private static let greeting = "audit"

    private static func draft(_ id: String, _ kind: RedPacketKind, _ split: Split) throws -> RedPacketDraft {
        RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(50), book: book, id: id)),
            kind: kind,
            split: split,
            scope: .everyone,
            cover: try #require(RedPacket.Cover(greeting: greeting))
        )
    }

    /// A: C2C, three of five claimed, nothing transferred. B: B2C by a granted subsidy, closed with a refund. C: C2C,
    /// all claimed. D: never paid. E: C2C, one of two claimed, the rest refunded.
    private static func grown() async throws -> EngineRig {
        let rig = try EngineRig([.forTests(subsidies: 1_000_000)])
        try await rig.runByHand { engine in
            let packets = engine.packets
            let till = Till(engine.store, engine.clock)
            let subsidy = GrantRequest.forTests(person: 50, amount: 1_000, scene: "rain-subsidy")
            let order = try #require(await engine.granting.grant([subsidy]).first?.granted?.order)
            guard case .sent(let b) = await packets.send(try draft("b", .b2c, .of(1_000, 4)), by: order) else {
                throw Unexpected("b wasn't sent")
            }
            for person in 1...3 as ClosedRange<UInt64> { _ = await packets.claim(b.id, by: PersonID(person)) }
            guard case .sent(let e) = await packets.send(try draft("e", .c2c, .of(100, 2, .equal))) else {
                throw Unexpected("e wasn't sent")
            }
            try await till.pay(for: e)
            _ = await packets.claim(e.id, by: PersonID(1))
            rig.clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            await engine.packetSweeps.sweep()
            let now = rig.clock.now
            let refunds = try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.refunds(of: e.id)
            }
            let refund = try #require(refunds.first)
            _ = try await engine.store.transact(Refund.footprint(of: refunds)) { books in
                refund.apply(.paid(refund.amount), to: &books, now, retryAfterSeconds: 60)
            }
            for (id, split, claims) in [("a", Split.of(500, 5), 3), ("c", .of(60, 6, .equal), 6)] {
                guard case .sent(let packet) = await packets.send(try draft(id, .c2c, split)) else {
                    throw Unexpected("\(id) wasn't sent")
                }
                try await till.pay(for: packet)
                for person in 1...UInt64(claims) { _ = await packets.claim(packet.id, by: PersonID(person)) }
            }
            _ = await packets.send(try draft("d", .c2c, .of(5, 5)))
        }
        return rig
    }

    @Test func whatTheEngineWroteHolds() async throws {
        let rig = try await Self.grown()
        let report = try await Audit.run(rig.folder, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        let examined = Dictionary(uniqueKeysWithValues: report.checks.map { ($0.invariant, $0.examined) })
        #expect(examined["RP"] == 13 && (examined["M7"] ?? 0) >= 20 && (examined["M8"] ?? 0) >= 20)
        #expect(report.totals.packetsSent == 4 && report.totals.sentFen == 1_660)
        #expect(report.totals.subsidiesPosted == 1 && report.totals.subsidiesFen == 1_000)
        #expect(report.totals.subsidiesUsed == 1 && report.totals.subsidiesUsedFen == 1_000)
        #expect(report.totals.transferredFen + report.totals.refundedFen == 1_050)
    }

    /// What is done to the file, and which checks must notice: exactly these.
    private static let breaches = """
        M7     | UPDATE packet SET claimed_count = claimed_count + 1 WHERE send_id = 'a'
        M7     | UPDATE packet SET claimed = claimed + 1 WHERE send_id = 'a'
        M7     | UPDATE packet SET luckiest_position = 4 WHERE send_id = 'a'
        M7 RP  | UPDATE claim SET share = share + 1 WHERE position = 0 \
                 AND packet = (SELECT id FROM packet WHERE send_id = 'a')
        M7     | DELETE FROM claim WHERE position = 2 AND packet = (SELECT id FROM packet WHERE send_id = 'a')
        M7 M8  | UPDATE packet SET refunded = refunded - 1 WHERE send_id = 'b'
        M7 M8  | UPDATE packet SET refunded = 1 WHERE send_id = 'a'
        M8     | UPDATE packet SET transferred = transferred + 1 WHERE send_id = 'a'
        M8     | UPDATE packet SET transferred = transferred - 1 WHERE send_id = 'b'
        M8     | UPDATE claim SET state = 1, done_at = NULL WHERE state = 2 AND position = 0
        M8     | UPDATE claim SET state = 2, done_at = 5 WHERE position = 0 \
                 AND packet = (SELECT id FROM packet WHERE send_id = 'a')
        M7     | UPDATE packet SET funding_part = funding_part - 1 WHERE send_id = 'a'
        M7     | UPDATE packet SET funding_part = NULL, funding_person = NULL WHERE send_id = 'a'
        SU     | UPDATE packet SET funding_part = funding_part + 1 WHERE send_id = 'b'
        SU     | UPDATE subsidy SET state = 1, packet = NULL
        SU     | UPDATE subsidy SET packet = packet + 1
        SU     | UPDATE subsidy SET amount = amount + 1
        SU     | DELETE FROM subsidy
        M8 SU  | DELETE FROM packet WHERE send_id = 'b'
        M4     | UPDATE budget SET kind = 1 WHERE kind = 2
        M2 M4 SU | UPDATE transfer SET credit_kind = 3 WHERE credit_kind = 9
        M10    | UPDATE packet SET closed_at = NULL WHERE send_id = 'b'
        M10    | UPDATE packet SET state = 3 WHERE send_id = 'c'
        M10    | UPDATE packet SET state = 4 WHERE send_id = 'a'
        RP     | UPDATE packet SET commitment = zeroblob(32) WHERE send_id = 'a'
        RP     | UPDATE packet SET sealed_seed = (SELECT sealed_seed FROM packet WHERE send_id = 'b') \
                 WHERE send_id = 'a'
        M7 M8 M10 | UPDATE packet SET state = 8 WHERE send_id = 'a'
        M8     | DELETE FROM packet WHERE send_id = 'a'
        M9     | UPDATE refund SET state = 1, final_at = NULL
        M7 M9  | UPDATE refund SET amount = 49
        M7 M9  | UPDATE refund SET state = 3
        M7 M9  | DELETE FROM refund
        M7     | UPDATE refund SET number = 2
        M7     | UPDATE refund SET person = 8
        M7 M9  | UPDATE refund SET reason = 2
        M10    | UPDATE refund SET final_at = NULL
        """

    @Test func eachCheckCanFail() async throws {
        let rig = try await Self.grown()
        for line in Self.breaches.split(separator: "\n") {
            let parts = line.split(separator: "|", maxSplits: 1).map { $0.trimmingPrefix { $0 == " " } }
            let expected = Set(parts[0].split(separator: " ").map(String.init))
            let folder = try BrokenStore.copy(of: rig.folder)
            try await BrokenStore.alter(folder, String(parts[1]))
            let report = try await Audit.run(folder, keyring: rig.keyring)
            let breached = Set(report.checks.filter { $0.breachCount > 0 }.map(\.invariant))
            #expect(breached == expected, "\(parts[1]): \(report.checks.flatMap(\.breaches))")
        }
    }
}
