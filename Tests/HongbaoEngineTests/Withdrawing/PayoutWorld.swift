import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

/// A payout channel that pays each order at most once, in virtual time, and can lose what is said to it or by it.
struct ChannelDouble: Sendable {
    struct Order: Sendable {
        let amount: Amount
        let fails: Bool
        let doneAt: Timestamp
    }

    private(set) var orders: [String: Order] = [:]
    private(set) var submissions = 0

    mutating func pay(_ order: PayoutOrder, fails: Bool, doneAt: Timestamp, now: Timestamp) -> PayoutReport {
        submissions += 1
        if orders[order.order] == nil {
            orders[order.order] = Order(amount: order.amount, fails: fails, doneAt: doneAt)
        }
        return query(order.order, now: now)
    }

    func query(_ order: String, now: Timestamp) -> PayoutReport {
        guard let known = orders[order] else { return .unknownOrder }
        guard known.doneAt <= now else { return .processing }
        return known.fails ? .failed : .paid(known.amount)
    }
}

/// A machine, its books and its channel in virtual time, with every fault that a seed brings: lost requests, replies
/// and callbacks, duplicates, store faults before and after the commit, and crashes of the process.
struct PayoutWorld {
    struct Faults {
        /// Each of them happens once in so many times; 0 is never.
        var lostRequest = 0
        var lostReply = 0
        var lostCallback = 0
        var duplicateCallback = 0
        var storeBefore = 0
        var storeAfter = 0
        var crash = 0
        var failedOrder = 0
        /// The wall clock is moved by hours, forward or back.
        var clockJump = 0
    }

    private enum Event {
        case input(PayoutMachine.Input)
        case callback(TransferID)
    }

    static let book = BookID(campaign: 7, phase: .live)
    static let start = Timestamp(milliseconds: 1_643_630_400_000)

    private var random: Seeded
    private let seed: UInt64
    private let faults: Faults
    private let policy: PayoutPolicy
    private var machine: PayoutMachine
    private var events: [(at: Duration, event: Event)] = []
    private var crashes = 0
    /// The wall clock.
    private(set) var now = Self.start
    /// By a clock that doesn't jump.
    private var passed = Duration.zero
    private(set) var books: Books
    private(set) var channel = ChannelDouble()
    private(set) var keys: [WithdrawalKey] = []
    /// How often each withdrawal went from pending to a final state.
    private(set) var finals: [WithdrawalKey: Int] = [:]
    private(set) var alarms: [PayoutMachine.Alarm] = []

    init(seed: UInt64, people: UInt64, policy: PayoutPolicy, faults: Faults) {
        self.seed = seed
        self.policy = policy
        self.faults = faults
        random = Seeded(seed: seed)
        machine = PayoutMachine(policy: policy, seed: seed)
        var accounts = [Account(id: .payouts(of: Self.book))]
        for person in 1...people {
            accounts.append(
                Account(
                    id: .person(PersonID(person), in: Self.book),
                    debits: .zero,
                    credits: fen(1_000),
                    held: .zero,
                    holdsStarted: 0
                )
            )
        }
        books = Books(ledger: Ledger(accounts: accounts, transfers: [], holds: []))
    }

    /// Holds the amount; tells the machine unless the process is to die in between.
    mutating func withdraw(_ person: UInt64, _ id: String, _ amount: Int64, told: Bool = true) throws {
        let key = try #require(WithdrawalKey(person: PersonID(person), book: Self.book, id: id))
        guard case .accepted(let withdrawal) = books.requestWithdrawal(key, amount: fen(amount), now: now) else {
            return
        }
        keys.append(key)
        if told { step(.promised(withdrawal)) }
    }

    /// Lets time pass, a tick a second, until all are final or the time is up.
    mutating func run(seconds: Int) {
        for _ in 0..<seconds {
            if isOver { return }
            now = now.advanced(bySeconds: 1)
            passed += .seconds(1)
            if happens(faults.clockJump) {
                now = now.advanced(bySeconds: Int64.random(in: -36_000...36_000, using: &random))
            }
            if happens(faults.crash) { crash() }
            step(.tick)
            while let index = events.indices.filter({ events[$0].at <= passed }).randomElement(using: &random) {
                switch events.remove(at: index).event {
                case .input(let input): step(input)
                case .callback(let id): step(.callback(id))
                }
            }
        }
    }

    var isOver: Bool { keys.allSatisfy { books.withdrawal($0)?.state != .pending } }

    mutating func crash() {
        crashes += 1
        events.removeAll { if case .input = $0.event { true } else { false } }
        machine = PayoutMachine(policy: policy, seed: seed &+ UInt64(crashes))
    }

    mutating func step(_ input: PayoutMachine.Input) {
        for effect in machine.step(input, now: passed) {
            switch effect {
            case .start(let job): begin(job)
            case .apply(let verdicts): apply(verdicts)
            case .raise(let alarm): alarms.append(alarm)
            case .finished, .leftToOthers: break
            }
        }
    }

    private mutating func begin(_ job: PayoutMachine.Job) {
        switch job {
        case .submit(let withdrawals):
            let isLost = happens(faults.lostRequest)
            var reports = withdrawals.map { withdrawal in isLost ? PayoutReport.unreachable : pay(withdrawal) }
            if happens(faults.lostReply) { reports = reports.map { _ in .unreachable } }
            later(.input(.reported(withdrawals.map(\.transferID), reports)), within: 3)
        case .query(let withdrawals):
            var reports = withdrawals.map { channel.query($0.payoutOrder, now: channelNow) }
            if happens(faults.lostReply) { reports = reports.map { _ in .unreachable } }
            later(.input(.reported(withdrawals.map(\.transferID), reports)), within: 3)
        case .find(let ids):
            let found = keys.compactMap { books.withdrawal($0) }.filter { ids.contains($0.transferID) }
            later(.input(.found(found)), within: 1)
        case .sweep(let limit):
            let putOff = now.advanced(bySeconds: policy.putOffMaxSeconds)
            let due = keys.compactMap { books.withdrawal($0) }.filter {
                $0.state == .pending && ($0.nextCheckAt <= now || $0.nextCheckAt >= putOff)
            }
            later(.input(.swept(Array(due.prefix(limit)), isWhole: due.count < limit)), within: 1)
        }
    }

    private mutating func pay(_ withdrawal: Withdrawal) -> PayoutReport {
        let isNew = channel.orders[withdrawal.payoutOrder] == nil
        let wait = Int64.random(in: 0...90, using: &random)
        let report = channel.pay(
            PayoutOrder(withdrawal),
            fails: happens(faults.failedOrder),
            doneAt: time(in: wait),
            now: channelNow
        )
        if isNew, !happens(faults.lostCallback) {
            let copies = happens(faults.duplicateCallback) ? 3 : 1
            for copy in 0..<copies {
                events.append((passed + .seconds(wait + Int64(copy)), .callback(withdrawal.transferID)))
            }
        }
        return report
    }

    private mutating func apply(_ verdicts: [PayoutMachine.Verdict]) {
        let ids = verdicts.map(\.order.transferID)
        guard !happens(faults.storeBefore) else { return step(.applied(ids, nil)) }
        var applied: [PayoutMachine.Applied] = []
        for verdict in verdicts {
            let key = verdict.order.key
            let before = books.withdrawal(key)
            applied.append(books.apply(verdict, now: now))
            let after = books.withdrawal(key)
            if before?.state != after?.state { finals[key, default: 0] += 1 }
            // M10: what was final stays as it was.
            if before?.state != .pending { #expect(before == after, "seed \(seed)") }
        }
        step(.applied(ids, happens(faults.storeAfter) ? nil : applied))
    }

    private mutating func later(_ event: Event, within seconds: Int64) {
        events.append((passed + .seconds(Int64.random(in: 0...seconds, using: &random)), event))
    }

    /// The channel has a clock of its own, which is right.
    private var channelNow: Timestamp { time(in: 0) }

    private func time(in seconds: Int64) -> Timestamp {
        Self.start.advanced(bySeconds: passed.components.seconds + seconds)
    }

    private mutating func happens(_ oneIn: Int) -> Bool { oneIn > 0 && Int.random(in: 0..<oneIn, using: &random) == 0 }

    /// M9, M10: each is final exactly once, as the channel has it, order by order and in sum.
    func checkAgreement(sourceLocation: SourceLocation = #_sourceLocation) {
        var paid: Int64 = 0
        for key in keys {
            guard let withdrawal = books.withdrawal(key), let order = channel.orders[withdrawal.payoutOrder] else {
                Issue.record("seed \(seed): never reached the channel", sourceLocation: sourceLocation)
                continue
            }
            #expect(withdrawal.state == (order.fails ? .failed : .paid), "seed \(seed)", sourceLocation: sourceLocation)
            #expect(order.amount == withdrawal.amount, "seed \(seed)", sourceLocation: sourceLocation)
            #expect(finals[key] == 1, "seed \(seed)", sourceLocation: sourceLocation)
            if !order.fails { paid += order.amount.fen }
            let account = books.ledger.account(.person(key.person, in: Self.book))
            #expect(account.held == .zero, "seed \(seed)", sourceLocation: sourceLocation)
            #expect(account.available >= 0, "seed \(seed)", sourceLocation: sourceLocation)
        }
        let payouts = books.ledger.account(.payouts(of: Self.book))
        #expect(payouts.credits.fen == paid, "seed \(seed)", sourceLocation: sourceLocation)
        #expect(channel.orders.count == keys.count, "seed \(seed)", sourceLocation: sourceLocation)
    }
}
