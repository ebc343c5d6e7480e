import HongbaoEngine

/// Answers questions inside a transaction that only reads, on a reader's connection.
struct Snapshot: StoreSnapshot {
    let connection: Connection

    func prepared(_ query: Query) throws(StoreError) -> PreparedStatement { try connection.prepared(query) }
}

/// Which of several processes reads what one at a time is enough for: whose connection has this lock.
enum Turn {
    static let idleSeconds = 60
    /// Locks are the server's, and a server may have several databases.
    static let name = "concat('hongbao.audit.', md5(database()))"
}

/// A connection that reads, on a thread of its own.
actor Reader {
    private let primary: Primary
    private let thread: ConnectionThread
    private let executor: ConnectionExecutor
    private var connection: Connection?

    init(_ primary: Primary, name: String) {
        self.primary = primary
        let thread = ConnectionThread(name: name)
        self.thread = thread
        executor = ConnectionExecutor(on: thread)
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let connection = try begin()
        do throws(StoreError) {
            let answer = try body(Snapshot(connection: connection))
            try connection.execute("COMMIT")
            return answer
        } catch {
            end(connection)
            throw error
        }
    }

    /// Has a lock of the server's meanwhile, which goes with the connection.
    func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer? {
        // A process that stands still must not keep the server from purging what nobody reads any more.
        let idle = "SET SESSION idle_readonly_transaction_timeout = \(Turn.idleSeconds)"
        let connection = try Connection.begin(idle) { () throws(StoreError) in try connected() }
        guard try connection.number("GET_LOCK(\(Turn.name), 0) <=> 1") == 1 else { return nil }
        defer { release(connection) }
        return try read(body)
    }

    private func release(_ connection: Connection) {
        do throws(ServerFault) { try connection.run("DO RELEASE_LOCK(\(Turn.name))") } catch { self.connection = nil }
    }

    /// Nothing was written, so a connection on which it fails is only given up.
    private func end(_ connection: Connection) {
        do throws(ServerFault) { try connection.run("ROLLBACK") } catch { self.connection = nil }
    }

    private func begin() throws(StoreError) -> Connection {
        try Connection.begin("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY") { () throws(StoreError) in
            let connection = try connected()
            try primary.settle(on: connection)
            return connection
        }
    }

    private func connected() throws(StoreError) -> Connection {
        if let connection, !connection.isLost, primary.isStill(connection) { return connection }
        connection = nil
        let fresh = try primary.connect()
        try fresh.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        try fresh.execute("SET SESSION eq_range_index_dive_limit = 1, in_predicate_conversion_threshold = 0")
        connection = fresh
        return fresh
    }

    func close() { connection = nil }
    nonisolated func stop() { thread.stop() }
}
