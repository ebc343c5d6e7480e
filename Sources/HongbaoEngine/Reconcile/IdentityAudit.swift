import HongbaoCore

/// The part of the audit that is about merges (ID-3): each amount that went from one person to another is what a merge
/// moves; nothing is left for long with who was merged; users and phones are those of persons that still are.
struct IdentityAudit {
    private(set) var check = AuditCheck(invariant: "ID", title: "merges move all, to who it is; a phone is one person")

    /// Into whom who was merged.
    private(set) var targets: [PersonID: PersonID] = [:]
    /// What no merge explains that is known by now.
    private var unexplained: [Transfer] = []
    /// When something last came to the account of who was merged.
    private var lastCredits: [AccountID: Timestamp] = [:]
    private var newest = Timestamp(milliseconds: .min)
    private static let page = 4096
    /// What comes to who was merged is moved within seconds while a server runs; the ledger's own times must show that
    /// it wasn't, for much longer than that.
    private static let leftSeconds: Int64 = 3_600

    /// Whether a transfer is from one person to another, in this database or a different one.
    static func concerns(_ transfer: Transfer) -> Bool { isBetweenPersons(transfer) || leaves(transfer) }

    private static func isBetweenPersons(_ transfer: Transfer) -> Bool {
        transfer.debit.kind == .person && transfer.credit.kind == .person
    }

    private static func leaves(_ transfer: Transfer) -> Bool { transfer.credit.isElsewhere && transfer.id.isOwn }

    /// Merges as another database's snapshot has them, before transfers are noted.
    mutating func learn(_ targets: [PersonID: PersonID], _ totals: inout AuditReport.Totals) {
        self.targets = targets
        totals.personsMerged = targets.count
    }

    /// The same of the snapshot's own.
    mutating func learn(_ merges: [Merge], _ totals: inout AuditReport.Totals) {
        for merge in merges {
            check.expect(
                targets.updateValue(merge.target, forKey: merge.source) == nil,
                "somebody was merged twice"
            )
        }
        for merge in merges {
            var last = merge.target
            for _ in 0...merges.count {
                guard let next = targets[last] else { break }
                last = next
            }
            check.expect(targets[last] == nil, "merges go round in a ring")
        }
        totals.personsMerged = merges.count
    }

    mutating func note(_ transfer: Transfer, _ totals: inout AuditReport.Totals) {
        newest = max(newest, transfer.postedAt)
        if transfer.credit.kind == .person, targets[PersonID(transfer.credit.owner)] != nil {
            let last = lastCredits[transfer.credit] ?? transfer.postedAt
            lastCredits[transfer.credit] = max(last, transfer.postedAt)
        }
        guard Self.concerns(transfer) else { return }
        totals.mergedFen += Int128(transfer.amount.fen)
        if isExplained(transfer) { check.expect(true, "") } else { unexplained.append(transfer) }
    }

    private func isExplained(_ transfer: Transfer) -> Bool {
        guard transfer.id.isOwn, transfer.debit.kind == .person, transfer.id.person.rawValue == transfer.debit.owner,
            let target = targets[transfer.id.person]
        else { return false }
        return Self.leaves(transfer) || target.rawValue == transfer.credit.owner
    }

    /// Whether merges that were read after the transfers may explain more.
    var isOpen: Bool { !unexplained.isEmpty }

    /// - Parameter merges: read after the snapshot began whose transfers were noted. A merge is there before what it
    ///   moves, so what these don't explain has no explanation.
    mutating func settle(_ merges: [Merge]) {
        for merge in merges { targets[merge.source] = merge.target }
        for transfer in unexplained {
            let what = Self.leaves(transfer) ? "have left for another database" : "went from one person to another"
            check.expect(isExplained(transfer), "\(transfer.amount.fen) fen \(what), and no merge says so")
        }
        unexplained = []
    }

    mutating func note(_ account: Account) {
        guard account.id.kind == .person, targets[PersonID(account.id.owner)] != nil else { return }
        let last = lastCredits[account.id] ?? newest
        check.expect(
            account.available <= 0 || last.advanced(bySeconds: Self.leftSeconds) >= newest,
            "book \(account.id.book.rawValue): \(account.available) fen are left with who was merged"
        )
    }

    mutating func read(_ rows: AuditedRows) throws(StoreError) {
        var persons: [PhoneKey: PersonID] = [:]
        var last: UserKey?
        while true {
            let page = try rows.identities(after: last, limit: Self.page)
            for identity in page {
                let onPhone = identity.phone.map { persons.updateValue(identity.person, forKey: $0) ?? identity.person }
                check.expect(
                    targets[identity.person] == nil && onPhone ?? identity.person == identity.person,
                    targets[identity.person] == nil
                        ? "a phone is two persons" : "a user is a person who was merged into another"
                )
            }
            guard let end = page.last else { break }
            last = end.key
        }
    }
}
