import HongbaoTesting

extension ClusterRun {
    /// One of everything is lost at once, as with a room or a site, and among it the primary; what is left is the
    /// backup, and gets the traffic (DP-3, FC-8). Answers how long it was until all people were served again by the
    /// gateways that are left. Then all of it comes back.
    func loseCell(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let (lost, backup) = (world.primary, world.replica)
        var members = [try one(of: world.cores, &random)]
        for role in [ClusterWorld.Member.Role.async, .query, .gateway] {
            let all = world.members.filter { $0.role == role }
            // What there is only one of stays.
            if all.count > 1 { members.append(try one(of: all, &random)) }
        }
        let redis = try one(of: world.hotCluster.servers, &random)
        let began = ContinuousClock.now
        for member in members { try await world.kill(member) }
        try await lost.kill()
        try await redis.kill()
        try await world.queue?.kill(0)

        let left = world.gateways.filter { !members.contains($0) }.map(\.address)
        try await world.switchOver(to: backup, ["--old-is-gone", "--alone"])
        let recovery = try await untilAllAnswer(world, left, &random, since: began)

        try await lost.start()
        try await world.switchOver(to: backup)
        try await redis.start()
        try world.queue?.start(0)
        for member in members { try await world.start(member) }
        _ = try await untilAllAnswer(world, world.gateways.map(\.address), &random)
        return recovery
    }
}
