import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@Suite(.timeLimit(.minutes(15))) struct WithdrawalsTests {
    private static func ask(
        _ withdrawals: Withdrawals,
        _ key: WithdrawalKey,
        _ amount: Int64,
        isOpen: Bool = true
    ) async -> WithdrawalAnswer {
        await withdrawals.request(key, amount: fen(amount), now: PayoutWorld.start) { _, _ in isOpen }
    }

    /// WD-4: a balance never goes below zero, however many come at once.
    @Test func twoHundredAtOnce() async throws {
        let bench = try await PayoutBench(fenEach: 500)
        let withdrawals = bench.withdrawals(nil)
        let keys = try (0..<200).map { try bench.key("w\($0)") }
        let answers = await withTaskGroup(of: WithdrawalAnswer.self) { group in
            for key in keys { group.addTask { await Self.ask(withdrawals, key, 10) } }
            var answers: [WithdrawalAnswer] = []
            for await answer in group { answers.append(answer) }
            return answers
        }
        let accepted = answers.compactMap { if case .accepted(let withdrawal) = $0 { withdrawal } else { nil } }
        #expect(accepted.count == 50)
        #expect(answers.count { $0 == .insufficientBalance } == 150)
        #expect(Set(accepted.map(\.serial)) == Set(1...50))
        let account = try await bench.account()
        #expect(account.available == 0)
        #expect(account.held == fen(500))
    }

    /// The same ID many times at once holds the money once and answers the same (M14).
    @Test func oneIDManyTimes() async throws {
        let bench = try await PayoutBench()
        let withdrawals = bench.withdrawals(nil)
        let key = try bench.key("w1")
        let answers = await withTaskGroup(of: WithdrawalAnswer.self) { group in
            for _ in 0..<100 { group.addTask { await Self.ask(withdrawals, key, 10) } }
            var answers: [WithdrawalAnswer] = []
            for await answer in group { answers.append(answer) }
            return answers
        }
        let given = answers.compactMap { answer -> Withdrawal? in
            switch answer {
            case .accepted(let withdrawal), .replayed(let withdrawal): withdrawal
            default: nil
            }
        }
        #expect(given.count == 100)
        #expect(Set(given).count == 1)
        #expect(answers.count { if case .accepted = $0 { true } else { false } } == 1)
        #expect(try await bench.account().held == fen(10))
    }

    @Test func answersInOrderOfPrecedence() async throws {
        let bench = try await PayoutBench()
        let withdrawals = bench.withdrawals(nil)
        let key = try bench.key("w1")
        #expect(await Self.ask(withdrawals, try bench.key("zero"), 0, isOpen: false) == .amountInvalid)
        #expect(await Self.ask(withdrawals, key, 2_000, isOpen: false) == .closed)
        #expect(await Self.ask(withdrawals, key, 1_001) == .insufficientBalance)
        guard case .accepted(let withdrawal) = await Self.ask(withdrawals, key, 1_000) else {
            Issue.record("not accepted")
            return
        }
        // WD-1: once accepted it answers, though the gate is closed again.
        #expect(await Self.ask(withdrawals, key, 1_000, isOpen: false) == .replayed(withdrawal))
        #expect(await Self.ask(withdrawals, key, 999, isOpen: false) == .conflict)
        #expect(await Self.ask(withdrawals, key, 0, isOpen: false) == .conflict)
        // Another person's withdrawal may have the same ID.
        #expect(await Self.ask(withdrawals, try bench.key("w1", person: 2), 1) == .insufficientBalance)
        #expect(try await withdrawals.find(key) == withdrawal)
        #expect(try await withdrawals.find(try bench.key("other")) == nil)
    }

    /// TK-7, WD-2: what is still in tokens counts, since it's posted first.
    @Test func unpostedMoneyIsIncluded() async throws {
        let bench = try await PayoutBench(fenEach: 0)
        let withdrawals = Withdrawals(
            Shards(bench.store),
            postNow: { (person, book) throws(StoreError) in
                #expect(book == PayoutWorld.book)
                try await bench.grant(person.rawValue, rain: 9, 250)
            },
            promised: { _ in }
        )
        guard case .accepted = await Self.ask(withdrawals, try bench.key("w1"), 250) else {
            Issue.record("not accepted")
            return
        }
        #expect(try await bench.account().available == 0)
    }

    @Test func nothingIsHeldWhenTokensCantBePosted() async throws {
        let bench = try await PayoutBench()
        let fault = StoreError(.unavailable, "on purpose")
        let withdrawals = Withdrawals(
            Shards(bench.store),
            postNow: { (_, _) throws(StoreError) in throw fault },
            promised: { _ in Issue.record("promised") }
        )
        #expect(await Self.ask(withdrawals, try bench.key("w1"), 100) == .unavailable(fault))
        #expect(try await bench.account().held == .zero)
    }

    /// A commit whose answer was lost is looked after: the money is held once, and the person learns it.
    @Test func unknownOutcomeOfTheHold() async throws {
        let bench = try await PayoutBench()
        let faulty = FaultyStore(bench.store, script: [.transact: [0: .after]])
        let withdrawals = Withdrawals(Shards(faulty), postNow: { (_, _) throws(StoreError) in }, promised: { _ in })
        guard case .accepted(let withdrawal) = await Self.ask(withdrawals, try bench.key("w1"), 100) else {
            Issue.record("not accepted")
            return
        }
        #expect(withdrawal.amount == fen(100))
        #expect(try await bench.account().held == fen(100))

        let dead = FaultyStore(bench.store, script: [.transact: [0: .before]])
        let others = Withdrawals(Shards(dead), postNow: { (_, _) throws(StoreError) in }, promised: { _ in })
        guard case .unavailable(let error) = await Self.ask(others, try bench.key("w2"), 100) else {
            Issue.record("not unavailable")
            return
        }
        #expect(error.isRetryable)
        #expect(try await bench.account().held == fen(100))
    }

    /// WD-1: by percentage, by list and by time, as the campaign's phase says.
    @Test func theGateOpensByPercentageListAndTime() async throws {
        let start = PayoutWorld.start
        let window = try #require(Window(from: start, to: start.advanced(bySeconds: 60)))
        let lottery = Lottery(campaign: 7, purpose: .withdrawal)
        let bench = try await PayoutBench(people: 60, fenEach: 100)
        let withdrawals = bench.withdrawals(nil)

        func admitted(_ admission: Admission, _ id: String, at instant: Timestamp = start) async throws -> Set<UInt64> {
            let gate = WithdrawalGate(window: window, admission: admission)
            var people = Set<UInt64>()
            for person in 1...UInt64(60) {
                let answer = await withdrawals.request(
                    try bench.key(id, person: person),
                    amount: fen(1),
                    now: instant,
                    isOpen: { gate.state(for: $0, at: $1, in: lottery).isOpen }
                )
                switch answer {
                case .accepted: people.insert(person)
                case .closed: break
                default: Issue.record("\(answer)")
                }
            }
            return people
        }
        let listed: Set<PersonID> = [PersonID(3), PersonID(4)]
        #expect(try await admitted(.listed(listed), "a") == [3, 4])
        let third = try await admitted(.percentage(basisPoints: 3_300, listed: []), "b")
        #expect((5...40).contains(third.count))
        // A greater share keeps all who were in.
        let two = try await admitted(.percentage(basisPoints: 6_600, listed: listed), "c")
        #expect(two.isSuperset(of: third.union([3, 4])))
        #expect(try await admitted(.everyone, "d").count == 60)
        #expect(try await admitted(.everyone, "e", at: Timestamp(milliseconds: start.milliseconds - 1)).isEmpty)
        #expect(try await admitted(.everyone, "f", at: window.to).isEmpty)
    }
}
