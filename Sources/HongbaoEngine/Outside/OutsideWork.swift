package import Crypto
package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// What `OutsideWork` waits by, and how long.
package struct OutsideSurroundings: Sendable {
    package let clock: WallClock
    package var tickInterval: Duration
    /// After that the answer of the outside is no longer waited for, and the outcome is unknown.
    package var channelDeadline: Duration = .seconds(10)

    package init(_ clock: WallClock, tickInterval: Duration = Outside.Policies().tickInterval) {
        self.clock = clock
        self.tickInterval = tickInterval
    }

    /// Takes jobs, and ticks until graceful shutdown.
    func work(at jobs: [@Sendable () async -> Void], tick: @escaping @Sendable () -> Void) async {
        await withDiscardingTaskGroup { group in
            for take in jobs { group.addTask { await take() } }
            await cancelOnShutdown {
                while !Task.isCancelled {
                    tick()
                    await self.clock.pause(self.tickInterval)
                }
            }
        }
    }
}

/// The calls to an outside system: one report for each order, in their order. Neither throws.
package struct OutsideCalls<Order: OutsideOrder>: Sendable {
    package let submit: @Sendable ([Order]) async -> [PayoutReport]
    package let query: @Sendable ([Order]) async -> [PayoutReport]

    package init(
        submit: @escaping @Sendable ([Order]) async -> [PayoutReport],
        query: @escaping @Sendable ([Order]) async -> [PayoutReport]
    ) {
        self.submit = submit
        self.query = query
    }

    package init(_ channel: any PayoutChannel, _ payout: @escaping @Sendable (Order) -> PayoutOrder) {
        self.init(
            submit: { await channel.pay($0.map(payout)) },
            query: { await channel.query($0.map(\.order)) }
        )
    }
}

/// Where a store has the orders of one outside system. What it writes of them is `OutsideOrder`'s.
package struct OutsideRows<Order: OutsideOrder>: Sendable {
    /// Those that are open and whose next check is within these times, the earliest first.
    package let due: @Sendable (any StoreSnapshot, ClosedRange<Timestamp>, _ limit: Int) throws(StoreError) -> [Order]
    /// Those of these that there are.
    package let find: @Sendable (any StoreSnapshot, [Order.ID]) throws(StoreError) -> [Order]

    package init(
        due: @escaping @Sendable (any StoreSnapshot, ClosedRange<Timestamp>, Int) throws(StoreError) -> [Order],
        find: @escaping @Sendable (any StoreSnapshot, [Order.ID]) throws(StoreError) -> [Order]
    ) {
        self.due = due
        self.find = find
    }
}

/// Brings every order that was promised to an outside system to its end, exactly once, over a slow and unreliable
/// channel (WD-3, AS-1).
///
/// A thin shell: `OutsideMachine` decides, this performs. Orders, which may contain a person's ID, are logged only as a
/// keyed digest.
package final class OutsideWork<Order: OutsideOrder>: Service {
    package typealias Surroundings = OutsideSurroundings
    package typealias Machine = OutsideMachine<Order>

    /// As metrics, logs and alarms call it.
    private let system: String
    private let store: any Store
    private let rows: OutsideRows<Order>
    private let calls: OutsideCalls<Order>
    private let surroundings: Surroundings
    /// Is told of refunds that were promised with what was written.
    private let refundPromised: @Sendable (Refund) -> Void
    /// In seconds from now; see the policy.
    private let putOffMax: Int64
    private let digestKey: SymmetricKey
    private let alarms: Alarms
    private let logger: Logger
    private let metrics: OutsideMetrics
    private let machine: Mutex<Machine>
    private let jobs: AsyncStream<Machine.Job>
    private let start: AsyncStream<Machine.Job>.Continuation

    /// - Parameter system: the raw value of an `OutsideSystem`, or of the `RewardKind` that a downstream gives.
    package init(
        _ system: String,
        store: any Store,
        rows: OutsideRows<Order>,
        calls: OutsideCalls<Order>,
        policy: OutsidePolicy,
        seed: UInt64,
        digestKey: SymmetricKey,
        surroundings: Surroundings,
        refundPromised: @escaping @Sendable (Refund) -> Void = { _ in },
        alarms: Alarms,
        logger: Logger
    ) {
        self.system = system
        self.store = store
        self.rows = rows
        self.calls = calls
        self.surroundings = surroundings
        self.refundPromised = refundPromised
        metrics = OutsideMetrics(system)
        putOffMax = policy.putOffMaxSeconds
        self.digestKey = digestKey
        self.alarms = alarms
        self.logger = logger
        machine = Mutex(Machine(policy: policy, seed: seed))
        // The machine never has more jobs out than its policy allows calls, one look-up and one sweep.
        (jobs, start) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(policy.concurrencyMax + 2))
    }

    /// To be told of each order right after its transaction.
    package func promised(_ order: Order) { feed(.promised(order)) }

    /// To be told when somebody else in this process has submitted an order.
    package func submitted(_ order: Order) { feed(.submitted(order)) }

    /// Takes an authentic callback as a hint, and asks the outside (M9). Answers `false` when that's no such order.
    @discardableResult
    package func callback(order: String) -> Bool {
        guard let id = Order.id(of: order) else { return false }
        feed(.callback(id))
        return true
    }

    /// To be told when somebody waits for an order that isn't at its end.
    package func awaited(_ id: Order.ID) { feed(.awaited(id)) }

    /// What alarms and logs call an order, so that somebody with the key can find it and nobody else can.
    package func digest(of order: Order) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(order.order.utf8), using: digestKey)
        return code.prefix(8).hex
    }

    package func run() async throws {
        await surroundings.work(at: [{ await self.takeJobs() }]) { self.tick() }
    }

    /// Until graceful shutdown; then starts no more calls and finishes, with their records, those under way.
    func takeJobs() async {
        await withDiscardingTaskGroup { group in
            await withGracefulShutdownHandler {
                for await job in jobs where !Task.isShuttingDownGracefully {
                    group.addTask { await self.perform(job) }
                }
            } onGracefulShutdown: {
                self.start.finish()
            }
            start.finish()
        }
    }

    func tick() { feed(.tick) }

    private func feed(_ input: Machine.Input) {
        for effect in step(input) { perform(effect) }
    }

    private func step(_ input: Machine.Input) -> [Machine.Effect] {
        let isMutant = Mutant.isOn(.waitsByWallClock)
        let now = isMutant ? .milliseconds(surroundings.clock.now().milliseconds) : surroundings.clock.uptime()
        let (effects, count, isOpen) = machine.withLock {
            ($0.step(input, now: now), $0.trackedCount, $0.isBreakerOpen)
        }
        metrics.tracked.record(count)
        metrics.breakerOpen.record(isOpen ? 1 : 0)
        return effects
    }

    private func perform(_ effect: Machine.Effect) {
        switch effect {
        case .start(let job): start.yield(job)
        case .raise(let alarm): raise(alarm)
        case .finished(let order): metrics.count(order)
        case .leftToOthers: metrics.leftToOthers.increment()
        case .apply: preconditionFailure("verdicts come only from the job that asked")
        }
    }

    private func perform(_ job: Machine.Job) async {
        switch job {
        case .find(let ids): feed(.found(await find(ids)))
        case .sweep(let limit): await sweep(limit)
        case .submit(let orders): await settle(orders, await ask(metrics.submit, calls.submit, orders))
        case .query(let orders): await settle(orders, await ask(metrics.query, calls.query, orders))
        }
    }

    /// What the channel said is written even while shutting down: only new calls are put off.
    private func settle(_ orders: [Order], _ reports: [PayoutReport]) async {
        for effect in step(.reported(orders.map { $0.id }, reports)) {
            guard case .apply(let verdicts) = effect else {
                perform(effect)
                continue
            }
            feed(.applied(verdicts.map { $0.order.id }, await apply(verdicts)))
        }
    }

    private func apply(_ verdicts: [Machine.Verdict]) async -> [Machine.Applied]? {
        let now = surroundings.clock.now()
        do throws(StoreError) {
            let footprint = Order.footprint(of: verdicts.map { $0.order })
            let (applied, refunds) = try await store.transact(footprint) { books in
                (verdicts.map { books.apply($0, now: now) }, books.newRefunds)
            }
            for refund in refunds { refundPromised(refund) }
            return applied
        } catch {
            metrics.storeFaults.increment()
            logger.error("reports weren't recorded and will be asked for again", metadata: metadata(error))
            return nil
        }
    }

    private func find(_ ids: [Order.ID]) async -> [Order] {
        let rows = rows
        do throws(StoreError) {
            return try await store.read { snapshot throws(StoreError) in try rows.find(snapshot, ids) }
        } catch {
            metrics.storeFaults.increment()
            logger.error("callbacks weren't looked up", metadata: metadata(error))
            return []
        }
    }

    private func metadata(_ error: StoreError) -> Logger.Metadata {
        ["system": "\(system)", "error": "\(error)"]
    }

    /// What is due, and what only a clock that was ahead can have put off so far.
    private func sweep(_ limit: Int) async {
        let now = surroundings.clock.now()
        let (rows, putOffMax) = (rows, putOffMax)
        do throws(StoreError) {
            let due = try await store.read { snapshot throws(StoreError) in
                let due = try rows.due(snapshot, Timestamp(milliseconds: .min)...now, limit)
                if Mutant.isOn(.leavesPutOff) { return due }
                let putOff = now.advanced(bySeconds: putOffMax)...Timestamp(milliseconds: .max)
                return due + (try rows.due(snapshot, putOff, limit - due.count))
            }
            let oldest = due.map { $0.createdAt.milliseconds }.min() ?? now.milliseconds
            metrics.oldestPendingSeconds.record(Double(max(0, now.milliseconds - oldest)) / 1000)
            feed(.swept(due, isWhole: due.count < limit))
        } catch {
            metrics.storeFaults.increment()
            logger.error("the sweep of orders failed", metadata: metadata(error))
            feed(.swept(nil, isWhole: true))
        }
    }

    /// A call that outlives its deadline is cancelled, and its outcome unknown.
    private func ask(
        _ metric: OutsideMetrics.Call,
        _ call: @escaping @Sendable ([Order]) async -> [PayoutReport],
        _ orders: [Order]
    ) async -> [PayoutReport] {
        let unreachable = [PayoutReport](repeating: .unreachable, count: orders.count)
        let began = ContinuousClock.now
        let reports =
            await withDeadline(surroundings.channelDeadline, on: surroundings.clock.timer) { await call(orders) }
            ?? unreachable
        guard reports.count == orders.count else {
            logger.error("\(system): another number of orders was answered than was asked about")
            metric.record(began.duration(to: .now), reports: unreachable)
            return unreachable
        }
        metric.record(began.duration(to: .now), reports: reports)
        return reports
    }

    private func raise(_ alarm: Machine.Alarm) {
        let isPayout = system == OutsideSystem.payouts.rawValue
        switch alarm {
        case .contradiction(let order, let report):
            let (said, place) = (Self.text(report), describe(order))
            alarms.raise(
                isPayout ? .payoutContradiction : .outsideContradiction,
                "the channel says \(said), nothing was changed; compare with its daily file: \(place)"
            )
        case .tooManyAttempts(let order):
            let place = describe(order)
            alarms.raise(
                isPayout ? .payoutStuck : .outsideStuck,
                "not final after many attempts; ask the channel's operators: \(place)"
            )
        case .returned(let order, let report):
            let (said, place) = (Self.text(report), describe(order))
            alarms.raise(
                .paymentReturned,
                "the cashier says \(said), which isn't what was asked for; all of it goes back: \(place)"
            )
        case .renewed(let order):
            let place = describe(order)
            alarms.raise(.orderRefused, "refused for good; asked for again under the next number: \(place)")
        case .refused(let order):
            let next = order.isOpen ? "asked for again later" : "given up"
            let place = describe(order)
            alarms.raise(.orderRefused, "the downstream refuses it, \(next); ask its operators why: \(place)")
        case .unanswered(let calls, let milliseconds, let waiting):
            alarms.raise(
                .breakerOpen,
                "\(system): \(calls) calls in a row brought no answer; the next in \(milliseconds) ms, "
                    + "\(waiting) orders wait in memory"
            )
        }
    }

    private static func text(_ report: PayoutReport) -> String {
        switch report {
        case .paid(let amount): "paid \(amount.fen) fen"
        case .failed, .processing, .unknownOrder, .unreachable: "\(report)"
        }
    }

    /// Enough to find the order for somebody with the key, and nobody else.
    private func describe(_ order: Order) -> String {
        let age = max(0, surroundings.clock.now().milliseconds - order.createdAt.milliseconds) / 1000
        let of = system == OutsideSystem.payouts.rawValue ? "" : "\(system), "
        return "\(of)order \(digest(of: order)), \(order.summary), \(order.amount.fen) fen, "
            + "\(order.attempts) attempts, \(age) s old"
    }
}

extension Books {
    /// What contradicts is only asked about again, as late as the policy allows.
    package mutating func apply<Order: OutsideOrder>(
        _ verdict: OutsideMachine<Order>.Verdict,
        now: Timestamp
    ) -> OutsideMachine<Order>.Applied {
        let order = verdict.order
        let progress = order.apply(verdict.report, to: &self, now, retryAfterSeconds: verdict.retryAfterSeconds)
        if progress == .contradiction {
            _ = order.apply(.unreachable, to: &self, now, retryAfterSeconds: verdict.retryAfterContradictionSeconds)
        }
        return OutsideMachine<Order>.Applied(progress: progress, order: order.present(in: self))
    }
}
