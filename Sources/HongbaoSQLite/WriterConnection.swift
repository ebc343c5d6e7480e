import GRDBSQLite
import HongbaoCore
import HongbaoEngine

/// The one connection that writes, with every statement it needs compiled once.
///
/// Its owner sees to it that one thread at a time uses it, and that it's gone before the connection is closed.
final class WriterConnection {
    private let handle: OpaquePointer
    /// Whether what was loaded last couldn't be saved because a transfer that it adds is there already.
    var hasMetTransfer = false
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
    func finish() {
        _ = sqlite3_wal_checkpoint_v2(handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
    }

    // MARK: The books

    /// A statement that loads rows which a decision may change. There is no other writer to lock them against.
    @inline(__always)
    func loading(_ query: Query) throws(StoreError) -> PreparedStatement { try prepared(query) }

    /// Nobody else writes who could change who is who meanwhile.
    @inline(__always)
    func lockIdentities() throws(StoreError) {}

    /// Whether the last statement failed because a row with its key is there already: SQLITE_CONSTRAINT_PRIMARYKEY,
    /// whose macro Swift can't read.
    var hasRefusedKey: Bool { sqlite3_extended_errcode(handle) == SQLITE_CONSTRAINT | 6 << 8 }

    /// Reads in order of key, so that neighbours are found on the same page.
    func loadAccounts(_ footprint: Footprint, into loaded: inout Loaded) throws(StoreError) {
        loaded.accounts.reserveCapacity(footprint.accounts.count)
        let account = try prepared(.account)
        for id in footprint.accounts.sorted() {
            account.bind(id)
            let row = try account.first { row throws(StoreError) in try row.account(id) }
            loaded.accounts.append(row ?? Account(id: id))
        }
    }

    func loadClaims(_ keys: [ClaimKey]) throws(StoreError) -> [Claim] {
        try prepared(.claim).rows(for: keys, { $0.bind($1) }) { row throws(StoreError) in try row.claim() }
    }

    @inline(__always)
    func write<Row>(
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

    /// Adds or changes rows: SQLite's statements find out themselves which it is.
    @inline(__always)
    func put<Row, Key: Hashable>(
        _ rows: [Row],
        _ query: Query,
        over _: @autoclosure () -> Set<Key>,
        by _: (Row) -> Key,
        _ bind: (PreparedStatement, Row) -> Void
    ) throws(StoreError) {
        try write(rows, query, bind)
    }
}
