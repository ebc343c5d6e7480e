/// A Redis Cluster of three masters on loopback, each with a third of the slots and without a replica.
package struct RedisTrio: Sendable {
    package static let slots = 16_384

    package let servers: [RedisProcess]

    /// A server of a cluster that it doesn't belong to yet.
    ///
    /// - Parameter options: in addition to what makes it one.
    package static func server(_ options: [(name: String, value: String)] = []) async throws -> RedisProcess {
        try await RedisProcess([("cluster-enabled", "yes"), ("cluster-config-file", "nodes.conf")] + options)
    }

    /// Waits until each of them knows all slots.
    package static func started(_ options: [(name: String, value: String)] = []) async throws -> RedisTrio {
        var servers: [RedisProcess] = []
        for _ in 0..<3 { servers.append(try await server(options)) }
        for (index, server) in servers.enumerated() {
            let (first, last) = (index * slots / 3, (index + 1) * slots / 3 - 1)
            try await server.order("CLUSTER", "ADDSLOTSRANGE", "\(first)", "\(last)")
            try await server.order("CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)")
        }
        for server in servers.dropFirst() {
            try await servers[0].order("CLUSTER", "MEET", "127.0.0.1", "\(server.port)", "\(server.busPort)")
        }
        let trio = RedisTrio(servers: servers)
        for server in servers { while try await !trio.isSound(server) { try await Task.sleep(for: .milliseconds(10)) } }
        return trio
    }

    /// Whether a server takes commands and knows all three.
    private func isSound(_ server: RedisProcess) async throws -> Bool {
        let information = try await server.ask("CLUSTER", "INFO")
        guard information.contains("cluster_state:ok") else { return false }
        let slots = try await server.ask("CLUSTER", "SLOTS")
        return servers.allSatisfy { slots.contains("\($0.port)") }
    }

    /// As a setting says it.
    package var address: String { "redis-cluster://" + servers.map { "127.0.0.1:\($0.port)" }.joined(separator: ",") }

    /// One that has something.
    package func holder() async throws -> RedisProcess? {
        for server in servers where try await Int(server.ask("DBSIZE").prefix(while: \.isNumber)) ?? 0 > 0 {
            return server
        }
        return nil
    }
}

extension RedisProcess {
    /// What it answers, as `redis-cli` writes it.
    package func ask(_ words: String...) async throws -> String { try await ask(words) }

    private func ask(_ words: [String]) async throws -> String {
        guard let path = Self.find("redis-cli") else {
            throw Fault(description: "redis-cli isn't here: scripts/install cluster, or Debian's package redis-tools")
        }
        let (code, output, errors) = try await StartedProgram.run(path, ["-p", "\(port)"] + words)
        guard code == 0 else { throw Fault(description: "redis-cli \(words): \(output) \(errors)") }
        return output
    }

    package func order(_ words: String...) async throws {
        let answer = try await ask(words)
        guard answer.hasPrefix("OK") else { throw Fault(description: "\(words): \(answer)") }
    }
}
