import HongbaoCore

/// What the audit reads of one snapshot, at a pace.
struct AuditedRows {
    private let snapshot: any StoreSnapshot
    private let pace: AuditPace

    init(_ snapshot: any StoreSnapshot, _ pace: AuditPace) {
        self.snapshot = snapshot
        self.pace = pace
    }

    private func paced<Row>(_ rows: [Row]) throws(StoreError) -> [Row] {
        try pace.next(rows.count)
        return rows
    }

    func mints() throws(StoreError) -> [MintRecord] { try snapshot.mints() }
    func epochs() throws(StoreError) -> [EpochRecord] { try snapshot.epochs() }
    func budgets() throws(StoreError) -> [(Budget, [Lease])] { try snapshot.budgets() }
    func merges() throws(StoreError) -> [Merge] { try paced(snapshot.merges()) }

    /// Each grant in them is a row.
    func batches(of mint: MintID, after sequence: UInt64, limit: Int) throws(StoreError) -> [LoggedBatch] {
        let batches = try snapshot.batches(of: mint, after: sequence, limit: limit)
        try pace.next(batches.reduce(0) { $0 + max(0, $1.count) })
        return batches
    }

    func accounts(after id: AccountID?, limit: Int) throws(StoreError) -> [Account] {
        try paced(snapshot.accounts(after: id, limit: limit))
    }

    func transfers(after id: TransferID?, limit: Int) throws(StoreError) -> [Transfer] {
        try paced(snapshot.transfers(after: id, limit: limit))
    }

    func holds(after id: TransferID?, limit: Int) throws(StoreError) -> [Hold] {
        try paced(snapshot.holds(after: id, limit: limit))
    }

    func withdrawals(after key: WithdrawalKey?, limit: Int) throws(StoreError) -> [Withdrawal] {
        try paced(snapshot.withdrawals(after: key, limit: limit))
    }

    func subsidies(after order: OrderNumber?, limit: Int) throws(StoreError) -> [Subsidy] {
        try paced(snapshot.subsidies(after: order, limit: limit))
    }

    func rewards(after order: OrderNumber?, limit: Int) throws(StoreError) -> [GivenReward] {
        try paced(snapshot.rewards(after: order, limit: limit))
    }

    func identities(after key: UserKey?, limit: Int) throws(StoreError) -> [Identity] {
        try paced(snapshot.identities(after: key, limit: limit))
    }

    func packets(after id: RedPacketID?, limit: Int) throws(StoreError) -> [RedPacket] {
        try paced(snapshot.packets(after: id, limit: limit))
    }

    func refunds(of packet: RedPacketID) throws(StoreError) -> [Refund] { try paced(snapshot.refunds(of: packet)) }

    func claims(of packet: RedPacketID, from position: Int, limit: Int) throws(StoreError) -> [Claim] {
        try paced(snapshot.claims(of: packet, from: position, limit: limit))
    }

    /// Each is a question of its own.
    func account(_ id: AccountID) throws(StoreError) -> Account {
        try pace.next(1)
        return try snapshot.account(id)
    }
}
