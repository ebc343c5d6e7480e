import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Synchronization

extension ClusterRun {
    /// A database that is away must stop its own people only (DP-3): the others are to be served while it is, and all
    /// of them when it's back. Answers how long it was until the others were served.
    func strikeShard(_ blow: Blow, _ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let addresses = world.gateways.map(\.address)
        let index = Int.random(in: 0..<world.shards.count, using: &random)
        let shard = world.shards[index].server
        let began = ContinuousClock.now
        if blow == .shardKilled { try await shard.kill() } else { await shard.signal(SIGSTOP) }
        let places = options.databases
        let others = try await untilAllAnswer(world, addresses, &random, since: began) {
            Shards.index(of: $0, in: Division(mints: ClusterWorld.mints), among: places) != index + 1
        }
        if blow == .shardKilled {
            try await shard.start()
        } else {
            try await Task.sleep(until: began + .seconds(options.stallSeconds))
            await shard.signal(SIGCONT)
        }
        let back = ContinuousClock.now
        let all = try await untilAllAnswer(world, addresses, &random, since: back)
        guard all < .seconds(60) else {
            throw KillTestFault("people of a database that is back were asked in vain for \(all)")
        }
        return others
    }

    /// Moves it while everybody is served (DP-3, FC-8). Answers how long anybody was refused at most.
    func moveShard(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let index = Int.random(in: 0..<world.shards.count, using: &random)
        let longest = try await longestRefusal(world, random.next()) { try await world.moveShard(index) }
        if longest > Self.refusedMax {
            world.clients.grants.breach("FC-8: a database was moved, and somebody was refused for \(longest)")
        }
        return longest
    }

    /// Who stands still while a database is moved away must not write where it was. Answers how long it was until all
    /// were served when that node goes on.
    func moveShardUnseen(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let core = try one(of: world.cores, &random)
        let began = ContinuousClock.now
        try world.signal(SIGSTOP, core)
        try await world.moveShard(Int.random(in: 0..<world.shards.count, using: &random))
        try await Task.sleep(until: began + .seconds(options.stallSeconds))
        try world.signal(SIGCONT, core)
        return try await untilAllAnswer(world, world.gateways.map(\.address), &random)
    }
}

/// The database of a part of the people, and the servers between which it's moved.
final class ClusterShard: Sendable {
    private let servers: [MariaDBServer]
    private let place = Mutex(0)

    /// - Parameter number: that no other has.
    init(_ number: Int, in folder: String) async throws {
        servers = try await MariaDBServer.movable([10 * number, 10 * number + 1], in: folder)
    }

    /// The one that settings name.
    var first: MariaDBServer { servers[0] }
    /// The one that has it.
    var server: MariaDBServer { servers[place.withLock { $0 }] }
    var other: MariaDBServer { servers[1 - place.withLock { $0 }] }

    func hasMoved() { place.withLock { $0 = 1 - $0 } }

    func stop() async throws {
        for server in servers { try await server.stop() }
    }
}

extension ClusterWorld {
    /// `hongbao move-database`. What it says is added to a file.
    func moveShard(_ index: Int) async throws {
        let program = try StartedProgram(
            clients.programs.server,
            ["move-database", "--database", "\(index + 2)", "--to", "127.0.0.1:\(shards[index].other.port)"],
            environment: clients.environment,
            errorFile: "\(clients.folder)/move-database.log"
        )
        guard try await program.exitCode() == 0 else {
            throw KillTestFault("hongbao move-database: \(program.output) \(program.errors.suffix(2_000))")
        }
        shards[index].hasMoved()
    }
}
