/// Why a pool can't be changed to what its file says.
package enum FundingOutcome: Hashable, Sendable {
    case funded
    case unchanged
    /// The pool has given another kind of reward before.
    case otherKind
    /// Less than what is already allotted to nodes: reclaim leases first.
    case belowAllotted
    /// The budget was changed since its revisions were counted.
    case outdated
    case overflow
}

/// A pool as its file says it.
package struct Funding: Hashable, Sendable {
    package let pool: PoolID
    package let kind: RewardKind
    package let total: Amount
    /// The part at the end that isn't leased (BU-4).
    package let reserve: Amount
    package let quota: Quota?
    /// How often the budget was changed before; of pieces nobody counts it.
    package let revision: UInt16

    package init(
        pool: PoolID,
        kind: RewardKind = .cash,
        total: Amount,
        reserve: Amount = .zero,
        quota: Quota? = nil,
        revision: UInt16 = 0
    ) {
        self.pool = pool
        self.kind = kind
        self.total = total
        self.reserve = reserve
        self.quota = quota
        self.revision = revision
    }

    package func with(revision: UInt16) -> Self {
        Self(pool: pool, kind: kind, total: total, reserve: reserve, quota: quota, revision: revision)
    }

    /// The number of the transfer that moves the difference; pieces are none of the ledger's.
    package var transferID: TransferID? {
        pool.scene.map { scene in
            TransferID(person: PersonID(0), book: scene.book, serial: UInt32(scene.number) << 16 | UInt32(revision))
        }
    }
}

/// What came of bringing several pools to what their files say.
package enum FundingsOutcome: Hashable, Sendable {
    case funded
    /// Nothing was changed, because of these.
    case refused([PoolID: FundingRefusal])
    /// Nothing was changed, since somebody else has changed a budget: count the revisions again.
    case outdated
}

/// Why a pool stays as it is.
package enum FundingRefusal: Hashable, Sendable {
    /// What it gives, and has given: something else than its file says.
    case gives(RewardKind)
    /// It can't be so low: so much of it is issued or leased.
    case allotted(Amount)
}

extension Books {
    /// Brings a pool to what its file says; money moves from or to the campaign's treasury (BU-1).
    ///
    /// Lowering takes from what is available and from nothing else: what is issued or leased stays covered (M6).
    ///
    /// The footprint must be that of the funding.
    package mutating func fund(_ funding: Funding, now: Timestamp) -> FundingOutcome {
        let total = funding.total
        var budget =
            budget(funding.pool) ?? Budget(pool: funding.pool, kind: funding.kind, total: .zero, allotted: .zero)
        guard budget.kind == funding.kind else { return .otherKind }
        // A template of which there is none is shown, too.
        let isNew = funding.pool.template != nil && self.budget(funding.pool) == nil
        guard total != budget.total || funding.reserve != budget.reserve || funding.quota != budget.quota || isNew
        else { return .unchanged }
        guard total >= budget.allotted || Mutant.isOn(.lowersBelowAllotted) else { return .belowAllotted }
        if total != budget.total, let outcome = move(funding, from: budget.total, now: now) { return outcome }
        if funding.quota != budget.quota { budget.slice = nil }
        budget.total = total
        budget.reserve = funding.reserve
        budget.quota = funding.quota
        put(budget)
        return .funded
    }

    /// Moves the difference between what a scene's budget was and what it will be; `nil` when that is done.
    private mutating func move(_ funding: Funding, from before: Amount, now: Timestamp) -> FundingOutcome? {
        guard let scene = funding.pool.scene, let id = funding.transferID else { return nil }
        let isRaise = funding.total > before
        guard
            let difference = isRaise ? funding.total.subtracting(before) : before.subtracting(funding.total)
        else { return .overflow }
        let treasury = AccountID.treasury(of: scene.book)
        let account = AccountID.budget(of: scene)
        let transfer = Transfer(
            id: id,
            debit: isRaise ? treasury : account,
            credit: isRaise ? account : treasury,
            amount: difference,
            at: now,
            postedAt: now
        )
        switch Mutant.isOn(.fundsWithoutMoney) ? .posted : ledger.post(transfer) {
        case .posted: return nil
        case .alreadyPosted, .idReusedForAnotherTransfer: return .outdated
        case .amountIsZero, .accountsAreTheSame, .booksDiffer, .insufficientFunds, .balanceWouldOverflow:
            return .overflow
        }
    }

    /// Brings budgets to what their files say, all of them or none.
    package mutating func fund(_ fundings: [Funding], now: Timestamp) -> FundingsOutcome {
        var changed = self
        var refused: [PoolID: FundingRefusal] = [:]
        for funding in fundings {
            switch changed.fund(funding, now: now) {
            case .funded, .unchanged: break
            case .otherKind: refused[funding.pool] = budget(funding.pool).map { .gives($0.kind) }
            case .belowAllotted, .overflow:
                refused[funding.pool] = .allotted(budget(funding.pool)?.allotted ?? .zero)
            case .outdated: return .outdated
            }
        }
        guard refused.isEmpty else { return .refused(refused) }
        self = changed
        return .funded
    }

    /// Allots up to `wanted` of a pool to a mint, or what of it can be leased now (BU-5). Answers how much was added.
    package mutating func extendLease(
        _ id: LeaseID,
        epoch: UInt32,
        by wanted: Amount,
        now: Timestamp,
        expiresAt: Timestamp
    ) -> Amount {
        guard var budget = budget(id.pool) else { return .zero }
        var lease = lease(id) ?? Lease(id: id, epoch: epoch, allotted: .zero, issued: .zero, expiresAt: expiresAt)
        guard lease.epoch <= epoch else { return .zero }
        let added = Mutant.isOn(.leasesMoreThanThereIs) ? wanted : min(wanted, budget.leasable(at: now))
        guard let allotted = lease.allotted.adding(added), let sum = budget.allotted.adding(added) else { return .zero }
        lease.epoch = epoch
        lease.allotted = allotted
        lease.expiresAt = expiresAt
        budget.lease(added, allotted: Mutant.isOn(.leasesForNothing) ? budget.allotted : sum, at: now)
        put(budget)
        put(lease)
        return added
    }

    /// Gives back `amount` of a lease that its holder has not issued and will not issue.
    package mutating func returnLease(_ id: LeaseID, epoch: UInt32, amount: Amount) -> Bool {
        guard var lease = lease(id), var budget = budget(id.pool), lease.epoch == epoch,
            amount <= lease.unissued,
            let allotted = lease.allotted.subtracting(amount), let sum = budget.allotted.subtracting(amount)
        else { return false }
        if !Mutant.isOn(.keepsReturnedLease) { lease.allotted = allotted }
        budget.allotted = sum
        put(lease)
        put(budget)
        return true
    }

    /// Takes back what an expired lease holds unissued and fences its holder off (BU-6). Answers how much came back.
    package mutating func reclaimLease(_ id: LeaseID, now: Timestamp) -> Amount {
        guard var lease = lease(id), var budget = budget(id.pool),
            lease.expiresAt < now || Mutant.isOn(.reclaimsLiveLease)
        else { return .zero }
        if Mutant.isOn(.leavesLapsedLeases) { return .zero }
        let stranded = lease.unissued
        guard stranded > .zero, lease.epoch < .max, let sum = budget.allotted.subtracting(stranded) else {
            return .zero
        }
        lease.allotted = lease.issued
        lease.epoch += 1
        budget.allotted = sum
        put(lease)
        put(budget)
        return stranded
    }
}
