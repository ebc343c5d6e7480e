import HongbaoCore
import HongbaoTesting
import Testing

/// A packet's life, kind by kind (RP-1, RP-4, RP-5, M7, M8, M10).
@Suite struct RedPacketTests {
    /// Everything that may come after a state, directly or later. M10: nothing before it, and nothing else.
    @Test func statesOnlyGoForward() {
        for state in RedPacket.State.allCases {
            for next in state.next { #expect(next.rawValue > state.rawValue) }
        }
        let table = """
            created    | paying published abandoned
            paying     | published abandoned
            published  | exhausted expired
            exhausted  | closing
            expired    | closing
            closing    | closed
            closed     |
            abandoned  |
            """
        for line in table.split(separator: "\n") {
            let parts = line.split(separator: "|", omittingEmptySubsequences: false)
                .map { $0.split(separator: " ").map(String.init) }
            let state = RedPacket.State.allCases.first { "\($0)" == parts[0][0] }
            #expect(state?.next.map { "\($0)" } == parts[1])
        }
    }

    /// RP-1: the money goes where its kind says, and nowhere else.
    @Test(arguments: RedPacketKind.allCases)
    func moneyGoesWhereItsKindSays(_ kind: RedPacketKind) throws {
        var world = try PacketWorld(kind, .of(1_000, 4), persons: 10)
        try world.open()
        try world.check()
        #expect(world.claim([1, 2, 3]).count == 3)
        for person: UInt64 in [1, 2] {
            let key = ClaimKey(packet: PacketWorld.id, person: PersonID(person))
            let claim = try #require(world.books.claim(key))
            let report = PayoutReport.paid(claim.share)
            #expect(world.books.settle(key, by: report, now: world.now, retryAfterSeconds: 1) == .settled)
            #expect(world.books.settle(key, by: report, now: world.now, retryAfterSeconds: 1) == .alreadyFinal)
            try world.check()
        }
        world.now = world.now.advanced(bySeconds: RedPacket.lifeSeconds)
        let advanced = world.books.advance(PacketWorld.id, now: world.now, retryAfterSeconds: 60)
        let packet = try world.packet()
        #expect(advanced == packet && packet.attempts == 0)
        #expect(packet.state == .closing && packet.sharesLeft == 1)
        func fen(_ id: AccountID) -> Int64 { world.books.ledger.account(id).available }
        let (book, person) = (PacketWorld.book, AccountID.person(PersonID(1), in: PacketWorld.book))
        let shares = packet.transferred.fen
        switch kind {
        case .c2c:
            let refund = try #require(world.books.refunds(of: packet.id).first)
            #expect(world.books.refunds(of: packet.id).count == 1 && refund.amount == packet.unclaimed)
            // Looking again promises nothing more.
            _ = world.books.advance(PacketWorld.id, now: world.now, retryAfterSeconds: 60)
            #expect(world.books.refunds(of: packet.id) == [refund])
            #expect(fen(.cashier(of: book)) == -1_000 && fen(.change(of: book)) == shares && fen(person) == 0)
            #expect(packet.refunded == .zero)
            #expect(world.report(.paid(refund.amount), on: refund) == .settled)
            #expect(world.report(.paid(refund.amount), on: refund) == .alreadyFinal)
            #expect(fen(.refunds(of: book)) == packet.unclaimed.fen)
        case .b2c:
            #expect(packet.refunded == packet.unclaimed && world.books.refunds(of: packet.id).isEmpty)
            #expect(fen(person) > 0 && fen(.change(of: book)) == 0)
            #expect(fen(.budget(of: PacketWorld.scene)) == 1 << 50 - 1_000 + packet.unclaimed.fen)
        }
        try world.check()
        // The last transfer closes it, however late.
        let last = try #require(world.books.claim(ClaimKey(packet: PacketWorld.id, person: PersonID(3))))
        let progress = world.books.settle(last.key, by: .paid(last.share), now: world.now, retryAfterSeconds: 1)
        #expect(progress == .settled)
        #expect(try world.packet().state == .closed)
        try world.check()
        #expect(fen(packet.escrow) == 0)
    }

    /// RP-2, M7: steps out of order are refused and change nothing.
    @Test(arguments: RedPacketKind.allCases)
    func illegalStepsAreRefused(_ kind: RedPacketKind) throws {
        var world = try PacketWorld(kind, .of(1_000, 4))
        #expect(world.books.abandon(PacketWorld.id, now: world.now) == .unknown)
        guard case .created(let packet) = try world.send() else {
            Issue.record("not created")
            return
        }
        #expect(try world.send() == .replayed(packet))
        let other = try PacketWorld.draft(kind, .of(1_001, 4))
        let seal = PacketWorld.seal
        func send(_ draft: RedPacketDraft, _ id: UInt64) -> SendOutcome {
            var books = world.books
            return books.send(draft, as: RedPacketID(id), seal: seal, now: world.now, nextCheckAt: world.now)
        }
        #expect(send(other, 78) == .conflict)
        #expect(send(try PacketWorld.draft(kind, .of(1_000, 4), id: "q"), PacketWorld.id.rawValue) == .idTaken)
        #expect(world.claim([1]) == [.notPublished])

        if kind == .c2c {
            #expect(try world.publish() == .illegal(.created))
            #expect(world.books.publish(packet.id, by: PacketWorld.subsidy, now: world.now) == .illegal(.created))
            let checkAt = world.now.advanced(bySeconds: 5)
            guard case .done = world.books.startPaying(packet.id, nextCheckAt: checkAt) else {
                Issue.record("not paying")
                return
            }
            guard case .alreadyDone = world.books.startPaying(packet.id, nextCheckAt: checkAt) else {
                Issue.record("paying twice")
                return
            }
        } else {
            #expect(world.books.startPaying(packet.id, nextCheckAt: world.now) == .illegal(.created))
        }
        for wrong in try Self.wrongFundings(of: world) {
            let outcome = world.books.publish(packet.id, by: wrong, now: world.now)
            #expect(outcome == (kind == .c2c ? .fundingMismatch : .illegal(.created)))
        }
        guard case .published(let published) = try world.publish() else {
            Issue.record("not published")
            return
        }
        #expect(published.expiresAt == world.now.advanced(bySeconds: 86_400))
        #expect(try world.publish() == .alreadyPublished(published))
        #expect(world.books.abandon(packet.id, now: world.now) == .illegal(.published))
        #expect(world.books.startPaying(packet.id, nextCheckAt: world.now) == .illegal(.published))
        try world.check()
    }

    private static func wrongFundings(of world: PacketWorld) throws -> [Transfer] {
        let right = try world.packet().payment(at: world.now)
        func with(id: TransferID? = nil, debit: AccountID? = nil, fen: Int64? = nil) throws -> Transfer {
            Transfer(
                id: id ?? right.id,
                debit: debit ?? right.debit,
                credit: right.credit,
                amount: try #require(Amount(fen: fen ?? right.amount.fen)),
                at: right.at,
                postedAt: right.postedAt
            )
        }
        // Another amount, another source, another number.
        return [
            try with(fen: 999), try with(debit: .treasury(of: PacketWorld.book)),
            try with(debit: .person(PacketWorld.sender, in: PacketWorld.book)),
            try with(id: TransferID(PacketWorld.subsidy)),
        ]
    }

    /// SU-4, SU-5: a subsidy pays for one packet of its own person, all of it, and nothing else does.
    @Test func aSubsidyPaysOnce() throws {
        var world = try PacketWorld(.b2c, .of(1_000, 4))
        func order(_ rain: UInt16, of person: UInt64 = 9, in book: BookID = PacketWorld.book) -> OrderNumber {
            let scene = SceneID(book: book, number: 3)
            return OrderNumber(person: PersonID(person), scene: scene, rain: RainID(rain), awardType: 1, stage: 0)
        }
        _ = try world.send()
        func publish(_ order: OrderNumber) -> PublishOutcome {
            var books = world.books
            let outcome = books.publish(PacketWorld.id, by: order, now: world.now)
            #expect(books.ledger.newTransfers.count == world.books.ledger.newTransfers.count)
            #expect(books.changedSubsidies == world.books.changedSubsidies)
            return outcome
        }
        #expect(publish(order(1, of: 10)) == .fundingMismatch)
        #expect(publish(order(1, in: BookID(campaign: 8, phase: .live))) == .fundingMismatch)
        #expect(publish(order(2)) == .fundingUnknown)
        var other = try PacketWorld(.b2c, .of(1_000, 4))
        other.grant(order(2), Split.of(999, 4).amount)
        _ = try other.send()
        #expect(other.books.publish(PacketWorld.id, by: order(2), now: other.now) == .fundingMismatch)

        guard case .published(let packet) = try world.publish() else {
            Issue.record("not published")
            return
        }
        let account = AccountID.subsidies(of: PacketWorld.sender, in: PacketWorld.book)
        #expect(packet.subsidy == PacketWorld.subsidy && packet.funding == TransferID(PacketWorld.subsidy))
        #expect(world.books.ledger.transfer(packet.payment(at: world.now).id)?.debit == account)
        #expect(world.books.ledger.account(account).available == 0)
        #expect(world.books.subsidy(PacketWorld.subsidy)?.packet == packet.id)
        #expect(world.books.changedSubsidies.count == 1)
        // Another packet of theirs doesn't get it again.
        let draft = try PacketWorld.draft(.b2c, .of(1_000, 4), id: "q")
        let next = RedPacketID(78)
        _ = world.books.send(draft, as: next, seal: PacketWorld.seal, now: world.now, nextCheckAt: world.now)
        #expect(world.books.publish(next, by: PacketWorld.subsidy, now: world.now) == .fundingUsed)
    }

    /// A packet that nobody pays for ends by itself; one that is being paid for waits for the cashier's word.
    @Test func unpaidPacketsEnd() throws {
        var world = try PacketWorld(.c2c, .of(10, 2))
        _ = try world.send()
        let packet = try world.packet()
        #expect(world.books.advance(packet.id, now: world.now, retryAfterSeconds: 60) == packet)
        var paying = world
        world.now = packet.nextCheckAt
        let endPacket = world.books.advance(packet.id, now: world.now, retryAfterSeconds: 60)
        let end = try #require(endPacket)
        #expect(end.state == .abandoned)
        #expect(world.books.publish(packet.id, by: end.payment(at: world.now), now: world.now) == .illegal(.abandoned))
        #expect(world.claim([1]) == [.notPublished])

        _ = paying.books.startPaying(packet.id, nextCheckAt: packet.nextCheckAt)
        paying.now = packet.nextCheckAt
        let askedPacket = paying.books.advance(packet.id, now: paying.now, retryAfterSeconds: 60)
        let asked = try #require(askedPacket)
        #expect(asked.state == .paying && asked.attempts == 0)
        #expect(paying.report(.unreachable, on: try paying.payment()) == .waiting)
        #expect(try paying.packet().attempts == 1)
        guard case .done = paying.books.abandon(packet.id, now: paying.now) else {
            Issue.record("not abandoned")
            return
        }
    }

    /// RP-4: what was decided before the end, and came to the store behind the sweep that found it, closes nothing
    /// early.
    @Test func nothingClosesBeforeItsEnd() throws {
        var world = try PacketWorld(.b2c, .of(1_000, 4), persons: 10)
        try world.open()
        #expect(world.claim([1]).count == 1)
        let end = try #require(try world.packet().expiresAt)
        _ = world.books.advance(PacketWorld.id, now: end, retryAfterSeconds: 60)
        #expect(try world.packet().state == .closing)
        let key = ClaimKey(packet: PacketWorld.id, person: PersonID(1))
        let share = try #require(world.books.claim(key)).share
        #expect(world.now < end)
        #expect(world.books.settle(key, by: .paid(share), now: world.now, retryAfterSeconds: 1) == .settled)
        let packet = try world.packet()
        #expect(packet.state == .closed && packet.closedAt == end)
    }

    /// That nobody has paid yet is as expected until the time to pay is over.
    @Test func waitingForAPaymentIsInTime() throws {
        var world = try PacketWorld(.c2c, .of(10, 2))
        _ = try world.send()
        _ = world.books.startPaying(PacketWorld.id, nextCheckAt: world.now)
        let payment = try world.payment()
        #expect(world.report(.processing, on: payment) == .inTime)
        #expect(world.report(.unreachable, on: payment) == .waiting)
        world.now = payment.closesAt
        #expect(world.report(.processing, on: payment) == .waiting)
        #expect(try world.packet().attempts == 3)
        #expect(world.report(.failed, on: payment) == .released)
        #expect(world.report(.unknownOrder, on: payment) == .alreadyFinal)
        #expect(try world.packet().state == .abandoned)
    }

    /// A report that can't be changes nothing.
    @Test func contradictionsChangeNothing() throws {
        var world = try PacketWorld(.c2c, .of(1_000, 2))
        try world.open()
        _ = world.claim([1])
        let key = ClaimKey(packet: PacketWorld.id, person: PersonID(1))
        let claim = try #require(world.books.claim(key))
        let more = try #require(Amount(fen: claim.share.fen + 1))
        func settle(_ report: PayoutReport) -> OrderProgress {
            world.books.settle(key, by: report, now: world.now, retryAfterSeconds: 60)
        }
        #expect(settle(.paid(more)) == .contradiction)
        for report in [PayoutReport.processing, .unknownOrder, .unreachable, .failed] {
            #expect(settle(report) == .waiting)
        }
        #expect(world.books.claim(key)?.attempts == 4 && world.books.claim(key)?.state == .pending)
        #expect(settle(.paid(claim.share)) == .settled)
        #expect(settle(.failed) == .contradiction)
        #expect(settle(.paid(more)) == .contradiction)
        #expect(settle(.unreachable) == .alreadyFinal)
        #expect(
            world.books.settle(
                ClaimKey(packet: PacketWorld.id, person: PersonID(2)),
                by: .processing,
                now: world.now,
                retryAfterSeconds: 1
            ) == .notFound
        )
        try world.check()
    }

    /// M3: numbers of packets' transfers are nobody else's.
    @Test func transferNumbersDoNotMeet() {
        let book = PacketWorld.book
        var ids = Set<TransferID>()
        let numbers: [UInt64] = [1, 2, 77, UInt64(Int64.max), .max]
        for number in numbers {
            let packet = RedPacketID(number)
            var parts: [TransferID.PacketPart] = [.payment, .refund]
            parts += [0, 1, 2, Split.countMax - 1].map { .claim(position: $0) }
            for part in parts {
                let id = TransferID(packet: packet, book: book, part)
                #expect(ids.insert(id).inserted)
                #expect(id.order == nil && id.book == book)
                #expect(id.packet?.id == packet && id.packet?.part == part)
            }
            for serial in [1, 2, TransferID.serialMax] {
                let id = TransferID(person: PersonID(number), book: book, serial: serial)
                #expect(ids.insert(id).inserted && id.packet == nil)
            }
        }
        // A funding, with the largest serial number there is.
        #expect(TransferID(person: PersonID(0), book: book, serial: .max).packet == nil)
        #expect(TransferID(PacketWorld.subsidy).packet == nil)
    }
}
