package import HongbaoCore

/// What brings withdrawals to an end, and how often it tries.
package struct PayoutPolicy: Hashable, Sendable {
    /// The three of AS-1. Each alone is enough for all that was submitted; the sweep also finds what never was.
    package struct Mechanisms: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let callback = Self(rawValue: 1)
        package static let delayedQuery = Self(rawValue: 2)
        package static let sweep = Self(rawValue: 4)
        package static let all: Self = [.callback, .delayedQuery, .sweep]
    }

    package var mechanisms: Mechanisms = .all
    /// Orders in one call of the channel.
    package var batchMax = 100
    /// Calls of the channel at a time.
    package var concurrencyMax = 4
    /// Withdrawals kept in memory. Those beyond are left to the sweep.
    package var trackedMax = 100_000
    /// Callbacks waiting to be looked up in the store. Those beyond are dropped: the other mechanisms do their work.
    package var lookupsMax = 10_000
    package var backoffFirstMilliseconds: Int64 = 1_000
    package var backoffLongestMilliseconds: Int64 = 300_000
    package var sweepIntervalSeconds: Int64 = 30
    package var sweepPageMax = 1_000
    /// After so many attempts, and every time after as many again, somebody is told (AS-2).
    package var alarmAfterAttempts: UInt32 = 10

    package init() {}

    /// No withdrawal is to be checked later than so long from now, with room to spare. One that is, was put off by a
    /// clock that has been set back since.
    package var putOffMaxSeconds: Int64 { 2 * max(1, (backoffLongestMilliseconds + 999) / 1000) }
}

/// Decides when to pay, to ask and to tell somebody. Pure: time, randomness and outcomes are handed in. The time is
/// that of a clock that nobody sets: a wall clock that is set back by hours would have everything wait for hours.
///
/// A withdrawal is in at most one call at a time. What isn't in memory is in the store and due, so forgetting is safe.
package struct PayoutMachine: Sendable {
    package enum Input: Sendable {
        /// Held just now in this process and never submitted.
        case promised(Withdrawal)
        /// Somebody says that there's news of this order. Whether that's so, the channel will be asked (M9).
        case callback(TransferID)
        case tick
        /// What `Job.find` found; IDs that are missing don't exist.
        case found([Withdrawal])
        /// `nil` when the store couldn't answer. `isWhole` is false when a full page came, so that there may be more.
        case swept([Withdrawal]?, isWhole: Bool)
        /// The channel's answer to `Job.pay` or `Job.query`, in the same order.
        case reported([TransferID], [PayoutReport])
        /// What became of `Effect.apply`, in the same order; `nil` when the store couldn't do it.
        case applied([TransferID], [Applied]?)
    }

    package struct Applied: Hashable, Sendable {
        package let progress: WithdrawalProgress
        /// As it stands now.
        package let withdrawal: Withdrawal?
    }

    package struct Verdict: Hashable, Sendable {
        package let withdrawal: Withdrawal
        package let report: PayoutReport
        package let retryAfterSeconds: Int64
        package let retryAfterContradictionSeconds: Int64
    }

    package enum Job: Hashable, Sendable {
        case pay([Withdrawal])
        case query([Withdrawal])
        case find([TransferID])
        case sweep(limit: Int)
    }

    package enum Alarm: Hashable, Sendable {
        /// Paid another amount, or paid after it had failed: a person must compare it with the channel.
        case contradiction(Withdrawal, PayoutReport)
        case tooManyAttempts(Withdrawal)
    }

    package enum Effect: Hashable, Sendable {
        case start(Job)
        /// Write these into the store, as part of the job that reported them, and answer with `.applied`.
        case apply([Verdict])
        case raise(Alarm)
        case finished(Withdrawal)
        /// A bound was reached and something was left to the other mechanisms.
        case leftToOthers
    }

    private enum Place: Hashable, Sendable {
        case waiting
        case asking
        case sleeping(until: Duration)
    }

    private struct Item: Sendable {
        var withdrawal: Withdrawal
        var place: Place
        /// News came while it was being asked about, so the answer under way may be too old.
        var hasNews = false
        /// The call under way submits it; else it only asks.
        var isPaying = false
        /// The last one, for an alarm to tell.
        var report: PayoutReport = .unreachable
    }

    private let policy: PayoutPolicy
    private var random: SplitMix64
    private var items: [TransferID: Item] = [:]
    private var toPay = Line<TransferID>()
    private var toQuery = Line<TransferID>()
    private var toFind = Line<TransferID>()
    private var isFinding = false
    private var alarms = AlarmClock()
    private var callsInFlight = 0
    private var nextSweepAt: Duration?
    private var isSweeping = false
    /// With the sweep off, the delayed queries still take up what an earlier process left or what didn't fit into
    /// memory: until this time they sweep, too. `nil` before the first tick.
    private var recoversUntil: Duration?

    package init(policy: PayoutPolicy, seed: UInt64) {
        precondition(policy.batchMax > 0 && policy.concurrencyMax > 0 && policy.trackedMax > 0)
        precondition(policy.sweepPageMax > 0 && policy.alarmAfterAttempts > 0 && policy.backoffFirstMilliseconds > 0)
        self.policy = policy
        random = SplitMix64(seed: seed)
    }

    package var trackedCount: Int { items.count }

    /// - Parameter now: since any moment that stays the same.
    package mutating func step(_ input: Input, now: Duration) -> [Effect] {
        var effects: [Effect] = []
        switch input {
        case .promised(let withdrawal): track(withdrawal, &effects) { $0.toPay.append($1) }
        case .callback(let id): if policy.mechanisms.contains(.callback) { takeNews(of: id, &effects) }
        case .tick: tick(now, &effects)
        case .found(let withdrawals):
            isFinding = false
            for withdrawal in withdrawals { track(withdrawal, &effects) { $0.toQuery.append($1) } }
        case .swept(let withdrawals, let isWhole):
            isSweeping = false
            if withdrawals == nil { recoversUntil = nil }
            for withdrawal in withdrawals ?? [] { track(withdrawal, &effects) { $0.toQuery.append($1) } }
            nextSweepAt = isWhole ? now + .seconds(policy.sweepIntervalSeconds) : now
        case .reported(let ids, let reports): take(reports, of: ids, &effects)
        case .applied(let ids, let applied):
            callsInFlight -= 1
            for (position, id) in ids.enumerated() { settle(id, applied?[position], now, &effects) }
        }
        pump(&effects)
        return effects
    }

    private mutating func track(
        _ withdrawal: Withdrawal,
        _ effects: inout [Effect],
        _ enqueue: (inout Self, TransferID) -> Void
    ) {
        let id = withdrawal.transferID
        guard withdrawal.state == .pending, items[id] == nil else { return }
        guard items.count < policy.trackedMax else {
            recoversUntil = nil
            return effects.append(.leftToOthers)
        }
        items[id] = Item(withdrawal: withdrawal, place: .waiting)
        enqueue(&self, id)
    }

    private mutating func takeNews(of id: TransferID, _ effects: inout [Effect]) {
        switch items[id]?.place {
        case nil:
            if toFind.count < policy.lookupsMax { toFind.append(id) } else { effects.append(.leftToOthers) }
        case .waiting: break
        case .asking: items[id]?.hasNews = true
        case .sleeping: wake(id)
        }
    }

    private mutating func wake(_ id: TransferID) {
        items[id]?.place = .waiting
        toQuery.append(id)
    }

    private mutating func tick(_ now: Duration, _ effects: inout [Effect]) {
        while let (due, id) = alarms.first, due <= now {
            alarms.removeFirst()
            // An entry that was overtaken by a callback no longer agrees with its item.
            if items[id]?.place == .sleeping(until: due) { wake(id) }
        }
        if Mutant.isOn(.neverSweeps) { return }
        let sweeps = policy.mechanisms.contains(.sweep)
        let recoversUntil = recoversUntil ?? now + .seconds(recoverySeconds)
        self.recoversUntil = recoversUntil
        let recovers = policy.mechanisms.contains(.delayedQuery) && now <= recoversUntil
        if sweeps || recovers, !isSweeping, nextSweepAt.map({ $0 <= now }) ?? true {
            isSweeping = true
            effects.append(.start(.sweep(limit: policy.sweepPageMax)))
        }
    }

    /// An order that the channel has never seen is submitted, under the same number; all else goes to the store.
    private mutating func take(_ reports: [PayoutReport], of ids: [TransferID], _ effects: inout [Effect]) {
        var verdicts: [Verdict] = []
        for (position, id) in ids.enumerated() {
            guard var item = items[id] else { preconditionFailure("a report on what nobody asked about") }
            let place = Mutant.isOn(.mixesUpReports) ? ids.count - 1 - position : position
            var report = place < reports.count ? reports[place] : .unreachable
            if Mutant.isOn(.takesUnknownAsFailed), report == .unknownOrder { report = .failed }
            if report == .unknownOrder, !item.isPaying {
                item.place = .waiting
                items[id] = item
                toPay.append(id)
                continue
            }
            item.report = report
            items[id] = item
            verdicts.append(
                Verdict(
                    withdrawal: item.withdrawal,
                    report: report,
                    retryAfterSeconds: seconds(delay(after: item.withdrawal.attempts)),
                    retryAfterContradictionSeconds: seconds(policy.backoffLongestMilliseconds)
                )
            )
        }
        if verdicts.isEmpty { callsInFlight -= 1 } else { effects.append(.apply(verdicts)) }
    }

    private mutating func settle(_ id: TransferID, _ applied: Applied?, _ now: Duration, _ effects: inout [Effect]) {
        guard var item = items[id] else { preconditionFailure("an outcome of what nobody asked about") }
        item.isPaying = false
        if let withdrawal = applied?.withdrawal { item.withdrawal = withdrawal }
        var delay = delay(after: item.withdrawal.attempts)
        switch applied?.progress {
        case .settled, .released:
            items[id] = nil
            effects.append(.finished(item.withdrawal))
            return
        case .alreadyFinal, .notFound:
            items[id] = nil
            return
        case .contradiction:
            effects.append(.raise(.contradiction(item.withdrawal, item.report)))
            delay = policy.backoffLongestMilliseconds
            item.hasNews = false
            guard item.withdrawal.state == .pending else {
                items[id] = nil
                return
            }
        case .waiting:
            if item.withdrawal.attempts % policy.alarmAfterAttempts == 0 {
                effects.append(.raise(.tooManyAttempts(item.withdrawal)))
            }
        case nil: break
        }
        if item.hasNews {
            item.hasNews = false
            items[id] = item
            wake(id)
        } else if policy.mechanisms.contains(.delayedQuery) {
            let due = now + .milliseconds(delay)
            item.place = .sleeping(until: due)
            items[id] = item
            alarms.insert(due, id)
        } else {
            items[id] = nil
        }
    }

    private mutating func pump(_ effects: inout [Effect]) {
        if !isFinding, toFind.count > 0 {
            isFinding = true
            effects.append(.start(.find(toFind.take(policy.batchMax))))
        }
        while callsInFlight < policy.concurrencyMax, toPay.count > 0 || toQuery.count > 0 {
            let isPaying = toPay.count > 0
            let ids = isPaying ? toPay.take(policy.batchMax) : toQuery.take(policy.batchMax)
            var batch: [Withdrawal] = []
            for id in ids {
                guard var item = items[id] else { preconditionFailure("an item vanished from its line") }
                item.place = .asking
                item.isPaying = isPaying
                items[id] = item
                batch.append(item.withdrawal)
            }
            callsInFlight += 1
            effects.append(.start(isPaying ? .pay(batch) : .query(batch)))
        }
    }

    /// Doubles with each attempt up to the longest, and spreads by a quarter to both sides.
    private mutating func delay(after attempts: UInt32) -> Int64 {
        let longest = policy.backoffLongestMilliseconds
        let doublings = min(attempts, 30)
        let (product, overflow) = policy.backoffFirstMilliseconds.multipliedReportingOverflow(by: 1 << Int64(doublings))
        let middle = overflow ? longest : min(product, longest)
        let spread = middle / 2
        return max(1, middle - middle / 4 + Int64(random.next(below: UInt64(spread) + 1)))
    }

    /// Whatever is pending now is due by then, and swept.
    private var recoverySeconds: Int64 {
        policy.putOffMaxSeconds + 2 * policy.sweepIntervalSeconds
    }

    private func seconds(_ milliseconds: Int64) -> Int64 { max(1, (milliseconds + 999) / 1000) }
}
