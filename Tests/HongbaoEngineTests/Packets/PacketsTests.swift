import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Sending, looking, and what happens without anybody asking (RP-2, RP-3, RP-4, RP-9, RP-10, SU-4).
@Suite(.timeLimit(.minutes(15))) struct PacketsTests {
    @Test func sendingIsIdempotent() async throws {
        try await PacketRig.run { rig in
            let answers = try await withThrowingTaskGroup(of: SendAnswer.self) { group in
                for index in 0..<50 {
                    let packets = rig.packets()
                    let asked = try PacketRig.draft(.c2c, .of(index == 7 ? 1_001 : 1_000, 10))
                    group.addTask { await packets.send(asked) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // One of the two contents won, all of the same content hear of the same packet.
            #expect(answers.count { if case .sent = $0 { true } else { false } } == 1)
            let conflicts = answers.count { $0 == .conflict }
            #expect(conflicts == 1 || conflicts == 49)
            let ids = Set(answers.compactMap { if case .replayed(let packet) = $0 { packet.id } else { nil } })
            #expect(ids.count == (conflicts == 1 ? 1 : 0))
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func lostAnswersOfSendingAreClearedUp(seed: UInt64) async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets(on: FaultyStore(rig.store, seed: seed, oneIn: 2))
            for number in 0..<20 {
                let draft = try PacketRig.draft(.c2c, .of(1_000, 10), id: "p\(number)")
                var sent: RedPacket?
                while sent == nil {
                    switch await packets.send(draft) {
                    case .sent(let packet), .replayed(let packet): sent = packet
                    case .unavailable: continue
                    case let other: throw Unexpected("\(other)")
                    }
                }
                guard case .replayed(let again) = await rig.packets().send(draft) else { throw Unexpected("gone") }
                #expect(again == sent)
            }
        }
    }

    /// SU-4: two packets at once want the same subsidy; one gets it, and of the other nothing is left.
    @Test func aSubsidyPaysForOnePacket() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            try await rig.grant(PacketRig.subsidy(), Split.of(1_000, 10).amount)
            let answers = try await withThrowingTaskGroup(of: SendAnswer.self) { group in
                for number in 0..<20 {
                    let draft = try PacketRig.draft(.b2c, .of(1_000, 10), id: "p\(number)")
                    group.addTask { await packets.send(draft, by: PacketRig.subsidy()) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { if case .sent = $0 { true } else { false } } == 1)
            #expect(answers.count { $0 == .subsidyUsed } == 19)
            let rows = try await rig.store.read { (snapshot) throws(StoreError) in
                try snapshot.packets(after: nil, limit: 100)
            }
            #expect(rows.count == 1 && rows[0].state == .published)
            // SU-5, and what nobody was given or is of another amount.
            let others = try PacketRig.draft(.b2c, .of(1_000, 10), id: "x", sender: 8)
            #expect(await packets.send(others, by: PacketRig.subsidy()) == .subsidyMismatch)
            let next = try PacketRig.draft(.b2c, .of(1_000, 10), id: "y")
            #expect(await packets.send(next, by: PacketRig.subsidy(2)) == .subsidyUnknown)
            try await rig.grant(PacketRig.subsidy(2), Split.of(999, 10).amount)
            #expect(await packets.send(next, by: PacketRig.subsidy(2)) == .subsidyMismatch)
            // M14: a repeat is one with the same subsidy only.
            let sent = answers.compactMap { if case .sent(let packet) = $0 { packet } else { nil } }
            let winner = try #require(sent.first)
            #expect(await packets.send(winner.draft, by: PacketRig.subsidy()) == .replayed(winner))
            #expect(await packets.send(winner.draft, by: PacketRig.subsidy(2)) == .conflict)
        }
    }

    @Test func onlyTheWholeAmountPays() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            guard case .sent(let packet) = await packets.send(try PacketRig.draft(.c2c, .of(1_000, 10))) else {
                throw Unexpected("not sent")
            }
            let amount = packet.split.amount
            #expect(try await rig.till.paid(packet, amount) == .illegal(.created))
            _ = try await rig.till.startPaying(packet.id)
            #expect(try await rig.till.paid(packet, try #require(Amount(fen: 999))) == .fundingMismatch)
            #expect(await packets.claim(packet.id, by: PersonID(1)) == .decided(.notPublished))
            guard case .published(let published) = try await rig.till.paid(packet, amount) else {
                throw Unexpected("not published")
            }
            #expect(try await rig.till.paid(packet, amount) == .alreadyPublished(published))
            guard case .decided(.claimed) = await packets.claim(packet.id, by: PersonID(1)) else {
                throw Unexpected("what was unpaid is still remembered as unpaid")
            }
        }
    }

    /// RP-3, RP-10: everybody's luck; the seed is shown once no share can be claimed any more, and proves the shares.
    @Test func theEndIsOpened() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            let packet = try await rig.open(packets, .c2c, .of(1_000, 5))
            for person in 1...3 as ClosedRange<UInt64> { _ = await packets.claim(packet.id, by: PersonID(person)) }
            let view = try #require(try await packets.look(packet.id, as: PersonID(2)))
            #expect(view.seed == nil && view.mine?.position == 1 && view.packet.sharesLeft == 2)
            #expect(try await packets.look(RedPacketID(1), as: nil) == nil)
            let page = try #require(try await packets.claims(of: packet.id, limit: 2))
            #expect(page.claims.map(\.position) == [0, 1] && page.next == 2 && page.opened == nil)
            let rest = try #require(try await packets.claims(of: packet.id, from: 2, limit: 2))
            #expect(rest.claims.map(\.position) == [2] && rest.next == nil)

            rig.clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            await rig.sweeps().sweep()
            let end = try #require(try await packets.look(packet.id, as: PersonID(4)))
            #expect(end.seed != nil && end.mine == nil && end.packet.state == .closing)
            let opened = try #require(try await packets.claims(of: packet.id, limit: 5)?.opened)
            let report = opened.verify()
            #expect(report.holds && report.lines.count { $0.verdict == .agrees } == 3)
            let luckiest = Split.luckiest(of: opened.claims.map(\.amount))
            #expect(end.packet.luckiest?.position == luckiest)
        }
    }

    /// RP-9, RP-4: shares of a B2C packet come into wallets behind the claims, the rest goes back to the budget, once.
    @Test func theInsideMovesByItself() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            let packet = try await rig.open(packets, .b2c, .of(1_000, 8, .equal))
            for person in 1...6 as ClosedRange<UInt64> { _ = await packets.claim(packet.id, by: PersonID(person)) }
            let sweeps = rig.sweeps { _ in Issue.record("nobody outside is needed") }
            func fen(_ id: AccountID) async throws -> Int64 {
                try await rig.store.read { (snapshot) throws(StoreError) in try snapshot.account(id).available }
            }
            #expect(try await fen(.person(PersonID(3), in: PacketRig.book)) == 0)
            await sweeps.sweep()
            #expect(try await fen(.person(PersonID(3), in: PacketRig.book)) == 125)
            #expect(try await fen(packet.escrow) == 250)
            // One claims just before the end, and isn't forgotten.
            rig.clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000 - 1)
            _ = await packets.claim(packet.id, by: PersonID(7))
            rig.clock.advance(byMilliseconds: 1)
            #expect(await packets.claim(packet.id, by: PersonID(8)) == .decided(.expired))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<10 { group.addTask { await sweeps.sweep() } }
            }
            #expect(try await rig.packet(packet.id).state == .closed)
            #expect(try await fen(packet.escrow) == 0)
            #expect(try await fen(.budget(of: PacketRig.scene)) == 1_000_000 - 875)
            #expect(await packets.claim(packet.id, by: PersonID(8)) == .decided(.expired))
        }
    }

    /// What needs the outside is promised once, in the transaction that closes the packet (M15).
    @Test func theOutsideIsPromised() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            let told = Mutex<[Refund]>([])
            let sweeps = rig.sweeps { refund in told.withLock { $0.append(refund) } }
            let packet = try await rig.open(packets, .c2c, .of(1_000, 8))
            guard case .sent(let unpaid) = await packets.send(try PacketRig.draft(.c2c, .of(5, 5), id: "unpaid")),
                case .sent(let paying) = await packets.send(try PacketRig.draft(.c2c, .of(5, 5), id: "paying"))
            else { throw Unexpected("not sent") }
            _ = try await rig.till.startPaying(paying.id)
            rig.clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            for _ in 0..<3 {
                await sweeps.sweep()
                rig.clock.advance(byMilliseconds: 60_000)
            }
            #expect(try await rig.packet(unpaid.id).state == .abandoned)
            // Only the cashier knows whether it was paid.
            #expect(try await rig.packet(paying.id).state == .paying)
            let closing = try await rig.packet(packet.id)
            #expect(closing.state == .closing && closing.attempts == 0)
            let refunds = try await rig.store.read { (snapshot) throws(StoreError) in
                try snapshot.refunds(of: packet.id)
            }
            #expect(refunds.map(\.amount) == [packet.split.amount] && refunds.map(\.number) == [1])
            #expect(told.withLock { $0 } == refunds)
            let now = rig.clock.now
            let outcome = try await rig.store.transact(Refund.footprint(of: refunds)) { books in
                refunds[0].apply(.paid(refunds[0].amount), to: &books, now, retryAfterSeconds: 60)
            }
            #expect(outcome == .settled)
            #expect(try await rig.packet(packet.id).state == .closed)
        }
    }

    /// WD-2: what one person has claimed for their wallet is settled on demand, once, and nothing else is.
    @Test func onePersonsSharesAreSettledOnDemand() async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            let inside = try await rig.open(packets, .b2c, .of(1_000, 4))
            let outside = try await rig.open(packets, .c2c, .of(1_000, 4), id: "q")
            for packet in [inside, outside] {
                for person: UInt64 in [1, 2] { _ = await packets.claim(packet.id, by: PersonID(person)) }
            }
            for _ in 1...2 {
                try await rig.sweeps().settle(PersonID(1), in: PacketRig.book)
                let claims = try await rig.store.read { (snapshot) throws(StoreError) in
                    try snapshot.claims(of: inside.id, from: 0, limit: 10)
                        + snapshot.claims(of: outside.id, from: 0, limit: 10)
                }
                #expect(claims.map(\.state) == [.done, .pending, .pending, .pending])
                let account = try await rig.store.read { (snapshot) throws(StoreError) in
                    try snapshot.account(.person(PersonID(1), in: PacketRig.book))
                }
                #expect(account.available == claims[0].share.fen)
            }
        }
    }

    /// A seed that isn't the one a packet was committed to is found before any share is given.
    @Test func anotherKeyringOpensNothing() async throws {
        try await PacketRig.run { rig in
            let packet = try await rig.open(rig.packets(), .c2c, .of(1_000, 8))
            let stranger = Packets(Shards(rig.store), clock: rig.wallClock, vault: SeedVault(Keyring()))
            guard case .unavailable(let error) = await stranger.claim(packet.id, by: PersonID(1)) else {
                throw Unexpected("a share from another seed")
            }
            #expect(error.code == .corrupt)
        }
    }
}

extension ClaimPage {
    /// All that it takes to check everybody's share; `nil` until the packet is over.
    fileprivate var opened: OpenedSplit? {
        guard let seed, let commitment = SplitCommitment(packet.seal.commitment) else { return nil }
        return OpenedSplit(
            packet: packet.id,
            split: packet.split,
            seed: seed,
            commitment: commitment,
            claims: claims.map { OpenedSplit.Claim(position: $0.position, amount: $0.share) }
        )
    }
}
