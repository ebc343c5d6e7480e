import HongbaoCore
import HongbaoEngine

// Who is who, in a simulated database.
extension Tables {
    func identities(in footprint: Footprint) -> [Identity] {
        footprint.users.compactMap { identities[$0] }
            + identities.values.filter { identity in
                identity.phone.map { footprint.phones.contains($0) } ?? false
                    || footprint.persons.contains(identity.person)
            }
    }

    /// The constraints of a real store's schema.
    func refusal(ofIdentities commit: Commit) -> String? {
        var merges = merges
        for row in commit.merges {
            if merges[row.source] != nil || merges[row.target] != nil { return "ID-3: merged twice" }
            let isKnown = commit.pendingMerges.contains { $0.source == row.source && $0.waiting == 0 }
            if mints.values.contains(where: { $0.mints > 1 }), !isKnown {
                return "ID-3: a mint doesn't know of this merge"
            }
            merges[row.source] = row
        }
        var identities = identities
        for row in commit.identities {
            if let before = identities.updateValue(row, forKey: row.key) {
                let isMerged = merges[before.person]?.target == row.person
                if before.person != row.person, !isMerged { return "ID-3: only a merge makes a user another person" }
                if before.phone != nil, row.phone == nil { return "ID-2: a phone is taken away" }
            } else if merges[row.person] != nil {
                return "ID-3: somebody new is a person who was merged"
            }
        }
        for row in commit.identities {
            let others = identities.values.filter { $0.phone != nil && $0.phone == row.phone }
            if others.contains(where: { $0.person != row.person }) { return "ID-2: a phone is one person" }
        }
        for row in commit.transfers where row.debit.kind == .person && row.credit.kind == .person {
            guard let target = merges[PersonID(row.debit.owner)]?.target else { continue }
            if row.id.person.rawValue != row.debit.owner || target.rawValue != row.credit.owner {
                return "M4: a merge moves money to its target"
            }
        }
        return nil
    }
}

extension TableSnapshot {
    func identity(_ key: UserKey) -> Identity? { tables.identities[key] }
    func identities(on phone: PhoneKey) -> [Identity] {
        tables.identities.values.filter { $0.phone == phone }.sorted { $0.key < $1.key }
    }
    func identities(of person: PersonID) -> [Identity] {
        tables.identities.values.filter { $0.person == person }.sorted { $0.key < $1.key }
    }
    func identities(after key: UserKey?, limit: Int) -> [Identity] {
        let all = tables.identities.values.sorted { $0.key < $1.key }
        return Array(all.filter { row in key.map { $0 < row.key } ?? true }.prefix(limit))
    }
    func merges() -> [Merge] { tables.merges.values.sorted { $0.source < $1.source } }
    func merge(of source: PersonID) -> Merge? { tables.merges[source] }
    func pendingMerges() -> [PendingMerge] { tables.pendingMerges.values.sorted { $0.source < $1.source } }
    func mergedOrders(of person: PersonID) -> [MergedOrder] {
        tables.mergedOrders.values.filter { $0.order.person == person }.sorted { $0.order < $1.order }
    }
}
