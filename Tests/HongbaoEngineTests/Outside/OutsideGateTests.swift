import HongbaoCore
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Outbound limits and the breaker, as the machine uses them (FC-1, FC-3, GR-8).
@Suite(.timeLimit(.minutes(15))) struct OutsideGateTests {
    /// Orders at an outside system that is up or down, each step of virtual time by hand.
    private struct Line {
        var machine: PayoutMachine
        var now = Duration.zero
        private(set) var calls: [(at: Duration, orders: [Withdrawal])] = []
        private(set) var alarms: [PayoutMachine.Alarm] = []
        private(set) var finished: Set<TransferID> = []
        private(set) var attempts: [TransferID: UInt32] = [:]
        private var underWay: [[Withdrawal]] = []

        init(_ policy: OutsidePolicy) { machine = PayoutMachine(policy: policy, seed: 3) }

        mutating func promise(_ people: ClosedRange<UInt64>) throws {
            for person in people {
                let key = try #require(WithdrawalKey(person: PersonID(person), book: PayoutWorld.book, id: "w"))
                let start = PayoutWorld.start
                step(.promised(Withdrawal(key: key, serial: 1, amount: fen(1), createdAt: start, nextCheckAt: start)))
            }
        }

        mutating func step(_ input: PayoutMachine.Input) {
            for effect in machine.step(input, now: now) {
                switch effect {
                case .start(.submit(let orders)), .start(.query(let orders)):
                    calls.append((now, orders))
                    underWay.append(orders)
                case .apply(let verdicts):
                    let applied = verdicts.map { apply($0) }
                    step(.applied(verdicts.map { $0.order.transferID }, applied))
                case .raise(let alarm): alarms.append(alarm)
                case .finished(let order): finished.insert(order.transferID)
                case .start, .leftToOthers: break
                }
            }
        }

        private mutating func apply(_ verdict: PayoutMachine.Verdict) -> PayoutMachine.Applied {
            let order = verdict.order
            attempts[order.transferID, default: 0] += 1
            let isPaid = verdict.report == .paid(order.amount)
            let after = Withdrawal(
                key: order.key,
                serial: order.serial,
                amount: order.amount,
                createdAt: order.createdAt,
                state: isPaid ? .paid : .pending,
                attempts: order.attempts + 1,
                nextCheckAt: order.nextCheckAt,
                finalAt: isPaid ? order.createdAt : nil
            )
            return PayoutMachine.Applied(progress: isPaid ? .settled : .waiting, order: after)
        }

        /// All calls under way end: `report` says how for each order.
        mutating func answer(_ report: (Withdrawal) -> PayoutReport) {
            let ended = underWay
            underWay = []
            for orders in ended { step(.reported(orders.map { $0.transferID }, orders.map(report))) }
        }

        /// Lets time pass in ticks while every call is answered at once.
        mutating func pass(_ seconds: Int, _ report: (Withdrawal) -> PayoutReport) {
            for _ in 0..<seconds * 5 {
                now += .milliseconds(200)
                step(.tick)
                while !underWay.isEmpty { answer(report) }
            }
        }
    }

    private static func policy(calls: Int? = nil, breaker: Int?) -> OutsidePolicy {
        var policy = OutsidePolicy()
        policy.mechanisms = .delayedQuery
        policy.batchMax = 1
        policy.concurrencyMax = 1
        policy.callsPerSecond = calls
        policy.breakerAfterCalls = breaker
        return policy
    }

    /// Five calls in vain, then none for a second, one, none for two seconds, and so on up to a minute; an answer to
    /// one call, and all that waited goes out.
    @Test func theBreakerOpensTriesOnceAndCloses() throws {
        var line = Line(Self.policy(breaker: 5))
        try line.promise(1...200)
        for count in 1...5 {
            #expect(line.calls.count == count)
            #expect(!line.machine.isBreakerOpen)
            line.answer { _ in .unreachable }
        }
        #expect(line.machine.isBreakerOpen)
        #expect(line.calls.count == 5)
        guard case .unanswered(calls: 5, let milliseconds, waiting: 195) = line.alarms.first else {
            Issue.record("\(line.alarms)")
            return
        }
        #expect((750...1_250).contains(milliseconds))
        line.pass(600) { _ in .unreachable }
        let tries = line.calls.dropFirst(5).map(\.at)
        #expect((10...17).contains(tries.count), "\(tries)")
        for (first, second) in zip(tries.dropFirst(6), tries.dropFirst(7)) {
            // A minute, a quarter more or less, and a tick.
            #expect((.seconds(45)...(.seconds(75) + .milliseconds(200))).contains(second - first))
        }
        // Told when it opened and after every ten tries in vain.
        #expect(line.alarms.count == 2)
        #expect(line.machine.trackedCount == 200)
        #expect(line.attempts.values.reduce(0, +) == UInt32(line.calls.count))

        line.pass(80) { .paid($0.amount) }
        #expect(!line.machine.isBreakerOpen)
        #expect(line.finished.count == 200)
    }

    /// While it's open, news, promises and orders that are due wait, and none of them is lost or forgotten.
    @Test func whatComesWhileItIsOpenWaits() throws {
        var line = Line(Self.policy(breaker: 1))
        try line.promise(1...3)
        line.answer { _ in .unreachable }
        let first = line.calls.count
        try line.promise(4...50)
        line.step(.callback(line.calls[0].orders[0].transferID))
        line.step(.tick)
        #expect(line.calls.count == first && line.machine.trackedCount == 50)
        line.pass(5) { .paid($0.amount) }
        #expect(line.finished.count == 50)
        #expect(line.attempts.values.reduce(0, +) == 51)
    }

    /// GR-8: an order that somebody waits for is asked about a second from now, not in minutes, however often they ask;
    /// then it's left to its turn again.
    @Test func whatIsAwaitedIsAskedAboutSooner() throws {
        var line = Line(Self.policy(breaker: nil))
        try line.promise(1...2)
        line.answer { _ in .unreachable }
        line.pass(150) { _ in .unreachable }
        let (before, awaited) = (line.calls.count, try #require(line.calls.first?.orders.first))
        for _ in 0..<50 {
            line.step(.awaited(awaited.transferID))
            line.now += .milliseconds(100)
            line.step(.tick)
            line.answer { _ in .unreachable }
        }
        let tries = line.calls.dropFirst(before)
        #expect((4...5).contains(tries.count), "\(tries.map(\.at))")
        #expect(tries.allSatisfy { $0.orders.map(\.transferID) == [awaited.transferID] })
        for (first, second) in zip(tries, tries.dropFirst()) { #expect(second.at - first.at >= .seconds(1)) }
        line.step(.awaited(awaited.transferID))
        line.pass(2) { .paid($0.amount) }
        #expect(line.finished == [awaited.transferID] && line.machine.trackedCount == 1)
    }

    /// An answer to one order of a call is an answer; so is that of a call from before it opened.
    @Test func anyAnswerCloses() throws {
        var policy = Self.policy(breaker: 2)
        policy.batchMax = 2
        var line = Line(policy)
        try line.promise(1...4)
        line.answer { _ in .unreachable }
        #expect(line.calls.map(\.orders.count) == [1, 2])
        let one = try #require(line.calls.last?.orders.first)
        line.answer { $0 == one ? .processing : .unreachable }
        line.answer { _ in .unreachable }
        #expect(line.calls.count == 3)
        #expect(!line.machine.isBreakerOpen && line.alarms.isEmpty)
        policy.concurrencyMax = 3
        var late = Line(policy)
        try late.promise(1...3)
        let orders = late.calls.map(\.orders)
        #expect(orders.count == 3)
        for ended in orders.prefix(2) { late.step(.reported(ended.map { $0.transferID }, [.unreachable])) }
        #expect(late.machine.isBreakerOpen)
        // Too few reports are no answer to the others.
        late.step(.reported(orders[2].map { $0.transferID }, []))
        #expect(late.machine.isBreakerOpen)
        late.now = .seconds(2)
        late.step(.tick)
        let probe = try #require(late.calls.last)
        #expect(late.calls.count == 4 && probe.at == .seconds(2))
        late.step(.reported(probe.orders.map { $0.transferID }, [.unknownOrder]))
        #expect(!late.machine.isBreakerOpen)
    }

    /// FC-1: in no second more calls than its own and those that may come early, and not much fewer.
    @Test(arguments: [1, 2, 4, 5, 10, 37, 100])
    func callsComeAtTheirRate(rate: Int) throws {
        var line = Line(Self.policy(calls: rate, breaker: nil))
        try line.promise(1...UInt64(rate * 20))
        line.answer { .paid($0.amount) }
        line.pass(10) { .paid($0.amount) }
        let times = line.calls.map(\.at)
        #expect((rate * 8...rate * 11 + 1).contains(times.count), "\(times.count)")
        let burst = 1 + rate / 4
        for (index, time) in times.enumerated() {
            let within = times[index...].prefix { $0 < time + .seconds(1) }.count
            #expect(within <= rate + burst, "\(rate): \(within) from \(time) on")
        }
        line.pass(15) { .paid($0.amount) }
        #expect(line.finished.count == rate * 20)
    }

    /// M9, M10: under every fault, with a breaker that opens at once and few calls a second, each withdrawal still ends
    /// exactly once, as the channel has it.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func everyWithdrawalStillEndsOnce(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var policy = OutsidePolicy()
        policy.batchMax = Int.random(in: 1...5, using: &random)
        policy.concurrencyMax = Int.random(in: 1...3, using: &random)
        policy.callsPerSecond = Bool.random(using: &random) ? Int.random(in: 1...3, using: &random) : nil
        policy.breakerAfterCalls = Int.random(in: 1...3, using: &random)
        policy.backoffLongestMilliseconds = 60_000
        let faults = PayoutWorld.Faults(
            lostRequest: 2,
            lostReply: 2,
            lostCallback: 2,
            duplicateCallback: 3,
            storeBefore: Int.random(in: 3...8, using: &random),
            storeAfter: Int.random(in: 3...8, using: &random),
            crash: Int.random(in: 20...100, using: &random),
            failedOrder: 4,
            clockJump: Int.random(in: 20...100, using: &random)
        )
        var world = PayoutWorld(seed: seed, people: 12, policy: policy, faults: faults)
        for number in 0..<30 {
            let person = UInt64.random(in: 1...12, using: &random)
            try world.withdraw(person, "w\(number)", Int64.random(in: 1...400, using: &random))
            if Bool.random(using: &random) { world.run(seconds: 3) }
        }
        world.run(seconds: 20_000)
        let isOver = world.isOver
        #expect(isOver, "seed \(seed)")
        world.checkAgreement()
        let isOpening = world.alarms.contains { if case .unanswered = $0 { true } else { false } }
        #expect(isOpening, "seed \(seed)")
    }

    /// GR-8: a system that answers nothing is hardly called and raises an alarm; the others go on, and so does it when
    /// it answers again.
    @Test func oneSystemIsDownAlone() async throws {
        let bench = try await OutsideBench()
        let life = bench.life(alarmAfterAttempts: 1_000)
        bench.transfers.state.withLock { $0.behaviour = .isDown }
        try await bench.running(life) {
            let packet = try await life.published(1_000, 4)
            for person in 1...4 as ClosedRange<UInt64> {
                let answer = await life.packets.claim(packet.id, by: PersonID(1_000 + person))
                guard case .decided(.claimed) = answer else { throw Unexpected("not claimed") }
            }
            try await bench.base.until("an alarm") { bench.alarms.count(.breakerOpen) > 0 }
            let payout = try await life.promise(.payouts)
            try await bench.base.until("a payout") { try await payout.isEnded() }
            bench.transfers.state.withLock { $0.behaviour = .answers }
            try await bench.base.until("all shares") { try await bench.packet(packet.id).transferred == fen(1_000) }
        }
        let line = try #require(bench.log.lines.withLock { $0 }.first { $0.contains("breaker_open") })
        #expect(line.contains("transfers: 10 calls in a row"), "\(line)")
        try await bench.check()
    }
}
