import HongbaoEngine
import Synchronization

/// The servers that have one database, and which of them is the primary: the only one that is used, to write and to
/// read.
///
/// One that is named alone is the primary without a question. Among several, a server is when it takes writes, when it
/// is the one that the reign in its database names, when this process knows of no higher reign, and when it
/// acknowledges nothing that no replica has (decision 0026).
final class Primary: Sendable, CustomStringConvertible {
    let servers: [ServerAddress]
    private let state = Mutex(State())
    /// How old an answer of the server's may be.
    private static let trusted = Duration.seconds(1)
    /// For so long after none was found nobody looks for it again: many may wait for a server that doesn't answer.
    private static let pause = Duration.milliseconds(100)
    private static let connectSeconds: UInt32 = 2

    private struct State {
        /// Where it was found last.
        var place = 0
        /// The highest that this process has met; `nil` until it has met one.
        var reign: Int64?
        var lastFailure: (error: StoreError, at: ContinuousClock.Instant)?
        var doubts: [Doubt] = []
    }

    /// A commit of which nobody knows what became, and with which its server may not be done.
    private struct Doubt: Hashable {
        let place: Int
        let connection: UInt64
        let since: ContinuousClock.Instant
    }

    init(among servers: [ServerAddress]) {
        precondition(!servers.isEmpty)
        guard servers.count > 1 else {
            self.servers = servers
            return
        }
        self.servers = servers.map { server in
            var server = server
            server.connectSeconds = min(server.connectSeconds, Self.connectSeconds)
            return server
        }
    }

    var description: String {
        let places = servers.map { "\($0.place)" }.joined(separator: ", ")
        return "\(servers[0].database) at \(places)"
    }

    /// A new connection to it. Throws `unavailable`, with what is wrong with each server.
    ///
    /// - Parameter answerSeconds: how long the server may take over one answer, of several servers. A commit that waits
    ///   for its replica is given up after that, and so is a server whose machine has gone without a word.
    func connect(answerSeconds: UInt32? = nil) throws(StoreError) -> Connection {
        guard servers.count > 1 else { return try Connection(servers[0]) }
        let now = ContinuousClock.now
        let (first, failure) = state.withLock { ($0.place, $0.lastFailure) }
        if let failure, now - failure.at < Self.pause { throw failure.error }
        do throws(StoreError) {
            let (place, connection) = try find(from: first, answerSeconds)
            state.withLock { state in
                state.place = place
                state.lastFailure = nil
            }
            return connection
        } catch {
            state.withLock { $0.lastFailure = (error, ContinuousClock.now) }
            throw error
        }
    }

    /// Whether its server is still the primary. The server is asked at most once a second.
    func isStill(_ connection: Connection) -> Bool {
        guard servers.count > 1, ContinuousClock.now - connection.checkedAt >= Self.trusted else { return true }
        do throws(StoreError) {
            return refusal(try Standing(connection)) == nil
        } catch {
            return false
        }
    }

    // MARK: Commits in doubt

    /// Takes note of a connection that was lost while it committed.
    func doubt(_ connection: Connection) {
        let doubt = Doubt(place: connection.place, connection: connection.id, since: .now)
        state.withLock { $0.doubts.append(doubt) }
    }

    /// Throws `unavailable` while the server is still at work on a commit that this process has given up, as when it
    /// waits for its replica: whoever read back now wouldn't find what is there in the end. When the server was started
    /// since, or another one is the primary, it's decided.
    func settle(on connection: Connection) throws(StoreError) {
        let doubts = state.withLock { $0.doubts }
        for doubt in doubts {
            if doubt.place == connection.place {
                let seconds = (ContinuousClock.now - doubt.since).components.seconds
                let atWork = try connection.number(
                    """
                    SELECT count(*) FROM information_schema.processlist
                    WHERE id = \(doubt.connection) AND \(seconds) < (
                        SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'UPTIME')
                    """
                )
                if atWork > 0 { throw .isDoubtful }
            }
            state.withLock { $0.doubts.removeAll { $0 == doubt } }
        }
    }

    // MARK: Finding it

    /// The first that is it. A process that knows of no reign yet looks at all servers: an old primary that was started
    /// by mistake may be named before the new one.
    private func find(from first: Int, _ answerSeconds: UInt32?) throws(StoreError) -> (Int, Connection) {
        var found: [(place: Int, connection: Connection, reign: Int64)] = []
        var refusals: [String] = []
        let knowsReign = state.withLock { $0.reign != nil }
        for offset in servers.indices {
            let place = (first + offset) % servers.count
            do throws(StoreError) {
                var address = servers[place]
                address.answerSeconds = answerSeconds ?? address.answerSeconds
                let connection = try Connection(address)
                connection.place = place
                let settings = try ServerSettings(connection)
                let refusalOfUser = try connection.refusalOfUser()
                let standing = try Standing(connection)
                if let refusal = settings.problem ?? refusalOfUser ?? refusal(standing) {
                    refusals.append("\(servers[place].place): \(refusal)")
                    continue
                }
                found.append((place, connection, standing.reign?.number ?? 0))
                if knowsReign { break }
            } catch {
                refusals.append(error.message)
            }
        }
        guard let best = found.max(by: { $0.reign < $1.reign }) else {
            throw StoreError(.unavailable, "\(self): none is the primary; \(refusals.joined(separator: "; "))")
        }
        guard found.count(where: { $0.reign == best.reign }) == 1 else {
            throw StoreError(.unavailable, "\(self): more than one takes writes; say which by `hongbao switch-over`")
        }
        return (best.place, best.connection)
    }

    /// Why a server isn't to be used; takes note of its reign otherwise.
    private func refusal(_ standing: Standing) -> String? {
        state.withLock { state in
            if let refusal = standing.refusal(seen: state.reign ?? 0) { return refusal }
            // Until a switch-over has named a primary there is nothing to go by.
            if let reign = standing.reign { state.reign = reign.number }
            return nil
        }
    }
}

/// Which server is the primary, as it stands in the database. Every switch-over raises the number; it's at least the
/// time in seconds, so that two servers that don't know of each other get different ones.
struct Reign: Hashable {
    var number: Int64
    /// The primary's `server_id`. Replicas have the row, too, and aren't it.
    var server: Int64
    /// It may acknowledge what no replica has: there is none, and the operator knows.
    var isAlone: Bool
}

/// What a server says of itself that decides whether it's the primary.
struct Standing: Hashable {
    var isReadOnly: Bool
    var serverID: Int64
    var reign: Reign?
    var acknowledging: Acknowledging
    /// Whether commits wait for a replica: `rpl_semi_sync_master_enabled` and `Rpl_semi_sync_master_status`.
    var waits: Bool
    var isWaiting: Bool

    /// What of a server's settings keeps it from acknowledging what no replica has, once it waits for one at all.
    struct Acknowledging: Hashable {
        var waitPoint: String
        var timeoutMilliseconds: Int64
        var waitsWithoutReplica: Bool
        var hasBinlog: Bool
        var syncsBinlog: Int64
        var isStrict: Bool
        var flushesAtCommit: Int64

        /// A year. When it's over, the server goes on without its replica and tells nobody, so it must never be.
        static let timeoutLeast: Int64 = 31_536_000_000

        var problem: String? {
            if !hasBinlog { return "log_bin is OFF and must be ON: without it there can be no replica" }
            if syncsBinlog != 1 {
                return "sync_binlog is \(syncsBinlog) and must be 1: with less, a power cut parts it from its replica"
            }
            if !isStrict { return "gtid_strict_mode is OFF and must be ON: without it, servers part unnoticed" }
            if flushesAtCommit != 3 {
                return """
                    innodb_flush_log_at_trx_commit is \(flushesAtCommit) and must be 3: with less, a server that is \
                    started as a replica takes back what it acknowledged last
                    """
            }
            if waitPoint != "AFTER_SYNC" {
                return """
                    rpl_semi_sync_master_wait_point is \(waitPoint) and must be AFTER_SYNC: otherwise others read what \
                    no replica has
                    """
            }
            if timeoutMilliseconds < Self.timeoutLeast {
                return """
                    rpl_semi_sync_master_timeout is \(timeoutMilliseconds) and must be \(Self.timeoutLeast) or more: \
                    after it, the server acknowledges what no replica has
                    """
            }
            if !waitsWithoutReplica {
                return """
                    rpl_semi_sync_master_wait_no_slave is OFF and must be ON: otherwise the server acknowledges what \
                    no replica has as soon as there is none
                    """
            }
            return nil
        }
    }

    /// - Parameter seen: the highest reign that is known.
    func refusal(seen: Int64) -> String? {
        if isReadOnly { return "it's read-only" }
        if let reign {
            if reign.number < seen { return "its reign \(reign.number) is over; there has been \(seen)" }
            if reign.server != serverID {
                return "it isn't the primary of reign \(reign.number): that's the one with server_id \(reign.server)"
            }
        } else if seen > 0 {
            return "it knows of no reign; there has been \(seen)"
        }
        if let problem = acknowledging.problem { return problem }
        if reign?.isAlone == true { return nil }
        if !waits {
            return """
                rpl_semi_sync_master_enabled is OFF and must be ON: without it, what is acknowledged is lost with the \
                server
                """
        }
        return isWaiting ? nil : "its commits don't wait for a replica (Rpl_semi_sync_master_status is OFF)"
    }
}

extension Standing {
    /// Asks the server, and takes note of when.
    init(_ connection: Connection) throws(StoreError) {
        connection.checkedAt = .now
        let own = """
            SELECT @@global.read_only, @@global.server_id, @@global.rpl_semi_sync_master_enabled,
                @@global.rpl_semi_sync_master_wait_point, CAST(@@global.rpl_semi_sync_master_timeout AS SIGNED),
                @@global.rpl_semi_sync_master_wait_no_slave, @@global.log_bin, @@global.sync_binlog,
                @@global.gtid_strict_mode, (SELECT variable_value FROM information_schema.global_status
                    WHERE variable_name = 'RPL_SEMI_SYNC_MASTER_STATUS'), @@global.innodb_flush_log_at_trx_commit,
            """
        let rows: [Standing]
        do throws(StoreError) {
            let sql = own + " number, server, is_alone FROM (SELECT 1) AS one LEFT JOIN reign ON id = 1"
            rows = try connection.ask(sql) { row throws(StoreError) in Standing(row) }
        } catch {
            // No store has opened this database yet.
            guard connection.lastFault?.number == Self.noSuchTable else { throw error }
            rows = try connection.ask(own + " NULL, NULL, NULL") { row throws(StoreError) in Standing(row) }
        }
        guard let standing = rows.first else { throw StoreError(.unavailable, "the server says nothing of itself") }
        self = standing
    }

    private static let noSuchTable: UInt32 = 1146

    private init(_ row: borrowing PreparedStatement) {
        isReadOnly = row.integer(0) != 0
        serverID = row.integer(1)
        waits = row.integer(2) != 0
        acknowledging = Acknowledging(
            waitPoint: row.text(3),
            timeoutMilliseconds: row.integer(4),
            waitsWithoutReplica: row.integer(5) != 0,
            hasBinlog: row.integer(6) != 0,
            syncsBinlog: row.integer(7),
            isStrict: row.integer(8) != 0,
            flushesAtCommit: row.integer(10)
        )
        isWaiting = row.text(9) == "ON"
        if !row.isNull(11) {
            reign = Reign(number: row.integer(11), server: row.integer(12), isAlone: row.integer(13) != 0)
        }
    }
}

extension Connection {
    /// A user who may write to a read-only server would write to an old primary.
    fileprivate func refusalOfUser() throws(StoreError) -> String? {
        let rights = try ask(
            """
            SELECT privilege_type FROM information_schema.user_privileges
            WHERE grantee = concat('''', replace(current_user(), '@', '''@'''), '''')
                AND privilege_type IN ('SUPER', 'READ_ONLY ADMIN', 'READ ONLY ADMIN')
            """
        ) { row throws(StoreError) in row.text(0) }
        guard let right = rights.first else { return nil }
        return "the user has the privilege \(right) and must not: it writes to a server that is read-only"
    }
}
