import HongbaoCore
import HongbaoEngine

/// The one connection of this process that writes. It's made anew when it's lost.
///
/// Transactions are READ COMMITTED. What a decision relies on is locked while it's loaded (FOR UPDATE); what isn't
/// there yet is added by a statement that fails if it's there after all.
final class WriterConnection {
    private let primary: Primary
    private let lockSeconds: Int
    private var connection: Connection?
    /// Whether what was loaded last couldn't be saved because a transfer that it adds is there already.
    var hasMetTransfer = false
    private(set) var isInTransaction = false
    private var rowsChangedBefore: Int64 = 0

    init(_ primary: Primary, lockSeconds: Int) {
        self.primary = primary
        self.lockSeconds = lockSeconds
    }

    /// The connection, set up for writing. Within a transaction it's not made anew: what follows would be by itself.
    func connected() throws(StoreError) -> Connection {
        if let connection, !connection.isLost, isInTransaction || primary.isStill(connection) { return connection }
        if isInTransaction { throw .connectionLost }
        rowsChangedBefore = rowsChanged
        connection = nil
        let fresh = try primary.connect(answerSeconds: UInt32(2 * lockSeconds))
        try fresh.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        // A process that is stopped in the middle of a transaction keeps others from its rows no longer than that.
        // A statement's time must have no bound: the server would end a commit that waits for its replica, and call it
        // done.
        try fresh.execute("SET SESSION idle_transaction_timeout = \(lockSeconds), max_statement_time = 0")
        try fresh.execute(
            """
            SET SESSION autocommit = 1, innodb_lock_wait_timeout = \(lockSeconds), foreign_key_checks = 1,
                unique_checks = 1, check_constraint_checks = 1, eq_range_index_dive_limit = 1,
                in_predicate_conversion_threshold = 0
            """
        )
        connection = fresh
        return fresh
    }

    func prepared(_ query: Query) throws(StoreError) -> PreparedStatement { try connected().prepared(query) }

    // MARK: Transactions

    /// How many rows this connection has ever changed.
    var rowsChanged: Int64 { rowsChangedBefore + (connection?.rowsChanged ?? 0) }

    func beginTransaction() throws(StoreError) {
        _ = try Connection.begin("START TRANSACTION") { () throws(StoreError) in
            let connection = try connected()
            try primary.settle(on: connection)
            return connection
        }
        isInTransaction = true
    }

    /// Throws `outcomeUnknown` unless it's certain that nothing was committed.
    func commit() throws(StoreError) {
        guard let connection else { throw .connectionLost }
        do throws(ServerFault) {
            try connection.run("COMMIT")
            isInTransaction = false
        } catch {
            let fault = StoreError(commit: error)
            if fault.code == .outcomeUnknown { primary.doubt(connection) }
            throw fault
        }
    }

    /// Undoes whatever the server has not undone by itself. A connection on which that fails is given up, and with it
    /// all that wasn't committed.
    func rollback() {
        isInTransaction = false
        guard let connection, !connection.isLost else { return }
        do throws(ServerFault) {
            try connection.run("ROLLBACK")
        } catch {
            rowsChangedBefore = rowsChanged
            self.connection = nil
        }
    }

    func beginSavepoint() throws(StoreError) { try connected().execute("SAVEPOINT part") }

    /// The next savepoint takes the place of this one.
    func releaseSavepoint() throws(StoreError) {}

    /// Fails when the server has undone the whole transaction, savepoints and all.
    func rollbackToSavepoint() throws(StoreError) { try connected().execute("ROLLBACK TO SAVEPOINT part") }

    func finish() { connection = nil }

    // MARK: The books

    /// A statement that loads rows which a decision may change, and locks them.
    func loading(_ query: Query) throws(StoreError) -> PreparedStatement {
        try connected().prepared(query, locks: true)
    }

    /// One row stands for all phones and persons: those that aren't there yet can't be locked, and two processes must
    /// not make two persons of one phone.
    func lockIdentities() throws(StoreError) {
        try connected().execute("SELECT number FROM hongbao_migration WHERE number = 1 FOR UPDATE")
    }

    /// Whether the last statement failed because a row with its key is there already.
    var hasRefusedKey: Bool { connection?.lastFault?.meaning == .keyTaken }

    func loadAccounts(_ footprint: Footprint, into loaded: inout Loaded) throws(StoreError) {
        // A footprint may name an account twice.
        let ids = Set(footprint.accounts).sorted()
        loaded.accounts = try loading(.keyedAccount).rows(for: ids, { $0.bind($1) }) { row throws(StoreError) in
            try row.keyedAccount()
        }
        loaded.accountsFound = Set(loaded.accounts.map(\.id))
        for id in ids where !loaded.accountsFound.contains(id) { loaded.accounts.append(Account(id: id)) }
    }

    /// Claims of one packet, as a batch of claimants asks for them, are found at half the cost.
    func loadClaims(_ keys: [ClaimKey]) throws(StoreError) -> [Claim] {
        guard let packet = keys.first?.packet, keys.allSatisfy({ $0.packet == packet }) else {
            return try loading(.claim).rows(for: keys, { $0.bind($1) }) { row throws(StoreError) in try row.claim() }
        }
        return try loading(.claimsByPersons).rows(
            for: keys,
            { $0.bind(1, bits: $1.person.rawValue) },
            behind: { $0.bind(1, bits: packet.rawValue) }
        ) { row throws(StoreError) in try row.claim() }
    }

    /// Adds rows, or changes those that a key names. That each was changed is checked: rows that are loaded are locked,
    /// and none is ever deleted.
    func write<Row>(_ rows: [Row], _ query: Query, _ bind: (PreparedStatement, Row) -> Void) throws(StoreError) {
        guard !rows.isEmpty else { return }
        let count = try prepared(query).run(rows, bind)
        guard count == rows.count else {
            throw StoreError(.corrupt, "\(rows.count) rows were to be written, and \(count) were")
        }
    }

    /// Adds those that weren't loaded, and changes those that were.
    func put<Row, Key: Hashable>(
        _ rows: [Row],
        _ query: Query,
        over loaded: @autoclosure () -> Set<Key>,
        by key: (Row) -> Key,
        _ bind: (PreparedStatement, Row) -> Void
    ) throws(StoreError) {
        guard !rows.isEmpty else { return }
        let loaded = loaded()
        try write(rows.filter { !loaded.contains(key($0)) }, query, bind)
        let changed = rows.filter { loaded.contains(key($0)) }
        guard !changed.isEmpty else { return }
        // Of such a statement the server counts a row that changes twice.
        _ = try connected().prepared(query, isChange: true).run(changed, bind)
    }
}
