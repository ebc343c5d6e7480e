/// What SQLite says in its own way.
extension Query {
    var dialect: String? {
        switch self {
        // The whole row in one seek: an account has no trigger, no index and no row that refers to it.
        case .putAccount: "REPLACE INTO account (\(Self.accountColumns)) VALUES (?, ?, ?, ?, ?, ?, ?)"
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
            INSERT INTO mint (\(Self.mintColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, last_sequence = excluded.last_sequence,
                posted_sequence = excluded.posted_sequence, mints = excluded.mints, holder = excluded.holder,
                beats = excluded.beats, wanted_by = excluded.wanted_by
            """
        case .packetsToCheck:
            """
            SELECT \(Self.packetColumns) FROM packet WHERE state < 7 AND state <> 2 AND next_check_at BETWEEN ? AND ?
            ORDER BY next_check_at LIMIT ?
            """
        case .putIdentity:
            """
            INSERT INTO identity (\(Self.identityColumns)) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (user) DO UPDATE SET person = excluded.person, phone = excluded.phone,
                bound_at = excluded.bound_at
            """
        case .putPendingMerge:
            """
            INSERT INTO pending_merge (\(Self.pendingMergeColumns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (source) DO UPDATE SET acknowledged = excluded.acknowledged, waiting = excluded.waiting
            """
        default: nil
        }
    }

    /// SQLite finds the right one by itself.
    static func index(_: String) -> String { "" }

    /// Rows whose key compares to the parameters, in order of key; the last parameter is the limit.
    static func page(of table: String, _ columns: String, key: String, _ comparison: String) -> String {
        let marks = key.split(separator: ",").map { _ in "?" }.joined(separator: ", ")
        return "SELECT \(columns) FROM \(table) WHERE (\(key)) \(comparison) (\(marks)) ORDER BY \(key) LIMIT ?"
    }
}
