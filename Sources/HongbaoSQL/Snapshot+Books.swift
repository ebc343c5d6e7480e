import HongbaoCore
import HongbaoEngine

// Questions to one snapshot, through `prepared`, which each back-end has of its own.
extension Snapshot {
    func account(_ id: AccountID) throws(StoreError) -> Account {
        let statement = try prepared(.account)
        statement.bind(id)
        return try statement.first { row throws(StoreError) in try row.account(id) } ?? Account(id: id)
    }

    func transfers(_ ids: [TransferID]) throws(StoreError) -> [Transfer] {
        try prepared(.transfer).rows(for: ids, { $0.bind($1) }) { row throws(StoreError) in try row.transfer() }
    }

    func transfers(of person: PersonID, in book: BookID) throws(StoreError) -> [Transfer] {
        let statement = try prepared(.transfersOfPerson)
        statement.bind(person, allOf: book)
        // A red packet may have the person's number.
        return try statement.all { row throws(StoreError) in try row.transfer() }.filter { $0.id.packet == nil }
    }

    func withdrawals(of person: PersonID, in book: BookID) throws(StoreError) -> [Withdrawal] {
        let statement = try prepared(.withdrawalsOfPerson)
        statement.bind(1, bits: person.rawValue)
        statement.bind(2, Int64(book.rawValue))
        return try statement.all { row throws(StoreError) in try row.withdrawal() }
    }

    func withdrawal(_ key: WithdrawalKey) throws(StoreError) -> Withdrawal? {
        let statement = try prepared(.withdrawal)
        statement.bind(key)
        return try statement.first { row throws(StoreError) in try row.withdrawal() }
    }

    func withdrawals(toCheckIn times: ClosedRange<Timestamp>, limit: Int) throws(StoreError) -> [Withdrawal] {
        try due(.withdrawalsToCheck, times, limit).all { row throws(StoreError) in try row.withdrawal() }
    }

    /// A query whose last parameters are the times of the next check and the limit.
    func due(
        _ query: Query,
        _ times: ClosedRange<Timestamp>,
        _ limit: Int,
        from first: Int32 = 1
    ) throws(StoreError) -> PreparedStatement {
        let statement = try prepared(query)
        statement.bind(first, times.lowerBound.milliseconds)
        statement.bind(first + 1, times.upperBound.milliseconds)
        statement.bind(first + 2, Int64(limit))
        return statement
    }

    func mints() throws(StoreError) -> [MintRecord] {
        try prepared(.mints).all { row throws(StoreError) in try row.mint() }
    }

    func epochs() throws(StoreError) -> [EpochRecord] {
        try prepared(.epochs).all { row throws(StoreError) in try row.epoch() }
    }

    func budgets() throws(StoreError) -> [(Budget, [Lease])] {
        let leases = try prepared(.allLeases).all { row throws(StoreError) in try row.lease() }
        let byPool = Dictionary(grouping: leases, by: \.id.pool)
        return try prepared(.budgets).all { row throws(StoreError) in try row.budget() }
            .map { ($0, byPool[$0.pool] ?? []) }
    }

    func batches(of mint: MintID, after sequence: UInt64, limit: Int) throws(StoreError) -> [LoggedBatch] {
        let statement = try prepared(.batches)
        statement.bind(1, Int64(mint.rawValue))
        statement.bind(2, Int64(clamping: sequence))
        statement.bind(3, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.batch() }
    }
}

// Pages for the audit. Their order is that of the stored keys: numbers from 2^63 on come before zero.
extension Snapshot {
    func accounts(after id: AccountID?, limit: Int) throws(StoreError) -> [Account] {
        let statement = try prepared(.accountPage)
        if let id {
            statement.bind(id)
        } else {
            statement.bind(1, -1)  // Below every book.
            statement.bind(2, 0)
            statement.bind(3, 0)
        }
        statement.bind(4, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.keyedAccount() }
    }

    func transfers(after id: TransferID?, limit: Int) throws(StoreError) -> [Transfer] {
        guard let statement = try page(.transferPage, after: id, limit: limit) else { return [] }
        return try statement.all { row throws(StoreError) in try row.transfer() }
    }

    func holds(after id: TransferID?, limit: Int) throws(StoreError) -> [Hold] {
        guard let statement = try page(.holdPage, after: id, limit: limit) else { return [] }
        return try statement.all { row throws(StoreError) in try row.hold() }
    }

    func withdrawals(after key: WithdrawalKey?, limit: Int) throws(StoreError) -> [Withdrawal] {
        let statement = try prepared(.withdrawalPage)
        if let key {
            statement.bind(key)
        } else {
            statement.bind(1, Int64.min)
            statement.bind(2, 0)
            statement.bind(3, text: "")  // Below every ID.
        }
        statement.bind(4, Int64(limit))
        return try statement.all { row throws(StoreError) in try row.withdrawal() }
    }

    /// A query for the rows from the key after `id` on; `nil` when there is no such key.
    func page(_ query: Query, after id: TransferID?, limit: Int) throws(StoreError) -> PreparedStatement? {
        var person = Int64.min
        var part = Int64.min
        if let id {
            person = Int64(bitPattern: id.high)
            part = Int64(bitPattern: id.low)
            if part < .max {
                part += 1
            } else {
                guard person < .max else { return nil }
                person += 1
                part = .min
            }
        }
        let statement = try prepared(query)
        statement.bind(1, person)
        statement.bind(2, part)
        statement.bind(3, Int64(limit))
        return statement
    }
}
