/// Every statement that a store runs on its tables, outside of migrations. Parameters are in order of their `?`.
///
/// What differs between databases is in each one's `dialect`.
enum Query: Int, CaseIterable {
    /// `keyedAccount` and `claimsByPersons` are for databases that load many rows at once.
    case account, keyedAccount, transfer, hold, withdrawal, budget, leases, mint
    case putAccount, addTransfer, putHold, putWithdrawal, putBudget, putLease, putMint, addEpoch, revokeEpoch
    case advanceMint, issueFromLease, addBatch
    case transfersOfPerson, withdrawalsOfPerson, withdrawalsToCheck
    case mints, epochs, budgets, allLeases, batches
    case accountPage, transferPage, holdPage, withdrawalPage
    case packet, sentPacket, claim, claimsByPersons, addPacket, putPacket, addClaim, putClaim
    case packetsToCheck, packetsToPay, packetPage, claimsToTransfer, claimsOfPacket, claimsOfPerson
    case addRefund, putRefund, refundsOfPacket, refundsToCheck
    case subsidy, addSubsidy, useSubsidy, subsidiesOfPerson, subsidyPage
    case reward, addReward, putReward, rewardsOfPerson, rewardsToGive, rewardPage
    case identity, identitiesOnPhone, identitiesOfPerson, putIdentity, identityPage, merge, merges, addMerge
    case pendingMerge, pendingMerges, putPendingMerge, endPendingMerge, mergedOrders, addMergedOrder

    static let transferColumns =
        "person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, posted_at, app"
    static let holdColumns =
        "person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, state"
    static let withdrawalColumns =
        "person, book, id, serial, amount, created_at, state, attempts, next_check_at, final_at"
    static let accountColumns = "book, kind, owner, debits, credits, held, holds_started"
    static let budgetColumns = "pool, total, allotted, kind, reserve, quota, quota_seconds, slice, slice_leased"
    static let leaseColumns = "pool, mint, epoch, allotted, issued, expires_at"
    private static let batchColumns = "mint, sequence, epoch, count, total, at, record, pieces"
    static let mintColumns =
        "id, epoch, last_sequence, posted_sequence, mints, holder, beats, wanted_by, common_sequence"

    var sql: String { sql(keys: 1) }

    /// - Parameter keys: for how many keys at once; other than 1 only for statements that load rows by their key.
    func sql(keys: Int) -> String {
        loading(keys) ?? dialect ?? saving ?? aboutPackets(keys) ?? aboutSubsidies(keys) ?? aboutRewards(keys)
            ?? aboutIdentities(keys) ?? asking
    }

    /// One row by its key.
    private func loading(_ keys: Int) -> String? {
        switch self {
        case .account:
            "SELECT debits, credits, held, holds_started FROM account WHERE book = ? AND kind = ? AND owner = ?"
        case .keyedAccount: Self.rows(of: "account", Self.accountColumns, keys, "book", "kind", "owner")
        case .transfer: Self.rows(of: "transfer", Self.transferColumns, keys, "person", "part")
        case .hold: Self.rows(of: "hold", Self.holdColumns, keys, "person", "part")
        case .withdrawal: Self.rows(of: "withdrawal", Self.withdrawalColumns, keys, "person", "book", "id")
        case .budget: Self.rows(of: "budget", Self.budgetColumns, keys, "pool")
        case .leases: "SELECT \(Self.leaseColumns) FROM lease WHERE pool = ? ORDER BY mint"
        case .mint: Self.rows(of: "mint", Self.mintColumns, keys, "id")
        default: nil
        }
    }

    /// The rows with these keys, each named by as many parameters as there are columns.
    static func rows(of table: String, _ columns: String, _ keys: Int, _ key: String...) -> String {
        let start = "SELECT \(columns) FROM \(table) WHERE "
        if keys == 1 { return start + key.map { "\($0) = ?" }.joined(separator: " AND ") }
        let marks = "(" + key.map { _ in "?" }.joined(separator: ", ") + ")"
        let all = Array(repeating: marks, count: keys).joined(separator: ", ")
        return start + "(\(key.joined(separator: ", "))) IN (\(all))"
    }

    private var saving: String? {
        switch self {
        case .addTransfer: "INSERT INTO transfer (\(Self.transferColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        case .addEpoch:
            "INSERT INTO epoch (mint, epoch, certificate, wrapped_data_key, revoked) VALUES (?, ?, ?, ?, ?)"
        case .revokeEpoch: "UPDATE epoch SET revoked = 1 WHERE mint = ? AND epoch = ?"
        case .advanceMint: "UPDATE mint SET last_sequence = ? WHERE id = ? AND epoch = ? AND last_sequence = ?"
        case .issueFromLease: "UPDATE lease SET issued = issued + ? WHERE pool = ? AND mint = ? AND epoch = ?"
        case .addBatch:
            "INSERT INTO grant_batch (\(Self.batchColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        default: nil
        }
    }

    private var asking: String {
        switch self {
        case .transfersOfPerson:
            """
            SELECT \(Self.transferColumns) FROM transfer WHERE person = ? AND part BETWEEN ? AND ? ORDER BY part
            """
        case .withdrawalsOfPerson:
            "SELECT \(Self.withdrawalColumns) FROM withdrawal WHERE person = ? AND book = ? ORDER BY serial"
        case .withdrawalsToCheck:
            """
            SELECT \(Self.withdrawalColumns) FROM withdrawal WHERE state = 1 AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        case .mints: "SELECT \(Self.mintColumns) FROM mint ORDER BY id"
        case .epochs: "SELECT mint, epoch, certificate, wrapped_data_key, revoked FROM epoch ORDER BY mint, epoch"
        case .budgets: "SELECT \(Self.budgetColumns) FROM budget ORDER BY pool"
        case .allLeases: "SELECT \(Self.leaseColumns) FROM lease ORDER BY pool, mint"
        case .batches:
            """
            SELECT \(Self.batchColumns) FROM grant_batch
            WHERE mint = ? AND sequence > ? ORDER BY sequence LIMIT ?
            """
        case .accountPage: Self.page(of: "account", Self.accountColumns, key: "book, kind, owner", ">")
        case .transferPage: Self.page(of: "transfer", Self.transferColumns, key: "person, part", ">=")
        case .holdPage: Self.page(of: "hold", Self.holdColumns, key: "person, part", ">=")
        case .withdrawalPage: Self.page(of: "withdrawal", Self.withdrawalColumns, key: "person, book, id", ">")
        default: preconditionFailure("a query without text")
        }
    }
}
