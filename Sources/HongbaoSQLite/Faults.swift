import GRDB
import GRDBSQLite
import HongbaoEngine

extension StoreError {
    /// What an SQLite result code means to the engine, for a statement before COMMIT: nothing of it has happened.
    init(sqlite code: Int32, of connection: OpaquePointer?) {
        let text = connection.flatMap { sqlite3_errmsg($0) } ?? sqlite3_errstr(code)
        self.init(sqlite: code, text.map { String(cString: $0) } ?? "SQLite error \(code)")
    }

    init(sqlite code: Int32, _ text: String) {
        switch code & 0xFF {
        case SQLITE_CORRUPT: self.init(.corrupt, "the database file is damaged or truncated (\(text))")
        case SQLITE_NOTADB: self.init(.corrupt, "the file is not a database (\(text))")
        case SQLITE_CONSTRAINT, SQLITE_MISMATCH: self.init(.corrupt, "the schema refused a row (\(text))")
        case SQLITE_ERROR, SQLITE_SCHEMA: self.init(.corrupt, "the tables are not as they should be (\(text))")
        case SQLITE_FULL: self.init(.unavailable, "no space left for the database (\(text))")
        case SQLITE_READONLY, SQLITE_PERM: self.init(.unavailable, "the database can't be written (\(text))")
        case SQLITE_CANTOPEN: self.init(.unavailable, "the database can't be opened (\(text))")
        default: self.init(.unavailable, "\(text) (SQLite \(code))")
        }
    }

    /// The same for COMMIT. A commit that found no space or no lock has written no commit record; when writing or
    /// syncing failed otherwise, the record may or may not survive a crash, so nobody can know.
    init(sqliteCommit code: Int32, of connection: OpaquePointer?) {
        let plain = StoreError(sqlite: code, of: connection)
        switch code & 0xFF {
        case SQLITE_FULL, SQLITE_BUSY, SQLITE_LOCKED, SQLITE_CONSTRAINT: self = plain
        default: self.init(.outcomeUnknown, "while committing: \(plain.message)")
        }
    }

    /// A fault that GRDB threw, before anything was committed.
    init(_ error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError:
            self.init(sqlite: error.extendedResultCode.rawValue, error.message ?? "SQLite error")
        case is CancellationError: self.init(.unavailable, "cancelled")
        default: self.init(.unavailable, "\(error)")
        }
    }
}
