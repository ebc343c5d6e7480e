package import HongbaoCore

/// Decides when to submit, to ask and to tell somebody. Pure: time, randomness and outcomes are handed in. The time is
/// that of a clock that nobody sets: a wall clock that is set back by hours would have everything wait for hours.
///
/// An order is in at most one call at a time. What isn't in memory is in the store and due, so forgetting is safe.
package struct OutsideMachine<Order: OutsideOrder>: Sendable {
    package enum Input: Sendable {
        /// Promised just now in this process and never submitted.
        case promised(Order)
        /// Submitted just now by somebody else in this process.
        case submitted(Order)
        /// Somebody says that there's news of this order. Whether that's so, the channel will be asked (M9).
        case callback(Order.ID)
        /// Somebody stands and waits for this order, so it's asked about sooner than its turn would be.
        case awaited(Order.ID)
        case tick
        /// What `Job.find` found; IDs that are missing don't exist.
        case found([Order])
        /// `nil` when the store couldn't answer. `isWhole` is false when a full page came, so that there may be more.
        case swept([Order]?, isWhole: Bool)
        /// The channel's answer to `Job.submit` or `Job.query`, in the same order.
        case reported([Order.ID], [PayoutReport])
        /// What became of `Effect.apply`, in the same order; `nil` when the store couldn't do it.
        case applied([Order.ID], [Applied]?)
    }

    package struct Applied: Hashable, Sendable {
        package let progress: OrderProgress
        /// As it stands now.
        package let order: Order?
    }

    package struct Verdict: Hashable, Sendable {
        package let order: Order
        package let report: PayoutReport
        package let retryAfterSeconds: Int64
        package let retryAfterContradictionSeconds: Int64
    }

    package enum Job: Hashable, Sendable {
        case submit([Order])
        case query([Order])
        case find([Order.ID])
        case sweep(limit: Int)
    }

    package enum Alarm: Hashable, Sendable {
        /// Paid another amount, or paid after it had failed: a person must compare it with the outside.
        case contradiction(Order, PayoutReport)
        case tooManyAttempts(Order)
        /// It ended, but not as it was asked for: what was paid goes back.
        case returned(Order, PayoutReport)
        /// The outside won't do it, and this order was made in its place.
        case renewed(Order)
        /// The outside won't do it as things are: a person must change something there.
        case refused(Order)
        /// It has answered none of the last calls: until it does, it's tried once in so many milliseconds.
        case unanswered(calls: Int, milliseconds: Int64, waiting: Int)
    }

    package enum Effect: Hashable, Sendable {
        case start(Job)
        /// Write these into the store, as part of the job that reported them, and answer with `.applied`.
        case apply([Verdict])
        case raise(Alarm)
        case finished(Order)
        /// A bound was reached and something was left to the other mechanisms.
        case leftToOthers
    }

    private enum Place: Hashable, Sendable {
        case waiting
        case asking
        case sleeping(until: Duration)
    }

    private struct Item: Sendable {
        var order: Order
        var place: Place
        /// News came while it was being asked about, so the answer under way may be too old.
        var hasNews = false
        /// The call under way submits it; else it only asks.
        var isSubmitting = false
        /// The last one, for an alarm to tell.
        var report: PayoutReport = .unreachable
    }

    private let policy: OutsidePolicy
    private var random: SplitMix64
    private var items: [Order.ID: Item] = [:]
    private var toSubmit = Line<Order.ID>()
    private var toQuery = Line<Order.ID>()
    private var toFind = Line<Order.ID>()
    private var isFinding = false
    private var alarms = AlarmClock<Order.ID>()
    private var callsInFlight = 0
    private var gate: OutsideGate
    private var nextSweepAt: Duration?
    private var isSweeping = false
    /// With the sweep off, the delayed queries still take up what an earlier process left or what didn't fit into
    /// memory: until this time they sweep, too. `nil` before the first tick.
    private var recoversUntil: Duration?

    package init(policy: OutsidePolicy, seed: UInt64) {
        precondition(policy.batchMax > 0 && policy.concurrencyMax > 0 && policy.trackedMax > 0)
        precondition(policy.sweepPageMax > 0 && policy.alarmAfterAttempts > 0 && policy.backoffFirstMilliseconds > 0)
        precondition((policy.callsPerSecond ?? 1) > 0 && (policy.breakerAfterCalls ?? 1) > 0)
        self.policy = policy
        gate = OutsideGate(policy: policy)
        random = SplitMix64(seed: seed)
    }

    package var trackedCount: Int { items.count }
    /// Whether it waits for the outside to answer again, and nearly all orders with it.
    package var isBreakerOpen: Bool { gate.isOpen }

    /// - Parameter now: since any moment that stays the same.
    package mutating func step(_ input: Input, now: Duration) -> [Effect] {
        var effects: [Effect] = []
        switch input {
        case .promised(let order): track(order, &effects) { $0.toSubmit.append($1) }
        case .submitted(let order):
            if policy.mechanisms.contains(.delayedQuery) { track(order, &effects) { $0.sleep($1, now) } }
        case .callback(let id): if policy.mechanisms.contains(.callback) { takeNews(of: id, &effects) }
        case .awaited(let id): hurry(id, now)
        case .tick: tick(now, &effects)
        case .found(let orders):
            isFinding = false
            for order in orders { track(order, &effects) { $0.toQuery.append($1) } }
        case .swept(let orders, let isWhole):
            isSweeping = false
            if orders == nil { recoversUntil = nil }
            for order in orders ?? [] { track(order, &effects) { $0.toQuery.append($1) } }
            nextSweepAt = isWhole ? now + .seconds(policy.sweepIntervalSeconds) : now
        case .reported(let ids, let reports):
            note(reports, of: ids, now, &effects)
            take(reports, of: ids, &effects)
        case .applied(let ids, let applied):
            callsInFlight -= 1
            for (position, id) in ids.enumerated() { settle(id, applied?[position], now, &effects) }
        }
        pump(now, &effects)
        return effects
    }

    private mutating func track(
        _ order: Order,
        _ effects: inout [Effect],
        _ enqueue: (inout Self, Order.ID) -> Void
    ) {
        let id = order.id
        guard order.isWorthAsking, items[id] == nil else { return }
        guard items.count < policy.trackedMax else {
            recoversUntil = nil
            return effects.append(.leftToOthers)
        }
        items[id] = Item(order: order, place: .waiting)
        enqueue(&self, id)
    }

    private mutating func takeNews(of id: Order.ID, _ effects: inout [Effect]) {
        switch items[id]?.place {
        case nil:
            if toFind.count < policy.lookupsMax { toFind.append(id) } else { effects.append(.leftToOthers) }
        case .waiting: break
        case .asking: items[id]?.hasNews = true
        case .sleeping: wake(id)
        }
    }

    /// Whoever waits asks again and again, so it's never sooner than after the first attempt.
    private mutating func hurry(_ id: Order.ID, _ now: Duration) {
        let first = Duration.milliseconds(policy.backoffFirstMilliseconds)
        guard case .sleeping(let due) = items[id]?.place, due > now + first else { return }
        sleep(id, now, milliseconds: policy.backoffFirstMilliseconds)
    }

    private mutating func wake(_ id: Order.ID) {
        items[id]?.place = .waiting
        toQuery.append(id)
    }

    private mutating func tick(_ now: Duration, _ effects: inout [Effect]) {
        while let (due, id) = alarms.first, due <= now {
            alarms.removeFirst()
            // An entry that was overtaken by a callback no longer agrees with its item.
            if items[id]?.place == .sleeping(until: due) { wake(id) }
        }
        if Mutant.isOn(.neverSweeps) || !policy.takesUpOthers { return }
        let sweeps = policy.mechanisms.contains(.sweep)
        let recoversUntil = recoversUntil ?? now + .seconds(recoverySeconds)
        self.recoversUntil = recoversUntil
        let recovers = policy.mechanisms.contains(.delayedQuery) && now <= recoversUntil
        if sweeps || recovers, !isSweeping, nextSweepAt.map({ $0 <= now }) ?? true {
            isSweeping = true
            effects.append(.start(.sweep(limit: policy.sweepPageMax)))
        }
    }

    /// Tells the breaker whether the call brought an answer to any order. Somebody is told when it opens, and every
    /// time after so many tries in vain.
    private mutating func note(
        _ reports: [PayoutReport],
        of ids: [Order.ID],
        _ now: Duration,
        _ effects: inout [Effect]
    ) {
        let isAnswered = reports.prefix(ids.count).contains { $0 != .unreachable }
        guard let opening = gate.ended(isAnswered: isAnswered, now, &random) else { return }
        guard opening.openings == 1 || opening.openings % policy.alarmAfterAttempts == 0 else { return }
        let waiting = toSubmit.count + toQuery.count
        effects.append(
            .raise(.unanswered(calls: opening.calls, milliseconds: opening.milliseconds, waiting: waiting))
        )
    }

    /// An order that the channel has never seen is submitted, under the same number; all else goes to the store.
    private mutating func take(_ reports: [PayoutReport], of ids: [Order.ID], _ effects: inout [Effect]) {
        var verdicts: [Verdict] = []
        for (position, id) in ids.enumerated() {
            guard var item = items[id] else { preconditionFailure("a report on what nobody asked about") }
            let place = Mutant.isOn(.mixesUpReports) ? ids.count - 1 - position : position
            var report = place < reports.count ? reports[place] : .unreachable
            if Mutant.isOn(.takesUnknownAsFailed), report == .unknownOrder { report = .failed }
            if report == .unknownOrder, !item.isSubmitting {
                item.place = .waiting
                items[id] = item
                toSubmit.append(id)
                continue
            }
            item.report = report
            items[id] = item
            verdicts.append(
                Verdict(
                    order: item.order,
                    report: report,
                    retryAfterSeconds: seconds(delay(after: item.order.attempts)),
                    retryAfterContradictionSeconds: seconds(policy.backoffLongestMilliseconds)
                )
            )
        }
        if verdicts.isEmpty { callsInFlight -= 1 } else { effects.append(.apply(verdicts)) }
    }

    private mutating func settle(_ id: Order.ID, _ applied: Applied?, _ now: Duration, _ effects: inout [Effect]) {
        guard var item = items[id] else { preconditionFailure("an outcome of what nobody asked about") }
        item.isSubmitting = false
        if let order = applied?.order { item.order = order }
        var delay = delay(after: item.order.attempts)
        switch applied?.progress {
        case .settled, .released:
            effects.append(.finished(item.order))
            return end(item)
        case .returned:
            effects.append(.raise(.returned(item.order, item.report)))
            effects.append(.finished(item.order))
            return end(item)
        case .renewed: effects.append(.raise(.renewed(item.order)))
        case .alreadyFinal: return end(item)
        case .notFound:
            items[id] = nil
            return
        case .contradiction:
            effects.append(.raise(.contradiction(item.order, item.report)))
            delay = policy.backoffLongestMilliseconds
            item.hasNews = false
            guard item.order.isOpen else {
                items[id] = nil
                return
            }
        case .refused:
            effects.append(.raise(.refused(item.order)))
            delay = policy.backoffLongestMilliseconds
            guard item.order.isOpen else {
                items[id] = nil
                effects.append(.finished(item.order))
                return
            }
        case .waiting:
            if item.order.attempts % policy.alarmAfterAttempts == 0 {
                effects.append(.raise(.tooManyAttempts(item.order)))
            }
        case .inTime, nil: break
        }
        if item.hasNews {
            item.hasNews = false
            items[id] = item
            wake(id)
        } else if policy.mechanisms.contains(.delayedQuery) {
            items[id] = item
            sleep(id, now, milliseconds: delay)
        } else {
            items[id] = nil
        }
    }

    /// Forgets an order that is final, unless there was news of it while it was asked about: the cashier may take a
    /// payment after it has said that it won't, and nobody else would ask.
    private mutating func end(_ item: Item) {
        let id = item.order.id
        guard item.hasNews, item.order.isWorthAsking else {
            items[id] = nil
            return
        }
        var item = item
        item.hasNews = false
        items[id] = item
        wake(id)
    }

    private mutating func sleep(_ id: Order.ID, _ now: Duration, milliseconds: Int64? = nil) {
        guard let attempts = items[id]?.order.attempts else { return }
        let due = now + .milliseconds(milliseconds ?? delay(after: attempts))
        items[id]?.place = .sleeping(until: due)
        alarms.insert(due, id)
    }

    private mutating func pump(_ now: Duration, _ effects: inout [Effect]) {
        if !isFinding, toFind.count > 0 {
            isFinding = true
            effects.append(.start(.find(toFind.take(policy.batchMax))))
        }
        while callsInFlight < policy.concurrencyMax, toSubmit.count > 0 || toQuery.count > 0, gate.pass(now) {
            let isSubmitting = toSubmit.count > 0
            let ids = isSubmitting ? toSubmit.take(policy.batchMax) : toQuery.take(policy.batchMax)
            var batch: [Order] = []
            for id in ids {
                guard var item = items[id] else { preconditionFailure("an item vanished from its line") }
                item.place = .asking
                item.isSubmitting = isSubmitting
                items[id] = item
                batch.append(item.order)
            }
            callsInFlight += 1
            effects.append(.start(isSubmitting ? .submit(batch) : .query(batch)))
        }
    }

    private mutating func delay(after attempts: UInt32) -> Int64 {
        random.backoff(
            first: policy.backoffFirstMilliseconds,
            longest: policy.backoffLongestMilliseconds,
            doublings: attempts
        )
    }

    /// Whatever is pending now is due by then, and swept.
    private var recoverySeconds: Int64 {
        policy.putOffMaxSeconds + 2 * policy.sweepIntervalSeconds
    }

    private func seconds(_ milliseconds: Int64) -> Int64 { max(1, (milliseconds + 999) / 1000) }
}
