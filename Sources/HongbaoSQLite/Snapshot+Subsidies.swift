import HongbaoCore
import HongbaoEngine

// Questions about subsidies.
extension Snapshot {
    func subsidies(of person: PersonID, in book: BookID) throws(StoreError) -> [Subsidy] {
        let statement = try prepared(.subsidiesOfPerson)
        let first = UInt64(book.rawValue) << 48
        statement.bind(1, bits: person.rawValue)
        statement.bind(2, bits: first)
        statement.bind(3, bits: first | ((1 << 48) - 1))
        return try statement.all { row throws(StoreError) in try row.subsidy() }
    }

    func subsidies(after order: OrderNumber?, limit: Int) throws(StoreError) -> [Subsidy] {
        let id = order.map { TransferID($0) }
        guard let statement = try page(.subsidyPage, after: id, limit: limit) else { return [] }
        return try statement.all { row throws(StoreError) in try row.subsidy() }
    }
}
