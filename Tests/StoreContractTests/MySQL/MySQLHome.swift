#if MySQL
    import HongbaoEngine
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// A database of its own on a server, for one test.
    struct MySQLHome: StoreHome {
        private let name = "t\(UInt64.random(in: 0 ... .max))"
        private let server: @Sendable () async throws -> MariaDBServer

        init(on server: @escaping @Sendable () async throws -> MariaDBServer = { try await MariaDBServer.forAll() }) {
            self.server = server
        }

        func address() async throws -> ServerAddress {
            let socket = try await server().socket
            var address = ServerAddress(.socket(socket), user: "root", password: "", database: name)
            // Many tests may start at once.
            address.connectSeconds = 60
            return address
        }

        /// Makes the database when there is none.
        func prepare() async throws -> ServerAddress {
            let address = try await address()
            try await SQLConsole.run(address, database: "mysql", ["CREATE DATABASE IF NOT EXISTS \(name)"])
            return address
        }

        func open() async throws -> MySQLStore { try await MySQLStore(try await prepare()) }
        func close(_ store: MySQLStore) async throws { await store.close() }
    }

    /// Statements of a test, past the store.
    actor SQLConsole {
        private let thread: ConnectionThread
        private let executor: ConnectionExecutor
        private let address: ServerAddress
        private var connection: Connection?

        init(_ address: ServerAddress) {
            self.address = address
            let thread = ConnectionThread(name: "console")
            self.thread = thread
            executor = ConnectionExecutor(on: thread)
        }

        nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

        private func connected() throws -> Connection {
            if let connection { return connection }
            let fresh = try Connection(address)
            connection = fresh
            return fresh
        }

        /// What the server says to a statement; `nil` when it does it.
        func fault(of sql: String) throws -> ServerFault? {
            let connection = try connected()
            do throws(ServerFault) {
                try connection.run(sql)
                return nil
            } catch {
                return error
            }
        }

        func run(_ sql: String) throws { try connected().run(sql) }

        /// The rows of a question, each column as text.
        func rows(_ sql: String, columns: Int32) throws -> [[String]] {
            try connected().ask(sql) { row throws(StoreError) in
                (0..<columns).map { column in
                    if row.isNull(column) { return "NULL" }
                    let text = row.text(column)
                    return text.isEmpty ? "\(row.integer(column))" : text
                }
            }
        }

        func close() {
            connection = nil
            thread.stop()
        }

        static func run(_ address: ServerAddress, database: String? = nil, _ statements: [String]) async throws {
            var address = address
            if let database { address.database = database }
            let console = SQLConsole(address)
            for statement in statements { try await console.run(statement) }
            await console.close()
        }
    }
#endif
