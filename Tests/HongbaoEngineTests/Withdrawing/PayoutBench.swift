import Crypto
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Logging
import Synchronization
import Testing

/// The network in the tests of the service: a channel that does as it's told.
final class TestChannel: PayoutChannel {
    enum Behaviour: Hashable, Sendable {
        case answers
        /// Carries out what it's asked, and the answer is lost.
        case losesReplies
        /// Never answers a submission before it's cancelled, and never gets it.
        case hangs
        case answersTooFew
        /// Gets nothing and answers nothing.
        case isDown
    }

    struct State: Sendable {
        var double = ChannelDouble()
        var behaviour = Behaviour.answers
        var queries = 0
        /// What is added to the amount that's reported as paid.
        var surplus: Int64 = 0
        var fails = false
        /// When orders are done that come now; `nil` is at once.
        var doneAt: Timestamp?
        var ordersPerCallMax = 0
    }

    let state = Mutex(State())
    private let now: @Sendable () -> Timestamp

    init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        let (behaviour, reports) = state.withLock { state in
            state.ordersPerCallMax = max(state.ordersPerCallMax, orders.count)
            guard state.behaviour != .hangs, state.behaviour != .isDown else {
                return (state.behaviour, [PayoutReport]())
            }
            let reports = orders.map {
                state.double.pay($0, fails: state.fails, doneAt: state.doneAt ?? now(), now: now())
            }
            return (state.behaviour, reports.map { Self.bend($0, state.surplus) })
        }
        switch behaviour {
        case .answers: return reports
        case .losesReplies, .isDown: return orders.map { _ in .unreachable }
        case .answersTooFew: return []
        case .hangs:
            let never = AsyncStream<Void>.makeStream()
            for await _ in never.stream { continue }
            return orders.map { _ in .unreachable }
        }
    }

    func query(_ orders: [String]) async -> [PayoutReport] {
        state.withLock { state in
            state.queries += 1
            if state.behaviour == .isDown { return orders.map { _ in .unreachable } }
            return orders.map { Self.bend(state.double.query($0, now: now()), state.surplus) }
        }
    }

    private static func bend(_ report: PayoutReport, _ surplus: Int64) -> PayoutReport {
        guard case .paid(let amount) = report else { return report }
        return .paid(fen(amount.fen + surplus))
    }
}

/// A store on disk, a channel and virtual time, to run withdrawals and payouts in.
struct PayoutBench: Sendable {
    static let scene = SceneID(book: PayoutWorld.book, number: 1)

    let folder: TemporaryFolder
    let store: SQLiteStore
    let wall = TestClock(PayoutWorld.start)
    let clock = VirtualClock()
    let channel: TestChannel

    init(people: UInt64 = 1, fenEach: Int64 = 1_000) async throws {
        folder = try TemporaryFolder()
        store = try SQLiteStore(folder: folder.path)
        let wall = wall
        channel = TestChannel(now: { wall.now })
        let funding = Funding(pool: PoolID(Self.scene), total: fen(1_000_000_000), revision: 1)
        let outcome = try await store.transact(Footprint(funding: [funding])) {
            $0.fund(funding, now: PayoutWorld.start)
        }
        #expect(outcome == .funded)
        for person in 1...people { try await grant(person, rain: 1, fenEach) }
    }

    func grant(_ person: UInt64, rain: UInt16, _ amount: Int64) async throws(StoreError) {
        guard amount > 0 else { return }
        let person = PersonID(person)
        let order = OrderNumber(person: person, scene: Self.scene, rain: RainID(rain), awardType: 1, stage: 0)
        let transfer = Transfer(
            id: TransferID(order),
            debit: .budget(of: Self.scene),
            credit: .person(person, in: PayoutWorld.book),
            amount: fen(amount),
            at: PayoutWorld.start,
            postedAt: PayoutWorld.start
        )
        _ = try await store.transact(Footprint(posting: [transfer])) { $0.ledger.post(transfer) }
    }

    func payouts(_ mechanisms: PayoutPolicy.Mechanisms = .all, on other: (any Store)? = nil) -> Payouts {
        var policy = PayoutPolicy()
        policy.mechanisms = mechanisms
        let wall = wall
        return Payouts(
            OutsideSystem.payouts.rawValue,
            store: other ?? store,
            rows: .payouts,
            calls: OutsideCalls(channel) { PayoutOrder($0) },
            policy: policy,
            seed: 1,
            digestKey: SymmetricKey(data: [UInt8](repeating: 7, count: 32)),
            surroundings: Payouts.Surroundings(WallClock(timer: clock) { wall.now }),
            alarms: Alarms(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    func withdrawals(_ payouts: Payouts?) -> Withdrawals {
        Withdrawals(
            Shards(store),
            postNow: { (_, _) throws(StoreError) in },
            promised: { payouts?.promised($0) }
        )
    }

    func key(_ id: String, person: UInt64 = 1) throws -> WithdrawalKey {
        try #require(WithdrawalKey(person: PersonID(person), book: PayoutWorld.book, id: id))
    }

    func withdraw(_ id: String, _ amount: Int64, person: UInt64 = 1, _ payouts: Payouts?) async throws -> Withdrawal {
        let answer = await withdrawals(payouts).request(
            try key(id, person: person),
            amount: fen(amount),
            now: wall.now,
            isOpen: { _, _ in true }
        )
        guard case .accepted(let withdrawal) = answer else {
            Issue.record("\(answer)")
            throw StoreError(.unavailable, "not accepted")
        }
        return withdrawal
    }

    func state(_ withdrawal: Withdrawal) async throws -> Withdrawal.State? {
        try await withdrawals(nil).find(withdrawal.key)?.state
    }

    func attempts(_ withdrawal: Withdrawal) async throws -> UInt32? {
        try await withdrawals(nil).find(withdrawal.key)?.attempts
    }

    func account(_ person: UInt64 = 1) async throws -> Account {
        try await store.read { (snapshot) throws(StoreError) in
            try snapshot.account(.person(PersonID(person), in: PayoutWorld.book))
        }
    }

    func paidOut() async throws -> Int64 {
        try await store.read { (snapshot) throws(StoreError) in
            try snapshot.account(.payouts(of: PayoutWorld.book)).credits.fen
        }
    }

    /// Runs the service while `body` runs.
    func running(_ payouts: Payouts, _ body: @Sendable () async throws -> Void) async throws {
        try await runningUntilKilled([payouts], body)
    }

    /// Lets virtual time pass, half a second at a time, until it's so.
    func until(
        _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ isSo: @Sendable () async throws -> Bool
    ) async throws {
        // However busy the machine is with other tests.
        let deadline = ContinuousClock.now + .seconds(600)
        while ContinuousClock.now < deadline {
            if try await isSo() { return }
            pass(milliseconds: 500)
            try await Task.sleep(for: .microseconds(100))
        }
        Issue.record("it never came: \(what)", sourceLocation: sourceLocation)
    }

    func untilFinal(_ withdrawal: Withdrawal, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await until("a final state", sourceLocation: sourceLocation) { try await state(withdrawal) != .pending }
    }

    func pass(milliseconds: Int64) {
        wall.advance(byMilliseconds: milliseconds)
        clock.advance(by: .milliseconds(milliseconds))
    }
}
