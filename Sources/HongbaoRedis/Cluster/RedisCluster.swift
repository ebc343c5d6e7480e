package import NIOCore
import NIOSSL
import Synchronization

/// A Redis Cluster: sends each command to the node that has its key, and follows slots that move.
///
/// The table of slots is asked for anew when a node says that a slot has moved, and when a node is lost; by one caller
/// at a time, and not again and again. Where it's wrong or missing, the nodes themselves say where to go.
package final class RedisCluster: Redis {
    private struct Target {
        let server: ServerAddress
        var isAsking = false
    }

    private struct State {
        var table = SlotTable()
        var nodes: [ServerAddress: RedisNode] = [:]
        var isRefreshing = false
        var refreshAt = NIODeadline.distantPast
        var isClosed = false
    }

    /// Between two looks at the table. While slots move, every node names the new place anyway.
    private static let refreshPause = TimeAmount.milliseconds(100)
    private static let refreshTimeout = TimeAmount.milliseconds(500)
    /// Before a command is sent again to nodes that are busy with themselves.
    private static let firstPause = Duration.milliseconds(2)

    private let address: RedisAddress
    private let settings: RedisSettings
    private let security: NIOSSLContext?
    private let state = Mutex(State())

    /// - Throws: when the files that the address names can't be read.
    package init(_ address: RedisAddress, settings: RedisSettings = RedisSettings()) throws {
        precondition(!address.servers.isEmpty, "no node is named")
        self.address = address
        self.settings = settings
        security = try address.security.map { try NIOSSLContext($0) }
    }

    /// As far as it's known.
    package var table: SlotTable { state.withLock { $0.table } }

    // MARK: Calling

    package func call(_ command: RedisCommand, by deadline: NIODeadline) async throws(RedisFault) -> RESPValue {
        var target = target(of: command)
        var redirects = 0
        while true {
            let fault: RedisFault
            do throws(RedisFault) {
                let node = try node(target.server)
                return try await node.attempt(command, asking: target.isAsking, by: deadline)
            } catch {
                fault = error
            }
            guard redirects < settings.redirectsMax, NIODeadline.now() < deadline, !Task.isCancelled else {
                throw fault
            }
            target = try await next(command, target, after: fault, redirects)
            redirects += 1
        }
    }

    /// Where to send a command after a fault, if anywhere.
    private func next(
        _ command: RedisCommand,
        _ target: Target,
        after fault: RedisFault,
        _ redirects: Int
    ) async throws(RedisFault) -> Target {
        switch fault.kind {
        case .refused(let code):
            switch Redirect(fault.message, from: target.server.host) {
            case .moved(let slot, let server):
                state.withLock { $0.table.move(slot, to: server) }
                await refresh(asking: server)
                return Target(server: server)
            case .ask(let server): return Target(server: server, isAsking: true)
            case nil: break
            }
            guard RedisFault.passingCodes.contains(code) else { throw fault }
            if code != "TRYAGAIN" { await refresh(asking: nil) }
            do {
                try await Task.sleep(for: Self.firstPause * (1 << min(redirects, 6)))
            } catch {
                throw fault
            }
            return self.target(of: command)
        case .unreachable, .unsent, .outcomeUnknown:
            await refresh(asking: nil, exceptFor: target.server)
            if fault.kind == .outcomeUnknown, !command.isIdempotent { throw fault }
            let other = self.target(of: command, exceptFor: target.server)
            // Nobody else has it: waiting for another master is for those who have time.
            if fault.kind == .unreachable, other.server == target.server { throw fault }
            return other
        case .full: throw fault
        }
    }

    /// The node that has the key, or any node when nobody knows.
    private func target(of command: RedisCommand, exceptFor lost: ServerAddress? = nil) -> Target {
        let table = table
        if let slot = command.slot, let server = table[slot] { return Target(server: server) }
        let all = table.nodes + address.servers
        return Target(server: all.first { $0 != lost } ?? all[0])
    }

    private func node(_ server: ServerAddress) throws(RedisFault) -> RedisNode {
        let node: RedisNode? = state.withLock { state in
            if let node = state.nodes[server] { return node }
            guard !state.isClosed, state.nodes.count < 2 * SlotTable.nodesMax else { return nil }
            let node = RedisNode(server, credentials: address.credentials, security: security, settings: settings)
            state.nodes[server] = node
            return node
        }
        guard let node else { throw RedisFault(.unreachable, "the cluster was closed, or has too many nodes") }
        return node
    }

    package func close() async {
        let nodes = state.withLock { state in
            state.isClosed = true
            return state.nodes.values
        }
        for node in nodes { await node.close() }
    }

    // MARK: The table

    /// Asks one node after the other for the table, unless somebody else does or did a moment ago.
    private func refresh(asking first: ServerAddress?, exceptFor lost: ServerAddress? = nil) async {
        let isMine = state.withLock { state in
            let now = NIODeadline.now()
            guard !state.isRefreshing, state.refreshAt <= now else { return false }
            state.isRefreshing = true
            return true
        }
        guard isMine else { return }
        var found: SlotTable?
        for server in candidates(first, exceptFor: lost) {
            found = await ask(server)
            if found != nil || Task.isCancelled { break }
        }
        let gone = state.withLock { state in
            state.isRefreshing = false
            state.refreshAt = .now() + Self.refreshPause
            guard let found, !found.nodes.isEmpty else { return [RedisNode]() }
            state.table = found
            let kept = Set(found.nodes + address.servers)
            let gone = state.nodes.filter { !kept.contains($0.key) }
            for server in gone.keys { state.nodes[server] = nil }
            return Array(gone.values)
        }
        for node in gone { await node.close() }
    }

    /// Those to ask for the table, in this order. The lost one comes last: it may be the only one.
    private func candidates(_ first: ServerAddress?, exceptFor lost: ServerAddress?) -> [ServerAddress] {
        var all: [ServerAddress] = []
        for server in (first.map { [$0] } ?? []) + table.nodes + address.servers where !all.contains(server) {
            all.append(server)
        }
        return all.filter { $0 != lost } + (lost.map { [$0] } ?? [])
    }

    private func ask(_ server: ServerAddress) async -> SlotTable? {
        let command = RedisCommand(["CLUSTER", "SLOTS"], isIdempotent: true)
        do throws(RedisFault) {
            let answer = try await node(server).attempt(command, by: .now() + Self.refreshTimeout)
            return SlotTable(answer, askedOf: server.host)
        } catch {
            // The next one is asked. If none answers, the command's own fault is told.
            return nil
        }
    }
}
