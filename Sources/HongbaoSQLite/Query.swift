/// Every statement that the store runs on its tables, outside of migrations. Parameters are in order of their `?`.
enum Query: Int, CaseIterable {
    case account, transfer, hold, withdrawal, budget, leases, mint
    case putAccount, addTransfer, putHold, putWithdrawal, putBudget, putLease, putMint, addEpoch, revokeEpoch
    case advanceMint, issueFromLease, addBatch
    case transfersOfPerson, withdrawalsOfPerson, withdrawalsToCheck
    case mints, epochs, budgets, allLeases, batches
    case accountPage, transferPage, holdPage, withdrawalPage
    case packet, sentPacket, claim, addPacket, putPacket, addClaim, putClaim
    case packetsToCheck, packetsToPay, packetPage, claimsToTransfer, claimsOfPacket, claimsOfPerson
    case addRefund, putRefund, refundsOfPacket, refundsToCheck
    case subsidy, addSubsidy, useSubsidy, subsidiesOfPerson, subsidyPage
    case reward, addReward, putReward, rewardsOfPerson, rewardsToGive, rewardPage
    case identity, identitiesOnPhone, identitiesOfPerson, putIdentity, identityPage, merge, merges, addMerge

    private static let transferColumns =
        "person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, posted_at, app"
    private static let holdColumns =
        "person, part, debit_kind, debit_owner, credit_kind, credit_owner, amount, at, state"
    private static let withdrawalColumns =
        "person, book, id, serial, amount, created_at, state, attempts, next_check_at, final_at"
    private static let accountColumns = "book, kind, owner, debits, credits, held, holds_started"
    private static let budgetColumns = "pool, total, allotted, kind, reserve, quota, quota_seconds, slice, slice_leased"
    private static let leaseColumns = "pool, mint, epoch, allotted, issued, expires_at"
    private static let batchColumns = "mint, sequence, epoch, count, total, at, record, pieces"
    private static let mintColumns = "id, epoch, last_sequence, posted_sequence"

    var sql: String {
        loading ?? saving ?? aboutPackets ?? aboutSubsidies ?? aboutRewards ?? aboutIdentities ?? asking
    }

    /// One row by its key.
    private var loading: String? {
        switch self {
        case .account:
            "SELECT debits, credits, held, holds_started FROM account WHERE book = ? AND kind = ? AND owner = ?"
        case .transfer: "SELECT \(Self.transferColumns) FROM transfer WHERE person = ? AND part = ?"
        case .hold: "SELECT \(Self.holdColumns) FROM hold WHERE person = ? AND part = ?"
        case .withdrawal:
            "SELECT \(Self.withdrawalColumns) FROM withdrawal WHERE person = ? AND book = ? AND id = ?"
        case .budget: "SELECT \(Self.budgetColumns) FROM budget WHERE pool = ?"
        case .leases: "SELECT \(Self.leaseColumns) FROM lease WHERE pool = ? ORDER BY mint"
        case .mint: "SELECT \(Self.mintColumns) FROM mint WHERE id = ?"
        default: nil
        }
    }

    private var saving: String? {
        switch self {
        // The whole row in one seek: an account has no trigger, no index and no row that refers to it.
        case .putAccount: "REPLACE INTO account (\(Self.accountColumns)) VALUES (?, ?, ?, ?, ?, ?, ?)"
        case .addTransfer: "INSERT INTO transfer (\(Self.transferColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        case .putHold:
            """
            INSERT INTO hold (\(Self.holdColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (person, part) DO UPDATE SET state = excluded.state
            """
        case .putWithdrawal:
            """
            INSERT INTO withdrawal (\(Self.withdrawalColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (person, book, id) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,
                next_check_at = excluded.next_check_at, final_at = excluded.final_at
            """
        case .putBudget:
            """
            INSERT INTO budget (\(Self.budgetColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (pool) DO UPDATE SET total = excluded.total, allotted = excluded.allotted,
                reserve = excluded.reserve, quota = excluded.quota, quota_seconds = excluded.quota_seconds,
                slice = excluded.slice, slice_leased = excluded.slice_leased
            """
        case .putLease:
            """
            INSERT INTO lease (\(Self.leaseColumns)) VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (pool, mint) DO UPDATE SET epoch = excluded.epoch, allotted = excluded.allotted,
                issued = excluded.issued, expires_at = excluded.expires_at
            """
        case .putMint:
            """
            INSERT INTO mint (\(Self.mintColumns)) VALUES (?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, last_sequence = excluded.last_sequence,
                posted_sequence = excluded.posted_sequence
            """
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

    /// Rows whose key compares to the parameters, in order of key; the last parameter is the limit.
    static func page(of table: String, _ columns: String, key: String, _ comparison: String) -> String {
        let marks = key.split(separator: ",").map { _ in "?" }.joined(separator: ", ")
        return "SELECT \(columns) FROM \(table) WHERE (\(key)) \(comparison) (\(marks)) ORDER BY \(key) LIMIT ?"
    }
}
