import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

/// Red packets in every store: what is written is read, and the store alone keeps M7 (RP-8).
@Suite struct PacketStoreTests {
    private static func draft(
        _ id: String,
        sender: UInt64 = 9,
        _ split: Split = .of(1_000, 10, .equal),
        scope: RecipientScope = .everyone,
        kind: RedPacketKind = .c2c
    ) throws -> RedPacketDraft {
        RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(sender), book: Fixture.book, id: id)),
            kind: kind,
            split: split,
            scope: scope,
            cover: try #require(RedPacket.Cover(greeting: "恭喜发财 🧧", video: "v'1"))
        )
    }

    private static let seal = RedPacket.Seal(
        commitment: (0..<32).map { UInt8($0) },
        sealedSeed: (0..<40).map { UInt8($0) }
    )

    private static func open(_ store: any Store, _ id: UInt64, _ draft: RedPacketDraft) async throws -> RedPacket {
        let id = RedPacketID(id)
        let seal = seal
        let created = try await store.transact(Footprint(sending: draft.key, as: id)) { books in
            books.send(draft, as: id, seal: seal, now: Fixture.now, nextCheckAt: Fixture.later)
        }
        guard case .created(let packet) = created else { throw StoreError(.corrupt, "\(created)") }
        _ = try await store.transact(Footprint(packet: id)) { $0.startPaying(id, nextCheckAt: Fixture.later) }
        let transfer = packet.payment(at: Fixture.now)
        let outcome = try await store.transact(Footprint(publishing: id, by: transfer)) { books in
            books.publish(id, by: transfer, now: Fixture.now)
        }
        guard case .published(let published) = outcome else { throw StoreError(.corrupt, "\(outcome)") }
        return published
    }

    private static func claim(_ store: any Store, _ id: RedPacketID, _ persons: [UInt64]) async throws -> [ClaimOutcome]
    {
        let claimants = persons.map { Claimant(PersonID($0)) }
        let footprint = Footprint(claiming: id, by: claimants.map(\.person))
        return try await store.transact(footprint) { books in
            let split = books.packet(id)?.split
            return books.claim(id, by: claimants, now: Fixture.now) { split?.share(at: $0, .none) ?? .zero }
        }
    }

    private static func packet(_ store: any Store, _ id: RedPacketID) async throws -> RedPacket? {
        try await store.read { snapshot throws(StoreError) in try snapshot.packet(id) }
    }

    /// Each column comes back, also numbers from 2^63 on and an empty list.
    @Test(arguments: Backend.all)
    func packetsRoundTrip(_ backend: Backend) async throws {
        let listed = try #require(RecipientScope.list([1, 1 << 40, .max].map { PersonID($0) }))
        let drafts = [
            try Self.draft("a"), try Self.draft("b", scope: .followers, kind: .b2c),
            try Self.draft("c", sender: .max, .of(7, 3, .lucky), scope: listed), try Self.draft("d", scope: .friends),
        ]
        let seal = Self.seal
        try await backend.withRestart { store in
            for (index, draft) in drafts.enumerated() {
                let id = RedPacketID(UInt64.max - UInt64(index))
                _ = try await store.transact(Footprint(sending: draft.key, as: id)) { books in
                    books.send(draft, as: id, seal: seal, now: Fixture.now, nextCheckAt: Fixture.later)
                }
            }
        } then: { store in
            for (index, draft) in drafts.enumerated() {
                let id = RedPacketID(UInt64.max - UInt64(index))
                let (byID, byKey) = try await store.read { snapshot throws(StoreError) in
                    (try snapshot.packet(id), try snapshot.packet(draft.key))
                }
                let expected = RedPacket(
                    id: id,
                    draft,
                    seal: seal,
                    createdAt: Fixture.now,
                    nextCheckAt: Fixture.later
                )
                #expect(byID == expected && byKey == expected)
                // M14: the same again, and another one under the same key.
                let again = try await store.transact(Footprint(sending: draft.key, as: RedPacketID(5))) { books in
                    books.send(draft, as: RedPacketID(5), seal: seal, now: Fixture.later, nextCheckAt: Fixture.later)
                }
                #expect(again == .replayed(expected))
            }
            #expect(try await Self.packet(store, RedPacketID(5)) == nil)
        }
    }

    /// A whole life, and what each question answers about it.
    @Test(arguments: Backend.all)
    func aPacketLivesAndCloses(_ backend: Backend) async throws {
        try await backend.withStore { store in
            let packet = try await Self.open(store, 77, try Self.draft("a"))
            let outcomes = try await Self.claim(store, packet.id, [1, 2, 3, 2])
            #expect(outcomes.count { if case .claimed = $0 { true } else { false } } == 3)
            guard case .alreadyClaimed(let second, left: 8) = outcomes[3] else {
                Issue.record("\(outcomes[3])")
                return
            }
            let keys = [1, 2, 3, 4].map { ClaimKey(packet: packet.id, person: PersonID($0)) }
            let (claims, page, ofPerson) = try await store.read { snapshot throws(StoreError) in
                (
                    try snapshot.claims(keys), try snapshot.claims(of: packet.id, from: 1, limit: 5),
                    try snapshot.claims(of: PersonID(2), in: Fixture.book)
                )
            }
            #expect(claims.map(\.position) == [0, 1, 2] && page == Array(claims[1...]) && ofPerson == [second])
            #expect(try await Self.due(store, .c2c) == claims)
            #expect(try await Self.due(store, .b2c) == [])

            let settled = try await store.transact(Footprint(settling: claims)) { books in
                claims.dropLast().map { claim in
                    books.settle(claim.key, by: .paid(claim.share), now: Fixture.later, retryAfterSeconds: 9)
                }
            }
            #expect(settled == [.settled, .settled])
            #expect(try await Self.due(store, .c2c).map(\.position) == [2])
            let end = Fixture.now.advanced(bySeconds: RedPacket.lifeSeconds)
            let closing = try await store.transact(Footprint(ending: [packet])) { books in
                books.advance(packet.id, now: end, retryAfterSeconds: 60)
            }
            #expect(closing?.unclaimed.fen == 700)
            let refund = try #require(try await Self.refunds(store, packet.id).first)
            #expect(try await Self.report(.paid(Fixture.fen(700)), on: refund, store, end) == .settled)
            #expect(try await Self.refunds(store, packet.id).map(\.state) == [.done])
            _ = try await store.transact(Footprint(settling: [claims[2]])) { books in
                books.settle(claims[2].key, by: .paid(claims[2].share), now: end, retryAfterSeconds: 9)
            }
            let closed = try #require(try await Self.packet(store, packet.id))
            #expect(closed.state == .closed && closed.closedAt == end && closed.isSettled)
            #expect(try await store.account(packet.escrow).available == 0)
            #expect(try await store.account(.refunds(of: Fixture.book)).credits.fen == 700)
            #expect(try await store.account(.change(of: Fixture.book)).credits.fen == 300)
            #expect(try await LedgerCheck.read(store).breaches == [])
        }
    }

    private static func due(_ store: any Store, _ kind: RedPacketKind) async throws -> [Claim] {
        try await store.read { snapshot throws(StoreError) in
            let times = Fixture.now...Fixture.later
            return try snapshot.claims(of: kind, toTransferIn: times, limit: 10)
        }
    }

    private static func refunds(_ store: any Store, _ id: RedPacketID) async throws -> [Refund] {
        try await store.read { snapshot throws(StoreError) in try snapshot.refunds(of: id) }
    }

    private static func report(
        _ report: PayoutReport,
        on order: some OutsideOrder,
        _ store: any Store,
        _ now: Timestamp
    ) async throws -> OrderProgress {
        try await store.transact(type(of: order).footprint(of: [order])) { books in
            order.apply(report, to: &books, now, retryAfterSeconds: 60)
        }
    }

    /// RP-4, M7, M15: refunds follow each other in rows, one is done, and each column comes back.
    @Test(arguments: Backend.all)
    func refundsFollowEachOther(_ backend: Backend) async throws {
        let end = Fixture.now.advanced(bySeconds: RedPacket.lifeSeconds)
        try await backend.withRestart { store in
            let packet = try await Self.open(store, UInt64.max - 1, try Self.draft("a"))
            _ = try await store.transact(Footprint(ending: [packet])) { books in
                books.advance(packet.id, now: end, retryAfterSeconds: 60)
            }
            for number in 1...2 {
                let refund = try #require(try await Self.refunds(store, packet.id).last)
                #expect(Int(refund.number) == number)
                #expect(try await Self.report(.unreachable, on: refund, store, end) == .waiting)
                #expect(try await Self.report(.failed, on: refund, store, end) == .renewed)
                #expect(try await Self.report(.failed, on: refund, store, end) == .alreadyFinal)
                #expect(try await Self.report(.paid(Fixture.fen(1_000)), on: refund, store, end) == .contradiction)
            }
        } then: { store in
            let id = RedPacketID(UInt64.max - 1)
            let refunds = try await Self.refunds(store, id)
            let next = end.advanced(bySeconds: 60)
            let expected = (1...3 as ClosedRange<UInt32>).map { number in
                Refund(
                    packet: id,
                    number: number,
                    book: Fixture.book,
                    person: PersonID(9),
                    amount: Fixture.fen(1_000),
                    reason: .unclaimed,
                    createdAt: end,
                    state: number == 3 ? .pending : .failed,
                    attempts: [0, 1, 3, 4][Int(number)],
                    nextCheckAt: next,
                    finalAt: number == 3 ? nil : end
                )
            }
            #expect(refunds == expected)
            func due(_ times: ClosedRange<Timestamp>) async throws -> [Refund] {
                try await store.read { snapshot throws(StoreError) in
                    try snapshot.refunds(toCheckIn: times, limit: 10)
                }
            }
            #expect(try await due(end...next) == [expected[2]])
            #expect(try await due(Fixture.now...end) == [])
            #expect(try await Self.report(.paid(Fixture.fen(999)), on: refunds[2], store, end) == .contradiction)
            #expect(try await Self.report(.paid(Fixture.fen(1_000)), on: refunds[2], store, end) == .settled)
            #expect(try await Self.packet(store, id)?.state == .closed)
            #expect(try await due(end...next) == [])
            #expect(try await store.account(.refunds(of: Fixture.book)).credits.fen == 1_000)
        }
    }

    /// A payment of another amount goes back whole, straight from where it came in.
    @Test(arguments: Backend.all)
    func otherPaymentsGoBack(_ backend: Backend) async throws {
        try await backend.withStore { store in
            let draft = try Self.draft("a")
            let (id, seal) = (RedPacketID(5), Self.seal)
            _ = try await store.transact(Footprint(sending: draft.key, as: id)) { books in
                books.send(draft, as: id, seal: seal, now: Fixture.now, nextCheckAt: Fixture.later)
            }
            _ = try await store.transact(Footprint(packet: id)) { $0.startPaying(id, nextCheckAt: Fixture.later) }
            let times = Fixture.now...Fixture.later
            let (toPay, others) = try await store.read { snapshot throws(StoreError) in
                (try snapshot.packets(toPayIn: times, limit: 5), try snapshot.packets(toCheckIn: times, limit: 5))
            }
            #expect(toPay.map(\.id) == [id] && others == [])
            let terms = Payment.Terms(payWithinSeconds: 60, lifeSeconds: 60)
            let payment = Payment(try #require(toPay.first), terms)
            #expect(try await Self.report(.paid(Fixture.fen(999)), on: payment, store, Fixture.later) == .returned)
            #expect(try await Self.report(.paid(Fixture.fen(999)), on: payment, store, Fixture.later) == .alreadyFinal)
            #expect(try await Self.packet(store, id)?.state == .abandoned)
            let refund = try #require(try await Self.refunds(store, id).first)
            #expect(refund.reason == .wrongAmount && refund.amount.fen == 999)
            #expect(try await Self.report(.paid(Fixture.fen(999)), on: refund, store, Fixture.later) == .settled)
            #expect(try await store.account(.cashier(of: Fixture.book)).available == -999)
            #expect(try await store.account(.refunds(of: Fixture.book)).available == 999)
            #expect(try await LedgerCheck.read(store).breaches == [])
        }
    }

    /// RP-8: with nothing in front of it, each claim in a transaction of its own and all at once.
    @Test(arguments: Backend.all)
    func theStoreAloneGivesEachShareOnce(_ backend: Backend) async throws {
        try await backend.withStore { store in
            let packet = try await Self.open(store, 77, try Self.draft("a", .of(10_007, 100, .equal)))
            let outcomes = try await LedgerLawTests.atOnce(1_000) { index in
                // Everybody asks twice.
                try await Self.claim(store, packet.id, [UInt64(index % 500 + 1)])[0]
            }
            var positions = Set<Int>()
            var sum: Int64 = 0
            for case .claimed(let claim, _) in outcomes {
                #expect(positions.insert(claim.position).inserted)
                sum += claim.share.fen
            }
            #expect(positions == Set(0..<100) && sum == 10_007)
            let claims = try await store.read { snapshot throws(StoreError) in
                try snapshot.claims(of: packet.id, from: 0, limit: 1_000)
            }
            #expect(claims.map(\.position) == Array(0..<100) && Set(claims.map(\.key.person)).count == 100)
            #expect(try await Self.packet(store, packet.id)?.state == .exhausted)
        }
    }

    /// The sweep finds what is due, the earliest first, and no packet that is over and done with.
    @Test(arguments: Backend.all)
    func duePacketsComeEarliestFirst(_ backend: Backend) async throws {
        try await backend.withStore { store in
            for number in 1...4 as ClosedRange<UInt64> {
                let draft = try Self.draft("p\(number)")
                let seal = Self.seal
                let at = Fixture.now.advanced(bySeconds: -Int64(number))
                _ = try await store.transact(Footprint(sending: draft.key, as: RedPacketID(number))) { books in
                    books.send(draft, as: RedPacketID(number), seal: seal, now: Fixture.now, nextCheckAt: at)
                }
            }
            _ = try await store.transact(Footprint(packet: RedPacketID(3))) { books in
                books.abandon(RedPacketID(3), now: Fixture.now)
            }
            let (due, pages) = try await store.read { snapshot throws(StoreError) in
                let times = Timestamp(milliseconds: .min)...Fixture.now.advanced(bySeconds: -2)
                let first = try snapshot.packets(after: nil, limit: 3)
                let rest = try snapshot.packets(after: first.last?.id, limit: 3)
                return (try snapshot.packets(toCheckIn: times, limit: 5), first + rest)
            }
            #expect(due.map(\.id.rawValue) == [4, 2])
            #expect(pages.map(\.id.rawValue) == [1, 2, 3, 4])
        }
    }

    /// A person's wallet isn't shown the transfers of a packet that has the person's number.
    @Test(arguments: Backend.all)
    func aPacketIsNobodysWallet(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            _ = try await store.post([Fixture.grant(to: 77)])
            let packet = try await Self.open(store, 77, try Self.draft("a"))
            #expect(packet.funding?.person == PersonID(77))
            let transfers = try await store.read { snapshot throws(StoreError) in
                try snapshot.transfers(of: PersonID(77), in: Fixture.book)
            }
            #expect(transfers == [Fixture.grant(to: 77)])
        }
    }
}

extension KeyedDraws {
    /// Equal splits draw nothing.
    fileprivate static let none = KeyedDraws { _ in preconditionFailure("an equal split draws") }
}
