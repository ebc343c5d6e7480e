#if MySQL
    import CMySQLClient
    import Foundation

    /// Connections to a database of MariaDB without any store, each on a thread of its own: what one would write first.
    struct PlainConnections: Sendable {
        let socket: String
        let database: String

        /// Has so many connections work side by side until the time is over; answers the sum a second.
        ///
        /// - Parameter prepare: answers what a connection does again and again.
        func rate(
            _ count: Int,
            seconds: Double,
            _ prepare: @escaping @Sendable (PlainConnection) throws -> () throws -> Void
        ) async throws -> Sample {
            let watch = Stopwatch()
            let total = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<count {
                    group.addTask {
                        try await onThread { connection in
                            let work = try prepare(connection)
                            let end = ContinuousClock.now + .seconds(seconds)
                            var done = 0
                            while ContinuousClock.now < end {
                                try work()
                                done += 1
                            }
                            return done
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            return watch.sample(total)
        }

        func run(_ statements: String...) async throws {
            try await onThread { connection in
                for statement in statements { try connection.run(statement) }
            }
        }

        private func onThread<Answer: Sendable>(
            _ body: @escaping @Sendable (PlainConnection) throws -> Answer
        ) async throws -> Answer {
            try await withCheckedThrowingContinuation { continuation in
                let thread = Thread {
                    continuation.resume(
                        with: Result {
                            guard PlainConnection.isReady, client_begin_thread() == 0 else {
                                throw BenchFault("MariaDB's client library doesn't start")
                            }
                            defer { client_end_thread() }
                            return try body(PlainConnection(socket: socket, database: database))
                        }
                    )
                }
                thread.start()
            }
        }
    }

    /// Used on one thread only.
    final class PlainConnection {
        static let isReady = client_set_up() == 0

        private let raw: OpaquePointer

        init(socket: String, database: String) throws {
            let raw = socket.withCString { socket in
                database.withCString { database in
                    "root".withCString { user in
                        var options = client_options()
                        options.socket = socket
                        options.database = database
                        options.user = user
                        options.connect_seconds = 30
                        options.answer_seconds = 60
                        return client_connect(&options)
                    }
                }
            }
            guard let raw else { throw BenchFault("no memory for a connection") }
            self.raw = raw
            guard client_error_number(raw) == 0 else { throw fault }
        }

        deinit { client_close(raw) }

        var fault: BenchFault { BenchFault("MariaDB: \(String(cString: client_error_text(raw)))") }

        func run(_ sql: String) throws {
            var sql = sql
            let code = sql.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { client_run(raw, $0.baseAddress, $0.count) }
            }
            guard code == 0 else { throw fault }
        }

        func prepare(_ sql: String) throws -> PlainStatement {
            var sql = sql
            let statement = sql.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { client_prepare(raw, $0.baseAddress, $0.count) }
            }
            guard let statement else { throw fault }
            return PlainStatement(statement, of: self)
        }
    }

    /// A statement that the server has compiled; parameters and columns are counted from 0.
    final class PlainStatement {
        private let raw: OpaquePointer
        private let connection: PlainConnection

        fileprivate init(_ raw: OpaquePointer, of connection: PlainConnection) {
            self.raw = raw
            self.connection = connection
        }

        deinit { client_close_statement(raw) }

        func bind(_ index: UInt32, _ value: Int64) { _ = client_bind_number(raw, 0, index, value) }

        func bind(_ index: UInt32, _ text: String) {
            var text = text
            _ = text.withUTF8 { client_bind_bytes(raw, 0, index, $0.baseAddress, $0.count, 1) }
        }

        /// Binds from the first parameter on, and runs it.
        func run(_ numbers: Int64...) throws {
            for (index, number) in numbers.enumerated() { bind(UInt32(index), number) }
            guard client_execute(raw, 1) == 0 else { throw connection.fault }
        }

        /// The columns of all rows, each row read by `read`.
        func rows<Row>(_ numbers: Int64..., read: (PlainStatement) -> Row) throws -> [Row] {
            for (index, number) in numbers.enumerated() { bind(UInt32(index), number) }
            guard client_execute(raw, 1) == 0 else { throw connection.fault }
            defer { client_reset(raw) }
            var rows: [Row] = []
            while true {
                switch client_fetch(raw) {
                case 1: rows.append(read(self))
                case 0: return rows
                default: throw connection.fault
                }
            }
        }

        func number(_ column: UInt32) -> Int64 { client_number(raw, column) }
    }
#endif
