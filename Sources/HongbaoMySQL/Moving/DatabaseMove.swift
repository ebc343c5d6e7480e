import HongbaoEngine

/// Moves a database, with the mints that it has, from one server to another while it's in use (decision 0031).
///
/// Until its last step the database is where it was, and whatever goes wrong leaves it there. It may be done again
/// wherever it broke off.
package struct DatabaseMove: Sendable {
    package struct Options: Sendable {
        /// The new servers; of several, the one that is the primary, and its replicas.
        package var target: [ServerAddress.Place]
        /// How long nobody may write.
        package var patience = Duration.seconds(10)

        package init(target: [ServerAddress.Place]) { self.target = target }
    }

    /// Why it isn't done, and what to do about it.
    package struct Fault: Error, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    package struct Report: Sendable {
        /// `nil` when there was nothing to do.
        package internal(set) var moved: Moved?

        package struct Moved: Sendable {
            package let rows: Int
            /// How long nobody could write.
            package let paused: Duration
        }
    }

    private let addresses: [ServerAddress]
    private let options: Options
    private let servers: MovingServers
    private let tell: @Sendable (String) async -> Void

    /// - Parameters:
    ///   - addresses: as the settings of the nodes name the database, with the store's user.
    ///   - login: a user of both servers who may do what `docs/cluster.md` lists; the new server logs in at the old one
    ///     as that user.
    ///   - tell: is told of each step.
    package init(
        _ addresses: [ServerAddress],
        login: (user: String, password: String),
        options: Options,
        tell: @escaping @Sendable (String) async -> Void
    ) {
        self.addresses = addresses
        self.options = options
        self.tell = tell
        servers = MovingServers(addresses[0], MovingServer.Login(user: login.user, password: login.password))
    }

    package func run() async throws -> Report {
        do {
            let report = try await move()
            await servers.close()
            return report
        } catch {
            await servers.close()
            throw error
        }
    }

    private func move() async throws -> Report {
        let source = try await findSource()
        let target = try await servers.open(options.target)
        if target.server === source.server { return try await isThere(source) }
        for end in [source, target] where try await !end.server.lock() {
            throw Fault("\(end): another move is under way there")
        }
        // Since it was looked at, another one may have ended.
        guard try await source.server.elsewhere() == nil else { throw Fault("\(source): has changed; run this again") }
        let waits = try await check(source, target)
        await tell("\(source): has the database \(addresses[0].database)")
        let rows: Int
        let paused: Duration
        do {
            rows = try await copy(source, target, waits: waits)
            paused = try await cutOver(source, target)
        } catch let fault as Undecided {
            throw Fault(fault.description)
        } catch {
            await leave(target)
            await tell("\(source): still has the database")
            throw error
        }
        await tell("\(target): has the database now; for \(paused.milliseconds) ms nobody could write")
        await tidy(target)
        return Report(moved: Report.Moved(rows: rows, paused: paused))
    }

    private func isThere(_ source: End) async throws -> Report {
        if try await source.server.lock() { await tidy(source) }
        await tell("\(source): has the database already")
        return Report()
    }

    // MARK: Where it is

    typealias End = MovingServers.End

    /// Follows the database from where the settings say it is. When an earlier move broke off while nobody could write,
    /// it's undone.
    private func findSource() async throws -> End {
        var visited: [(end: End, elsewhere: Elsewhere)] = []
        var next = addresses.map(\.place)
        while true {
            let end = try await servers.open(next)
            guard let elsewhere = try await end.server.elsewhere() else { return end }
            if let first = visited.firstIndex(where: { $0.end.server === end.server }) {
                return try await undo(visited[first...].map { $0 })
            }
            visited.append((end, elsewhere))
            next = elsewhere.servers
        }
    }

    /// Of servers that name each other, the one whose data were in use takes them back.
    private func undo(_ ring: [(end: End, elsewhere: Elsewhere)]) async throws -> End {
        let whole = ring.filter { !$0.elsewhere.isCopy }
        guard let fenced = whole.first, whole.count == 1 else {
            throw Fault("\(ring.map { "\($0.end)" }.joined(separator: ", ")): each says that another one has it")
        }
        for (end, elsewhere) in ring {
            guard try await end.server.lock() else { throw Fault("\(end): another move is under way there") }
            guard try await end.server.elsewhere() == elsewhere else {
                throw Fault("\(end): has changed; run this again")
            }
        }
        try await fenced.end.server.serve()
        await tell("\(fenced.end): has the database again, after a move that broke off")
        return fenced.end
    }

    // MARK: Whether it can be

    static let hintOfDomains = """
        its binlog has other events in the domain of the server that has the database; give that one a gtid_domain_id \
        that no other has ever had
        """

    /// Answers whether commits wait for a replica where the database is.
    private func check(_ source: End, _ target: End) async throws -> Bool {
        // In this order: after a move that broke off the target may still follow, and has no more than the source.
        let to = try await target.server.facts()
        let from = try await source.server.facts()
        for (end, facts) in [(source, from), (target, to)] {
            if let problem = facts.problem { throw Fault("\(end): \(problem)") }
        }
        if from.server == to.server {
            throw Fault("\(source) and \(target): server_id is \(to.server) on both; is it the same server?")
        }
        if to.isReadOnly { throw Fault("\(target): it's read-only") }
        if !from.hasBinlog { throw Fault("\(source): log_bin is OFF and must be ON: a copy couldn't follow") }
        if from.binlogFormat != "ROW" {
            throw Fault("\(source): binlog_format is \(from.binlogFormat) and must be ROW before nodes connect")
        }
        if from.binlogRowImage != "FULL" {
            throw Fault("\(source): binlog_row_image is \(from.binlogRowImage) and must be FULL before nodes connect")
        }
        if from.domain == to.domain {
            throw Fault(
                """
                \(source) and \(target): gtid_domain_id is \(to.domain) on both and must differ, or their histories \
                get mixed up; set another one on a server before nodes connect to it
                """
            )
        }
        let domain = UInt32(clamping: from.domain)
        let (own, others) = (from.position.sequences[domain], to.position.sequences[domain])
        if to.isStrict, let others, others > own ?? 0 { throw Fault("\(target): \(Self.hintOfDomains)") }
        for end in [source, target] where try await !end.server.showsConnections() {
            throw Fault("\(end): the user of switch-over.user lacks the privilege PROCESS")
        }
        let schema = try await source.server.schema()
        guard schema.last?.first == .integer(Int64(Schema.newest)) else {
            throw Fault("\(source): the tables aren't those of this version; start all nodes with it before")
        }
        guard schema.allSatisfy({ $0.last == .integer(1) }) else {
            throw Fault("\(source): a change of the tables, or a promotion, isn't finished there")
        }
        try await checkIsFree(target, for: source)
        return from.waits
    }

    /// What lies there is only removed when it's of the same database.
    private func checkIsFree(_ target: End, for source: End) async throws {
        guard var elsewhere = try await target.server.elsewhere() else {
            guard let table = try await target.server.firstFilled() else { return }
            throw Fault("\(target): there are data in its database \(addresses[0].database) (table \(table))")
        }
        var visited = [target.server]
        while true {
            let end = try await servers.open(elsewhere.servers)
            if end.server === source.server { return }
            guard !visited.contains(where: { $0 === end.server }), let next = try await end.server.elsewhere() else {
                throw Fault("\(target): what lies there is of another database, which is at \(end)")
            }
            visited.append(end.server)
            elsewhere = next
        }
    }

    // MARK: Copying and following

    private func copy(_ source: End, _ target: End, waits: Bool) async throws -> Int {
        let schema = try await source.server.schema()
        let promotions = schema.filter { $0.first == .integer(Int64(Migrations.promotion)) }
        try await target.server.beginCopy(of: source.servers, promotions: promotions)
        guard try await target.server.schema() == schema else {
            throw Fault("\(source): the tables aren't those of this version; start all nodes with it before")
        }
        let start = try await source.server.beginSnapshot()
        let rows = try await copyRows(source, target)
        try await source.server.endSnapshot()
        try await target.server.endCopy()
        try await target.server.follow(source.server.address, from: start, otherWaits: waits)
        try await followToEnd(source, target)
        return rows
    }

    private func copyRows(_ source: End, _ target: End) async throws -> Int {
        let tables = try await source.server.tables()
        guard try await Set(target.server.tables()) == Set(tables) else {
            throw Fault("\(source) and \(target): the tables aren't the same")
        }
        let copy = TableCopy(from: source.server, to: target.server)
        let total = try await source.server.rowsAbout()
        let began = ContinuousClock.now
        var pace = Pace()
        var count = 0
        for table in tables {
            try Task.checkCancellation()
            count += try await copy.copy(table) { more in
                if pace.isTime { await tell("\(count + more) of about \(total) rows are copied") }
            }
        }
        let rate = Int(Double(count) / max((ContinuousClock.now - began) / .seconds(1), 0.001))
        await tell("\(target): \(count) rows of \(tables.count) tables are copied, \(rate) a second")
        for table in tables {
            try Task.checkCancellation()
            try await copy.compare(table)
            if pace.isTime { await tell("up to \(table.name) the copy is as it should be") }
        }
        await tell("\(target): the copy is what was there when it began")
        return count
    }

    /// Until it lags by so little that nobody will wait for long.
    private func followToEnd(_ source: End, _ target: End) async throws {
        var pace = Pace()
        while true {
            let end = try await source.server.binlogEnd()
            let began = ContinuousClock.now
            while try await !target.server.hasFollowed(to: end, seconds: 0.5) {
                try Task.checkCancellation()
                if pace.isTime { await tell("\(target): is behind; waiting") }
            }
            if ContinuousClock.now - began < .milliseconds(300) { break }
        }
        await tell("\(target): follows, and lags by nothing")
        try Task.checkCancellation()
    }

    // MARK: Going over

    /// Nobody can know by now which of the two has it.
    private struct Undecided: Error {
        let description: String
    }

    private func cutOver(_ source: End, _ target: End) async throws -> Duration {
        let began = ContinuousClock.now
        do {
            try await source.server.send(to: Elsewhere(target.servers, isCopy: false))
            try await source.server.endConnections(within: options.patience)
            await tell("\(source): nobody is connected any more")
            let end = try await source.server.binlogEnd()
            while try await !target.server.hasFollowed(to: end, seconds: 0.1) {
                if ContinuousClock.now - began > options.patience { throw Fault("\(target): doesn't get to the end") }
            }
            try await target.server.stopFollowing()
            try await compareEnds(source, target)
        } catch {
            try await takeBack(source, after: error)
            throw error
        }
        do {
            try await target.server.serve()
        } catch {
            throw Undecided(description: "\(target): \(error.message). Nobody has the database until this is run again")
        }
        return ContinuousClock.now - began
    }

    private func takeBack(_ source: End, after fault: any Error) async throws {
        do throws(StoreError) {
            try await source.server.serve()
        } catch {
            let why = (fault as? StoreError)?.message ?? "\(fault)"
            throw Undecided(description: "\(source): \(why). Nobody has the database until this is run again")
        }
    }

    private static let endRows = 500

    /// All rows were compared when they were copied, and the server has done all since that was done there. So what is
    /// compared is whole tables that are small, such as all mints, and the ends of others.
    private func compareEnds(_ source: End, _ target: End) async throws {
        for table in try await source.server.tables() {
            async let own = source.server.lastRows(of: table, limit: Self.endRows)
            async let copied = target.server.lastRows(of: table, limit: Self.endRows)
            let (rows, copies) = (try await own, try await copied)
            guard rows == copies else { throw Fault("\(target): table \(table.name) differs") }
        }
    }

    // MARK: Afterwards

    /// Nothing is left that follows the other server.
    private func leave(_ target: End) async {
        do throws(StoreError) { try await target.server.stopFollowing() } catch {
            let advice = "it may follow still: run this again, or STOP SLAVE 'hongbao' there"
            await tell("\(target): \(error.message); \(advice)")
        }
    }

    private func tidy(_ target: End) async {
        do throws(StoreError) {
            try await target.server.stopFollowing()
            try await target.server.forgetOther()
        } catch {
            await tell("\(target): \(error.message); that doesn't matter to the database, only to a replica")
        }
    }

    /// When something is worth a line.
    private struct Pace {
        private var last = ContinuousClock.now

        var isTime: Bool {
            mutating get {
                let now = ContinuousClock.now
                guard now - last > .seconds(2) else { return false }
                last = now
                return true
            }
        }
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 { Int64(self / .milliseconds(1)) }
}
