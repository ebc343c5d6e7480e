import HongbaoCore
import HongbaoTesting
import Testing

/// The merge of tokens and ledger (TK-5, WL-2, M11), without a store.
@Suite struct WalletViewTests {
    private static let book = BookID(campaign: 7, phase: .live)
    private static let person = PersonID(1)

    private struct World {
        var tokens: [OpenGrant] = []
        var posted: [Transfer] = []
        var withdrawals: [Withdrawal] = []
        var claims: [Claim] = []
    }

    private static func grant(_ number: UInt16, _ fen: Int64, at: Int64) throws -> OpenGrant {
        OpenGrant(
            order: OrderNumber(
                person: person,
                scene: SceneID(book: book, number: 1),
                rain: RainID(number),
                awardType: 1,
                stage: 0
            ),
            amount: try #require(Amount(fen: fen)),
            openedAt: Timestamp(milliseconds: at),
            app: AppID(1)
        )
    }

    private static func transfer(_ grant: OpenGrant) -> Transfer {
        Transfer(
            id: TransferID(grant.order),
            debit: .budget(of: grant.order.scene),
            credit: .person(person, in: book),
            amount: grant.amount,
            at: grant.openedAt,
            postedAt: Timestamp(milliseconds: 999_999),
            app: grant.app
        )
    }

    private static func withdrawal(_ serial: UInt32, _ fen: Int64, at: Int64, _ state: Withdrawal.State) throws
        -> Withdrawal
    {
        Withdrawal(
            key: try #require(WithdrawalKey(person: person, book: book, id: "w\(serial)")),
            serial: serial,
            amount: try #require(Amount(fen: fen)),
            createdAt: Timestamp(milliseconds: at),
            state: state,
            nextCheckAt: Timestamp(milliseconds: at),
            finalAt: state == .pending ? nil : Timestamp(milliseconds: at + 3)
        )
    }

    private static func view(_ world: World) -> WalletView {
        WalletView(tokens: world.tokens, posted: world.posted, withdrawals: world.withdrawals, claims: world.claims)
    }

    private static func claim(_ packet: UInt64, _ kind: RedPacketKind, _ fen: Int64, at: Int64, _ state: Claim.State)
        throws -> Claim
    {
        Claim(
            key: ClaimKey(packet: RedPacketID(packet), person: person),
            book: book,
            kind: kind,
            position: Int(packet % 3),
            share: try #require(Amount(fen: fen)),
            at: Timestamp(milliseconds: at),
            state: state,
            nextCheckAt: Timestamp(milliseconds: at)
        )
    }

    @Test func anEmptyWallet() {
        let view = Self.view(World())
        #expect(view.balance == 0 && view.income == .zero && view.pending == .zero)
        #expect(view.page(after: nil, limit: 1).entries.isEmpty)
        #expect(view.page(after: nil, limit: 1).next == nil)
    }

    /// Where each grant is (token, ledger, both, twice among the tokens), and whether a share has been settled, can't
    /// be seen but in `pending`; a page never moves when some of them are posted between two pages. Shares that go to
    /// change aren't the wallet's.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func whereAGrantIsCantBeSeen(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let grants = try (1...UInt16.random(in: 1...40, using: &random)).map {
            try Self.grant($0, .random(in: 1...9, using: &random), at: .random(in: 0...5, using: &random))
        }
        var withdrawals: [Withdrawal] = []
        for serial in 1...UInt32.random(in: 1...5, using: &random) {
            let state = Withdrawal.State.allCases.randomElement(using: &random) ?? .pending
            withdrawals.append(try Self.withdrawal(serial, 2, at: .random(in: 0...5, using: &random), state))
        }
        let shares = (1...UInt64.random(in: 1...5, using: &random)).map { packet in
            (packet: packet, fen: Int64.random(in: 1...9, using: &random), at: Int64.random(in: 0...5, using: &random))
        }
        func spread() throws -> World {
            var world = World(withdrawals: withdrawals)
            for (packet, fen, at) in shares.shuffled(using: &random) {
                let state = Bool.random(using: &random) ? Claim.State.pending : .done
                world.claims.append(try Self.claim(packet, .b2c, fen, at: at, state))
                world.claims.append(try Self.claim(packet + 100, .c2c, fen, at: at, state))
            }
            for grant in grants.shuffled(using: &random) {
                switch Int.random(in: 0..<4, using: &random) {
                case 0: world.tokens.append(grant)
                case 1: world.tokens += [grant, grant]
                case 2: world.posted.append(Self.transfer(grant))
                default:
                    world.tokens.append(grant)
                    world.posted.append(Self.transfer(grant))
                }
            }
            for withdrawal in withdrawals where withdrawal.state == .paid {
                world.posted.append(
                    Transfer(
                        id: withdrawal.transferID,
                        debit: .person(Self.person, in: Self.book),
                        credit: .payouts(of: Self.book),
                        amount: withdrawal.amount,
                        at: withdrawal.createdAt,
                        postedAt: withdrawal.createdAt
                    )
                )
            }
            return world
        }
        let first = try spread()
        let whole = Self.view(first).page(after: nil, limit: 1000)
        let income = grants.reduce(0) { $0 + $1.amount.fen } + shares.reduce(0) { $0 + $1.fen }
        let out = withdrawals.reduce(0) { $0 + ($1.state == .failed ? 0 : $1.amount.fen) }
        #expect(whole.next == nil)
        let given = grants.count + shares.count
        #expect(whole.entries.count == given + withdrawals.count + withdrawals.count { $0.state == .failed })
        #expect(zip(whole.entries, whole.entries.dropFirst()).allSatisfy { $0.position > $1.position })
        #expect(whole.entries.reduce(0) { $0 + $1.amount } == income - out)

        let limit = Int.random(in: 1...7, using: &random)
        var paged: [StatementEntry] = []
        var cursor: StatementCursor?
        repeat {
            let world = try spread()
            let view = Self.view(world)
            #expect(view.balance == income - out && view.income.fen == income)
            let posted = Set(world.posted.map(\.id))
            let open = grants.filter { !posted.contains(TransferID($0.order)) }
            let unsettled = world.claims.filter { $0.kind == .b2c && $0.state == .pending }
            let pending = open.reduce(0) { $0 + $1.amount.fen } + unsettled.reduce(0) { $0 + $1.share.fen }
            #expect(view.pending.fen == pending)
            let (page, next) = view.page(after: cursor, limit: limit)
            paged += page
            cursor = next
        } while cursor != nil
        #expect(paged == whole.entries)
    }

    /// Every kind of line at one instant has a place of its own, and a cursor goes on right behind it.
    @Test func linesOfOneInstant() throws {
        let grants = try (1...3).map { try Self.grant($0, 5, at: 7) }
        var world = World(tokens: grants)
        world.withdrawals = try [Self.withdrawal(1, 3, at: 7, .failed), Self.withdrawal(2, 3, at: 7, .pending)]
        let view = Self.view(world)
        let whole = view.page(after: nil, limit: 100).entries
        #expect(whole.count == 6 && Set(whole.map(\.position)).count == 6)
        for (index, entry) in whole.enumerated() {
            let rest = view.page(after: entry.position, limit: 100).entries
            #expect(rest == Array(whole[(index + 1)...]))
        }
        #expect(whole.filter { $0.kind == .refund }.map(\.amount) == [3])
        #expect(view.balance == 12 && view.income.fen == 15 && view.pending.fen == 15)
    }

    /// Sums that no integer of 64 bits holds are shown as the largest, and nothing traps.
    @Test func hugeSumsSaturate() throws {
        let world = World(tokens: try (1...3).map { try Self.grant($0, .max, at: 1) })
        let view = Self.view(world)
        #expect(view.balance == .max && view.income.fen == .max && view.pending.fen == .max)
    }
}
