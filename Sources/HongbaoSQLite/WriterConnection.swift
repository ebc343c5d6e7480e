import GRDBSQLite
import HongbaoCore
import HongbaoEngine

/// The one connection that writes, with every statement it needs compiled once.
///
/// Its owner sees to it that one thread at a time uses it, and that it's gone before the connection is closed.
final class WriterConnection {
    private let handle: OpaquePointer
    /// Whether what was loaded last couldn't be saved because a transfer that it adds is there already.
    private(set) var hasMetTransfer = false
    /// By query.
    private var statements = [PreparedStatement?](repeating: nil, count: Query.allCases.count)
    private let begin: PreparedStatement
    private let commitAll: PreparedStatement
    private let rollbackAll: PreparedStatement
    private let beginPart: PreparedStatement
    private let commitPart: PreparedStatement
    private let rollbackPart: PreparedStatement

    init(_ handle: OpaquePointer) throws(StoreError) {
        self.handle = handle
        begin = try Self.prepare("BEGIN IMMEDIATE", handle)
        commitAll = try Self.prepare("COMMIT", handle)
        rollbackAll = try Self.prepare("ROLLBACK", handle)
        beginPart = try Self.prepare("SAVEPOINT part", handle)
        commitPart = try Self.prepare("RELEASE part", handle)
        rollbackPart = try Self.prepare("ROLLBACK TO part", handle)
    }

    deinit {
        for statement in statements.compactMap(\.self) { sqlite3_finalize(statement.raw) }
        for statement in [begin, commitAll, rollbackAll, beginPart, commitPart, rollbackPart] {
            sqlite3_finalize(statement.raw)
        }
    }

    private static func prepare(_ sql: String, _ handle: OpaquePointer) throws(StoreError) -> PreparedStatement {
        var raw: OpaquePointer?
        let code = sqlite3_prepare_v3(handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &raw, nil)
        guard code == SQLITE_OK, let raw else { throw StoreError(sqlite: code, of: handle) }
        return PreparedStatement(raw: raw)
    }

    func prepared(_ query: Query) throws(StoreError) -> PreparedStatement {
        if let statement = statements[query.rawValue] { return statement }
        let statement = try Self.prepare(query.sql, handle)
        statements[query.rawValue] = statement
        return statement
    }

    // MARK: Transactions

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// How many rows this connection has ever changed.
    var rowsChanged: Int64 { sqlite3_total_changes64(handle) }

    func beginTransaction() throws(StoreError) { try begin.run() }

    /// Throws `outcomeUnknown` unless it's certain that nothing was committed.
    func commit() throws(StoreError) {
        let code = commitAll.runForCode()
        guard code == SQLITE_DONE else { throw StoreError(sqliteCommit: code, of: handle) }
    }

    /// Undoes whatever SQLite has not undone by itself. A rollback that fails leaves nothing behind either.
    func rollback() {
        if isInTransaction { _ = rollbackAll.runForCode() }
    }

    func beginSavepoint() throws(StoreError) { try beginPart.run() }
    func releaseSavepoint() throws(StoreError) { try commitPart.run() }
    func rollbackToSavepoint() throws(StoreError) {
        try rollbackPart.run()
        try commitPart.run()
    }

    /// Moves what is committed from SQLite's log into the file, as far as readers allow. What doesn't move isn't lost.
    func moveLogIntoFile() {
        _ = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    }

    // MARK: The log

    func append(_ group: AppendGroup) throws(StoreError) {
        guard let first = group.batches.first, let last = group.batches.last else {
            guard group.issued.isEmpty else { throw StoreError(.corrupt, "grants without a batch") }
            return
        }
        try checkWhole(group)
        try advanceMint(group, from: first.sequence, to: last.sequence)
        let issue = try prepared(.issueFromLease)
        for (pool, amount) in group.issued.sorted(by: { $0.key < $1.key }) {
            issue.bind(1, amount.fen)
            issue.bind(2, Int64(pool.rawValue))
            issue.bind(3, Int64(group.mint.rawValue))
            issue.bind(4, Int64(group.epoch))
            let code = issue.runForCode()
            // M6: an overdrawn lease fails its CHECK; a lease that was reclaimed or isn't there changes no row.
            if code & 0xFF == SQLITE_CONSTRAINT || (code == SQLITE_DONE && sqlite3_changes(handle) != 1) {
                throw StoreError(.fenced, "mint \(group.mint.rawValue) has no such lease of pool \(pool.rawValue)")
            }
            guard code == SQLITE_DONE else { throw StoreError(sqlite: code, of: handle) }
        }
        let add = try prepared(.addBatch)
        for batch in group.batches {
            add.bind(batch)
            try add.run()
        }
        sqlite3_clear_bindings(add.raw)
    }

    /// M6: what leaves the leases is what the batches give away, and the batches continue each other.
    private func checkWhole(_ group: AppendGroup) throws(StoreError) {
        var total = Int128(0)
        var pieces = Int128(0)
        var expected = group.batches.first?.sequence ?? 0
        for batch in group.batches {
            guard batch.mint == group.mint, batch.epoch == group.epoch, batch.sequence == expected else {
                throw StoreError(.corrupt, "batch \(batch.sequence) doesn't continue its group")
            }
            expected &+= 1
            total += Int128(batch.total.fen)
            pieces += Int128(batch.pieces)
        }
        let (money, templates) = group.issued.reduce(into: (Int128(0), Int128(0))) { sums, issued in
            if issued.key.template == nil {
                sums.0 += Int128(issued.value.fen)
            } else {
                sums.1 += Int128(issued.value.fen)
            }
        }
        guard total == money, pieces == templates else {
            throw StoreError(
                .corrupt,
                "the batches give \(total) fen and \(pieces) pieces, the leases \(money) and \(templates)"
            )
        }
    }

    private func advanceMint(_ group: AppendGroup, from first: UInt64, to last: UInt64) throws(StoreError) {
        let advance = try prepared(.advanceMint)
        advance.bind(1, bits: last)
        advance.bind(2, Int64(group.mint.rawValue))
        advance.bind(3, Int64(group.epoch))
        advance.bind(4, bits: first &- 1)
        try advance.run()
        guard sqlite3_changes(handle) != 1 else { return }
        guard let mint = try loadMint(group.mint), mint.epoch <= group.epoch else {
            throw StoreError(.fenced, "mint \(group.mint.rawValue) has left epoch \(group.epoch)")
        }
        guard mint.epoch == group.epoch else {
            throw StoreError(.corrupt, "mint \(group.mint.rawValue) was never in epoch \(group.epoch)")
        }
        throw StoreError(.corrupt, "batch \(first) of mint \(group.mint.rawValue) doesn't follow \(mint.lastSequence)")
    }

    // MARK: The books

    /// The rows that a footprint names. An account that has no row is empty; other rows may be absent.
    ///
    /// - Parameter lookingForTransfers: `false` to take it that none of the transfers is there; if one is and a
    ///   decision adds it again, `save` fails and `hasMetTransfer` is true.
    func load(_ footprint: Footprint, lookingForTransfers: Bool) throws(StoreError) -> Books {
        hasMetTransfer = false
        var budgets: [Budget] = []
        var leases: [Lease] = []
        var mints: [MintRecord] = []
        for pool in footprint.budgets {
            let budget = try prepared(.budget)
            budget.bind(1, Int64(pool.rawValue))
            if let row = try budget.first({ row throws(StoreError) in try row.budget() }) { budgets.append(row) }
            let lease = try prepared(.leases)
            lease.bind(1, Int64(pool.rawValue))
            leases += try lease.all { row throws(StoreError) in try row.lease() }
        }
        for id in footprint.mints {
            if let row = try loadMint(id) { mints.append(row) }
        }
        let withdrawals = try prepared(.withdrawal).rows(for: footprint.withdrawals, { $0.bind($1) }) {
            row throws(StoreError) in try row.withdrawal()
        }
        let claims = try prepared(.claim).rows(for: footprint.claims, { $0.bind($1) }) {
            row throws(StoreError) in try row.claim()
        }
        let subsidies = try prepared(.subsidy).rows(for: footprint.subsidies, { $0.bind($1) }) {
            row throws(StoreError) in try row.subsidy()
        }
        let rewards = try prepared(.reward).rows(for: footprint.rewards, { $0.bind($1) }) {
            row throws(StoreError) in try row.reward()
        }
        return Books(
            ledger: try loadLedger(footprint, lookingForTransfers: lookingForTransfers),
            withdrawals: withdrawals,
            budgets: budgets,
            leases: leases,
            mints: mints,
            packets: try loadPackets(footprint),
            claims: claims,
            refunds: try loadRefunds(of: footprint.refunds),
            subsidies: subsidies,
            rewards: rewards,
            identities: try loadIdentities(footprint),
            merges: try prepared(.merge).rows(for: footprint.persons, { $0.bind(1, bits: $1.rawValue) }) {
                row throws(StoreError) in try row.merge()
            }
        )
    }

    private func loadIdentities(_ footprint: Footprint) throws(StoreError) -> [Identity] {
        var identities = try prepared(.identity).rows(for: footprint.users, { $0.bind(1, key: $1.bits) }) {
            row throws(StoreError) in try row.identity()
        }
        for phone in footprint.phones {
            let statement = try prepared(.identitiesOnPhone)
            statement.bind(1, key: phone.bits)
            identities += try statement.all { row throws(StoreError) in try row.identity() }
        }
        for person in footprint.persons {
            let statement = try prepared(.identitiesOfPerson)
            statement.bind(1, bits: person.rawValue)
            identities += try statement.all { row throws(StoreError) in try row.identity() }
        }
        return identities
    }

    private func loadPackets(_ footprint: Footprint) throws(StoreError) -> [RedPacket] {
        let packets = try prepared(.packet).rows(for: footprint.packets, { $0.bind(1, bits: $1.rawValue) }) {
            row throws(StoreError) in try row.packet()
        }
        let sent = try prepared(.sentPacket).rows(for: footprint.sends, { $0.bind($1) }) { row throws(StoreError) in
            try row.packet()
        }
        return packets + sent
    }

    private func loadRefunds(of packets: [RedPacketID]) throws(StoreError) -> [Refund] {
        var refunds: [Refund] = []
        for packet in Set(packets) {
            let statement = try prepared(.refundsOfPacket)
            statement.bind(1, bits: packet.rawValue)
            refunds += try statement.all { row throws(StoreError) in try row.refund() }
        }
        return refunds
    }

    private func loadMint(_ id: MintID) throws(StoreError) -> MintRecord? {
        let statement = try prepared(.mint)
        statement.bind(1, Int64(id.rawValue))
        return try statement.first { row throws(StoreError) in try row.mint() }
    }

    /// Reads in order of key, so that neighbours are found on the same page.
    private func loadLedger(_ footprint: Footprint, lookingForTransfers: Bool) throws(StoreError) -> Ledger {
        var accounts: [Account] = []
        accounts.reserveCapacity(footprint.accounts.count)
        let account = try prepared(.account)
        for id in footprint.accounts.sorted() {
            account.bind(id)
            let row = try account.first { row throws(StoreError) in try row.account(id) }
            accounts.append(row ?? Account(id: id))
        }
        let ids = lookingForTransfers ? footprint.transfers.sorted() : []
        let transfers = try prepared(.transfer).rows(for: ids, { $0.bind($1) }) { row throws(StoreError) in
            try row.transfer()
        }
        let holds = try prepared(.hold).rows(for: footprint.holds, { $0.bind($1) }) {
            row throws(StoreError) in try row.hold()
        }
        return Ledger(accounts: accounts, transfers: transfers, holds: holds)
    }

    /// Writes what a decision has changed, and nothing else; accounts and transfers, of which there are many, in order
    /// of key.
    func save(_ books: Books) throws(StoreError) {
        // What a merge makes possible is checked against it.
        try write(books.newMerges, .addMerge) { $0.bind($1) }
        try write(books.changedIdentities, .putIdentity) { $0.bind($1) }
        try write(books.ledger.changedAccounts.sorted { $0.id < $1.id }, .putAccount) { $0.bind($1) }
        do throws(StoreError) {
            try write(books.ledger.newTransfers.sorted { $0.id < $1.id }, .addTransfer) { $0.bind($1) }
        } catch {
            // SQLITE_CONSTRAINT_PRIMARYKEY, whose macro Swift can't read.
            hasMetTransfer = sqlite3_extended_errcode(handle) == SQLITE_CONSTRAINT | 6 << 8
            throw error
        }
        // A subsidy is checked against the transfer that grants it, and against the packet that it pays for.
        try write(books.newSubsidies, .addSubsidy) { $0.bindNew($1) }
        try write(books.ledger.changedHolds, .putHold) { $0.bind($1) }
        try write(books.changedWithdrawals.compactMap(books.withdrawal), .putWithdrawal) { $0.bind($1) }
        try write(books.changedBudgets.compactMap(books.budget), .putBudget) { $0.bind($1) }
        try write(books.changedLeases.compactMap(books.lease), .putLease) { $0.bind($1) }
        try write(books.changedMints.compactMap(books.mint), .putMint) { $0.bind($1) }
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
        try write(books.newEpochs, .addEpoch) { $0.bind($1) }
        try write(books.revokedEpochs, .revokeEpoch) { statement, epoch in
            statement.bind(1, Int64(epoch.mint.rawValue))
            statement.bind(2, Int64(epoch.epoch))
        }
    }

    @inline(__always)
    private func write<Row>(
        _ rows: [Row],
        _ query: Query,
        _ bind: (PreparedStatement, Row) -> Void
    ) throws(StoreError) {
        guard !rows.isEmpty else { return }
        let statement = try prepared(query)
        for row in rows {
            bind(statement, row)
            try statement.run()
        }
    }
}
