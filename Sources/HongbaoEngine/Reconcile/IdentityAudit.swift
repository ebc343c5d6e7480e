import HongbaoCore

/// The part of the audit that is about merges (ID-3): each amount that went from one person to another is what a merge
/// moves; nothing is left for long with who was merged; users and phones are those of persons that still are.
struct IdentityAudit {
    private(set) var check = AuditCheck(invariant: "ID", title: "merges move all, to who it is; a phone is one person")

    private(set) var targets: [PersonID: PersonID] = [:]
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

    /// Before transfers are noted.
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
        if Self.leaves(transfer) {
            totals.mergedFen += Int128(transfer.amount.fen)
            check.expect(
                transfer.debit.kind == .person && transfer.id.person.rawValue == transfer.debit.owner
                    && targets[transfer.id.person] != nil,
                "\(transfer.amount.fen) fen have left for another database, and no merge says so"
            )
        }
        guard Self.isBetweenPersons(transfer) else { return }
        totals.mergedFen += Int128(transfer.amount.fen)
        check.expect(
            transfer.id.isOwn && transfer.id.person.rawValue == transfer.debit.owner
                && targets[PersonID(transfer.debit.owner)]?.rawValue == transfer.credit.owner,
            "\(transfer.amount.fen) fen went from one person to another, and no merge says so"
        )
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
