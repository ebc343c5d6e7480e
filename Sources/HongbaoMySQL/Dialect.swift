/// What MariaDB says in its own way.
extension Query {
    /// Rows that were loaded are locked until the transaction ends, and rows that weren't found may be added by another
    /// process meanwhile. So what `put…` says adds a row and fails when there is one; with `change` behind it, it
    /// changes one that is locked.
    var dialect: String? {
        switch self {
        case .putAccount: Self.insertion("account", Self.accountColumns)
        case .putHold: Self.insertion("hold", Self.holdColumns)
        case .putWithdrawal: Self.insertion("withdrawal", Self.withdrawalColumns)
        case .putBudget: Self.insertion("budget", Self.budgetColumns)
        case .putLease: Self.insertion("lease", Self.leaseColumns)
        case .putMint: Self.insertion("mint", Self.mintColumns)
        case .putIdentity: Self.insertion("identity", Self.identityColumns)
        case .putPendingMerge: Self.insertion("pending_merge", Self.pendingMergeColumns)
        case .packetsToCheck:
            // There are no indexes of some rows only, so the states are named.
            """
            SELECT \(Self.packetColumns) FROM packet
            WHERE state IN (1, 3, 4, 5, 6) AND next_check_at BETWEEN ? AND ? ORDER BY next_check_at LIMIT ?
            """
        default: nil
        }
    }

    /// What changes a row that is there, with the parameters of the insertion before it.
    var change: String {
        switch self {
        case .putAccount: Self.update("debits", "credits", "held", "holds_started")
        case .putHold: Self.update("state")
        case .putWithdrawal: Self.update("state", "attempts", "next_check_at", "final_at")
        case .putBudget:
            Self.update("total", "allotted", "reserve", "quota", "quota_seconds", "slice", "slice_leased")
        case .putLease: Self.update("epoch", "allotted", "issued", "expires_at")
        case .putMint:
            Self.update("epoch", "last_sequence", "posted_sequence", "mints", "holder", "beats", "wanted_by")
        case .putIdentity: Self.update("person", "phone", "bound_at")
        case .putPendingMerge: Self.update("acknowledged", "waiting")
        default: preconditionFailure("a statement that doesn't change what was loaded")
        }
    }

    private static func insertion(_ table: String, _ columns: String) -> String {
        let marks = columns.split(separator: ",").map { _ in "?" }.joined(separator: ", ")
        return "INSERT INTO \(table) (\(columns)) VALUES (\(marks))"
    }

    private static func update(_ columns: String...) -> String {
        " ON DUPLICATE KEY UPDATE " + columns.map { "\($0) = VALUES(\($0))" }.joined(separator: ", ")
    }

    /// The index to read by, where the optimiser might take another one.
    static func index(_ name: String) -> String { " FORCE INDEX (\(name))" }

    /// Rows whose key compares to the parameters, in order of key; the last parameter is the limit.
    ///
    /// MariaDB reads a whole index to compare rows, `(a, b) > (?, ?)`, so it's told column by column.
    static func page(of table: String, _ columns: String, key: String, _ comparison: String) -> String {
        let names = key.split(separator: ", ")
        let ranges = names.indices.map { last in
            let before = names[..<last].enumerated().map { "\($1) = ?\($0 + 1)" }
            let sign = last == names.count - 1 ? comparison : ">"
            return "(" + (before + ["\(names[last]) \(sign) ?\(last + 1)"]).joined(separator: " AND ") + ")"
        }
        let condition = ranges.joined(separator: " OR ")
        return "SELECT \(columns) FROM \(table) WHERE \(condition) ORDER BY \(key) LIMIT ?\(names.count + 1)"
    }
}

/// A statement whose parameters may have numbers: `?1` may stand in several places, which all get what is bound to 1.
struct NumberedText {
    /// As the server takes it: each parameter is a `?`.
    private(set) var sql = ""
    /// Where each number stands, counted from 0; empty when the parameters have no numbers.
    private(set) var places: [[UInt32]] = []

    init(_ text: String) {
        var count: UInt32 = 0
        var followsMark = false
        for character in text {
            if followsMark, let number = character.wholeNumberValue {
                while places.count < number { places.append([]) }
                places[number - 1].append(count - 1)
                followsMark = false
                continue
            }
            followsMark = character == "?"
            if followsMark { count += 1 }
            sql.append(character)
        }
    }
}
