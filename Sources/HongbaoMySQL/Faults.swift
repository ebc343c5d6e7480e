import HongbaoEngine

/// What a server or the client library reports: a number, and a text that may name rows.
struct ServerFault: Error, Hashable {
    let number: UInt32
    let text: String

    /// What it means for the statement that met it, before COMMIT: nothing of the statement has happened.
    enum Meaning: Hashable {
        /// Another transaction was in the way. The whole transaction is undone; it can be run again.
        case deadlock
        /// A lock took too long. Only the statement is undone; its part can be run again.
        case lockWait
        /// A row with this key is there, perhaps since a moment ago.
        case keyTaken
        /// The schema refused a row.
        case refused
        /// Tables, columns or statements aren't as this build knows them.
        case notAsExpected
        /// The connection is gone, and with it the transaction, if COMMIT wasn't sent.
        case lost
        /// The server takes no writes: it isn't the primary, or not any more. Nothing has happened.
        case readOnly
        /// Not now: no space, no connection, no right to do it.
        case unavailable
    }

    static let meanings: [UInt32: Meaning] = [
        1213: .deadlock,  // ER_LOCK_DEADLOCK
        1205: .lockWait,  // ER_LOCK_WAIT_TIMEOUT
        1062: .keyTaken,  // ER_DUP_ENTRY
        4025: .refused,  // ER_CONSTRAINT_FAILED: a CHECK
        1644: .refused,  // ER_SIGNAL_EXCEPTION: a trigger
        1048: .refused,  // ER_BAD_NULL_ERROR
        1364: .refused,  // ER_NO_DEFAULT_FOR_FIELD
        1264: .refused,  // ER_WARN_DATA_OUT_OF_RANGE
        1366: .refused,  // ER_TRUNCATED_WRONG_VALUE_FOR_FIELD
        1406: .refused,  // ER_DATA_TOO_LONG
        1265: .refused,  // WARN_DATA_TRUNCATED
        1690: .refused,  // ER_DATA_OUT_OF_RANGE
        1451: .refused,  // ER_ROW_IS_REFERENCED_2
        1452: .refused,  // ER_NO_REFERENCED_ROW_2
        1049: .notAsExpected,  // ER_BAD_DB_ERROR
        1054: .notAsExpected,  // ER_BAD_FIELD_ERROR
        1064: .notAsExpected,  // ER_PARSE_ERROR
        1136: .notAsExpected,  // ER_WRONG_VALUE_COUNT_ON_ROW
        1146: .notAsExpected,  // ER_NO_SUCH_TABLE
        1290: .readOnly,  // ER_OPTION_PREVENTS_STATEMENT
        1836: .readOnly,  // ER_READ_ONLY_MODE
        1243: .lost,  // ER_UNKNOWN_STMT_HANDLER: prepared on a connection before this one
        1053: .lost,  // ER_SERVER_SHUTDOWN
        1927: .lost,  // ER_CONNECTION_KILLED
        2006: .lost,  // CR_SERVER_GONE_ERROR
        2013: .lost,  // CR_SERVER_LOST
        2014: .lost,  // CR_COMMANDS_OUT_OF_SYNC: of no more use
        2027: .lost,  // CR_MALFORMED_PACKET
        2055: .lost,  // CR_SERVER_LOST_EXTENDED
    ]

    static let noSuchTable: UInt32 = 1146

    var meaning: Meaning { Self.meanings[number] ?? .unavailable }

    /// What may be said of it outside. The texts of most faults may contain values of rows, such as a person's number.
    var shown: String {
        switch number {
        case 1644, 4025, 1452: text
        case 1062: "the key " + (text.split(separator: " for key ").last.map(String.init) ?? "?")
        default: "MySQL error \(number)"
        }
    }
}

extension StoreError {
    /// For a statement before COMMIT: nothing of it has happened.
    init(_ fault: ServerFault) {
        switch fault.meaning {
        case .deadlock, .lockWait: self = .undone
        case .keyTaken: self = .keyTaken
        case .refused: self.init(.corrupt, "the schema refused a row (\(fault.shown))")
        case .notAsExpected: self.init(.corrupt, "the tables are not as they should be (\(fault.shown))")
        case .lost: self = .connectionLost
        case .readOnly: self = .readOnly
        case .unavailable: self.init(.unavailable, fault.shown)
        }
    }

    /// For COMMIT. Unless the server has answered that it's undone, nobody can know.
    init(commit fault: ServerFault) {
        switch fault.meaning {
        case .deadlock: self = .undone
        // The server undoes what it may not write.
        case .refused, .keyTaken, .readOnly: self.init(fault)
        default: self.init(.outcomeUnknown, "while committing: \(fault.shown)")
        }
    }

    /// A row is there that a decision wants to add. When it came after the rows were loaded, the decision can be made
    /// again.
    static let keyTaken = StoreError(.corrupt, "the schema refused a row: its key is taken")
    /// It broke before COMMIT was sent, so the server has undone everything.
    static let connectionLost = StoreError(.unavailable, "the connection to the database is lost")
    static let isDoubtful = StoreError(.unavailable, "the database is still at work on a commit that was given up")
    static let readOnly = StoreError(.unavailable, "the database's server takes no writes")

    /// Whether another's work was the reason, or a server that has gone, and doing it again may go well.
    var isWorthAnotherTry: Bool {
        self == .undone || self == .keyTaken || self == .connectionLost || self == .readOnly
    }
}
