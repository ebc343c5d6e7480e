import HongbaoCore
import HongbaoEngine

// Questions about subsidies.
extension Snapshot {
    func subsidies(of person: PersonID, in book: BookID) throws(StoreError) -> [Subsidy] {
        let statement = try prepared(.subsidiesOfPerson)
        statement.bind(person, allOf: book)
        return try statement.all { row throws(StoreError) in try row.subsidy() }
    }

    func subsidies(after order: OrderNumber?, limit: Int) throws(StoreError) -> [Subsidy] {
        let id = order.map { TransferID($0) }
        guard let statement = try page(.subsidyPage, after: id, limit: limit) else { return [] }
        return try statement.all { row throws(StoreError) in try row.subsidy() }
    }
}
