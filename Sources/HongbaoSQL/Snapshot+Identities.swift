import HongbaoCore
import HongbaoEngine

// Questions about who is who.
extension Snapshot {
    func identity(_ key: UserKey) throws(StoreError) -> Identity? {
        let statement = try prepared(.identity)
        statement.bind(1, key: key.bits)
        return try statement.first { row throws(StoreError) in try row.identity() }
    }

    func identities(on phone: PhoneKey) throws(StoreError) -> [Identity] {
        let statement = try prepared(.identitiesOnPhone)
        statement.bind(1, key: phone.bits)
        return try statement.all { row throws(StoreError) in try row.identity() }
    }

    func identities(of person: PersonID) throws(StoreError) -> [Identity] {
        let statement = try prepared(.identitiesOfPerson)
        statement.bind(1, bits: person.rawValue)
        return try statement.all { row throws(StoreError) in try row.identity() }
    }

    func identities(after key: UserKey?, limit: Int) throws(StoreError) -> [Identity] {
        let statement = try prepared(.identityPage)
        if let key {
            statement.bind(1, key: key.bits)
        } else {
            statement.bind(1, bytes: [])  // Before every key.
        }
        statement.bind(2, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.identity() }
    }

    func merges() throws(StoreError) -> [Merge] {
        try prepared(.merges).all { row throws(StoreError) in try row.merge() }
    }

    func merge(of source: PersonID) throws(StoreError) -> Merge? {
        let statement = try prepared(.merge)
        statement.bind(1, bits: source.rawValue)
        return try statement.first { row throws(StoreError) in try row.merge() }
    }

    func pendingMerges() throws(StoreError) -> [PendingMerge] {
        try prepared(.pendingMerges).all { row throws(StoreError) in try row.pendingMerge() }
    }

    func mergedOrders(of person: PersonID) throws(StoreError) -> [MergedOrder] {
        let statement = try prepared(.mergedOrders)
        statement.bind(1, bits: person.rawValue)
        return try statement.all { row throws(StoreError) in try row.mergedOrder() }
    }
}
