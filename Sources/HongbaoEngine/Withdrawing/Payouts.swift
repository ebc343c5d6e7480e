package import Crypto
package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Brings every promised withdrawal to its end, exactly once, over a slow and unreliable channel (WD-3, AS-1).
///
/// A thin shell: `PayoutMachine` decides, this performs. Orders, which contain a person's ID, are logged only as a
/// keyed digest.
package final class Payouts: Service {
    package struct Surroundings: Sendable {
        package let clock: WallClock
        package var tickInterval: Duration = .milliseconds(200)
        /// After that the channel's answer is no longer waited for, and the outcome is unknown.
        package var channelDeadline: Duration = .seconds(10)

        package init(_ clock: WallClock) { self.clock = clock }
    }

    private let store: any Store
    private let channel: any PayoutChannel
    private let surroundings: Surroundings
    /// In seconds from now; see the policy.
    private let putOffMax: Int64
    private let digestKey: SymmetricKey
    private let alarms: Alarms
    private let logger: Logger
    private let metrics = PayoutMetrics()
    private let machine: Mutex<PayoutMachine>
    private let jobs: AsyncStream<PayoutMachine.Job>
    private let start: AsyncStream<PayoutMachine.Job>.Continuation

    package init(
        store: any Store,
        channel: any PayoutChannel,
        policy: PayoutPolicy,
        seed: UInt64,
        digestKey: SymmetricKey,
        surroundings: Surroundings,
        alarms: Alarms,
        logger: Logger
    ) {
        self.store = store
        self.channel = channel
        self.surroundings = surroundings
        putOffMax = policy.putOffMaxSeconds
        self.digestKey = digestKey
        self.alarms = alarms
        self.logger = logger
        machine = Mutex(PayoutMachine(policy: policy, seed: seed))
        // The machine never has more jobs out than its policy allows calls, one look-up and one sweep.
        (jobs, start) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(policy.concurrencyMax + 2))
    }

    /// To be told of each withdrawal right after its transaction.
    package func promised(_ withdrawal: Withdrawal) { feed(.promised(withdrawal)) }

    /// Takes an authentic callback as a hint, and asks the channel (M9). Answers `false` when that's no payout order.
    @discardableResult
    package func callback(order: String) -> Bool {
        guard let id = TransferID(payoutOrder: order) else { return false }
        feed(.callback(id))
        return true
    }

    /// What alarms and logs call a withdrawal, so that somebody with the key can find it and nobody else can.
    package func digest(of withdrawal: Withdrawal) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(withdrawal.payoutOrder.utf8), using: digestKey)
        return code.prefix(8).hex
    }

    /// Runs until graceful shutdown; then starts no more calls and finishes, with their records, those under way.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.tick() }
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

    private func tick() async {
        await cancelOnShutdown {
            while !Task.isCancelled {
                self.feed(.tick)
                await self.surroundings.clock.pause(self.surroundings.tickInterval)
            }
        }
    }

    private func feed(_ input: PayoutMachine.Input) {
        for effect in step(input) { perform(effect) }
    }

    private func step(_ input: PayoutMachine.Input) -> [PayoutMachine.Effect] {
        let isMutant = Mutant.isOn(.waitsByWallClock)
        let now = isMutant ? .milliseconds(surroundings.clock.now().milliseconds) : surroundings.clock.uptime()
        let (effects, count) = machine.withLock { ($0.step(input, now: now), $0.trackedCount) }
        metrics.tracked.record(count)
        return effects
    }

    private func perform(_ effect: PayoutMachine.Effect) {
        switch effect {
        case .start(let job): start.yield(job)
        case .raise(let alarm): raise(alarm)
        case .finished(let withdrawal): metrics.count(withdrawal)
        case .leftToOthers: metrics.leftToOthers.increment()
        case .apply: preconditionFailure("verdicts come only from the job that asked")
        }
    }

    private func perform(_ job: PayoutMachine.Job) async {
        switch job {
        case .find(let ids): feed(.found(await find(ids)))
        case .sweep(let limit): await sweep(limit)
        case .pay(let withdrawals):
            let orders = withdrawals.map(PayoutOrder.init)
            await settle(withdrawals, await ask(\.pay, count: orders.count) { await $0.pay(orders) })
        case .query(let withdrawals):
            let orders = withdrawals.map(\.payoutOrder)
            await settle(withdrawals, await ask(\.query, count: orders.count) { await $0.query(orders) })
        }
    }

    /// What the channel said is written even while shutting down: only new calls are put off.
    private func settle(_ withdrawals: [Withdrawal], _ reports: [PayoutReport]) async {
        for effect in step(.reported(withdrawals.map(\.transferID), reports)) {
            guard case .apply(let verdicts) = effect else {
                perform(effect)
                continue
            }
            feed(.applied(verdicts.map(\.withdrawal.transferID), await apply(verdicts)))
        }
    }

    private func apply(_ verdicts: [PayoutMachine.Verdict]) async -> [PayoutMachine.Applied]? {
        let now = surroundings.clock.now()
        do throws(StoreError) {
            return try await store.transact(Footprint(verdicts)) { books in
                verdicts.map { books.apply($0, now: now) }
            }
        } catch {
            metrics.storeFaults.increment()
            logger.error("payout reports weren't recorded and will be asked for again", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func find(_ ids: [TransferID]) async -> [Withdrawal] {
        do throws(StoreError) {
            return try await store.read { snapshot throws(StoreError) in
                var found: [Withdrawal] = []
                for id in ids {
                    let all = try snapshot.withdrawals(of: id.person, in: id.book)
                    if let withdrawal = all.first(where: { $0.transferID == id }) { found.append(withdrawal) }
                }
                return found
            }
        } catch {
            metrics.storeFaults.increment()
            logger.error("callbacks of payouts weren't looked up", metadata: ["error": "\(error)"])
            return []
        }
    }

    /// What is due, and what only a clock that was ahead can have put off so far.
    private func sweep(_ limit: Int) async {
        let now = surroundings.clock.now()
        let putOffMax = putOffMax
        do throws(StoreError) {
            let due = try await store.read { snapshot throws(StoreError) in
                let due = try snapshot.withdrawals(toCheckIn: Timestamp(milliseconds: .min)...now, limit: limit)
                if Mutant.isOn(.leavesPutOff) { return due }
                let putOff = now.advanced(bySeconds: putOffMax)...Timestamp(milliseconds: .max)
                return due + (try snapshot.withdrawals(toCheckIn: putOff, limit: limit - due.count))
            }
            let oldest = due.map(\.createdAt.milliseconds).min() ?? now.milliseconds
            metrics.oldestPendingSeconds.record(Double(max(0, now.milliseconds - oldest)) / 1000)
            feed(.swept(due, isWhole: due.count < limit))
        } catch {
            metrics.storeFaults.increment()
            logger.error("the sweep of withdrawals failed", metadata: ["error": "\(error)"])
            feed(.swept(nil, isWhole: true))
        }
    }

    /// A call that outlives its deadline is cancelled, and its outcome unknown.
    private func ask(
        _ call: KeyPath<PayoutMetrics, PayoutMetrics.Call>,
        count: Int,
        _ body: @escaping @Sendable (any PayoutChannel) async -> [PayoutReport]
    ) async -> [PayoutReport] {
        let unreachable = [PayoutReport](repeating: .unreachable, count: count)
        let began = ContinuousClock.now
        let reports =
            await withDeadline(surroundings.channelDeadline, on: surroundings.clock.timer) { await body(self.channel) }
            ?? unreachable
        guard reports.count == count else {
            logger.error("the payout channel answered another number of orders than it was asked about")
            metrics[keyPath: call].record(began.duration(to: .now), reports: unreachable)
            return unreachable
        }
        metrics[keyPath: call].record(began.duration(to: .now), reports: reports)
        return reports
    }

    private func raise(_ alarm: PayoutMachine.Alarm) {
        switch alarm {
        case .contradiction(let withdrawal, let report):
            let said =
                switch report {
                case .paid(let amount): "paid \(amount.fen) fen"
                case .failed, .processing, .unknownOrder, .unreachable: "\(report)"
                }
            let place = describe(withdrawal)
            alarms.raise(
                .payoutContradiction,
                "the channel says \(said), nothing was changed; compare with its daily file: \(place)"
            )
        case .tooManyAttempts(let withdrawal):
            let place = describe(withdrawal)
            alarms.raise(.payoutStuck, "not final after many attempts; ask the channel's operators: \(place)")
        }
    }

    /// Enough to find the order for somebody with the key, and nobody else.
    private func describe(_ withdrawal: Withdrawal) -> String {
        let age = max(0, surroundings.clock.now().milliseconds - withdrawal.createdAt.milliseconds) / 1000
        return "order \(digest(of: withdrawal)), book \(withdrawal.key.book.rawValue), serial \(withdrawal.serial), "
            + "\(withdrawal.state), \(withdrawal.amount.fen) fen, \(withdrawal.attempts) attempts, \(age) s old"
    }
}

extension Footprint {
    fileprivate init(_ verdicts: [PayoutMachine.Verdict]) {
        self.init()
        var accounts = Set<AccountID>()
        for verdict in verdicts {
            let key = verdict.withdrawal.key
            accounts.insert(.person(key.person, in: key.book))
            accounts.insert(.payouts(of: key.book))
            withdrawals.append(key)
            holds.append(verdict.withdrawal.transferID)
            transfers.append(verdict.withdrawal.transferID)
        }
        self.accounts = Array(accounts)
    }
}

extension Books {
    /// What contradicts is only asked about again, as late as the policy allows.
    package mutating func apply(_ verdict: PayoutMachine.Verdict, now: Timestamp) -> PayoutMachine.Applied {
        let key = verdict.withdrawal.key
        let progress = apply(verdict.report, to: key, now: now, retryAfterSeconds: verdict.retryAfterSeconds)
        if progress == .contradiction {
            _ = apply(.unreachable, to: key, now: now, retryAfterSeconds: verdict.retryAfterContradictionSeconds)
        }
        return PayoutMachine.Applied(progress: progress, withdrawal: withdrawal(key))
    }
}

extension TransferID {
    /// The inverse of `Withdrawal.payoutOrder`, and of nothing else.
    package init?(payoutOrder text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].elementsEqual("w".utf8),
            let person = UInt64(canonicalDecimal: parts[1]),
            let book = UInt16(canonicalDecimal: parts[2]),
            let serial = UInt32(canonicalDecimal: parts[3])
        else { return nil }
        self.init(person: PersonID(person), book: BookID(book), serial: serial)
    }
}
