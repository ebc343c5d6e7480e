/// Why a campaign's budget can't be changed to what its file says.
package enum FundingOutcome: Hashable, Sendable {
    case funded
    case unchanged
    /// Less than what is already allotted to nodes: reclaim leases first.
    case belowAllotted
    case overflow
}

extension Books {
    /// Brings a scene's budget to `total` and moves the difference from the campaign's treasury (BU-1).
    ///
    /// The footprint must hold the scene's budget and its treasury and budget accounts.
    package mutating func fund(_ scene: SceneID, total: Amount, revision: UInt16, now: Timestamp) -> FundingOutcome {
        var budget = budget(scene) ?? Budget(scene: scene, total: .zero, allotted: .zero)
        guard total != budget.total else { return .unchanged }
        guard total >= budget.allotted else { return .belowAllotted }
        let isRaise = total > budget.total
        guard let difference = isRaise ? total.subtracting(budget.total) : budget.total.subtracting(total) else {
            return .overflow
        }
        let treasury = AccountID.treasury(of: scene.book)
        let account = AccountID.budget(of: scene)
        let transfer = Transfer(
            id: TransferID(
                person: PersonID(0),
                book: scene.book,
                serial: UInt32(scene.number) << 16 | UInt32(revision)
            ),
            debit: isRaise ? treasury : account,
            credit: isRaise ? account : treasury,
            amount: difference,
            at: now,
            postedAt: now
        )
        let outcome = Mutant.isOn(.fundsWithoutMoney) ? .posted : ledger.post(transfer)
        guard outcome == .posted else { return .overflow }
        budget.total = total
        put(budget)
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
