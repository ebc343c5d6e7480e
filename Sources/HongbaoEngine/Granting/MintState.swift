package import HongbaoCore

/// A batch whose grants are decided and whose record isn't sealed yet.
package struct OpenBatch: Sendable {
    package let sequence: UInt64
    package fileprivate(set) var payloads: [GrantPayload] = []
    package fileprivate(set) var choices: [RewardChoice] = []
    package fileprivate(set) var issued: [PoolID: Amount] = [:]

    fileprivate mutating func issue(_ amount: Amount, of pool: PoolID) {
        func add(to issued: inout Amount) {
            guard let sum = issued.adding(amount) else { preconditionFailure("a batch larger than any budget") }
            issued = sum
        }
        add(to: &issued[pool, default: .zero])
    }

    /// Of money.
    package var total: Amount { issued.sum { $0.scene != nil } }
    /// Of templates.
    package var pieces: Int { Int(issued.sum { $0.template != nil }.fen) }
}

extension [PoolID: Amount] {
    fileprivate func sum(where isCounted: (PoolID) -> Bool) -> Amount {
        reduce(.zero) { sum, part in
            guard isCounted(part.key) else { return sum }
            guard let sum = sum.adding(part.value) else { preconditionFailure("a batch larger than any budget") }
            return sum
        }
    }
}

/// Decides grants for one mint: idempotency, caps, budget, and the place of each in the log.
///
/// A value without a clock, a lock or a store. Whoever holds it makes durable what `takeBatches` answers, in order, and
/// then says so by `confirm`, or by `rollBack` when it could not be done: then it's as if those grants had never been
/// asked for.
package struct MintState: Sendable {
    package enum Decision: Hashable, Sendable {
        /// New; to be answered when its sequence is durable.
        case accepted(OrderTable.Entry)
        /// The first answer again; if its sequence isn't durable yet, then when it is.
        case replayed(OrderTable.Entry)
        /// Another grant has this order number; to be refused when that one is durable. Until then it may be undone.
        case conflicting(OrderTable.Entry)
        case refused(GrantRefusal)
        /// The slice is used up, but the pool may not be: extend the lease and ask again.
        case needsLease(PoolID)
    }

    package struct Limits: Sendable {
        /// Grants that are accepted and not posted (backpressure, TK-1).
        package var backlogMax: Int
        /// Grants that are decided and not durable.
        package var undurableMax: Int
        package var orderCountMax: Int
        /// Grants in one batch.
        package var batchSizeMax = MintState.batchSizeMax

        package init(backlogMax: Int = 20_000_000, undurableMax: Int = 131_072, orderCountMax: Int = 400_000_000) {
            self.backlogMax = backlogMax
            self.undurableMax = undurableMax
            self.orderCountMax = orderCountMax
        }
    }

    package static let batchSizeMax = BatchHeader.countMax

    /// Why nothing of a pool can be leased.
    package enum Exhaustion: Hashable, Sendable {
        /// Until it's raised, or somebody gives a lease back.
        case usedUp
        /// Until the next slice of its quota.
        case paused
    }

    package private(set) var orders: OrderTable
    /// Of people whom this mint decides for since they were merged; they are in other mints' logs.
    private var adopted: [OrderNumber: OrderTable.Entry] = [:]
    /// Every grant up to this sequence is durable.
    package private(set) var durableSequence: UInt64
    package private(set) var backlog: Int
    package var limits: Limits
    private var slices: [PoolID: BudgetSlice] = [:]
    /// Pools that have nothing left to lease: not asked again until they're reopened.
    private var exhausted: [PoolID: Exhaustion] = [:]
    private var open: OpenBatch
    private var full: [OpenBatch] = []
    private var sealing: [OpenBatch] = []
    private var undurable = 0

    /// - Parameter orders: all orders in the log, of this mint and any other.
    package init(orders: OrderTable, lastSequence: UInt64, backlog: Int, limits: Limits) {
        self.orders = orders
        self.limits = limits
        self.backlog = backlog
        durableSequence = lastSequence
        open = OpenBatch(sequence: lastSequence + 1)
    }

    package var hasWork: Bool { !full.isEmpty || !open.payloads.isEmpty }
    package var undurableCount: Int { undurable }

    /// What was accepted for an order number, by this mint or by one that decided for the person before.
    package func entry(for order: OrderNumber) -> OrderTable.Entry? {
        orders.entry(for: order) ?? (adopted.isEmpty ? nil : adopted[order])
    }

    /// Adopting what is known already changes nothing.
    package mutating func adopt(_ merged: [MergedOrder]) {
        for one in merged where orders.entry(for: one.order) == nil { adopted[one.order] = one.entry }
    }

    /// Those of these persons that other mints have accepted.
    package func adopted(of persons: Set<PersonID>) -> [MergedOrder] {
        adopted.filter { persons.contains($0.key.person) }.map { MergedOrder($0.key, $0.value) }
    }

    /// Outcomes in order of precedence, see `GrantRefusal`.
    package mutating func decide(_ draft: GrantDraft, isPostedFirst: Bool) -> Decision {
        if let entry = entry(for: draft.order), !Mutant.isOn(.forgetsOrders) {
            if Mutant.isOn(.takesNewAmount) { return .replayed(entry) }
            if Mutant.isOn(.conflictsWithItself) { return .conflicting(entry) }
            return draft.isRepeat(of: entry) ? .replayed(entry) : .conflicting(entry)
        }
        if let refusal = draft.refusalIfNew { return .refused(refusal) }
        guard draft.amount <= draft.cap || Mutant.isOn(.ignoresCap) else { return .refused(.overCap) }
        let taking: Taking
        switch draft.gift {
        case .money(let reward):
            let pool = PoolID(draft.order.scene)
            guard slices[pool]?.reserve(draft.amount) ?? false else {
                return exhausted[pool].map { .refused($0.ofMoney) } ?? .needsLease(pool)
            }
            taking = Taking(choice: RewardChoice(meant: reward, given: 0), pool: pool, amount: draft.amount)
        case .pieces(let rungs, _, let isBlessed):
            switch take(rungs, of: draft.order.book, isBlessed) {
            case .taken(let taken): taking = taken
            case .notTaken(let decision): return decision
            }
        }
        guard undurable < limits.undurableMax, backlog + undurable < limits.backlogMax,
            orders.count < limits.orderCountMax
        else {
            if let pool = taking.pool, !Mutant.isOn(.leaksOverloadedMoney) { slices[pool]?.release(taking.amount) }
            return .refused(.overloaded)
        }
        return accept(draft, taking, status: isPostedFirst || taking.choice.isBlessing ? .credited : .processing)
    }

    /// What a grant has taken out of a slice; a blessing takes nothing.
    private struct Taking {
        let choice: RewardChoice
        let pool: PoolID?
        let amount: Amount
    }

    private enum Attempt {
        case taken(Taking)
        case notTaken(Decision)
    }

    /// A piece of the first template on the ladder that has one (BU-4).
    private mutating func take(_ rungs: [UInt16], of book: BookID, _ isBlessed: Bool) -> Attempt {
        let meant = rungs.first ?? RewardChoice.blessing
        var isPaused = false
        for given in rungs {
            let pool = PoolID(TemplateID(book: book, number: given))
            if slices[pool]?.reserve(.one) ?? false {
                let choice = RewardChoice(meant: meant, given: given)
                return .taken(Taking(choice: choice, pool: pool, amount: .one))
            }
            guard let exhaustion = exhausted[pool] else { return .notTaken(.needsLease(pool)) }
            if exhaustion == .paused { isPaused = true }
        }
        guard isBlessed else { return .notTaken(.refused(isPaused ? .quotaExhausted : .inventoryExhausted)) }
        let choice = RewardChoice(meant: meant, given: RewardChoice.blessing)
        return .taken(Taking(choice: choice, pool: nil, amount: .zero))
    }

    private mutating func accept(_ draft: GrantDraft, _ taking: Taking, status: GrantStatus) -> Decision {
        let sequence = open.sequence
        let index = open.payloads.count
        open.payloads.append(
            GrantPayload(
                app: draft.app,
                order: draft.order,
                amount: draft.amount,
                openedAt: draft.openedAt,
                status: status
            )
        )
        open.choices.append(taking.choice)
        if let pool = taking.pool {
            open.issue(taking.amount, of: pool)
        }
        let entry = OrderTable.Entry(
            sequence: sequence,
            index: index,
            amount: draft.amount,
            choice: taking.choice,
            status: status
        )
        orders.insert(draft.order, entry)
        undurable += 1
        if open.payloads.count == limits.batchSizeMax { closeOpenBatch() }
        return .accepted(entry)
    }

    private mutating func closeOpenBatch() {
        full.append(open)
        open = OpenBatch(sequence: open.sequence + 1)
        open.payloads.reserveCapacity(limits.batchSizeMax)
        open.choices.reserveCapacity(limits.batchSizeMax)
    }

    /// The next batches to seal and append, at most `limit`; they stay the mint's until confirmed or rolled back.
    package mutating func takeBatches(limit: Int) -> [OpenBatch] {
        if full.count < limit, !open.payloads.isEmpty { closeOpenBatch() }
        let taken = Array(full.prefix(limit))
        full.removeFirst(taken.count)
        sealing.append(contentsOf: taken)
        return taken
    }

    /// Everything up to `sequence` is durable.
    package mutating func confirm(upTo sequence: UInt64) {
        guard sequence > durableSequence else { return }
        let count = Int(sequence - durableSequence)
        precondition(count <= sealing.count && sealing[count - 1].sequence == sequence)
        for batch in sealing.prefix(count) {
            for (pool, amount) in batch.issued { slices[pool]?.commit(amount) }
            undurable -= batch.payloads.count
            backlog += batch.payloads.count
        }
        sealing.removeFirst(count)
        durableSequence = sequence
    }

    /// Nothing after `durableSequence` happened: orders are free again, money goes back to the slices.
    package mutating func rollBack() {
        for batch in sealing + full + [open] {
            for payload in batch.payloads where !Mutant.isOn(.keepsRolledBackOrders) { orders.remove(payload.order) }
            for (pool, amount) in batch.issued where !Mutant.isOn(.leaksRolledBackMoney) {
                if pool.template != nil, Mutant.isOn(.leaksRolledBackPieces) { continue }
                slices[pool]?.release(amount)
            }
            undurable -= batch.payloads.count
        }
        precondition(undurable == 0)
        sealing = []
        full = []
        open = OpenBatch(sequence: durableSequence + 1)
    }

    /// So many grants of the log are posted. They may be another mint's, accepted since the start, so the backlog isn't
    /// let below zero.
    package mutating func notePosted(_ count: Int) { backlog -= min(count, backlog) }

    // MARK: Budget

    /// Adds what a lease was extended by. Zero means that nothing of the pool can be leased.
    package mutating func extend(_ pool: PoolID, by amount: Amount, or exhaustion: Exhaustion = .usedUp) {
        slices[pool, default: BudgetSlice(remaining: .zero)].refill(amount)
        exhausted[pool] = amount > .zero ? nil : exhaustion
    }

    /// A budget was raised or a lease came back: ask the store again.
    package mutating func reopenBudgets() { exhausted.removeAll() }

    /// Another slice of time may have begun.
    package mutating func reopenPaused() {
        for (pool, exhaustion) in exhausted where exhaustion == .paused { exhausted[pool] = nil }
    }

    package func hasSlice(of pool: PoolID) -> Bool { slices[pool] != nil }

    package func isExhausted(_ pool: PoolID) -> Bool { exhausted[pool] != nil }

    package func remaining(of pool: PoolID) -> Amount { slices[pool]?.remaining ?? .zero }

    /// Takes everything unreserved out of all slices, to give the leases back.
    package mutating func drainSlices() -> [PoolID: Amount] {
        var drained: [PoolID: Amount] = [:]
        for pool in slices.keys {
            if let amount = slices[pool]?.drain(), amount > .zero { drained[pool] = amount }
        }
        return drained
    }
}

extension MintState.Exhaustion {
    fileprivate var ofMoney: GrantRefusal {
        switch self {
        case .usedUp: .budgetExhausted
        case .paused: .quotaExhausted
        }
    }
}
