import HongbaoCore
import HongbaoEngine

// Questions about coupons and pendants.
extension Snapshot {
    func rewards(of person: PersonID, in book: BookID) throws(StoreError) -> [GivenReward] {
        let statement = try prepared(.rewardsOfPerson)
        statement.bind(person, allOf: book)
        return try statement.all { row throws(StoreError) in try row.reward() }
    }

    func rewards(_ orders: [OrderNumber]) throws(StoreError) -> [GivenReward] {
        try prepared(.reward).rows(for: orders, { $0.bind($1) }) { row throws(StoreError) in try row.reward() }
    }

    func rewards(
        of kind: RewardKind,
        toGiveIn times: ClosedRange<Timestamp>,
        limit: Int
    ) throws(StoreError) -> [GivenReward] {
        let statement = try due(.rewardsToGive, times, limit, from: 2)
        statement.bind(1, Int64(kind.number))
        return try statement.all { row throws(StoreError) in try row.reward() }
    }

    func rewards(after order: OrderNumber?, limit: Int) throws(StoreError) -> [GivenReward] {
        let id = order.map { TransferID($0) }
        guard let statement = try page(.rewardPage, after: id, limit: limit) else { return [] }
        return try statement.all { row throws(StoreError) in try row.reward() }
    }
}
