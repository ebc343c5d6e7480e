import HongbaoCore
import HongbaoEngine
import HongbaoTesting

@testable import HongbaoRedis

/// What keeps running totals: every kind that there is, with nothing in it.
enum TotalsBackend: String, CaseIterable, Sendable {
    case memory, redis, cluster

    struct Open: Sendable {
        let totals: any HotTotals
        /// Loses everything.
        let empty: @Sendable () async throws -> Void
    }

    func with<Answer: Sendable>(_ body: @Sendable (Open) async throws -> Answer) async throws -> Answer {
        switch self {
        case .memory:
            let totals = MemoryTotals()
            return try await body(Open(totals: totals) { totals.removeAll() })
        case .redis:
            let server = try await RedisProcess()
            let node = try RedisNode(RedisAddress(server.address))
            let totals = RedisTotals(node, timeout: .seconds(30))
            let answer = try await body(Open(totals: totals) { _ = try await node.call("FLUSHALL") })
            await totals.close()
            return answer
        case .cluster:
            let servers = try await ClusterOfThree.start()
            let totals = RedisTotals(try RedisCluster(servers.address), timeout: .seconds(30))
            let open = Open(totals: totals) {
                for node in servers.nodes { _ = try await node.call("FLUSHALL") }
            }
            let answer = try await body(open)
            await totals.close()
            await servers.close()
            return answer
        }
    }
}

/// Three masters on loopback, each with a third of the slots and a connection of its own.
struct ClusterOfThree: Sendable {
    let servers: [RedisProcess]
    let nodes: [RedisNode]

    static func start() async throws -> ClusterOfThree {
        let servers = try await RedisTrio.started().servers
        return ClusterOfThree(servers: servers, nodes: try servers.map { try RedisNode(RedisAddress($0.address)) })
    }

    /// Waits until a node knows all slots and takes commands.
    func untilSound(_ node: RedisNode) async throws {
        while true {
            let information = try await node.call("CLUSTER", "INFO").string ?? ""
            let table = SlotTable(try await node.call("CLUSTER", "SLOTS"), askedOf: "")
            if information.contains("cluster_state:ok"), table?.nodes.count == 3 { return }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    var address: RedisAddress {
        var address = RedisAddress(servers[0].address)
        address.isCluster = true
        address.servers = servers.map(\.address)
        return address
    }

    /// Which of the three has a key, as the cluster began.
    func index(of key: String) -> Int { (KeySlot(key).number * 3 + 2) / KeySlot.count }

    func id(_ index: Int) async throws -> String { try await nodes[index].call("CLUSTER", "MYID").string ?? "" }

    func close() async { for node in nodes { await node.close() } }
}
