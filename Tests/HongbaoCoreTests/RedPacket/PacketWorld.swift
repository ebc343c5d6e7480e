import HongbaoCore
import HongbaoTesting
import Testing

/// The books of one packet, with everything loaded that its life touches.
struct PacketWorld {
    static let book = BookID(campaign: 7, phase: .live)
    static let scene = SceneID(book: book, number: 3)
    static let sender = PersonID(9)
    static let id = RedPacketID(77)
    /// A subsidy of the sender's.
    static let subsidy = OrderNumber(person: sender, scene: scene, rain: RainID(1), awardType: 1, stage: 0)

    let kind: RedPacketKind
    let split: Split
    private let draws: KeyedDraws
    var books: Books
    var now = Timestamp(milliseconds: 1_000_000)

    init(_ kind: RedPacketKind, _ split: Split, seed: UInt64 = 1, persons: Int = 0) throws {
        self.kind = kind
        self.split = split
        draws = .seeded(seed)
        let budget = Account(
            id: .budget(of: Self.scene),
            debits: .zero,
            credits: try #require(Amount(fen: 1 << 50)),
            held: .zero,
            holdsStarted: 0
        )
        var accounts = [AccountID.cashier, AccountID.change, AccountID.refunds].map { Account(id: $0(Self.book)) }
        let owned = [AccountID.subsidies(of: Self.sender, in: Self.book), .escrow(of: Self.id, in: Self.book)]
        accounts += [budget] + owned.map { Account(id: $0) }
        accounts += (0...persons).map { Account(id: .person(PersonID(UInt64($0 + 1)), in: Self.book)) }
        books = Books(ledger: Ledger(accounts: accounts, transfers: [], holds: []))
        if kind == .b2c { grant(Self.subsidy, split.amount) }
    }

    /// Gives the sender a subsidy, and loads it as a store does.
    mutating func grant(_ order: OrderNumber, _ amount: Amount) {
        let transfer = Transfer(
            id: TransferID(order),
            debit: .budget(of: order.scene),
            credit: .subsidies(of: order.person, in: order.book),
            amount: amount,
            at: now,
            postedAt: now
        )
        #expect(books.grant(transfer) == .posted)
        books = Books(ledger: books.ledger, subsidies: books.newSubsidies)
    }

    static func draft(
        _ kind: RedPacketKind,
        _ split: Split,
        scope: RecipientScope = .everyone,
        id: String = "p"
    ) throws -> RedPacketDraft {
        RedPacketDraft(
            key: try #require(SendKey(sender: sender, book: book, id: id)),
            kind: kind,
            split: split,
            scope: scope,
            cover: try #require(RedPacket.Cover(greeting: "恭喜发财"))
        )
    }

    static let seal = RedPacket.Seal(
        commitment: [UInt8](repeating: 1, count: 32),
        sealedSeed: [UInt8](repeating: 2, count: 40)
    )

    mutating func send(scope: RecipientScope = .everyone) throws -> SendOutcome {
        let draft = try Self.draft(kind, split, scope: scope)
        return books.send(draft, as: Self.id, seal: Self.seal, now: now, nextCheckAt: now.advanced(bySeconds: 1_800))
    }

    func packet() throws -> RedPacket { try #require(books.packet(Self.id)) }

    mutating func publish() throws -> PublishOutcome {
        switch kind {
        case .c2c: books.publish(Self.id, by: try packet().payment(at: now), now: now)
        case .b2c: books.publish(Self.id, by: Self.subsidy, now: now)
        }
    }

    /// Sends, pays and publishes.
    mutating func open(scope: RecipientScope = .everyone) throws {
        _ = try send(scope: scope)
        if kind == .c2c { _ = books.startPaying(Self.id, nextCheckAt: now) }
        guard case .published = try publish() else {
            Issue.record("not published")
            return
        }
    }

    mutating func claim(_ persons: [UInt64], relation: Claimant.Relation = []) -> [ClaimOutcome] {
        let claimants = persons.map { Claimant(PersonID($0), relation: relation) }
        let (split, draws) = (split, draws)
        return books.claim(Self.id, by: claimants, now: now) { split.share(at: $0, draws) }
    }

    /// What the outside says of an order.
    mutating func report(_ report: PayoutReport, on order: some OutsideOrder) -> OrderProgress {
        order.apply(report, to: &books, now, retryAfterSeconds: 60)
    }

    /// The packet's payment, payable for half an hour.
    func payment() throws -> Payment {
        Payment(try packet(), Payment.Terms(payWithinSeconds: 1_800, lifeSeconds: RedPacket.lifeSeconds))
    }

    /// What M7 and M8 say of any instant.
    func check(_ comment: Comment? = nil) throws {
        let packet = try packet()
        let escrow = books.ledger.account(packet.escrow)
        let claims = (1...64 as ClosedRange<UInt64>)
            .compactMap { books.claim(ClaimKey(packet: Self.id, person: PersonID($0))) }
        #expect(claims.reduce(0) { $0 + $1.share.fen } == packet.claimed.fen, comment)
        #expect(Set(claims.map(\.position)) == Set(0..<packet.claimedCount), comment)
        #expect(claims.allSatisfy { $0.share.fen >= 1 } && claims.count <= packet.split.count, comment)
        let done = claims.filter { $0.state == .done }.reduce(0) { $0 + $1.share.fen }
        #expect(packet.transferred.fen == done, comment)
        let sent = packet.state.isFunded ? packet.split.amount.fen : 0
        #expect(escrow.credits.fen == sent && escrow.debits.fen == done + packet.refunded.fen, comment)
        #expect(sent >= packet.transferred.fen + packet.refunded.fen, comment)
        #expect(packet.refunded == .zero || packet.refunded == packet.unclaimed, comment)
        let refunds = books.refunds(of: Self.id)
        #expect(refunds.map { Int($0.number) } == Array(1..<refunds.count + 1), comment)
        #expect(refunds.dropLast().allSatisfy { $0.state == .failed } && refunds.last?.state != .failed, comment)
        let back = refunds.filter { $0.state == .done }.reduce(0) { $0 + $1.amount.fen }
        #expect(back == (kind == .b2c ? 0 : books.ledger.account(.refunds(of: Self.book)).credits.fen), comment)
        if packet.state.isFunded, kind == .c2c { #expect(packet.refunded.fen == back, comment) }
        if packet.state == .closed { #expect(sent == packet.transferred.fen + packet.refunded.fen, comment) }
    }
}
