import HongbaoCore
import HongbaoTesting
import Testing

/// Leases of a scene's budget (BU-1, BU-5, BU-6, M6). Mints a and b, one scene; each line is an act and its outcome.
///
/// `issue` is what a store does when grants become durable: it checks epoch and allotment, as the schema does.
private struct LeasingScript {
    private static let scene = SceneID(book: BookID(1), number: 1)
    private var rows = Books(
        ledger: Ledger(
            accounts: [Account(id: .treasury(of: BookID(1))), Account(id: .budget(of: scene))],
            transfers: [],
            holds: []
        )
    )
    private var now: Int64 = 0
    private var fundings: UInt16 = 0

    private static func lease(_ name: String) -> LeaseID {
        LeaseID(pool: PoolID(scene), mint: MintID(name == "a" ? 1 : 2))
    }

    private static func amount(_ word: String) throws -> Amount {
        try #require(Int64(word).flatMap { Amount(fen: $0) })
    }

    mutating func run(_ line: Substring) throws -> String {
        let words = line.split(separator: " ").map(String.init)
        let instant = Timestamp(milliseconds: now * 1000)
        defer { checkM6(line) }
        switch words[0] {
        case "fund":
            let total = try Self.amount(words[1])
            defer { fundings += 1 }
            return "\(rows.fund(Funding(pool: PoolID(Self.scene), total: total, revision: fundings), now: instant))"
        case "extend":
            let added = rows.extendLease(
                Self.lease(words[1]),
                epoch: try #require(UInt32(words[2])),
                by: try Self.amount(words[3]),
                now: instant,
                expiresAt: instant.advanced(bySeconds: 60)
            )
            return "\(added.fen)"
        case "return":
            let epoch = try #require(UInt32(words[2]))
            return "\(rows.returnLease(Self.lease(words[1]), epoch: epoch, amount: try Self.amount(words[3])))"
        case "reclaim": return "\(rows.reclaimLease(Self.lease(words[1]), now: instant).fen)"
        case "issue":
            guard let lease = rows.lease(Self.lease(words[1])), lease.epoch == UInt32(words[2]),
                let issued = lease.issued.adding(try Self.amount(words[3])), issued <= lease.allotted
            else { return "false" }
            replace(
                Lease(
                    id: lease.id,
                    epoch: lease.epoch,
                    allotted: lease.allotted,
                    issued: issued,
                    expiresAt: lease.expiresAt
                )
            )
            return "true"
        case "wait":
            now += try #require(Int64(words[1]))
            return "ok"
        case "view":
            guard let budget = rows.budget(PoolID(Self.scene)) else { return "none" }
            let view = BudgetView(budget, leases: rows.leases(of: PoolID(Self.scene)), at: instant)
            return "\(view.total.fen) \(view.issued.fen) \(view.leased.fen) \(view.available.fen)"
        default: throw UnknownWord(word: words[0])
        }
    }

    /// As a store reads its rows back for the next decision.
    private mutating func replace(_ lease: Lease) {
        var leases = rows.leases(of: PoolID(Self.scene)).filter { $0.id != lease.id }
        leases.append(lease)
        rows = Books(ledger: rows.ledger, budgets: rows.budget(PoolID(Self.scene)).map { [$0] } ?? [], leases: leases)
    }

    private func checkM6(_ line: Substring) {
        guard let budget = rows.budget(PoolID(Self.scene)) else { return }
        let leases = rows.leases(of: PoolID(Self.scene))
        let view = BudgetView(budget, leases: leases, at: Timestamp(milliseconds: now * 1000))
        #expect(view.issued.fen + view.leased.fen + view.available.fen == view.total.fen, "\(line)")
        #expect(budget.allotted.fen == leases.reduce(0) { $0 + $1.allotted.fen }, "\(line)")
        #expect(budget.allotted <= budget.total, "\(line)")
        for lease in leases { #expect(lease.issued <= lease.allotted, "\(line)") }
        #expect(rows.ledger.account(.budget(of: Self.scene)).available == budget.total.fen, "\(line)")
    }
}

private struct UnknownWord: Error {
    let word: String
}

private func check(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    var leasing = LeasingScript()
    for line in script.split(separator: "\n") {
        let parts = line.split(separator: " -> ")
        #expect(try leasing.run(parts[0]) == parts[1], "\(line)", sourceLocation: sourceLocation)
    }
}

@Suite struct LeasingTests {
    /// M6: several budgets are changed together or not at all.
    @Test func fundingsAreAllOrNothing() throws {
        let scenes = [1, 2].map { SceneID(book: BookID(campaign: 1, phase: .live), number: $0) }
        func fundings(_ totals: [Int64], revision: UInt16) throws -> [Funding] {
            try zip(scenes, totals).map {
                Funding(pool: PoolID($0), total: try #require(Amount(fen: $1)), revision: revision)
            }
        }
        let footprint = Footprint(funding: try fundings([0, 0], revision: 0))
        #expect(footprint.accounts.count == 3)
        let accounts = footprint.accounts.map { Account(id: $0) }
        let now = Timestamp(milliseconds: 5)
        var books = Books(ledger: Ledger(accounts: accounts, transfers: [], holds: []))
        #expect(books.fund(try fundings([100, 50], revision: 0), now: now) == .funded)
        #expect(books.fund(try fundings([100, 50], revision: 1), now: now) == .funded)
        let lease = LeaseID(pool: PoolID(scenes[1]), mint: MintID(1))
        #expect(books.extendLease(lease, epoch: 1, by: Amount(fen: 40) ?? .zero, now: now, expiresAt: now).fen == 40)
        let refused = books.fund(try fundings([500, 39], revision: 1), now: now)
        #expect(refused == .refused([PoolID(scenes[1]): .allotted(try #require(Amount(fen: 40)))]))
        // Somebody else has used this revision.
        #expect(books.fund(try fundings([500, 60], revision: 0), now: now) == .outdated)
        #expect(scenes.map { books.budget(PoolID($0))?.total.fen } == [100, 50])
        #expect(books.ledger.newTransfers.count == 2)
        #expect(books.fund(try fundings([500, 40], revision: 1), now: now) == .funded)
        #expect(scenes.map { books.ledger.account(.budget(of: $0)).available } == [500, 40])
    }

    /// What a scene gives is fixed when it's first funded: what was granted keeps its meaning (SU-1).
    @Test func aBudgetKeepsItsKind() throws {
        let scene = SceneID(book: BookID(campaign: 1, phase: .live), number: 1)
        func funding(_ kind: RewardKind, _ fen: Int64, _ revision: UInt16) throws -> Funding {
            Funding(pool: PoolID(scene), kind: kind, total: try #require(Amount(fen: fen)), revision: revision)
        }
        let accounts = Footprint(funding: [try funding(.subsidy, 0, 0)]).accounts.map { Account(id: $0) }
        let now = Timestamp(milliseconds: 5)
        var books = Books(ledger: Ledger(accounts: accounts, transfers: [], holds: []))
        #expect(books.fund(try funding(.subsidy, 100, 0), now: now) == .funded)
        #expect(books.budget(PoolID(scene))?.kind == .subsidy)
        for fen: Int64 in [50, 100, 200] {
            #expect(books.fund(try funding(.cash, fen, 1), now: now) == .otherKind)
            #expect(books.fund([try funding(.cash, fen, 1)], now: now) == .refused([PoolID(scene): .gives(.subsidy)]))
        }
        #expect(books.fund(try funding(.subsidy, 200, 1), now: now) == .funded)
        #expect(books.budget(PoolID(scene))?.total.fen == 200 && books.ledger.newTransfers.count == 2)
    }

    @Test func fundingGoesUpAndDown() throws {
        try check(
            """
            view -> none
            extend a 1 10 -> 0
            fund 0 -> unchanged
            fund 100 -> funded
            fund 100 -> unchanged
            extend a 1 30 -> 30
            fund 29 -> belowAllotted
            fund 30 -> funded
            extend a 1 1 -> 0
            fund 50 -> funded
            view -> 50 0 30 20
            fund 9223372036854775807 -> overflow
            view -> 50 0 30 20
            fund 30 -> funded
            view -> 30 0 30 0
            """
        )
    }

    @Test func leasesTakeWhatIsLeft() throws {
        try check(
            """
            fund 100 -> funded
            extend a 1 70 -> 70
            extend b 1 70 -> 30
            extend b 1 70 -> 0
            extend a 1 0 -> 0
            view -> 100 0 100 0
            issue a 1 71 -> false
            issue a 1 70 -> true
            view -> 100 70 30 0
            """
        )
    }

    @Test func leasesComeBack() throws {
        try check(
            """
            fund 100 -> funded
            extend a 1 60 -> 60
            issue a 1 20 -> true
            return a 1 41 -> false
            return a 2 10 -> false
            return b 1 0 -> false
            return a 1 10 -> true
            view -> 100 20 30 50
            return a 1 30 -> true
            return a 1 1 -> false
            return a 1 0 -> true
            view -> 100 20 0 80
            """
        )
    }

    /// BU-6: what a dead mint held is there for others, and the dead one can't come back with its old epoch.
    @Test func expiredLeasesAreReclaimedAndFenced() throws {
        try check(
            """
            fund 100 -> funded
            extend a 4 60 -> 60
            issue a 4 20 -> true
            reclaim a -> 0
            wait 60 -> ok
            reclaim a -> 0
            wait 1 -> ok
            reclaim a -> 40
            reclaim a -> 0
            issue a 4 1 -> false
            return a 4 0 -> false
            extend a 4 10 -> 0
            extend b 1 80 -> 80
            view -> 100 20 80 0
            fund 110 -> funded
            extend a 5 10 -> 10
            issue a 5 10 -> true
            reclaim b -> 0
            view -> 110 30 80 0
            """
        )
    }

    /// An extension keeps a lease alive, with or without more money.
    @Test func extensionsRenew() throws {
        try check(
            """
            fund 100 -> funded
            extend a 1 60 -> 60
            wait 50 -> ok
            extend a 1 0 -> 0
            wait 60 -> ok
            reclaim a -> 0
            wait 1 -> ok
            reclaim a -> 60
            """
        )
    }

    /// A newer epoch takes the lease over; the older one may do nothing more.
    @Test func epochsFence() throws {
        try check(
            """
            fund 100 -> funded
            extend a 1 60 -> 60
            extend a 2 0 -> 0
            issue a 1 1 -> false
            extend a 1 5 -> 0
            return a 1 5 -> false
            issue a 2 60 -> true
            view -> 100 60 0 40
            """
        )
    }

    /// Two mints with whatever luck: never more is issued than there is, and every fen is somewhere (M6).
    @Test(arguments: 0..<200 as Range<UInt64>)
    func nothingIsLostBetweenMints(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var leasing = LeasingScript()
        var epochs: [String: UInt32] = ["a": 1, "b": 1]
        var issued: Int64 = 0
        var total: Int64 = 0
        for _ in 0..<100 {
            let mint = Bool.random(using: &random) ? "a" : "b"
            let amount = Int64.random(in: 0...60, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let wanted = Int64.random(in: 0...300, using: &random)
                if try leasing.run("fund \(wanted)") == "funded" { total = wanted }
            case 1...3: _ = try leasing.run("extend \(mint) \(epochs[mint] ?? 0) \(amount)")
            case 4: _ = try leasing.run("return \(mint) \(epochs[mint] ?? 0) \(amount)")
            case 5: _ = try leasing.run("wait \(amount)")
            case 6: _ = try leasing.run("reclaim \(mint)")
            case 7: epochs[mint] = (epochs[mint] ?? 0) + (Bool.random(using: &random) ? 1 : 0)
            default: if try leasing.run("issue \(mint) \(epochs[mint] ?? 0) \(amount)") == "true" { issued += amount }
            }
            #expect(issued <= total)
        }
        if total > 0 { #expect(try leasing.run("view").hasPrefix("\(total) \(issued) ")) }
    }

    /// What a mint holds in memory: reserved is committed or released, and all of it adds up.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func slicesAddUp(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var slice = BudgetSlice(remaining: try #require(Amount(fen: 500)))
        var reserved: [Amount] = []
        var given: Int64 = 500
        for _ in 0..<200 {
            let amount = try #require(Amount(fen: .random(in: 0...90, using: &random)))
            switch Int.random(in: 0..<6, using: &random) {
            case 0...2:
                let fits = amount <= slice.remaining
                #expect(slice.reserve(amount) == fits)
                if fits { reserved.append(amount) }
            case 3:
                guard let next = reserved.popLast() else { continue }
                slice.commit(next)
                given -= next.fen
            case 4:
                guard let next = reserved.popLast() else { continue }
                slice.release(next)
            default:
                slice.refill(amount)
                given += amount.fen
            }
            #expect(slice.reserved.fen == reserved.reduce(0) { $0 + $1.fen })
            #expect(slice.remaining.fen + slice.reserved.fen == given)
        }
        let rest = slice.remaining
        #expect(slice.drain() == rest)
        #expect(slice.remaining == .zero && slice.drain() == .zero)
    }

    /// BU-5: who leases its share again and again, one after the other, leaves little with the others in the end, and
    /// takes all of it in few steps.
    @Test(arguments: [1, 2, 7, 64])
    func sharesShrink(count: Int) throws {
        let total = try #require(Amount(fen: 1_000_000))
        let reserve = try #require(Amount(fen: 1_000))
        let pool = PoolID(SceneID(book: BookID(1), number: 1))
        var shares: [Int64] = []
        var allotted = Amount.zero
        while true {
            let budget = Budget(pool: pool, kind: .cash, total: total, allotted: allotted, reserve: reserve)
            let share = budget.share(among: count)
            if share == .zero { break }
            shares.append(share.fen)
            allotted = try #require(allotted.adding(share))
        }
        #expect(shares.reduce(0, +) == 999_000)
        #expect(shares == shares.sorted(by: >) && shares.first == (999_000 + Int64(count) - 1) / Int64(count))
        #expect(shares.count <= count * 15)
    }

    /// A slice's quota is for all, too.
    @Test func sharesOfAQuota() throws {
        let total = try #require(Amount(fen: 1_000_000))
        let quota = Quota(amount: try #require(Amount(fen: 100)), seconds: 60)
        let pool = PoolID(SceneID(book: BookID(1), number: 1))
        let budget = Budget(pool: pool, kind: .cash, total: total, allotted: .zero, quota: quota)
        #expect(budget.share(among: 8).fen == 13)
    }
}
