package import HongbaoCore

/// A batch whose grants are decided and whose record isn't sealed yet.
package struct OpenBatch: Sendable {
    package let sequence: UInt64
    package fileprivate(set) var payloads: [GrantPayload] = []
    /// Reward numbers, 0 for the scene's first.
    package fileprivate(set) var rewards: [UInt16] = []
    package fileprivate(set) var issued: [SceneID: Amount] = [:]

    package var total: Amount {
        issued.values.reduce(.zero) { sum, part in
            guard let sum = sum.adding(part) else { preconditionFailure("a batch larger than any budget") }
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
        /// New, at this place in the log; to be answered when that sequence is durable.
        case accepted(sequence: UInt64, index: Int)
        /// The first answer again; if its sequence isn't durable yet, then when it is.
        case replayed(OrderTable.Entry)
        /// Another grant has this order number; to be refused when that one is durable. Until then it may be undone.
        case conflicting(OrderTable.Entry)
        case refused(GrantRefusal)
        /// The slice is used up, but the scene's budget may not be: extend the lease and ask again.
        case needsLease(SceneID)
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

    package private(set) var orders: OrderTable
    /// Every grant up to this sequence is durable.
    package private(set) var durableSequence: UInt64
    package private(set) var backlog: Int
    package var limits: Limits
    private var slices: [SceneID: BudgetSlice] = [:]
    /// Scenes whose budget has nothing left to lease: not asked again until it's raised.
    private var exhausted: Set<SceneID> = []
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

    /// Outcomes in order of precedence, see `GrantRefusal`.
    package mutating func decide(_ draft: GrantDraft, isPostedFirst: Bool) -> Decision {
        if let entry = orders.entry(for: draft.order), !Mutant.isOn(.forgetsOrders) {
            if Mutant.isOn(.takesNewAmount) { return .replayed(entry) }
            if Mutant.isOn(.conflictsWithItself) { return .conflicting(entry) }
            let isSame = entry.amount == draft.amount && entry.reward == draft.reward
            return isSame ? .replayed(entry) : .conflicting(entry)
        }
        if let refusal = draft.refusalIfNew { return .refused(refusal) }
        guard draft.amount <= draft.cap || Mutant.isOn(.ignoresCap) else { return .refused(.overCap) }
        let scene = draft.order.scene
        guard slices[scene]?.reserve(draft.amount) ?? false else {
            return exhausted.contains(scene) ? .refused(.budgetExhausted) : .needsLease(scene)
        }
        guard undurable < limits.undurableMax, backlog + undurable < limits.backlogMax,
            orders.count < limits.orderCountMax
        else {
            if !Mutant.isOn(.leaksOverloadedMoney) { slices[scene]?.release(draft.amount) }
            return .refused(.overloaded)
        }
        return accept(draft, status: isPostedFirst ? .credited : .processing)
    }

    private mutating func accept(_ draft: GrantDraft, status: GrantStatus) -> Decision {
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
        open.rewards.append(draft.reward)
        let scene = draft.order.scene
        guard let issued = (open.issued[scene] ?? .zero).adding(draft.amount) else {
            preconditionFailure("a batch larger than any budget")
        }
        open.issued[scene] = issued
        orders.insert(
            draft.order,
            OrderTable.Entry(
                sequence: sequence,
                index: index,
                amount: draft.amount,
                reward: draft.reward,
                status: status
            )
        )
        undurable += 1
        if open.payloads.count == limits.batchSizeMax { closeOpenBatch() }
        return .accepted(sequence: sequence, index: index)
    }

    private mutating func closeOpenBatch() {
        full.append(open)
        open = OpenBatch(sequence: open.sequence + 1)
        open.payloads.reserveCapacity(limits.batchSizeMax)
        open.rewards.reserveCapacity(limits.batchSizeMax)
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
            for (scene, amount) in batch.issued { slices[scene]?.commit(amount) }
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
            for (scene, amount) in batch.issued where !Mutant.isOn(.leaksRolledBackMoney) {
                slices[scene]?.release(amount)
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

    /// Adds what a lease was extended by. Zero means that the scene's budget is all given out.
    package mutating func extend(_ scene: SceneID, by amount: Amount) {
        slices[scene, default: BudgetSlice(remaining: .zero)].refill(amount)
        if amount > .zero { exhausted.remove(scene) } else { exhausted.insert(scene) }
    }

    /// A budget was raised or a lease came back: ask the store again.
    package mutating func reopenBudgets() { exhausted.removeAll() }

    package func isExhausted(_ scene: SceneID) -> Bool { exhausted.contains(scene) }

    package func remaining(of scene: SceneID) -> Amount { slices[scene]?.remaining ?? .zero }

    /// Takes everything unreserved out of all slices, to give the leases back.
    package mutating func drainSlices() -> [SceneID: Amount] {
        var drained: [SceneID: Amount] = [:]
        for scene in slices.keys {
            if let amount = slices[scene]?.drain(), amount > .zero { drained[scene] = amount }
        }
        return drained
    }
}
