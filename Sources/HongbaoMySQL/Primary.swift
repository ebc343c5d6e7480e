import HongbaoEngine
import Synchronization

/// Where one database is, and which of its servers is the primary: the only one that is used, to write and to read.
///
/// A server that is named alone is the primary without a question. Among several, one is when it takes writes, when
/// it is the one that the reign in its database names, when this process knows of no higher reign, and when it
/// acknowledges nothing that no replica has (decision 0026). A database that was moved away says where to, and is
/// followed there (decision 0031).
final class Primary: Sendable, CustomStringConvertible {
    /// Those that the settings name.
    let servers: [ServerAddress]
    private let state = Mutex(State())
    /// How old an answer of the server's may be.
    private static let trusted = Duration.seconds(1)
    /// For so long after none was found nobody looks for it again: many may wait for a server that doesn't answer.
    private static let pause = Duration.milliseconds(100)
    private static let connectSeconds: UInt32 = 2
    /// How often it's followed from one place to another. A database that is moved often has its settings changed.
    private static let placesMax = 8

    private struct State {
        /// Where it was found last, if that's not where the settings say.
        var moved: [ServerAddress]?
        var sights: [[ServerAddress.Place]: Sight] = [:]
        var lastFailure: (error: StoreError, at: ContinuousClock.Instant)?
        var doubts: [Doubt] = []
    }

    /// What is known of several servers that have the database.
    private struct Sight {
        /// Which of them was the primary last.
        var first = 0
        /// The highest that this process has met; `nil` until it has met one.
        var reign: Int64?
    }

    /// A commit of which nobody knows what became, and with which its server may not be done.
    private struct Doubt: Hashable {
        let server: Int64
        let connection: UInt64
        let since: ContinuousClock.Instant
    }

    init(among servers: [ServerAddress]) {
        precondition(!servers.isEmpty)
        self.servers = Self.impatient(servers)
    }

    /// Of several, none is waited for long.
    private static func impatient(_ servers: [ServerAddress]) -> [ServerAddress] {
        guard servers.count > 1 else { return servers }
        return servers.map { server in
            var server = server
            server.connectSeconds = min(server.connectSeconds, Self.connectSeconds)
            return server
        }
    }

    var description: String { "\(servers[0].database) at \(Elsewhere.text(servers.map(\.place)))" }

    /// A new connection to it. Throws `unavailable`, with what is wrong with each server.
    ///
    /// - Parameter answerSeconds: how long the server may take over one answer, of several servers. A commit that waits
    ///   for its replica is given up after that, and so is a server whose machine has gone without a word.
    func connect(answerSeconds: UInt32? = nil) throws(StoreError) -> Connection {
        let (moved, failure) = state.withLock { ($0.moved, $0.lastFailure) }
        if let failure, ContinuousClock.now - failure.at < Self.pause { throw failure.error }
        var visited: [[ServerAddress.Place]] = []
        let began = ContinuousClock.now
        do throws(StoreError) {
            return try find(from: moved, answerSeconds, &visited)
        } catch {
            // A server that is named alone, and that says at once that it can't be used, is asked again at once.
            if servers.count > 1 || visited.count > 1 || ContinuousClock.now - began > Self.pause {
                state.withLock { $0.lastFailure = (error, ContinuousClock.now) }
            }
            throw error
        }
    }

    /// Whether its server is still the primary. The server is asked at most once a second. A database that is moved has
    /// its connections ended.
    func isStill(_ connection: Connection) -> Bool {
        guard connection.servers.count > 1, ContinuousClock.now - connection.checkedAt >= Self.trusted else {
            return true
        }
        do throws(StoreError) {
            return refusal(try Standing(connection), among: connection.servers) == nil
        } catch {
            return false
        }
    }

    // MARK: Commits in doubt

    /// Takes note of a connection that was lost while it committed.
    func doubt(_ connection: Connection) {
        let doubt = Doubt(server: connection.server, connection: connection.id, since: .now)
        state.withLock { $0.doubts.append(doubt) }
    }

    /// Throws `unavailable` while the server is still at work on a commit that this process has given up, as when it
    /// waits for its replica: whoever read back now wouldn't find what is there in the end. When the server was started
    /// since, or another one is the primary, it's decided; also when the database was moved, since all connections to
    /// the former place have ended before.
    func settle(on connection: Connection) throws(StoreError) {
        let doubts = state.withLock { $0.doubts }
        for doubt in doubts {
            if doubt.server == connection.server {
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

    // MARK: Following it

    private enum Answer {
        case here(Connection)
        case elsewhere([ServerAddress.Place])
    }

    /// Begins where it was found last, and goes by the settings when it isn't found from there.
    private func find(
        from moved: [ServerAddress]?,
        _ answerSeconds: UInt32?,
        _ visited: inout [[ServerAddress.Place]]
    ) throws(StoreError) -> Connection {
        guard let moved else { return try follow(from: servers, answerSeconds, &visited) }
        let failure: StoreError
        do throws(StoreError) {
            return try follow(from: moved, answerSeconds, &visited)
        } catch {
            failure = error
        }
        // What was asked in vain isn't asked again.
        if visited.contains(servers.map(\.place)) { throw failure }
        do throws(StoreError) {
            return try follow(from: servers, answerSeconds, &visited)
        } catch {
            throw error == .isBeingMoved ? failure : error
        }
    }

    private func follow(
        from start: [ServerAddress],
        _ answerSeconds: UInt32?,
        _ visited: inout [[ServerAddress.Place]]
    ) throws(StoreError) -> Connection {
        var next = start
        while true {
            let places = next.map(\.place)
            // While a database is moved, both places name the other one for a moment.
            guard !visited.contains(places), visited.count < Self.placesMax else { throw .isBeingMoved }
            visited.append(places)
            switch try (next.count == 1 ? ask(next[0]) : ask(next, answerSeconds)) {
            case .here(let connection):
                connection.servers = places
                let isAsNamed = places == servers.map(\.place)
                state.withLock { state in
                    state.moved = isAsNamed ? nil : next
                    state.lastFailure = nil
                }
                return connection
            case .elsewhere(let places): next = Self.impatient(servers[0].moved(to: places))
            }
        }
    }

    private func ask(_ server: ServerAddress) throws(StoreError) -> Answer {
        let connection = try Connection(server)
        if let elsewhere = try connection.elsewhere() { return .elsewhere(elsewhere.servers) }
        return .here(connection)
    }

    /// The first that is it. A process that knows of no reign yet looks at all servers: an old primary that was started
    /// by mistake may be named before the new one.
    private func ask(_ servers: [ServerAddress], _ answerSeconds: UInt32?) throws(StoreError) -> Answer {
        var found: [(index: Int, connection: Connection, reign: Int64)] = []
        var refusals: [String] = []
        var elsewhere: Elsewhere?
        let places = servers.map(\.place)
        let sight = state.withLock { $0.sights[places] ?? Sight() }
        for offset in servers.indices {
            let index = (sight.first + offset) % servers.count
            do throws(StoreError) {
                var address = servers[index]
                address.answerSeconds = answerSeconds ?? address.answerSeconds
                let connection = try Connection(address)
                // Also a replica may say so: whoever it names says for itself whether it's there.
                if let other = try connection.elsewhere() {
                    elsewhere = other
                    refusals.append("\(address.place): it was moved")
                    continue
                }
                let settings = try ServerSettings(connection)
                let refusalOfUser = try connection.refusalOfUser()
                let standing = try Standing(connection)
                if let refusal = settings.problem ?? refusalOfUser ?? refusal(standing, among: places) {
                    refusals.append("\(address.place): \(refusal)")
                    continue
                }
                found.append((index, connection, standing.reign?.number ?? 0))
                if sight.reign != nil { break }
            } catch {
                refusals.append(error.message)
            }
        }
        guard let best = found.max(by: { $0.reign < $1.reign }) else {
            if let elsewhere { return .elsewhere(elsewhere.servers) }
            let place = "\(servers[0].database) at \(Elsewhere.text(places))"
            throw StoreError(.unavailable, "\(place): none is the primary; \(refusals.joined(separator: "; "))")
        }
        guard found.count(where: { $0.reign == best.reign }) == 1 else {
            throw StoreError(.unavailable, "\(self): more than one takes writes; say which by `hongbao switch-over`")
        }
        state.withLock { $0.sights[places, default: Sight()].first = best.index }
        return .here(best.connection)
    }

    /// Why a server isn't to be used; takes note of its reign otherwise.
    private func refusal(_ standing: Standing, among places: [ServerAddress.Place]) -> String? {
        state.withLock { state in
            if let refusal = standing.refusal(seen: state.sights[places]?.reign ?? 0) { return refusal }
            // Until a switch-over has named a primary there is nothing to go by.
            if let reign = standing.reign { state.sights[places, default: Sight()].reign = reign.number }
            return nil
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
