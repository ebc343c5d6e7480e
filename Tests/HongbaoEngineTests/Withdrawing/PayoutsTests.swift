import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(15))) struct PayoutsTests {
    /// AS-1: each of the three alone is enough.
    @Test(arguments: [PayoutPolicy.Mechanisms.callback, .delayedQuery, .sweep])
    func eachMechanismAloneIsEnough(mechanisms: PayoutPolicy.Mechanisms) async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts(mechanisms)
        let done = bench.wall.now.advanced(bySeconds: 60)
        bench.channel.state.withLock { $0.doneAt = done }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            try await bench.until("a submission") { bench.channel.state.withLock { $0.double.submissions } == 1 }
            if mechanisms == .callback {
                try await bench.until("the payout") { bench.wall.now > done }
                #expect(try await bench.state(withdrawal) == .pending)
                #expect(payouts.callback(order: withdrawal.payoutOrder))
            }
            try await bench.untilFinal(withdrawal)
            #expect(try await bench.state(withdrawal) == .paid)
        }
        #expect(try await bench.account().available == 700)
        #expect(try await bench.paidOut() == 300)
        #expect(bench.channel.state.withLock { $0.double.submissions } == 1)
    }

    @Test func failedPayoutsGiveTheMoneyBack() async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts()
        bench.channel.state.withLock { $0.fails = true }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            try await bench.untilFinal(withdrawal)
            #expect(try await bench.state(withdrawal) == .failed)
        }
        #expect(try await bench.account().available == 1_000)
        #expect(try await bench.paidOut() == 0)
    }

    /// M15: the promise is in the store, so a process that dies before it submits loses nothing.
    @Test(arguments: [PayoutPolicy.Mechanisms.sweep, .delayedQuery, .all])
    func crashBetweenHoldAndSubmit(mechanisms: PayoutPolicy.Mechanisms) async throws {
        let bench = try await PayoutBench()
        let withdrawal = try await bench.withdraw("w1", 300, nil)
        #expect(bench.channel.state.withLock { $0.double.submissions } == 0)
        try await bench.running(bench.payouts(mechanisms)) { try await bench.untilFinal(withdrawal) }
        #expect(try await bench.state(withdrawal) == .paid)
        #expect(bench.channel.state.withLock { $0.double.submissions } == 1)
    }

    /// No answer is not a failure: the order is asked about, and isn't submitted again while the channel knows it.
    @Test func lostReplies() async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts()
        bench.channel.state.withLock { $0.behaviour = .losesReplies }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            try await bench.untilFinal(withdrawal)
            #expect(try await bench.state(withdrawal) == .paid)
        }
        #expect(bench.channel.state.withLock { $0.double.submissions } == 1)
        #expect(try await bench.paidOut() == 300)
    }

    @Test(arguments: [TestChannel.Behaviour.hangs, .answersTooFew])
    func channelsThatDontAnswer(behaviour: TestChannel.Behaviour) async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts()
        bench.channel.state.withLock { $0.behaviour = behaviour }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            try await bench.until("a question") { bench.channel.state.withLock { $0.queries } > 0 }
            bench.channel.state.withLock { $0.behaviour = .answers }
            try await bench.untilFinal(withdrawal)
            #expect(try await bench.state(withdrawal) == .paid)
        }
        #expect(try await bench.paidOut() == 300)
    }

    /// Callbacks are hints: many, early, late, for others' orders or for none, they change nothing by themselves (M9).
    @Test func callbacksAreNeverBelieved() async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts(.callback)
        let done = bench.wall.now.advanced(bySeconds: 3_600)
        bench.channel.state.withLock { $0.doneAt = done }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            #expect(!payouts.callback(order: "w_1_2"))
            #expect(!payouts.callback(order: "🧧"))
            for _ in 0..<20 {
                #expect(payouts.callback(order: withdrawal.payoutOrder))
                #expect(payouts.callback(order: "w_99_\(PayoutWorld.book.rawValue)_1"))
                bench.pass(milliseconds: 1_000)
                await Task.yield()
            }
            try await bench.until("a question") { bench.channel.state.withLock { $0.queries } > 0 }
            #expect(try await bench.state(withdrawal) == .pending)
            try await bench.until("the payout") { bench.wall.now > done }
            for _ in 0..<5 { payouts.callback(order: withdrawal.payoutOrder) }
            try await bench.untilFinal(withdrawal)
            for _ in 0..<5 { payouts.callback(order: withdrawal.payoutOrder) }
        }
        #expect(try await bench.account().available == 700)
        #expect(try await bench.paidOut() == 300)
    }

    /// A wall clock that is set back by hours delays nothing, neither what this process waits for nor what an earlier
    /// one has put off (M10, AS-1).
    @Test(arguments: [PayoutPolicy.Mechanisms.delayedQuery, .sweep], [true, false])
    func aClockThatIsSetBackDelaysNothing(mechanisms: PayoutPolicy.Mechanisms, isInOneProcess: Bool) async throws {
        let bench = try await PayoutBench()
        let hours: Int64 = 6 * 3_600
        let back = bench.wall.now.advanced(bySeconds: -hours)
        bench.channel.state.withLock {
            $0.behaviour = .losesReplies
            $0.doneAt = back
        }
        let first = bench.payouts(mechanisms)
        let submitted: @Sendable () async throws -> Withdrawal = {
            let withdrawal = try await bench.withdraw("w1", 300, first)
            try await bench.until("a note of the first attempt") { try await bench.attempts(withdrawal) == 1 }
            bench.wall.advance(byMilliseconds: -hours * 1_000)
            return withdrawal
        }
        if isInOneProcess {
            try await bench.running(first) { try await bench.untilFinal(try await submitted()) }
        } else {
            let put = Mutex<Withdrawal?>(nil)
            try await bench.running(first) {
                let withdrawal = try await submitted()
                put.withLock { $0 = withdrawal }
            }
            let withdrawal = try #require(put.withLock { $0 })
            try await bench.running(bench.payouts(mechanisms)) { try await bench.untilFinal(withdrawal) }
        }
        #expect(bench.wall.now < back.advanced(bySeconds: 600))
        #expect(try await bench.paidOut() == 300)
    }

    @Test func wrongAmountsChangeNothing() async throws {
        let bench = try await PayoutBench()
        let payouts = bench.payouts()
        bench.channel.state.withLock { $0.surplus = 1 }
        try await bench.running(payouts) {
            let withdrawal = try await bench.withdraw("w1", 300, payouts)
            try await bench.until("questions") { bench.channel.state.withLock { $0.queries } >= 3 }
            #expect(try await bench.state(withdrawal) == .pending)
            #expect(try await bench.account().held == fen(300))
            #expect(try await bench.paidOut() == 0)
            bench.channel.state.withLock { $0.surplus = 0 }
            try await bench.untilFinal(withdrawal)
            #expect(try await bench.state(withdrawal) == .paid)
        }
    }

    @Test(arguments: 0..<4)
    func storeFaultsOnlyDelay(seed: UInt64) async throws {
        let bench = try await PayoutBench(people: 20)
        let payouts = bench.payouts(on: FaultyStore(bench.store, seed: seed, oneIn: 2))
        try await bench.running(payouts) {
            for person in 1...UInt64(20) { _ = try await bench.withdraw("w1", 300, person: person, payouts) }
            try await bench.until("all are paid") { try await bench.paidOut() == 20 * 300 }
        }
        #expect(bench.channel.state.withLock { $0.double.orders.count } == 20)
    }

    /// Under load orders go in batches, and each is submitted once.
    @Test func ordersAreSubmittedInBatches() async throws {
        let bench = try await PayoutBench(people: 200)
        let payouts = bench.payouts()
        for person in 1...UInt64(200) { _ = try await bench.withdraw("w1", 100, person: person, nil) }
        try await bench.running(payouts) {
            try await bench.until("all are paid") { try await bench.paidOut() == 200 * 100 }
        }
        let state = bench.channel.state.withLock { $0 }
        #expect(state.ordersPerCallMax == 100)
        #expect(state.double.submissions == 200)
    }
}
