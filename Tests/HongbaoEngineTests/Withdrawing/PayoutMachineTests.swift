import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

@Suite struct PayoutMachineTests {
    private static let now = PayoutWorld.start

    private static func withdrawal(_ state: Withdrawal.State = .pending, attempts: UInt32 = 0) throws -> Withdrawal {
        let key = try #require(WithdrawalKey(person: PersonID(1), book: PayoutWorld.book, id: "w1"))
        return Withdrawal(
            key: key,
            serial: 1,
            amount: fen(100),
            createdAt: now,
            state: state,
            attempts: attempts,
            nextCheckAt: now,
            finalAt: state == .pending ? nil : now
        )
    }

    /// Every state against every report: forward only, and only by what agrees (M9, M10, WD-3).
    @Test(arguments: [
        (PayoutReport.processing, OrderProgress.waiting, Withdrawal.State.pending),
        (.unknownOrder, .waiting, .pending), (.unreachable, .waiting, .pending), (.paid(fen(100)), .settled, .paid),
        (.paid(fen(101)), .contradiction, .pending), (.paid(fen(0)), .contradiction, .pending),
        (.failed, .released, .failed),
    ])
    func everyStateAndReport(report: PayoutReport, progress: OrderProgress, state: Withdrawal.State) throws {
        let again: [PayoutReport] = [
            .processing, .unknownOrder, .unreachable, .paid(fen(100)), .paid(fen(101)), .failed,
        ]
        for second in again {
            var world = PayoutWorld(seed: 1, people: 1, policy: PayoutPolicy(), faults: .init())
            try world.withdraw(1, "w1", 100, told: false)
            var books = world.books
            let key = world.keys[0]
            #expect(books.apply(report, to: key, now: Self.now, retryAfterSeconds: 5) == progress)
            #expect(books.withdrawal(key)?.state == state)
            guard state != .pending else { continue }
            let before = books.withdrawal(key)
            let accounts = Set(books.ledger.changedAccounts)
            let outcome = books.apply(second, to: key, now: Self.now, retryAfterSeconds: 5)
            let opposite = state == .paid ? second == .failed || second == .paid(fen(101)) : second.isPaid
            #expect(outcome == (opposite ? .contradiction : .alreadyFinal), "\(report), then \(second)")
            #expect(books.withdrawal(key) == before)
            #expect(Set(books.ledger.changedAccounts) == accounts)
        }
    }

    @Test func submitsOnceThenOnlyAsks() throws {
        var machine = PayoutMachine(policy: PayoutPolicy(), seed: 1)
        let withdrawal = try Self.withdrawal()
        let id = withdrawal.transferID
        #expect(machine.step(.promised(withdrawal), now: .zero) == [.start(.submit([withdrawal]))])
        // Told again, called back, swept: it's being asked about already.
        #expect(machine.step(.promised(withdrawal), now: .zero).isEmpty)
        #expect(machine.step(.swept([withdrawal], isWhole: true), now: .zero).isEmpty)
        // No answer is no failure: it is written down and asked about later, not submitted again.
        let verdicts = machine.step(.reported([id], [.unreachable]), now: .zero)
        guard case .apply(let list) = verdicts.first, list.count == 1 else {
            Issue.record("\(verdicts)")
            return
        }
        let waiting = try Self.withdrawal(attempts: 1)
        let applied = PayoutMachine.Applied(progress: .waiting, order: waiting)
        #expect(machine.step(.applied([id], [applied]), now: .zero).isEmpty)
        let effects = machine.step(.tick, now: .seconds(10))
        #expect(effects.contains(.start(.query([waiting]))))
        // Only when the channel has never seen it is it submitted again, under the same number.
        let resubmitted = machine.step(.reported([id], [.unknownOrder]), now: .seconds(10))
        #expect(resubmitted == [.start(.submit([waiting]))])
    }

    @Test func newsDuringACallIsAskedAboutAfterIt() throws {
        var policy = PayoutPolicy()
        policy.mechanisms = .callback
        var machine = PayoutMachine(policy: policy, seed: 1)
        let withdrawal = try Self.withdrawal()
        let id = withdrawal.transferID
        _ = machine.step(.promised(withdrawal), now: .zero)
        #expect(machine.step(.callback(id), now: .zero).isEmpty)
        _ = machine.step(.reported([id], [.processing]), now: .zero)
        let waiting = try Self.withdrawal(attempts: 1)
        let applied = PayoutMachine.Applied(progress: .waiting, order: waiting)
        #expect(machine.step(.applied([id], [applied]), now: .zero) == [.start(.query([waiting]))])
        // Nothing else follows: without the delayed query it's forgotten until the next news.
        _ = machine.step(.reported([id], [.processing]), now: .zero)
        #expect(machine.step(.applied([id], [applied]), now: .zero).isEmpty)
        #expect(machine.trackedCount == 0)
        #expect(machine.step(.tick, now: .seconds(86_400)).isEmpty)
        #expect(machine.step(.callback(id), now: .zero) == [.start(.find([id]))])
        #expect(machine.step(.found([withdrawal]), now: .zero) == [.start(.query([withdrawal]))])
    }

    @Test func whatIsOffDoesNothing() throws {
        var policy = PayoutPolicy()
        policy.mechanisms = []
        var machine = PayoutMachine(policy: policy, seed: 1)
        #expect(machine.step(.tick, now: .zero).isEmpty)
        #expect(machine.step(.callback(try Self.withdrawal().transferID), now: .zero).isEmpty)
    }

    @Test func memoryAndCallsAreBounded() throws {
        var policy = PayoutPolicy()
        policy.trackedMax = 50
        policy.lookupsMax = 5
        policy.batchMax = 10
        policy.concurrencyMax = 2
        var machine = PayoutMachine(policy: policy, seed: 1)
        var calls = 0
        var left = 0
        for person in 1...100 {
            let key = try #require(WithdrawalKey(person: PersonID(UInt64(person)), book: PayoutWorld.book, id: "w"))
            let withdrawal = Withdrawal(key: key, serial: 1, amount: fen(1), createdAt: Self.now, nextCheckAt: Self.now)
            for effect in machine.step(.promised(withdrawal), now: .zero) {
                if case .start(.submit) = effect { calls += 1 }
                if effect == .leftToOthers { left += 1 }
            }
        }
        #expect(machine.trackedCount == 50)
        #expect(calls == 2)
        #expect(left == 50)
        var finds = 0
        var dropped = 0
        for person in 1_000...1_100 {
            let id = TransferID(person: PersonID(UInt64(person)), book: PayoutWorld.book, serial: 1)
            for effect in machine.step(.callback(id), now: .zero) {
                if case .start(.find) = effect { finds += 1 }
                if effect == .leftToOthers { dropped += 1 }
            }
        }
        #expect(finds == 1)
        #expect(dropped == 101 - 1 - 5)
    }

    /// A wrong amount is an alarm, and neither the money nor the state moves (M9, AS-2).
    @Test func contradictionsRaiseAnAlarmAndChangeNothing() throws {
        var world = PayoutWorld(seed: 1, people: 1, policy: PayoutPolicy(), faults: .init())
        try world.withdraw(1, "w1", 100, told: false)
        let withdrawal = try #require(world.books.withdrawal(world.keys[0]))
        var books = world.books
        let account = books.ledger.account(.person(PersonID(1), in: PayoutWorld.book))
        var machine = PayoutMachine(policy: PayoutPolicy(), seed: 1)
        _ = machine.step(.promised(withdrawal), now: .zero)
        let effects = machine.step(.reported([withdrawal.transferID], [.paid(fen(101))]), now: .zero)
        guard case .apply(let verdicts) = effects.first else {
            Issue.record("\(effects)")
            return
        }
        let applied = verdicts.map { books.apply($0, now: Self.now) }
        let after = machine.step(.applied([withdrawal.transferID], applied), now: .zero)
        let present = try #require(books.withdrawal(withdrawal.key))
        #expect(after == [.raise(.contradiction(present, .paid(fen(101))))])
        #expect(present.state == .pending)
        #expect(books.ledger.account(account.id) == account)
        #expect(present.nextCheckAt == Self.now.advanced(bySeconds: 300))
    }

    @Test func manyAttemptsRaiseAnAlarm() throws {
        var policy = PayoutPolicy()
        policy.alarmAfterAttempts = 3
        policy.breakerAfterCalls = nil
        policy.backoffLongestMilliseconds = 5_000
        var faults = PayoutWorld.Faults()
        faults.lostReply = 1
        var world = PayoutWorld(seed: 1, people: 1, policy: policy, faults: faults)
        try world.withdraw(1, "w1", 100)
        world.run(seconds: 60)
        let attempts = world.books.withdrawal(world.keys[0])?.attempts ?? 0
        #expect(attempts >= 6)
        #expect(world.alarms.count == Int(attempts / 3))
        #expect(!world.isOver)
    }

    @Test(arguments: 0..<300)
    func everyWithdrawalEndsExactlyOnceAndAgreesWithTheChannel(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        func oneIn(_ range: ClosedRange<Int>) -> Int {
            Bool.random(using: &random) ? Int.random(in: range, using: &random) : 0
        }
        var policy = PayoutPolicy()
        policy.mechanisms =
            [.all, .sweep, [.sweep, .callback], [.delayedQuery, .callback]].randomElement(using: &random) ?? .all
        policy.batchMax = Int.random(in: 1...5, using: &random)
        policy.concurrencyMax = Int.random(in: 1...3, using: &random)
        policy.trackedMax = Int.random(in: 5...40, using: &random)
        policy.sweepPageMax = Int.random(in: 2...20, using: &random)
        policy.backoffLongestMilliseconds = 60_000
        if !policy.mechanisms.contains(.sweep) { policy.trackedMax = 1_000 }
        let faults = PayoutWorld.Faults(
            lostRequest: oneIn(2...5),
            lostReply: oneIn(2...5),
            lostCallback: oneIn(1...3),
            duplicateCallback: oneIn(1...3),
            storeBefore: oneIn(3...8),
            storeAfter: oneIn(3...8),
            crash: oneIn(20...100),
            failedOrder: oneIn(2...6),
            clockJump: oneIn(20...100)
        )
        var world = PayoutWorld(seed: seed, people: 12, policy: policy, faults: faults)
        for number in 0..<Int.random(in: 1...40, using: &random) {
            let person = UInt64.random(in: 1...12, using: &random)
            let told = !policy.mechanisms.contains(.sweep) || Bool.random(using: &random)
            try world.withdraw(person, "w\(number)", Int64.random(in: 1...400, using: &random), told: told)
            if Bool.random(using: &random) { world.run(seconds: 3) }
        }
        world.run(seconds: 20_000)
        #expect(world.isOver, "seed \(seed)")
        world.checkAgreement()
    }

    @Test func backoffDoublesWithJitterUpToTheLongest() throws {
        var machine = PayoutMachine(policy: PayoutPolicy(), seed: 7)
        for (attempts, middle) in [(UInt32(0), Int64(1)), (3, 8), (8, 256), (9, 300), (40, 300), (.max, 300)] {
            let withdrawal = try Self.withdrawal(attempts: attempts)
            _ = machine.step(.promised(withdrawal), now: .zero)
            let effects = machine.step(.reported([withdrawal.transferID], [.processing]), now: .zero)
            guard case .apply(let verdicts) = effects.first else {
                Issue.record("\(effects)")
                return
            }
            let range = max(1, middle * 3 / 4)...(middle * 5 / 4 + 1)
            #expect(range.contains(verdicts[0].retryAfterSeconds), "\(attempts): \(verdicts[0].retryAfterSeconds)")
            let gone = PayoutMachine.Applied(progress: .notFound, order: nil)
            _ = machine.step(.applied([withdrawal.transferID], [gone]), now: .zero)
        }
    }

    @Test func ordersOfPayoutsAreReadExactly() throws {
        let withdrawal = try Self.withdrawal()
        #expect(TransferID(payoutOrder: withdrawal.payoutOrder) == withdrawal.transferID)
        for text in [
            "", "w_1_2", "w_1_2_3_4", "x_1_2_3", "w_01_2_3", "w_1_2_-3", "w_1_70000_3", "w_1_2_4294967296", "w_1_2_3 ",
        ] {
            #expect(TransferID(payoutOrder: text) == nil, "\(text)")
        }
    }
}

extension PayoutReport {
    fileprivate var isPaid: Bool { if case .paid = self { true } else { false } }
}
