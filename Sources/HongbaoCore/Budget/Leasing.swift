/// Why a campaign's budget can't be changed to what its file says.
package enum FundingOutcome: Hashable, Sendable {
    case funded
    case unchanged
    /// The scene has given another kind of money before.
    case otherKind
    /// Less than what is already allotted to nodes: reclaim leases first.
    case belowAllotted
    /// The budget was changed since its revisions were counted.
    case outdated
    case overflow
}

/// A scene's budget as its file says it.
package struct Funding: Hashable, Sendable {
    package let scene: SceneID
    package let kind: MoneyKind
    package let total: Amount
    /// How often the budget was changed before.
    package let revision: UInt16

    package init(scene: SceneID, kind: MoneyKind = .cash, total: Amount, revision: UInt16) {
        self.scene = scene
        self.kind = kind
        self.total = total
        self.revision = revision
    }

    /// The number of the transfer that moves the difference.
    package var transferID: TransferID {
        TransferID(person: PersonID(0), book: scene.book, serial: UInt32(scene.number) << 16 | UInt32(revision))
    }
}

/// What came of bringing several budgets to what their files say.
package enum FundingsOutcome: Hashable, Sendable {
    case funded
    /// Nothing was changed, because of these scenes.
    case refused([SceneID: FundingRefusal])
    /// Nothing was changed, since somebody else has changed a budget: count the revisions again.
    case outdated
}

/// Why a budget stays as it is.
package enum FundingRefusal: Hashable, Sendable {
    /// What it gives, and has given: something else than its file says.
    case gives(MoneyKind)
    /// It can't be so low: so much of it is issued or leased.
    case allotted(Amount)
}

extension Books {
    /// Brings a scene's budget to what its file says and moves the difference from the campaign's treasury (BU-1).
    ///
    /// Lowering takes from what is available and from nothing else: what is issued or leased stays covered (M6).
    ///
    /// The footprint must be that of the funding.
    package mutating func fund(_ funding: Funding, now: Timestamp) -> FundingOutcome {
        let (scene, total) = (funding.scene, funding.total)
        var budget = budget(scene) ?? Budget(scene: scene, kind: funding.kind, total: .zero, allotted: .zero)
        guard budget.kind == funding.kind else { return .otherKind }
        guard total != budget.total else { return .unchanged }
        guard total >= budget.allotted || Mutant.isOn(.lowersBelowAllotted) else { return .belowAllotted }
        let isRaise = total > budget.total
        guard let difference = isRaise ? total.subtracting(budget.total) : budget.total.subtracting(total) else {
            return .overflow
        }
        let treasury = AccountID.treasury(of: scene.book)
        let account = AccountID.budget(of: scene)
        let transfer = Transfer(
            id: funding.transferID,
            debit: isRaise ? treasury : account,
            credit: isRaise ? account : treasury,
            amount: difference,
            at: now,
            postedAt: now
        )
        let outcome = Mutant.isOn(.fundsWithoutMoney) ? .posted : ledger.post(transfer)
        switch outcome {
        case .posted:
            budget.total = total
            put(budget)
            return .funded
        case .alreadyPosted, .idReusedForAnotherTransfer: return .outdated
        case .amountIsZero, .accountsAreTheSame, .booksDiffer, .insufficientFunds, .balanceWouldOverflow:
            return .overflow
        }
    }

    /// Brings budgets to what their files say, all of them or none.
    package mutating func fund(_ fundings: [Funding], now: Timestamp) -> FundingsOutcome {
        var changed = self
        var refused: [SceneID: FundingRefusal] = [:]
        for funding in fundings {
            switch changed.fund(funding, now: now) {
            case .funded, .unchanged: break
            case .otherKind: refused[funding.scene] = budget(funding.scene).map { .gives($0.kind) }
            case .belowAllotted, .overflow:
                refused[funding.scene] = .allotted(budget(funding.scene)?.allotted ?? .zero)
            case .outdated: return .outdated
            }
        }
        guard refused.isEmpty else { return .refused(refused) }
        self = changed
        return .funded
    }

    /// Allots up to `wanted` of a scene's budget to a mint, or what is left of it (BU-5). Answers how much was added.
    package mutating func extendLease(
        _ id: LeaseID,
        epoch: UInt32,
        by wanted: Amount,
        expiresAt: Timestamp
    ) -> Amount {
        guard var budget = budget(id.scene) else { return .zero }
        var lease = lease(id) ?? Lease(id: id, epoch: epoch, allotted: .zero, issued: .zero, expiresAt: expiresAt)
        guard lease.epoch <= epoch else { return .zero }
        let added = Mutant.isOn(.leasesMoreThanThereIs) ? wanted : min(wanted, budget.available)
        guard let allotted = lease.allotted.adding(added), let sum = budget.allotted.adding(added) else { return .zero }
        lease.epoch = epoch
        lease.allotted = allotted
        lease.expiresAt = expiresAt
        if !Mutant.isOn(.leasesForNothing) { budget.allotted = sum }
        put(budget)
        put(lease)
        return added
    }

    /// Gives back `amount` of a lease that its holder has not issued and will not issue.
    package mutating func returnLease(_ id: LeaseID, epoch: UInt32, amount: Amount) -> Bool {
        guard var lease = lease(id), var budget = budget(id.scene), lease.epoch == epoch,
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
        guard var lease = lease(id), var budget = budget(id.scene),
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
