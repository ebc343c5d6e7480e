package import HongbaoCore
package import HongbaoEngine

/// The store of a cluster: a database of MariaDB, which several processes may use at the same time.
///
/// In each process one connection writes, in transactions that waiting callers share, with a savepoint for each part:
/// a commit costs a sync, and a part that is refused must not undo the others. Other connections read, each on a
/// snapshot. All are on threads of their own. What is committed is on the server's disk (GR-5), or the server isn't
/// used.
package final class MySQLStore: Store {
    package struct Options: Sendable {
        /// How many reads run at the same time.
        package var readersMax = 4
        /// How long to wait for rows that another process has locked.
        package var lockSeconds = 5
        /// How often a part is tried that others were in the way of.
        package var attemptsMax = 5
        /// Whether it opens a database that a pilot is being promoted into.
        var opensUnfinished = false

        package init() {}
    }

    private let writer: GroupWriter
    private let thread: ConnectionThread
    private let readers: ReaderPool
    private let attemptsMax: Int
    /// What is allowed but isn't as it should be, for whoever runs the server.
    package let warnings: [String]

    package convenience init(_ address: ServerAddress, options: Options = Options()) async throws(StoreError) {
        try await self.init([address], options: options)
    }

    /// Connects to the only server, or to the primary among several; brings the database's tables up to date, and
    /// checks that what is acknowledged is kept.
    ///
    /// Throws `unavailable` when there is no connection or the server's settings aren't safe; `corrupt` when the
    /// database isn't as it was left; `tooNew` when a newer version has changed it.
    package init(_ servers: [ServerAddress], options: Options = Options()) async throws(StoreError) {
        let primary = Primary(among: servers)
        let thread = ConnectionThread(name: "hongbao.mysql.w")
        let connection = WriterConnection(primary, lockSeconds: options.lockSeconds)
        let executor = ConnectionExecutor(on: thread)
        let opener = Opener(on: executor)
        do throws(StoreError) {
            warnings = try await opener.open(primary, opensUnfinished: options.opensUnfinished)
        } catch {
            thread.stop()
            throw error
        }
        self.thread = thread
        attemptsMax = options.attemptsMax
        writer = GroupWriter(connection, on: executor)
        readers = ReaderPool(max: options.readersMax) { Reader(primary, name: "hongbao.mysql.r\($0)") }
    }

    deinit { thread.stop() }

    package func append(_ group: AppendGroup) async throws(StoreError) {
        try await untilNobodyIsInTheWay { () async throws(StoreError) in try await writer.append(group).durable() }
    }

    package func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await untilNobodyIsInTheWay { () async throws(StoreError) in
            try await writer.transact(footprint, decide).durable()
        }
    }

    /// Tries again what didn't happen because of others: a deadlock, a row that came in between, a connection that
    /// broke before COMMIT. Decisions are pure and are made anew.
    private func untilNobodyIsInTheWay<Answer: Sendable>(
        _ work: () async throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        for _ in 1..<attemptsMax {
            do throws(StoreError) {
                return try await work()
            } catch {
                guard error.isWorthAnotherTry else { throw error }
            }
        }
        return try await work()
    }

    package func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await readers.read(body)
    }

    package func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer? {
        try await readers.readAlone(body)
    }

    package func isReadAlone() async throws(StoreError) -> Bool {
        try await readers.read { (snapshot) throws(StoreError) in
            guard let snapshot = snapshot as? Snapshot else { return false }
            return try snapshot.connection.number("IS_USED_LOCK(\(Turn.name)) IS NOT NULL") == 1
        }
    }

    /// Waits for what is under way and closes all connections.
    package func close() async {
        await writer.close()
        thread.stop()
        await readers.close()
    }
}
