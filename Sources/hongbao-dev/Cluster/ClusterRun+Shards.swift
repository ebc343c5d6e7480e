import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoTesting

extension ClusterRun {
    /// A database that is away must stop its own people only (DP-3): the others are to be served while it is, and all
    /// of them when it's back. Answers how long it was until the others were served.
    func strikeShard(_ blow: Blow, _ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let addresses = world.gateways.map(\.address)
        let index = Int.random(in: 0..<world.shards.count, using: &random)
        let shard = world.shards[index]
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
}
