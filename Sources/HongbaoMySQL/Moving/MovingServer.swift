import HongbaoEngine

/// A server between which and another one a database is moved, on two connections: one as the store's user, who sees
/// to the rows, and one as an operator, who sees to the server.
///
/// A connection that is lost isn't made again: the move's lock, which goes with it, says that nobody else is at it.
actor MovingServer: StoredTablesTarget {
    nonisolated let address: ServerAddress
    private nonisolated let login: Login
    private let thread: ConnectionThread
    private let executor: ConnectionExecutor
    private var opened: (books: BookTables, desk: Connection)?
    /// What insertions are held to, away while rows are copied.
    private var triggers: [BookTables.Trigger] = []
    private var hasTakenSemiSyncOff = false

    /// An operator.
    struct Login: Sendable {
        let user: String
        let password: String
    }

    /// What decides whether a database can be moved from it or to it.
    struct Facts: Sendable {
        var server: Int64
        var domain: Int64
        var isReadOnly: Bool
        var hasBinlog: Bool
        var binlogFormat: String
        var binlogRowImage: String
        var isStrict: Bool
        /// Its commits wait for a replica.
        var waits: Bool
        var position: Position
        /// Why no store would use it.
        var problem: String?
    }

    /// A place in a server's binlog.
    struct BinlogPlace: Hashable, Sendable {
        let file: String
        let offset: Int64
    }

    init(_ address: ServerAddress, _ login: Login) {
        self.address = address
        self.login = login
        let thread = ConnectionThread(name: "hongbao.move")
        self.thread = thread
        executor = ConnectionExecutor(on: thread)
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func close() {
        opened = nil
        thread.stop()
    }

    // MARK: Connections

    /// How long the server may take over an answer to an operator: nobody can write meanwhile, if it comes to that.
    private static let answerSeconds: UInt32 = 10

    func connect() throws(StoreError) {
        let books = try Connection(address)
        // A day, and nothing in between.
        let waits = "wait_timeout = 86400, idle_transaction_timeout = 0, idle_readonly_transaction_timeout = 0"
        try books.execute("SET SESSION \(waits), max_statement_time = 0, lock_wait_timeout = 10")
        try books.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        var address = address
        address.user = login.user
        address.password = login.password
        address.answerSeconds = Self.answerSeconds
        let desk = try Connection(address)
        try desk.order(
            "SET SESSION wait_timeout = 86400, max_statement_time = 0, lock_wait_timeout = 10",
            // As `quoted` has it.
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES'",
            // Whose filters are set.
            "SET SESSION default_master_connection = '\(Self.replication)'"
        )
        opened = (BookTables(books), desk)
    }

    private func books() throws(StoreError) -> BookTables {
        guard let opened, !opened.books.connection.isLost else { throw .connectionLost }
        return opened.books
    }

    private func desk() throws(StoreError) -> Connection {
        guard let opened, !opened.desk.isLost else { throw .connectionLost }
        return opened.desk
    }

    // MARK: Looking at it

    /// Why it isn't the one of several servers that is used.
    func refusalAsPrimary() throws(StoreError) -> String? { try Standing(try books().connection).refusal(seen: 0) }

    func facts() throws(StoreError) -> Facts {
        let connection = try books().connection
        let problem = try ServerSettings(connection).problem
        let position = try connection.position()
        let rows = try connection.ask(
            """
            SELECT @@global.server_id, @@global.gtid_domain_id, @@global.read_only, @@global.log_bin,
                @@global.binlog_format, @@global.binlog_row_image, @@global.gtid_strict_mode,
                @@global.rpl_semi_sync_master_enabled
            """
        ) { row throws(StoreError) in
            Facts(
                server: row.integer(0),
                domain: row.integer(1),
                isReadOnly: row.integer(2) != 0,
                hasBinlog: row.integer(3) != 0,
                binlogFormat: row.text(4),
                binlogRowImage: row.text(5),
                isStrict: row.integer(6) != 0,
                waits: row.integer(7) != 0,
                position: position,
                problem: problem
            )
        }
        guard let facts = rows.first else { throw StoreError(.unavailable, "the server says nothing of itself") }
        return facts
    }

    /// Whether the operator sees the connections of others: those that aren't seen can't be ended.
    func showsConnections() throws(StoreError) -> Bool {
        let id = try books().connection.id
        return try desk().number("SELECT count(*) FROM information_schema.processlist WHERE id = \(id)") == 1
    }

    func elsewhere() throws(StoreError) -> Elsewhere? { try books().connection.elsewhere() }

    /// A table that has a row.
    func firstFilled() throws(StoreError) -> String? { try books().firstFilled() }

    /// About how many rows there are.
    func rowsAbout() throws(StoreError) -> Int64 {
        let sum = "SELECT coalesce(sum(table_rows), 0) FROM information_schema.tables WHERE table_schema = database()"
        return try books().connection.number(sum)
    }

    /// The steps of the schema that were applied.
    func schema() throws(StoreError) -> [StoredRow] {
        let connection = try books().connection
        do throws(StoreError) {
            let sql = "SELECT number, id, checksum, is_done FROM hongbao_migration ORDER BY number"
            return try connection.ask(sql) { row throws(StoreError) in
                [.integer(row.integer(0)), .text(row.text(1)), .text(row.text(2)), .integer(row.integer(3))]
            }
        } catch {
            guard connection.lastFault?.number == ServerFault.noSuchTable else { throw error }
            return []
        }
    }

    // MARK: Saying where the database is

    /// Of the whole server, until the connection ends. Two moves would get into each other's replication.
    func lock() throws(StoreError) -> Bool {
        try books().connection.number("GET_LOCK('hongbao-move', 0) <=> 1") == 1
    }

    /// From now on who connects is sent there.
    func send(to elsewhere: Elsewhere) throws(StoreError) {
        let statement = try books().connection.prepared("REPLACE INTO place (id, servers, is_copy) VALUES (1, ?, ?)")
        defer { statement.close() }
        statement.bind(1, text: Elsewhere.text(elsewhere.servers))
        statement.bind(2, elsewhere.isCopy ? 1 : 0)
        try statement.run()
    }

    /// From now on the database is here.
    func serve() throws(StoreError) { try books().connection.execute("DELETE FROM place") }

    // MARK: The copy

    /// Removes what there is, and makes empty tables without what insertions are held to.
    ///
    /// - Parameter promotions: what the other database says of a pilot that was promoted into it.
    func beginCopy(of servers: [ServerAddress.Place], promotions: [StoredRow]) throws(StoreError) {
        let books = try books()
        for statement in Schema.place0009.statements { try books.connection.execute(statement) }
        try send(to: Elsewhere(servers, isCopy: true))
        books.forgetInsertion()
        try books.dropAll()
        try books.connection.execute("DROP TABLE IF EXISTS hongbao_migration")
        try Migrations(books.connection).apply()
        for row in promotions {
            let marks = row.map { _ in "?" }.joined(separator: ", ")
            let statement = try books.connection.prepared("INSERT INTO hongbao_migration VALUES (\(marks))")
            defer { statement.close() }
            for (index, value) in row.enumerated() { statement.bind(Int32(index) + 1, value) }
            try statement.run()
        }
        triggers = try books.triggers().filter { $0.event == "INSERT" }
        try books.drop(triggers)
    }

    func endCopy() throws(StoreError) {
        let books = try books()
        books.forgetInsertion()
        try books.restore(triggers)
        triggers = []
    }

    /// Until `endSnapshot` what is read is as it is now. Answers where the binlog goes on from there.
    func beginSnapshot() throws(StoreError) -> BinlogPlace {
        let connection = try books().connection
        try connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        return try binlogPlace(connection)
    }

    func endSnapshot() throws(StoreError) { try books().connection.execute("COMMIT") }

    /// Behind all that was committed.
    func binlogEnd() throws(StoreError) -> BinlogPlace { try binlogPlace(try desk()) }

    private func binlogPlace(_ connection: Connection) throws(StoreError) -> BinlogPlace {
        var file: String?
        var offset: Int64?
        _ = try connection.ask("SHOW SESSION STATUS LIKE 'binlog_snapshot_%'") { row throws(StoreError) in
            switch row.text(0).lowercased() {
            case "binlog_snapshot_file": file = row.text(1)
            case "binlog_snapshot_position": offset = Int64(row.text(1))
            default: break
            }
        }
        guard let file, !file.isEmpty, let offset else {
            throw StoreError(.unavailable, "the server doesn't say how far its binlog is")
        }
        return BinlogPlace(file: file, offset: offset)
    }

    func tables() throws(StoreError) -> [StoredTable] { try books().all() }

    func rows(of table: StoredTable, after key: StoredRow?, limit: Int) throws(StoreError) -> [StoredRow] {
        try books().rows(of: table, after: key, limit: limit)
    }

    func lastRows(of table: StoredTable, limit: Int) throws(StoreError) -> [StoredRow] {
        try books().lastRows(of: table, limit: limit)
    }

    func add(_ rows: [StoredRow], to table: StoredTable) throws(StoreError) { try books().add(rows, to: table) }

    // MARK: Following the other one

    /// One move at a time has it.
    private static let replication = "hongbao"

    /// Begins to do what the other server does in this database.
    func follow(_ other: ServerAddress, from start: BinlogPlace, otherWaits: Bool) throws(StoreError) {
        guard case .host(let host, let port) = other.place else {
            throw StoreError(.unavailable, "\(other.place): the other server reaches it by TCP only")
        }
        try stopFollowing()
        let desk = try desk()
        if otherWaits, try desk.number("@@global.rpl_semi_sync_slave_enabled") != 0 {
            // Or the other one takes this for its replica, and what it acknowledges isn't on the real one.
            try desk.order("SET GLOBAL rpl_semi_sync_slave_enabled = OFF")
            hasTakenSemiSyncOff = true
        }
        let database = Connection.quoted(address.database)
        let others = ["place", "reign"].map { "\(address.database).\($0)" }.joined(separator: ",")
        try desk.order(
            """
            CHANGE MASTER '\(Self.replication)' TO MASTER_HOST = \(Connection.quoted(host)), MASTER_PORT = \(port),
                MASTER_USER = \(Connection.quoted(login.user)), MASTER_PASSWORD = \(Connection.quoted(login.password)),
                MASTER_SSL = \(other.tls == nil ? 0 : 1), MASTER_USE_GTID = no, MASTER_CONNECT_RETRY = 1,
                MASTER_LOG_FILE = \(Connection.quoted(start.file)), MASTER_LOG_POS = \(start.offset)
            """,
            "SET GLOBAL replicate_do_db = \(database)",
            "SET GLOBAL replicate_ignore_table = \(Connection.quoted(others))",
            "START SLAVE '\(Self.replication)'"
        )
    }

    /// Whether it has done what the other one had done up to there, after waiting a moment for it.
    func hasFollowed(to end: BinlogPlace, seconds: Double) throws(DatabaseMove.Fault) -> Bool {
        do throws(StoreError) {
            let desk = try desk()
            guard let following = try desk.following(Self.replication) else {
                throw StoreError(.unavailable, "its replication was removed")
            }
            if following.applyError != 0 {
                let hint = following.applyError == 1950 ? ": \(DatabaseMove.hintOfDomains)" : ""
                let reason = "MySQL error \(following.applyError)\(hint)"
                throw StoreError(.unavailable, "can't apply what it receives (\(reason))")
            }
            if !following.isApplying || following.onlyDatabase != address.database {
                throw StoreError(.unavailable, "somebody has stopped or changed its replication")
            }
            // It connects again by itself when only the connection was lost.
            if !following.isReceiving, ![0, 2_013].contains(following.receiveError) {
                throw StoreError(.unavailable, "receives nothing: \(following.receiveErrorText)")
            }
            let arguments = "\(Connection.quoted(end.file)), \(end.offset), \(seconds), '\(Self.replication)'"
            return try desk.number("coalesce(MASTER_POS_WAIT(\(arguments)), -1)") >= 0
        } catch {
            throw DatabaseMove.Fault("\(address.place): \(error.message)")
        }
    }

    func stopFollowing() throws(StoreError) {
        let desk = try desk()
        if hasTakenSemiSyncOff {
            try desk.order("SET GLOBAL rpl_semi_sync_slave_enabled = ON")
            hasTakenSemiSyncOff = false
        }
        guard try desk.following(Self.replication) != nil else { return }
        try desk.order("STOP SLAVE '\(Self.replication)'", "RESET SLAVE '\(Self.replication)' ALL")
    }

    /// What was passed over counts as received, too, and a replica of this server would be waited for in vain.
    func forgetOther() throws(StoreError) {
        let desk = try desk()
        guard try desk.ask("SHOW ALL SLAVES STATUS", [], { _ throws(StoreError) in true }).isEmpty else { return }
        try desk.order("SET GLOBAL gtid_slave_pos = @@global.gtid_binlog_pos")
    }

    // MARK: Ending connections

    /// Ends those that there are to the database, and waits until they have ended with all that they were at. Those
    /// that come later find where the database is.
    func endConnections(within patience: Duration) async throws(StoreError) {
        let mine = [try books().connection.id, try desk().id]
        let desk = try desk()
        let others = """
            FROM information_schema.processlist WHERE db = database() AND user <> 'system user'
                AND id NOT IN (\(mine.map(String.init).joined(separator: ", ")))
            """
        let ids = try desk.ask("SELECT id \(others)") { row throws(StoreError) in row.integer(0) }
        guard !ids.isEmpty else { return }
        for id in ids {
            do throws(ServerFault) { try desk.run("KILL CONNECTION \(id)") } catch {
                // It may have ended by itself.
                guard error.number == 1094 else { throw StoreError(error) }
            }
        }
        let left = "SELECT count(*) \(others) AND id IN (\(ids.map(String.init).joined(separator: ", ")))"
        let began = ContinuousClock.now
        while try desk.number(left) > 0 {
            guard ContinuousClock.now - began < patience else {
                throw StoreError(.unavailable, "\(address.place): connections to it don't end")
            }
            do { try await Task.sleep(for: .milliseconds(5)) } catch {
                throw StoreError(.unavailable, "cancelled")
            }
        }
    }
}
