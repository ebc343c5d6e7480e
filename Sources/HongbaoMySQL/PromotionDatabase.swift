import CMySQLClient
package import HongbaoEngine

/// A database that a pilot's rows are carried over into, on a connection and a thread of its own.
///
/// That it isn't whole yet is noted as step 0 of the schema, which isn't done: `Migrations` opens no such database.
/// What the triggers of insertions hold rows to is how they come about one after the other, so they're away meanwhile.
package actor PromotionDatabase: PromotionTarget {
    private let servers: [ServerAddress]
    private let primary: Primary
    private let thread: ConnectionThread
    private let executor: ConnectionExecutor
    private var connection: Connection?
    private var opened: MySQLStore?
    private var triggers: [Trigger] = []
    /// Of the table that got rows last.
    private var insertion: (table: StoredTable, statement: PreparedStatement)?

    private struct Trigger: Hashable {
        let name: String
        let event: String
        let table: String
        let body: String
    }

    /// - Parameter servers: that have the database; see `MySQLStore`.
    package init(_ servers: [ServerAddress]) {
        self.servers = servers
        primary = Primary(among: servers)
        let thread = ConnectionThread(name: "hongbao.mysql.p")
        self.thread = thread
        executor = ConnectionExecutor(on: thread)
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// The one connection. A promotion that has lost it is begun anew.
    private func connected() throws(StoreError) -> Connection {
        guard let connection, !connection.isLost else { throw .connectionLost }
        return connection
    }

    package func close() async {
        await opened?.close()
        opened = nil
        forgetInsertion()
        connection = nil
        thread.stop()
    }

    // MARK: The beginning

    package func prepare() throws(StoreError) {
        do throws(StoreError) {
            let fresh = try primary.connect()
            if let problem = try ServerSettings(fresh).problem { throw StoreError(.unavailable, problem) }
            try prepare(fresh)
            connection = fresh
        } catch {
            throw StoreError(error.code, "\(primary): \(error.message)")
        }
    }

    private func prepare(_ connection: Connection) throws(StoreError) {
        // Until the connection ends.
        let taken = try connection.ask("SELECT GET_LOCK(concat('hongbao-promotion:', database()), 0)") {
            row throws(StoreError) in row.integer(0)
        }
        guard taken == [1] else { throw StoreError(.unavailable, "another process is promoting into it") }
        try connection.execute(Schema.history)
        switch try Migrations.promotion(on: connection) {
        case .none: break
        case .unfinished: try Self.empty(connection)
        case .done: throw StoreError(.unavailable, "a pilot has been promoted into it already")
        }
        try Migrations(connection, opensUnfinished: true).apply()
        for table in try Self.tables(connection) {
            let found = try connection.ask("SELECT 1 FROM \(table.name) LIMIT 1") { _ throws(StoreError) in true }
            guard found.isEmpty else {
                throw StoreError(
                    .unavailable,
                    "there are data in it already (table \(table.name)): a pilot is promoted into an empty database"
                )
            }
        }
    }

    /// Takes away what an earlier promotion had begun. Nobody has used it.
    private static func empty(_ connection: Connection) throws(StoreError) {
        try connection.execute("SET SESSION foreign_key_checks = 0")
        for name in try names(connection) { try connection.execute("DROP TABLE \(name)") }
        try connection.execute("SET SESSION foreign_key_checks = 1")
        try connection.execute("DELETE FROM hongbao_migration WHERE number > 0")
    }

    package func begin() throws(StoreError) {
        let connection = try connected()
        let number = Migrations.promotion
        try connection.execute("REPLACE INTO hongbao_migration VALUES (\(number), '0000-promotion', '', 0)")
        triggers = try Self.triggers(connection).filter { $0.event == "INSERT" || $0.table == "mint" }
        for trigger in triggers { try connection.execute("DROP TRIGGER \(trigger.name)") }
    }

    private static func triggers(_ connection: Connection) throws(StoreError) -> [Trigger] {
        try connection.ask(
            """
            SELECT trigger_name, event_manipulation, event_object_table, action_statement
            FROM information_schema.triggers
            WHERE trigger_schema = database() AND action_timing = 'BEFORE' ORDER BY event_object_table, action_order
            """
        ) { row throws(StoreError) in
            Trigger(name: row.text(0), event: row.text(1), table: row.text(2), body: row.text(3))
        }
    }

    // MARK: Tables

    package func tables() throws(StoreError) -> [StoredTable] { try Self.tables(try connected()) }

    /// All of the books. Which server is the primary isn't the pilot's to say.
    private static func names(_ connection: Connection) throws(StoreError) -> [String] {
        try connection.ask(
            """
            SELECT table_name FROM information_schema.tables
            WHERE table_schema = database() AND table_type = 'BASE TABLE'
                AND table_name NOT IN ('hongbao_migration', 'reign')
            ORDER BY table_name
            """
        ) { row throws(StoreError) in row.text(0) }
    }

    /// What others refer to comes before them.
    private static func tables(_ connection: Connection) throws(StoreError) -> [StoredTable] {
        let references = try connection.ask(
            """
            SELECT table_name, referenced_table_name FROM information_schema.key_column_usage
            WHERE table_schema = database() AND referenced_table_name IS NOT NULL
            """
        ) { row throws(StoreError) in (from: row.text(0), to: row.text(1)) }
        var rest = try names(connection)
        var sorted: [StoredTable] = []
        while !rest.isEmpty {
            let next = rest.firstIndex { name in
                !references.contains { $0.from == name && $0.to != name && rest.contains($0.to) }
            }
            guard let next else { throw StoreError(.corrupt, "tables refer to each other in a ring") }
            sorted.append(try table(rest.remove(at: next), connection))
        }
        return sorted
    }

    private static func table(_ name: String, _ connection: Connection) throws(StoreError) -> StoredTable {
        let columns = try connection.ask(
            """
            SELECT column_name, data_type FROM information_schema.columns
            WHERE table_schema = database() AND table_name = ? AND generation_expression IS NULL
            ORDER BY ordinal_position
            """,
            [name]
        ) { row throws(StoreError) in
            let kind: StoredTable.Kind
            switch row.text(1) {
            case "tinyint", "smallint", "int", "bigint": kind = .integer
            case "varchar": kind = .text
            case "varbinary", "blob", "mediumblob": kind = .bytes
            default: throw StoreError(.corrupt, "table \(name) has a column of another kind")
            }
            return StoredTable.Column(name: row.text(0), kind: kind)
        }
        let key = try connection.ask(
            """
            SELECT column_name FROM information_schema.statistics
            WHERE table_schema = database() AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index
            """,
            [name]
        ) { row throws(StoreError) in row.text(0) }
        return StoredTable(
            name: name,
            columns: columns,
            key: key.compactMap { name in columns.firstIndex { $0.name == name } }
        )
    }

    package func rows(of table: StoredTable, after key: StoredRow?, limit: Int) throws(StoreError) -> [StoredRow] {
        let statement = try connected().prepared(table.page(isFirst: key == nil))
        defer { client_close_statement(statement.raw) }
        let key = key ?? []
        for (index, value) in key.enumerated() { statement.bind(Int32(index) + 1, value) }
        statement.bind(Int32(key.count) + 1, Int64(limit))
        return try statement.all { row throws(StoreError) in row.row(of: table) }
    }

    // MARK: Writing

    /// How much one message to the server holds: a quarter of what it must be able to take.
    private static let messageBytesMax = Int(ServerSettings.packetBytesLeast) / 4

    /// In one transaction.
    package func add(_ rows: [StoredRow], to table: StoredTable) throws(StoreError) {
        let connection = try connected()
        let statement = try insertion(into: table, connection)
        try connection.execute("START TRANSACTION")
        var rest = rows[...]
        while !rest.isEmpty {
            var bytes = 0
            let some = rest.prefix { row in
                bytes += row.reduce(0) { $0 + $1.size }
                return bytes <= Self.messageBytesMax
            }
            let next = some.isEmpty ? rest.prefix(1) : some
            let count = try statement.run(next) { statement, row in
                for (index, value) in row.enumerated() { statement.bind(Int32(index) + 1, value) }
            }
            guard count == next.count else {
                throw StoreError(.corrupt, "table \(table.name): \(next.count) rows were to be added, \(count) were")
            }
            rest = rest.dropFirst(next.count)
        }
        try connection.execute("COMMIT")
    }

    private func insertion(
        into table: StoredTable,
        _ connection: Connection
    ) throws(StoreError) -> PreparedStatement {
        if let insertion, insertion.table == table { return insertion.statement }
        forgetInsertion()
        let marks = table.columns.map { _ in "?" }.joined(separator: ", ")
        let statement = try connection.prepared("INSERT INTO \(table.name) (\(table.columnNames)) VALUES (\(marks))")
        insertion = (table, statement)
        return statement
    }

    private func forgetInsertion() {
        if let insertion { client_close_statement(insertion.statement.raw) }
        insertion = nil
    }

    // MARK: The end

    package func divide(among mints: Int) throws(StoreError) {
        forgetInsertion()
        let connection = try connected()
        try connection.execute("UPDATE mint SET mints = \(mints), common_sequence = last_sequence")
        for trigger in triggers {
            let place = "BEFORE \(trigger.event) ON \(trigger.table)"
            try connection.execute("CREATE TRIGGER \(trigger.name) \(place) FOR EACH ROW \(trigger.body)")
        }
        let all = Set(try Self.triggers(connection))
        guard all.isSuperset(of: triggers) else { throw StoreError(.corrupt, "the triggers aren't as they were") }
    }

    package func store() async throws(StoreError) -> any Store {
        if let opened { return opened }
        var options = MySQLStore.Options()
        options.opensUnfinished = true
        let store = try await MySQLStore(servers, options: options)
        opened = store
        return store
    }

    package func finish() throws(StoreError) {
        try connected().execute("UPDATE hongbao_migration SET is_done = 1 WHERE number = \(Migrations.promotion)")
    }
}
