import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@Suite struct StorePropertyTests {
    /// M6, BU-1: whatever two holders lease, issue, return and lose, issued + leased + available is the budget.
    @Test(arguments: Backend.all, 0..<12 as Range<UInt64>)
    func leasesNeverExceedTheBudget(_ backend: Backend, seed: UInt64) async throws {
        try await backend.withStore { store in
            let budget: Int64 = 2_000
            try await store.fund(budget)
            let mints = [MintID(1), MintID(2)]
            for mint in mints { try await store.openEpoch(of: mint) }
            try await withThrowingTaskGroup { group in
                for mint in mints {
                    group.addTask {
                        try await Self.spend(mint, on: store, seed: seed)
                    }
                }
                try await group.waitForAll()
            }
            let (view, log) = try await store.read { snapshot throws(StoreError) in
                let rows = try snapshot.budgets()
                var log: [LoggedBatch] = []
                for mint in mints { log += try snapshot.batches(of: mint, after: 0, limit: 1_000) }
                return (rows.map { BudgetView($0.0, leases: $0.1, at: Fixture.now) }, log)
            }
            let sums = try #require(view.first)
            #expect(sums.issued.fen + sums.leased.fen + sums.available.fen == budget, "seed \(seed)")
            #expect(log.reduce(0) { $0 + $1.total.fen } == sums.issued.fen, "seed \(seed)")
            #expect(sums.issued > .zero, "seed \(seed)")
        }
    }

    private static func spend(_ mint: MintID, on store: any Store, seed: UInt64) async throws {
        var random = Seeded(seed: seed &* 2 &+ UInt64(mint.rawValue))
        let id = LeaseID(pool: PoolID(Fixture.scene), mint: mint)
        var footprint = Footprint()
        footprint.budgets = [PoolID(Fixture.scene)]
        var sequence: UInt64 = 1
        for _ in 0..<40 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                try await store.extendLease(of: mint, by: Int64.random(in: 1...300, using: &random))
            case 2:
                let amount = Fixture.fen(Int64.random(in: 1...50, using: &random))
                _ = try await store.transact(footprint) { books in books.returnLease(id, epoch: 1, amount: amount) }
            default:
                let count = UInt64.random(in: 1...6, using: &random)
                do throws(StoreError) {
                    try await store.append(Fixture.group(Array(sequence..<(sequence + count)), mint: mint))
                    sequence += count
                } catch {
                    #expect(error.code == .fenced, "seed \(seed)")
                }
            }
        }
    }

    /// M1, M2: the store does to rows exactly what the rules do in memory.
    @Test(arguments: Backend.all, 0..<12 as Range<UInt64>)
    func storeEqualsThePureLedger(_ backend: Backend, seed: UInt64) async throws {
        try await backend.withStore { store in
            var random = Seeded(seed: seed)
            var model = Ledger(accounts: Self.accounts.map { Account(id: $0) }, transfers: [], holds: [])
            for _ in 0..<25 {
                let steps = (0..<Int.random(in: 1...12, using: &random)).map { _ in Step(using: &random) }
                let expected = steps.map { $0.apply(to: &model) }
                var footprint = Footprint()
                footprint.accounts = Self.accounts
                footprint.transfers = steps.map(\.id)
                footprint.holds = steps.map(\.id)
                let outcomes = try await store.transact(footprint) { books in
                    steps.map { $0.apply(to: &books.ledger) }
                }
                #expect(outcomes == expected, "seed \(seed)")
            }
            let (accounts, transfers, holds) = try await store.read { snapshot throws(StoreError) in
                (
                    try snapshot.accounts(after: nil, limit: 100), try snapshot.transfers(after: nil, limit: 1_000),
                    try snapshot.holds(after: nil, limit: 1_000)
                )
            }
            for account in accounts { #expect(account == model.account(account.id), "seed \(seed)") }
            for id in Self.accounts where !accounts.contains(where: { $0.id == id }) {
                #expect(model.account(id) == Account(id: id), "seed \(seed)")
            }
            #expect(transfers.allSatisfy { model.transfer($0.id) == $0 }, "seed \(seed)")
            #expect(transfers.count == model.newTransfers.count, "seed \(seed)")
            #expect(holds.allSatisfy { model.hold($0.id) == $0 }, "seed \(seed)")
            #expect(holds.count == model.changedHolds.count, "seed \(seed)")
            #expect(accounts.reduce(Int128(0)) { $0 + Int128($1.credits.fen) - Int128($1.debits.fen) } == 0)
        }
    }

    private static let persons: [UInt64] = [1, 2, 1 << 63, .max]
    private static let accounts: [AccountID] =
        [.treasury(of: Fixture.book), .budget(of: Fixture.scene), .payouts(of: Fixture.book)]
        + persons.map { .person(PersonID($0), in: Fixture.book) }

    /// One random change, small enough in its IDs to be repeated now and then.
    private struct Step: Sendable {
        enum Kind: CaseIterable { case fund, grant, transfer, place, postHold, voidHold }

        let kind: Kind
        let id: TransferID
        let person: PersonID
        let other: PersonID
        let amount: Amount
        let at: Timestamp

        init(using random: inout Seeded) {
            kind = Kind.allCases.randomElement(using: &random) ?? .fund
            person = PersonID(persons.randomElement(using: &random) ?? 1)
            other = PersonID(persons.randomElement(using: &random) ?? 1)
            amount = Fixture.fen(Int64.random(in: 0...400, using: &random))
            at = Timestamp(milliseconds: Int64.random(in: 0...1_000, using: &random))
            switch kind {
            case .fund:
                let serial = UInt32.random(in: 1...40, using: &random)
                id = TransferID(person: PersonID(0), book: Fixture.book, serial: serial)
            case .grant:
                id = Fixture.grant(to: person.rawValue, rain: UInt16.random(in: 0...12, using: &random)).id
            case .transfer, .place, .postHold, .voidHold:
                let serial = UInt32.random(in: 1...12, using: &random)
                id = TransferID(person: person, book: Fixture.book, serial: serial)
            }
        }

        func apply(to ledger: inout Ledger) -> String {
            let budget = AccountID.budget(of: Fixture.scene)
            let own = AccountID.person(person, in: Fixture.book)
            let payouts = AccountID.payouts(of: Fixture.book)
            switch kind {
            case .fund: return "\(ledger.post(transfer(from: .treasury(of: Fixture.book), to: budget)))"
            case .grant: return "\(ledger.post(transfer(from: budget, to: own)))"
            case .transfer:
                // An ID that names a hold is the hold's.
                guard ledger.hold(id) == nil else { return "taken" }
                return "\(ledger.post(transfer(from: own, to: .person(other, in: Fixture.book))))"
            case .place:
                guard ledger.transfer(id) == nil else { return "taken" }
                return "\(ledger.place(Hold(id: id, debit: own, credit: payouts, amount: amount, at: at)))"
            case .postHold: return "\(ledger.postHold(id, at: at))"
            case .voidHold: return "\(ledger.voidHold(id))"
            }
        }

        private func transfer(from debit: AccountID, to credit: AccountID) -> Transfer {
            Transfer(id: id, debit: debit, credit: credit, amount: amount, at: at, postedAt: at, app: AppID(8))
        }
    }
}
