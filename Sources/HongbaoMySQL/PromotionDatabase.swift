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
    private var books: BookTables?
    private var opened: MySQLStore?
    private var triggers: [BookTables.Trigger] = []

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
    private func connected() throws(StoreError) -> BookTables {
        guard let books, !books.connection.isLost else { throw .connectionLost }
        return books
    }

    package func close() async {
        await opened?.close()
        opened = nil
        books = nil
        thread.stop()
    }

    // MARK: The beginning

    package func prepare() throws(StoreError) {
        do throws(StoreError) {
            let fresh = try primary.connect()
            if let problem = try ServerSettings(fresh).problem { throw StoreError(.unavailable, problem) }
            let tables = BookTables(fresh)
            try prepare(tables)
            books = tables
        } catch {
            throw StoreError(error.code, "\(primary): \(error.message)")
        }
    }

    private func prepare(_ books: BookTables) throws(StoreError) {
        let connection = books.connection
        // Until the connection ends.
        let taken = try connection.ask("SELECT GET_LOCK(concat('hongbao-promotion:', database()), 0)") {
            row throws(StoreError) in row.integer(0)
        }
        guard taken == [1] else { throw StoreError(.unavailable, "another process is promoting into it") }
        try connection.execute(Schema.history)
        switch try Migrations.promotion(on: connection) {
        case .none: break
        case .unfinished:
            // Nobody has used it.
            try books.dropAll()
            try connection.execute("DELETE FROM hongbao_migration WHERE number > 0")
        case .done: throw StoreError(.unavailable, "a pilot has been promoted into it already")
        }
        try Migrations(connection, opensUnfinished: true).apply()
        if let table = try books.firstFilled() {
            throw StoreError(
                .unavailable,
                "there are data in it already (table \(table)): a pilot is promoted into an empty database"
            )
        }
    }

    package func begin() throws(StoreError) {
        let books = try connected()
        let number = Migrations.promotion
        try books.connection.execute("REPLACE INTO hongbao_migration VALUES (\(number), '0000-promotion', '', 0)")
        triggers = try books.triggers().filter { $0.event == "INSERT" || $0.table == "mint" }
        try books.drop(triggers)
    }

    // MARK: Tables

    package func tables() throws(StoreError) -> [StoredTable] { try connected().all() }

    package func rows(of table: StoredTable, after key: StoredRow?, limit: Int) throws(StoreError) -> [StoredRow] {
        try connected().rows(of: table, after: key, limit: limit)
    }

    package func add(_ rows: [StoredRow], to table: StoredTable) throws(StoreError) {
        try connected().add(rows, to: table)
    }

    // MARK: The end

    package func divide(among mints: Int) throws(StoreError) {
        let books = try connected()
        books.forgetInsertion()
        try books.connection.execute("UPDATE mint SET mints = \(mints), common_sequence = last_sequence")
        try books.restore(triggers)
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
        let connection = try connected().connection
        try connection.execute("UPDATE hongbao_migration SET is_done = 1 WHERE number = \(Migrations.promotion)")
    }
}
