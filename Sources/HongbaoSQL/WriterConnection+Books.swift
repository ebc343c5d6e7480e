import HongbaoCore
import HongbaoEngine

/// The rows that a footprint names, as they were loaded. An account that has no row is empty; other rows may be absent.
struct Loaded {
    var accounts: [Account] = []
    /// Those of `accounts` that have a row. Only databases that must know fill it.
    var accountsFound: Set<AccountID> = []
    var transfers: [Transfer] = []
    var holds: [Hold] = []
    var withdrawals: [Withdrawal] = []
    var budgets: [Budget] = []
    var leases: [Lease] = []
    var mints: [MintRecord] = []
    var packets: [RedPacket] = []
    var claims: [Claim] = []
    var refunds: [Refund] = []
    var subsidies: [Subsidy] = []
    var rewards: [GivenReward] = []
    var identities: [Identity] = []
    var merges: [Merge] = []
    var pendingMerges: [PendingMerge] = []
    var mergedOrders: [MergedOrder] = []

    var books: Books {
        Books(
            ledger: Ledger(accounts: accounts, transfers: transfers, holds: holds),
            withdrawals: withdrawals,
            budgets: budgets,
            leases: leases,
            mints: mints,
            packets: packets,
            claims: claims,
            refunds: refunds,
            subsidies: subsidies,
            rewards: rewards,
            identities: identities,
            merges: merges,
            pendingMerges: pendingMerges,
            mergedOrders: mergedOrders
        )
    }
}

// Loading what a decision may touch and saving what it has changed, through the statements of each back-end.
extension WriterConnection {
    /// The rows that a footprint names.
    ///
    /// - Parameter lookingForTransfers: `false` to take it that none of the transfers is there; if one is and a
    ///   decision adds it again, `save` fails and `hasMetTransfer` is true.
    func load(_ footprint: Footprint, lookingForTransfers: Bool) throws(StoreError) -> Loaded {
        hasMetTransfer = false
        var loaded = Loaded()
        for pool in footprint.budgets {
            let budget = try loading(.budget)
            budget.bind(1, Int64(pool.rawValue))
            if let row = try budget.first({ row throws(StoreError) in try row.budget() }) { loaded.budgets.append(row) }
            let lease = try loading(.leases)
            lease.bind(1, Int64(pool.rawValue))
            loaded.leases += try lease.all { row throws(StoreError) in try row.lease() }
        }
        for id in footprint.mints {
            if let row = try loadMint(id) { loaded.mints.append(row) }
        }
        loaded.withdrawals = try loading(.withdrawal).rows(for: footprint.withdrawals, { $0.bind($1) }) {
            row throws(StoreError) in try row.withdrawal()
        }
        try loadPackets(footprint, into: &loaded)
        loaded.subsidies = try loading(.subsidy).rows(for: footprint.subsidies, { $0.bind($1) }) {
            row throws(StoreError) in try row.subsidy()
        }
        loaded.rewards = try loading(.reward).rows(for: footprint.rewards, { $0.bind($1) }) {
            row throws(StoreError) in try row.reward()
        }
        try loadAccounts(footprint, into: &loaded)
        let transfers = lookingForTransfers ? footprint.transfers.sorted() : []
        loaded.transfers = try loading(.transfer).rows(for: transfers, { $0.bind($1) }) { row throws(StoreError) in
            try row.transfer()
        }
        loaded.holds = try loading(.hold).rows(for: footprint.holds, { $0.bind($1) }) { row throws(StoreError) in
            try row.hold()
        }
        try loadIdentities(footprint, into: &loaded)
        return loaded
    }

    private func loadPackets(_ footprint: Footprint, into loaded: inout Loaded) throws(StoreError) {
        loaded.packets = try loading(.packet).rows(for: footprint.packets, { $0.bind(1, bits: $1.rawValue) }) {
            row throws(StoreError) in try row.packet()
        }
        loaded.packets += try loading(.sentPacket).rows(for: footprint.sends, { $0.bind($1) }) {
            row throws(StoreError) in try row.packet()
        }
        loaded.claims = try loadClaims(footprint.claims)
        for packet in Set(footprint.refunds) {
            let statement = try loading(.refundsOfPacket)
            statement.bind(1, bits: packet.rawValue)
            loaded.refunds += try statement.all { row throws(StoreError) in try row.refund() }
        }
    }

    private func loadIdentities(_ footprint: Footprint, into loaded: inout Loaded) throws(StoreError) {
        guard !footprint.users.isEmpty || !footprint.phones.isEmpty || !footprint.persons.isEmpty else { return }
        try lockIdentities()
        loaded.identities = try loading(.identity).rows(for: footprint.users, { $0.bind(1, key: $1.bits) }) {
            row throws(StoreError) in try row.identity()
        }
        for phone in footprint.phones {
            let statement = try loading(.identitiesOnPhone)
            statement.bind(1, key: phone.bits)
            loaded.identities += try statement.all { row throws(StoreError) in try row.identity() }
        }
        for person in footprint.persons {
            let statement = try loading(.identitiesOfPerson)
            statement.bind(1, bits: person.rawValue)
            loaded.identities += try statement.all { row throws(StoreError) in try row.identity() }
        }
        loaded.merges = try loading(.merge).rows(for: footprint.persons, { $0.bind(1, bits: $1.rawValue) }) {
            row throws(StoreError) in try row.merge()
        }
        loaded.pendingMerges = try loading(.pendingMerge).rows(
            for: footprint.pendingMerges,
            { $0.bind(1, bits: $1.rawValue) }
        ) { row throws(StoreError) in try row.pendingMerge() }
        for person in footprint.mergedOrders {
            let statement = try loading(.mergedOrders)
            statement.bind(1, bits: person.rawValue)
            loaded.mergedOrders += try statement.all { row throws(StoreError) in try row.mergedOrder() }
        }
    }

    /// Writes what a decision has changed, and nothing else; accounts and transfers, of which there are many, in order
    /// of key.
    func save(_ books: Books, over loaded: Loaded) throws(StoreError) {
        let pending = books.changedPendingMerges
        try put(pending, .putPendingMerge, over: Set(loaded.pendingMerges.map(\.source)), by: \.source) { $0.bind($1) }
        try write(books.newMergedOrders, .addMergedOrder) { $0.bind($1) }
        // Checked against what is pending; what it makes possible is checked against it.
        try write(books.newMerges, .addMerge) { $0.bind($1) }
        try put(books.changedIdentities, .putIdentity, over: Set(loaded.identities.map(\.key)), by: \.key) {
            $0.bind($1)
        }
        let accounts = books.ledger.changedAccounts.sorted { $0.id < $1.id }
        try put(accounts, .putAccount, over: loaded.accountsFound, by: \.id) { $0.bind($1) }
        do throws(StoreError) {
            try write(books.ledger.newTransfers.sorted { $0.id < $1.id }, .addTransfer) { $0.bind($1) }
        } catch {
            hasMetTransfer = hasRefusedKey
            throw error
        }
        // A subsidy is checked against the transfer that grants it, and against the packet that it pays for.
        try write(books.newSubsidies, .addSubsidy) { $0.bindNew($1) }
        try put(books.ledger.changedHolds, .putHold, over: Set(loaded.holds.map(\.id)), by: \.id) { $0.bind($1) }
        let withdrawals = books.changedWithdrawals.compactMap(books.withdrawal)
        try put(withdrawals, .putWithdrawal, over: Set(loaded.withdrawals.map(\.key)), by: \.key) { $0.bind($1) }
        let budgets = books.changedBudgets.compactMap(books.budget)
        try put(budgets, .putBudget, over: Set(loaded.budgets.map(\.pool)), by: \.pool) { $0.bind($1) }
        let leases = books.changedLeases.compactMap(books.lease)
        try put(leases, .putLease, over: Set(loaded.leases.map(\.id)), by: \.id) { $0.bind($1) }
        let mints = books.changedMints.compactMap(books.mint)
        try put(mints, .putMint, over: Set(loaded.mints.map(\.id)), by: \.id) { $0.bind($1) }
        // A claim is checked against its packet as it was before, so it's written first.
        try write(books.newPackets, .addPacket) { $0.bindNew($1) }
        try write(books.newClaims, .addClaim) { $0.bindNew($1) }
        try write(books.changedPackets, .putPacket) { $0.bindChanged($1) }
        try write(books.changedClaims, .putClaim) { $0.bindChanged($1) }
        // A refund is checked against its packet as it is after, and against those before it.
        try write(books.changedRefunds, .putRefund) { $0.bindChanged($1) }
        try write(books.newRefunds, .addRefund) { $0.bindNew($1) }
        try write(books.changedSubsidies, .useSubsidy) { $0.bindUsed($1) }
        try write(books.newRewards, .addReward) { $0.bindNew($1) }
        try write(books.changedRewards, .putReward) { $0.bindChanged($1) }
        try write(books.endedPendingMerges, .endPendingMerge) { $0.bind(1, bits: $1.rawValue) }
        try write(books.newEpochs, .addEpoch) { $0.bind($1) }
        try write(books.revokedEpochs, .revokeEpoch) { statement, epoch in
            statement.bind(1, Int64(epoch.mint.rawValue))
            statement.bind(2, Int64(epoch.epoch))
        }
    }
}
