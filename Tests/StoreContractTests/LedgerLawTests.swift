import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

/// The laws of a ledger, for every store (docs/money-safety.md has them in a table). Here: what one request may do.
///
/// `LedgerLawTests+History` has those about many requests over time.
@Suite(.timeLimit(.minutes(15))) struct LedgerLawTests {
    static let funds: Int64 = 1_000
    static let person = AccountID.person(PersonID(5), in: Fixture.book)

    /// 3. Idempotency (M3, LG-2): however often and however many at a time, the money moves once.
    @Test(arguments: Backend.all)
    func aBurstOfTenThousandMovesTheMoneyOnce(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000_000)
            let grant = Fixture.grant(to: 5)
            let outcomes = try await Self.atOnce(10_000) { _ in try await store.post([grant])[0] }
            #expect(outcomes.count { $0 == .posted } == 1)
            #expect(outcomes.count { $0 == .alreadyPosted } == 9_999)
            #expect(try await store.account(Self.person).credits == Fixture.fen(100))
            let key = try Fixture.key(5, "w")
            let requests = try await Self.atOnce(1_000) { _ in try await store.request(key, 60) }
            #expect(requests.count { if case .accepted = $0 { true } else { false } } == 1)
            #expect(requests.count { if case .replayed = $0 { true } else { false } } == 999)
            #expect(try await store.account(Self.person).held == Fixture.fen(60))
            try await Self.expectSound(store)
        }
    }

    /// 4. The same number with another content is refused and changes nothing (M3, M14, GR-3).
    @Test(arguments: Backend.all)
    func aChangedPayloadIsRefused(_ backend: Backend) async throws {
        try await backend.withStore { store in
            let first = try await Self.prepare(store)
            _ = try await store.request(try Fixture.key(5, "w"), 60)
            let before = try await LedgerCheck.read(store)
            func changed(debit: AccountID? = nil, credit: AccountID? = nil, fen: Int64? = nil) -> Transfer {
                Transfer(
                    id: first.id,
                    debit: debit ?? first.debit,
                    credit: credit ?? first.credit,
                    amount: fen.map(Fixture.fen) ?? first.amount,
                    at: first.at,
                    postedAt: first.postedAt
                )
            }
            let other = AccountID.person(PersonID(6), in: Fixture.book)
            for transfer in [
                changed(fen: first.amount.fen + 1), changed(fen: 1), changed(debit: .treasury(of: Fixture.book)),
                changed(credit: other), changed(debit: other),
            ] {
                let outcomes = try await Self.atOnce(20) { _ in try await store.post([transfer])[0] }
                #expect(outcomes.allSatisfy { $0 == .idReusedForAnotherTransfer })
            }
            for fen: Int64 in [1, 59, 61] {
                #expect(try await store.request(try Fixture.key(5, "w"), fen) == .conflict)
            }
            let after = try await LedgerCheck.read(store)
            #expect(after.accounts == before.accounts && after.transfers == before.transfers)
            #expect(after.holds == before.holds && after.withdrawals == before.withdrawals)
            // The first content is still the answer.
            #expect(try await store.post([first]) == [.alreadyPosted])
        }
    }

    /// 5. What is wrong in itself is refused for ever, whatever comes between; what lacked the money leaves no trace
    /// and is refused as long as it lacks (M2, M13, WD-4).
    @Test(arguments: Backend.all)
    func refusedStaysRefused(_ backend: Backend) async throws {
        let book = Fixture.book
        let other = AccountID.person(PersonID(5), in: BookID(campaign: 8, phase: .live))
        let paid = try Fixture.key(5, "paid")
        let failed = try Fixture.key(5, "failed")
        @Sendable func transfer(_ rain: UInt16, from debit: AccountID, to credit: AccountID, _ fen: Int64) -> Transfer {
            let id = Fixture.grant(to: 5, rain: rain).id
            return Transfer(
                id: id,
                debit: debit,
                credit: credit,
                amount: Fixture.fen(fen),
                at: Fixture.now,
                postedAt: Fixture.now
            )
        }
        let budget = AccountID.budget(of: Fixture.scene)
        @Sendable func expectRefused(_ store: any Store, isPoor: Bool) async throws {
            #expect(try await store.post([transfer(11, from: budget, to: Self.person, 0)]) == [.amountIsZero])
            #expect(try await store.post([transfer(12, from: budget, to: budget, 1)]) == [.accountsAreTheSame])
            #expect(try await store.post([transfer(13, from: budget, to: other, 1)]) == [.booksDiffer])
            #expect(try await store.apply(.failed, to: paid, serial: 1) == .contradiction)
            #expect(try await store.apply(.paid(Fixture.fen(10)), to: failed, serial: 2) == .contradiction)
            guard isPoor else { return }
            let person = AccountID.person(PersonID(9), in: book)
            let gift = transfer(14, from: person, to: Self.person, 1)
            let outcomes = try await Self.atOnce(20) { _ in try await store.post([gift])[0] }
            #expect(outcomes.allSatisfy { $0 == .insufficientFunds })
            #expect(try await store.request(try Fixture.key(9, "w"), 1) == .insufficientBalance)
        }
        try await backend.withRestart { store in
            _ = try await Self.prepare(store)
            for (index, (key, report)) in [(paid, PayoutReport.paid(Fixture.fen(10))), (failed, .failed)].enumerated() {
                _ = try await store.request(key, 10)
                _ = try await store.apply(report, to: key, serial: UInt32(index + 1))
            }
            let before = try await LedgerCheck.read(store)
            for _ in 0..<3 { try await expectRefused(store, isPoor: true) }
            let after = try await LedgerCheck.read(store)
            #expect(after.accounts == before.accounts && after.transfers == before.transfers)
            #expect(after.withdrawals == before.withdrawals)
        } then: { store in
            try await expectRefused(store, isPoor: true)
            #expect(try await store.post([Fixture.grant(to: 9)]) == [.posted])
            try await expectRefused(store, isPoor: false)
            try await Self.expectSound(store)
        }
    }

    /// 6. Of many who post and many who void a hold at the same time, one wins, once, for ever (M10, LG-3).
    @Test(arguments: Backend.all)
    func aHoldIsPostedOrVoidedOnce(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(Self.funds)
            _ = try await store.post([Fixture.grant(to: 5, 500)])
            var paid: Int64 = 0
            for number in 1...8 as ClosedRange<UInt32> {
                let key = try Fixture.key(5, "w\(number)")
                _ = try await store.request(key, 50)
                let progress = try await Self.atOnce(60) { index in
                    let report: PayoutReport = index.isMultiple(of: 2) ? .paid(Fixture.fen(50)) : .failed
                    return try await store.apply(report, to: key, serial: number)
                }
                let (settled, released) = (progress.count { $0 == .settled }, progress.count { $0 == .released })
                #expect(settled + released == 1)
                #expect(progress.count { $0 == .alreadyFinal } == 29)
                #expect(progress.count { $0 == .contradiction } == 30)
                paid += settled == 1 ? 50 : 0
            }
            let account = try await store.account(Self.person)
            #expect(account.debits == Fixture.fen(paid) && account.held == .zero)
            #expect(try await store.account(.payouts(of: Fixture.book)).credits == Fixture.fen(paid))
            try await Self.expectSound(store)
        }
    }

    /// 7. Concurrent double spend: gifts and withdrawals that together are too much get exactly what is there (WD-4).
    @Test(arguments: Backend.all)
    func theSameMoneyIsNotSpentTwice(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(Self.funds)
            _ = try await store.post([Fixture.grant(to: 5, 1_000)])
            let isSpent = try await Self.atOnce(100) { index in
                if index.isMultiple(of: 2) {
                    let order = Fixture.grant(to: UInt64(100 + index))
                    let gift = Transfer(
                        id: order.id,
                        debit: Self.person,
                        credit: order.credit,
                        amount: Fixture.fen(100),
                        at: Fixture.now,
                        postedAt: Fixture.now
                    )
                    return try await store.post([gift]) == [.posted]
                }
                let outcome = try await store.request(try Fixture.key(5, "w\(index)"), 100)
                if case .accepted = outcome { return true }
                #expect(outcome == .insufficientBalance)
                return false
            }
            #expect(isSpent.count { $0 } == 10)
            #expect(try await store.account(Self.person).available == 0)
            try await Self.expectSound(store)
        }
    }

    /// 13. Both sides or neither (M1): of a transaction that the store refuses, nothing is there, although its first
    /// half could stand by itself.
    @Test(arguments: Backend.all)
    func bothSidesOrNeither(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000_000)
            let kept = try await Self.atOnce(100) { index in
                let good = Fixture.grant(to: UInt64(index + 1))
                // M3: a grant to another person than its number names.
                let stray = Transfer(
                    id: Fixture.grant(to: UInt64(index + 1), rain: 2).id,
                    debit: good.debit,
                    credit: .person(PersonID(UInt64(index + 2)), in: Fixture.book),
                    amount: good.amount,
                    at: good.at,
                    postedAt: good.postedAt
                )
                do {
                    _ = try await store.post(index.isMultiple(of: 2) ? [good] : [good, stray])
                    return true
                } catch let error as StoreError {
                    #expect(error.code == .corrupt)
                    return false
                }
            }
            #expect(kept.count { $0 } == 50)
            let rows = try await LedgerCheck.read(store)
            #expect(rows.breaches == [])
            #expect(rows.transfers.count == 51)  // And the funding.
            #expect(rows.account(.budget(of: Fixture.scene)).debits == Fixture.fen(5_000))
        }
    }

    /// 15. Whoever doesn't know what became of a request asks again, with the same number, and the money moves once
    /// (GR-4, LG-2).
    @Test(arguments: Backend.all, 0..<4 as Range<UInt64>)
    func anUnknownOutcomeCanBeAskedAgain(_ backend: Backend, seed: UInt64) async throws {
        try await backend.withStore { store in
            try await LedgerWork.prepare(store)
            let work = LedgerWork(seed: seed)
            let unknown = try await Self.workThroughFaults(work, 150, store, seed: seed)
            #expect(unknown > 20)
            let rows = try await LedgerCheck.read(store)
            #expect(rows.breaches == [])
            // Asked once more, everybody is told what the ledger has.
            for number in 0..<150 {
                guard work.breach(number, told: .refused, in: rows) != nil else { continue }
                let outcome = try await work.perform(number, on: store)
                #expect(work.breach(number, told: outcome, in: rows) == nil)
            }
            let after = try await LedgerCheck.read(store)
            #expect(after.transfers.count == rows.transfers.count && after.accounts == rows.accounts)
        }
    }

    /// - Returns: how many outcomes were unknown at first.
    private static func workThroughFaults(
        _ work: LedgerWork,
        _ count: Int,
        _ store: some Store,
        seed: UInt64
    ) async throws -> Int {
        let faulty = FaultyStore(store, seed: seed, oneIn: 3)
        var unknown = 0
        for number in 0..<count {
            while true {
                do {
                    _ = try await work.perform(number, on: faulty)
                    break
                } catch let error as StoreError where error.isRetryable {
                    unknown += error.code == .outcomeUnknown ? 1 : 0
                }
            }
        }
        return unknown
    }

    // MARK: Common

    /// A funded scene with one posted grant of 100 fen.
    static func prepare(_ store: some Store) async throws -> Transfer {
        try await store.fund(funds)
        let first = Fixture.grant(to: 5)
        #expect(try await store.post([first]) == [.posted])
        return first
    }

    static func expectSound(_ store: some Store) async throws {
        #expect(try await LedgerCheck.read(store).breaches == [])
    }

    /// Runs it so many times at the same time.
    static func atOnce<Answer: Sendable>(
        _ count: Int,
        _ body: @escaping @Sendable (Int) async throws -> Answer
    ) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for index in 0..<count { group.addTask { try await body(index) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }
}
