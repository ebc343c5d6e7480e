import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

/// Who waits, who leads, who is turned away (RP-6, RP-7), without any task.
@Suite struct LaneTableTests {
    private typealias Table = LaneTable<Int>

    private static let packet = RedPacketID(1)

    private static func table(waiting: Int = 100, batch: Int = 100, lanes: Int = 10, idle: Int = 4) -> Table {
        var limits = Table.Limits()
        limits.waitingMax = waiting
        limits.batchMax = batch
        limits.lanesMax = lanes
        limits.idleMax = idle
        return Table(limits: limits)
    }

    private static func facts(left: Int, of count: Int = 1_000, id: UInt64 = 1) throws -> PacketFacts {
        let split = Split.of(Int64(count), count, .equal)
        let draft = RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(1), book: BookID(1), id: "a")),
            kind: .c2c,
            split: split,
            scope: .everyone,
            cover: try #require(RedPacket.Cover())
        )
        let now = Timestamp(milliseconds: 0)
        let claimed = try #require(Amount(fen: Int64(count - left)))
        let best = RedPacket.Best(position: 0, share: try #require(Amount(fen: 1)))
        let packet = RedPacket(
            id: RedPacketID(id),
            draft,
            seal: RedPacket.Seal(commitment: [], sealedSeed: []),
            createdAt: now,
            RedPacket.Progress(
                state: left == 0 ? .exhausted : .published,
                funding: nil,
                publishedAt: now,
                expiresAt: now.advanced(bySeconds: 100),
                closedAt: nil,
                claimed: claimed,
                claimedCount: count - left,
                luckiest: left < count ? best : nil,
                transferred: .zero,
                refunded: .zero,
                attempts: 0,
                nextCheckAt: now
            )
        )
        return PacketFacts(packet: packet, shares: SharesAhead(split, KeyedDraws { _ in .init(first: 0, second: 0) }))
    }

    private static func enter(_ table: inout Table, _ persons: ClosedRange<Int>) -> [Table.Admission] {
        persons.map { table.enter(packet, Claimant(PersonID(UInt64($0))), waiter: $0) }
    }

    private static func waits(_ admissions: [Table.Admission]) -> Int {
        admissions.count { if case .wait = $0 { true } else { false } }
    }

    /// The first leads, the others are in its batch or the next, and a lane without anybody is gone.
    @Test func turnsGoRound() throws {
        var table = Self.table(batch: 3)
        #expect(Self.enter(&table, 1...1) == [.lead(0)])
        #expect(Self.waits(Self.enter(&table, 2...5)) == 4)
        #expect(table.learn(try Self.facts(left: 1_000), of: Self.packet) == [])
        let first = table.takeBatch(of: Self.packet)
        #expect(first.map(\.claimant.person.rawValue) == [1, 2, 3] && first.map(\.waiter) == [nil, 2, 3])
        // Who comes meanwhile waits for the next batch.
        #expect(Self.waits(Self.enter(&table, 6...6)) == 1)
        #expect(table.finish(Self.packet, facts: try Self.facts(left: 997)) == 4)
        let second = table.takeBatch(of: Self.packet)
        #expect(second.map(\.claimant.person.rawValue) == [4, 5, 6] && second.map(\.waiter) == [nil, 5, 6])
        #expect(table.finish(Self.packet, facts: try Self.facts(left: 994)) == nil)
        #expect(table.laneCount == 0 && table.idleCount == 1)
        // What was known is still known.
        #expect(Self.enter(&table, 7...7) == [.lead(6)])
        #expect(table.facts(of: Self.packet)?.packet.sharesLeft == 994 && table.idleCount == 0)
    }

    /// RP-7: half as many again as there are shares, waiting and at work together; everybody once nothing is left.
    @Test func theGateLetsInHalfAsManyAgain() throws {
        for (left, gate) in [(1, 2), (2, 3), (3, 5), (10, 15), (100, 100)] {
            var table = Self.table()
            _ = Self.enter(&table, 1...1)
            #expect(Self.waits(Self.enter(&table, 2...60)) == 59)
            // Those who came before anything was known, and are too many.
            let turnedAway = table.learn(try Self.facts(left: left), of: Self.packet)
            #expect(turnedAway == Array(Array(1...60).dropFirst(gate)))
            #expect(Self.waits(Self.enter(&table, 61...200)) == max(0, gate - 60))
            _ = table.takeBatch(of: Self.packet)
            #expect(Self.waits(Self.enter(&table, 201...300)) == 0, "\(left)")
            _ = table.finish(Self.packet, facts: try Self.facts(left: 0))
        }
        var table = Self.table()
        _ = Self.enter(&table, 1...1)
        _ = table.learn(try Self.facts(left: 0), of: Self.packet)
        #expect(Self.waits(Self.enter(&table, 2...200)) == 99)
    }

    @Test func lanesAndMemoryAreBounded() throws {
        var table = Self.table(lanes: 3, idle: 4)
        func enter(_ id: UInt64) -> Table.Admission {
            table.enter(RedPacketID(id), Claimant(PersonID(1)), waiter: 1)
        }
        for id in 1...3 as ClosedRange<UInt64> {
            if case .lead = enter(id) {} else { Issue.record("no lane for \(id)") }
        }
        #expect(enter(4) == .tryLater)
        for id in 1...3 as ClosedRange<UInt64> {
            _ = table.takeBatch(of: RedPacketID(id))
            #expect(table.finish(RedPacketID(id), facts: try Self.facts(left: 5, id: id)) == nil)
        }
        for id in 4...50 as ClosedRange<UInt64> {
            if case .lead = enter(id) {} else { Issue.record("no lane for \(id)") }
            _ = table.takeBatch(of: RedPacketID(id))
            _ = table.finish(RedPacketID(id), facts: try Self.facts(left: 5, id: id))
            #expect(table.laneCount == 0 && table.idleCount <= 4)
        }
    }

    /// Who gives up waiting isn't in a batch, and is never told to lead.
    @Test func whoGivesUpIsForgotten() throws {
        var table = Self.table()
        _ = Self.enter(&table, 1...1)
        let tickets = Self.enter(&table, 2...4).map { admission -> UInt64 in
            if case .wait(let ticket) = admission { ticket } else { .max }
        }
        #expect(table.leave(Self.packet, ticket: 0) == nil)
        #expect(table.leave(Self.packet, ticket: tickets[0]) == 2)
        #expect(table.leave(Self.packet, ticket: tickets[0]) == nil)
        #expect(table.takeBatch(of: Self.packet).map(\.claimant.person.rawValue) == [1, 3, 4])
        let later = Self.enter(&table, 5...6).map { admission -> UInt64 in
            if case .wait(let ticket) = admission { ticket } else { .max }
        }
        #expect(table.leave(Self.packet, ticket: later[0]) == 5)
        #expect(table.finish(Self.packet, facts: nil) == 6)
        #expect(table.leave(Self.packet, ticket: later[1]) == nil)
        #expect(table.takeBatch(of: Self.packet).count == 1)
        #expect(table.finish(Self.packet, facts: nil) == nil && table.idleCount == 0)
    }

    /// Shares computed ahead are the split's own, wherever the next batch begins.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func sharesAheadAreTheSplitsOwn(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let split = Split.of(5_000, 300)
        let draws = try #require(SplitSeed([UInt8](repeating: UInt8(seed), count: 32))).draws
        var shares = SharesAhead(split, draws)
        for _ in 0..<30 {
            let first = Int.random(in: 0..<320, using: &random)
            shares.prepare(from: first, count: Int.random(in: 0...60, using: &random))
            for position in split.positions where Int.random(in: 0..<10, using: &random) == 0 {
                #expect(shares.share(at: position) == split.share(at: position, draws))
            }
            if Bool.random(using: &random) { shares.forgetDraws() }
        }
    }
}
