import HongbaoEngine

/// Makes one of several servers the primary and the others its replicas, with nothing lost that was acknowledged
/// (FC-8).
///
/// It always does the same: fences the others, waits until the chosen one has all that they have, raises the reign on
/// it, lets it take writes, and has the others follow. So it's also what declares a first primary, brings an old one
/// back, and goes on where it broke off.
package actor SwitchOver {
    package struct Options: Sendable {
        package var target: ServerAddress.Place
        /// The one server that doesn't answer is off, and stays off until it's brought back as a replica.
        package var oldIsGone = false
        /// Acknowledge without a replica until one is there.
        package var alone = false
        /// How long to wait for a replica that lags or connects.
        package var patience = Duration.seconds(60)

        package init(target: ServerAddress.Place) { self.target = target }
    }

    /// Why it isn't done, and what to do about it.
    package struct Refusal: Error, CustomStringConvertible {
        package let description: String

        init(_ description: String) { self.description = description }
    }

    private let addresses: [ServerAddress]
    private let options: Options
    private let tell: @Sendable (String) -> Void
    private let thread: ConnectionThread
    private let executor: ConnectionExecutor

    /// - Parameters:
    ///   - addresses: all servers, with a user who may do what `docs/cluster.md` lists; replicas log in as that user.
    ///   - tell: is told of each step.
    package init(_ addresses: [ServerAddress], options: Options, tell: @escaping @Sendable (String) -> Void) {
        self.addresses = addresses.map { address in
            var address = address
            address.connectSeconds = min(address.connectSeconds, 3)
            return address
        }
        self.options = options
        self.tell = tell
        let thread = ConnectionThread(name: "hongbao.switch")
        self.thread = thread
        executor = ConnectionExecutor(on: thread)
    }

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package func run() async throws {
        defer { thread.stop() }
        let (servers, gone) = try connectAll()
        guard let target = servers.first(where: { $0.place == options.target }) else {
            throw Refusal("\(options.target) doesn't answer")
        }
        let others = servers.filter { $0.place != target.place }
        // A user without the rights is told so before anything is changed.
        for server in servers { try server.connection.order("SHOW SLAVE STATUS") }
        try check(target)
        let standing = try Standing(target.connection)
        let reign = try servers.reduce(0) { try max($0, Standing($1.connection).reign?.number ?? 0) }
        if !standing.isReadOnly, let own = standing.reign, own.server == standing.serverID, own.number == reign {
            tell("\(target): is the primary, of reign \(reign)")
            for other in others { try await fence(other) }
        } else {
            try await promote(target, others, gone: gone, reign: reign)
        }
        try await follow(others, target)
    }

    // MARK: What there is

    private struct Server: CustomStringConvertible {
        let place: ServerAddress.Place
        let connection: Connection
        var description: String { "\(place)" }
    }

    private func connectAll() throws -> (servers: [Server], gone: [ServerAddress.Place]) {
        guard addresses.contains(where: { $0.place == options.target }) else {
            throw Refusal("\(options.target) isn't one of the servers that store.url names")
        }
        var servers: [Server] = []
        var gone: [ServerAddress.Place] = []
        for address in addresses {
            do throws(StoreError) {
                let connection = try Connection(address)
                // Nothing that is ordered below may wait without end.
                try connection.order("SET SESSION lock_wait_timeout = 10, max_statement_time = 0")
                servers.append(Server(place: address.place, connection: connection))
            } catch {
                tell(error.message)
                gone.append(address.place)
            }
        }
        if options.oldIsGone {
            if gone.isEmpty { throw Refusal("all servers answer: leave out --old-is-gone") }
            // With one gone, the others have all that was acknowledged: each commit was in two places.
            if gone.count > 1 { throw Refusal("more than one server is gone, perhaps with what was acknowledged") }
        } else if let first = gone.first {
            throw Refusal("\(first) doesn't answer. When it's off and stays off, say so by --old-is-gone")
        }
        return (servers, gone)
    }

    /// Whether it's fit to be the primary, and was fit to be a replica.
    private func check(_ target: Server) throws {
        let standing = try Standing(target.connection)
        if let problem = try ServerSettings(target.connection).problem ?? standing.acknowledging.problem {
            throw Refusal("\(target): \(problem)")
        }
        for name in ["rpl_semi_sync_slave_enabled", "log_slave_updates"]
        where try target.connection.number("@@global.\(name)") == 0 {
            throw Refusal("\(target): \(name) is OFF and must be ON: it may lack what was acknowledged")
        }
    }

    // MARK: Promoting

    private func promote(_ target: Server, _ others: [Server], gone: [ServerAddress.Place], reign: Int64) async throws {
        var fenced: [Server] = []
        do {
            try await checkCanCatchUp(target, others, gone: gone)
            for other in others where try await fence(other) { fenced.append(other) }
            for other in others { try await catchUp(target, with: other) }
            if !gone.isEmpty { try await applyAll(target) }
        } catch {
            // Nothing has been promoted, so whoever was the primary goes on.
            for server in fenced {
                try server.connection.order("SET GLOBAL read_only = OFF")
                tell("\(server): takes writes again")
            }
            throw error
        }
        let isReplica = try target.connection.following() != nil
        if isReplica { try target.connection.order("STOP SLAVE") }
        // Nobody else can write yet, and this mustn't wait for a replica.
        try target.connection.order("SET GLOBAL rpl_semi_sync_master_enabled = OFF")
        let isAlone = others.isEmpty && options.alone
        try raise(reign, on: target, isAlone: isAlone)
        if !isAlone { try target.connection.order("SET GLOBAL rpl_semi_sync_master_enabled = ON") }
        try target.connection.order("SET GLOBAL read_only = OFF")
        if isReplica { try target.connection.order("RESET SLAVE ALL") }
        tell("\(target): takes writes")
    }

    /// Before anything is changed.
    private func checkCanCatchUp(_ target: Server, _ others: [Server], gone: [ServerAddress.Place]) async throws {
        let following = try target.connection.following()
        if let following, following.applyError != 0 {
            throw Refusal("\(target): can't apply what it received (MySQL error \(following.applyError))")
        }
        if let following, !addresses.contains(where: { following.isOf($0.place) }) {
            throw Refusal("\(target): follows \(following.host):\(following.port), which store.url doesn't name")
        }
        if let old = gone.first, following?.isOf(old) != true, others.isEmpty {
            throw Refusal("\(target): isn't a replica of \(old), and may lack what was acknowledged")
        }
        for other in others {
            let goal = try other.connection.position()
            // One that was restarted connects anew, which takes a moment.
            try await wait("\(target): lacks what \(other) has and isn't receiving it", Self.momentOfConnecting) {
                if try target.connection.position().covers(goal) { return true }
                guard let following = try target.connection.following(), following.isOf(other.place) else {
                    throw Refusal("\(target): lacks what \(other) has and isn't its replica; take \(other) instead")
                }
                let hasIt = following.isReceiving || Position(following.received)?.covers(goal) == true
                return hasIt && following.isApplying && following.usesGTID
            }
        }
    }

    private static let momentOfConnecting = Duration.seconds(5)

    /// Ends all writes on a server, and whatever reads there as on the primary. Answers whether it took writes.
    @discardableResult
    private func fence(_ server: Server) async throws -> Bool {
        let tookWrites = try server.connection.number("@@global.read_only") == 0
        if tookWrites {
            try server.connection.order("SET GLOBAL read_only = ON")
            tell("\(server): takes no more writes")
        }
        // A replica applies as the system.
        let clients = """
            FROM information_schema.processlist
            WHERE db = database() AND id <> connection_id() AND user <> 'system user'
            """
        let began = ContinuousClock.now
        while ContinuousClock.now - began < options.patience {
            let ids = try server.connection.ask("SELECT id \(clients)") { row throws(StoreError) in row.integer(0) }
            if ids.isEmpty { return tookWrites }
            for id in ids {
                do throws(ServerFault) { try server.connection.run("KILL CONNECTION \(id)") } catch {
                    // It may have ended by itself.
                    guard error.number == 1094 else { throw StoreError(error) }
                }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Refusal("\(server): connections to it don't end")
    }

    private func catchUp(_ target: Server, with other: Server) async throws {
        let goal = try other.connection.position()
        try await wait("\(target): is behind \(other)") {
            if let following = try target.connection.following(), following.applyError != 0 {
                throw Refusal("\(target): can't apply what it received (MySQL error \(following.applyError))")
            }
            return try target.connection.position().covers(goal)
        }
        tell("\(target): has all that \(other) has")
    }

    /// Applies what a replica has received from a server that is gone. It's only in its relay log, which the server
    /// throws away when replication is started anew; so nothing is.
    private func applyAll(_ target: Server) async throws {
        guard try target.connection.following() != nil else { return }
        try target.connection.order("STOP SLAVE IO_THREAD")
        try await wait("\(target): is applying what it has received") {
            guard let following = try target.connection.following() else { return true }
            if following.applyError != 0 {
                throw Refusal("\(target): can't apply what it received (MySQL error \(following.applyError))")
            }
            guard let received = Position(following.received) else {
                throw Refusal("\(target): doesn't say what it has received")
            }
            let hasAll = try target.connection.position().covers(received)
            if !following.isApplying, !hasAll {
                throw Refusal("\(target): has received what it doesn't apply; START SLAVE would throw it away")
            }
            return hasAll && (following.hasAppliedAll || !following.isApplying)
        }
        tell("\(target): has applied all that it has received")
    }

    private func raise(_ reign: Int64, on target: Server, isAlone: Bool) throws {
        let number = "greatest(\(reign) + 1, unix_timestamp())"
        for statement in Schema.reign0008.statements { try target.connection.order(statement) }
        try target.connection.order(
            """
            INSERT INTO reign (id, number, server, is_alone) VALUES (1, \(number), @@server_id, \(isAlone ? 1 : 0))
            ON DUPLICATE KEY UPDATE number = VALUES(number), server = VALUES(server), is_alone = VALUES(is_alone)
            """
        )
        tell("\(target): reign \(try target.connection.number("SELECT number FROM reign")) begins")
    }

    // MARK: Following

    /// Has the others follow the primary, and the primary wait for them.
    private func follow(_ others: [Server], _ target: Server) async throws {
        guard !others.isEmpty else {
            guard options.alone else {
                return tell(
                    "\(target): has no replica; commits wait until one follows (repeat this), or until --alone is given"
                )
            }
            try target.connection.order(
                "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
                "UPDATE reign SET is_alone = 1"
            )
            return tell("\(target): acknowledges alone, until this is repeated with a replica")
        }
        for other in others { try await follow(other, target) }
        if try target.connection.number("@@global.rpl_semi_sync_master_enabled") == 0 {
            // They lag by little now, so commits won't wait for long. They must ask anew to be waited for.
            for other in others { try await catchUp(other, with: target) }
            try target.connection.order("SET GLOBAL rpl_semi_sync_master_enabled = ON")
            for other in others { try other.connection.order("STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD") }
        }
        try await wait("\(target): no replica has asked to be waited for") {
            let clients = """
                SELECT variable_value FROM information_schema.global_status
                WHERE variable_name = 'RPL_SEMI_SYNC_MASTER_CLIENTS'
                """
            return try target.connection.number(clients) >= 1
        }
        try target.connection.order("UPDATE reign SET is_alone = 0")
        tell("\(target): is the primary and waits for its replica")
    }

    private func follow(_ other: Server, _ target: Server) async throws {
        let following = try other.connection.following()
        if let following, following.isOf(target.place), following.isReceiving, following.isApplying {
            return tell("\(other): follows \(target)")
        }
        guard case .host(let host, let port) = target.place,
            let address = addresses.first(where: { $0.place == target.place })
        else { throw Refusal("\(target): replicas reach it by TCP only") }
        if following != nil { try other.connection.order("STOP SLAVE") }
        try other.connection.order(
            // As `quoted` has it.
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES'",
            "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
            "SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos",
            """
            CHANGE MASTER TO MASTER_HOST = \(Connection.quoted(host)), MASTER_PORT = \(port),
                MASTER_USER = \(Connection.quoted(address.user)),
                MASTER_PASSWORD = \(Connection.quoted(address.password)),
                MASTER_SSL = \(address.tls == nil ? 0 : 1), MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1
            """,
            "START SLAVE"
        )
        try await wait("\(other): doesn't connect to \(target)") {
            guard let following = try other.connection.following() else { return false }
            if following.receiveError == 1236 {
                throw Refusal("\(other): has what \(target) has not, so it can't follow; make it anew from a copy")
            }
            return following.isReceiving && following.isApplying
        }
        tell("\(other): follows \(target)")
    }

    /// Until it's so; tells once a second that it isn't yet.
    private func wait(
        _ why: String,
        _ patience: Duration? = nil,
        until isSo: () throws -> Bool
    ) async throws {
        let patience = patience ?? options.patience
        let began = ContinuousClock.now
        var told = began
        while try !isSo() {
            let now = ContinuousClock.now
            if now - began > patience { throw Refusal("\(why), after \(patience)") }
            if now - told > .seconds(1) {
                told = now
                tell("\(why); waiting")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
