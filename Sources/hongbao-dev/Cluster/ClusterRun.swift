import Foundation
import Glibc
import HongbaoCore
import HongbaoTesting
import Synchronization

/// Plays a cluster under load while its members are killed and stopped, and holds in the end that the ledger has what
/// the clients were told, and the payout channel the same (DP-2, FC-8, M3 to M6, M9).
struct ClusterRun: Sendable {
    /// What is done to the cluster.
    enum Blow: String, CaseIterable, Sendable {
        /// SIGKILL; it's started again when the others have taken over.
        case coreKilled
        /// SIGSTOP for longer than the others wait; then it goes on where it was.
        case coreStalled
        /// SIGTERM, as for a new version of the program.
        case coreRestarted
        case gatewayKilled
        /// SIGKILL to the primary. It comes back as a server that takes no writes, so its replica takes over.
        case databaseKilled
        /// SIGKILL to the primary, and over to the replica without it. It comes back as a replica.
        case databaseLost
        /// Over to the replica, as for work on the primary's machine.
        case databaseSwitched
        case databaseStalled
        /// SIGKILL to the replica: nothing is acknowledged until it's back.
        case replicaKilled
        case replicaStalled
        /// SIGKILL to the database of another part of the people, and back when the others were served.
        case shardKilled
        case shardStalled
        /// The database of another part of the people goes to another server, and the next time back.
        case shardMoved
        /// The same while a core node is stopped, which goes on afterwards where it was.
        case shardMovedUnseen
        /// The Redis that is by itself.
        case hotStateKilled
        /// A master of the Redis Cluster, one that has a running total.
        case hotMasterKilled
        /// Whichever leads the stream of hints.
        case queueLeaderKilled
        /// All servers of the queue, for as long as a core node is stopped.
        case queueKilled
        case asyncKilled
        case queryKilled
        case reconcilerKilled
        /// SIGKILL to the primary and to one of every kind at once, and over to the replica.
        case cellLost
        /// Every node in turn, SIGTERM and started with another program.
        case upgraded

        var text: String {
            switch self {
            case .coreKilled: "a core node is killed"
            case .coreStalled: "a core node is stopped, and goes on"
            case .coreRestarted: "a core node is restarted"
            case .gatewayKilled: "a gateway is killed"
            case .databaseKilled: "MariaDB is killed and comes back"
            case .databaseLost: "MariaDB is lost"
            case .databaseSwitched: "MariaDB is switched over"
            case .databaseStalled: "MariaDB is stopped, and goes on"
            case .replicaKilled: "MariaDB's replica is killed"
            case .replicaStalled: "the replica is stopped, and goes on"
            case .shardKilled: "another part's MariaDB is killed"
            case .shardStalled: "another part's MariaDB is stopped"
            case .shardMoved: "another part's database is moved"
            case .shardMovedUnseen: "it's moved past a core node that is stopped"
            case .hotStateKilled: "a Redis is killed, and is empty"
            case .queueLeaderKilled: "the leader of the queue is killed"
            case .queueKilled: "all of the queue is killed"
            case .asyncKilled: "an async node is killed"
            case .hotMasterKilled: "a master of the Redis Cluster is killed"
            case .queryKilled: "a query node is killed"
            case .reconcilerKilled: "a reconcile node is killed"
            case .cellLost: "one of everything is lost at once"
            case .upgraded: "all nodes are upgraded in turn"
            }
        }
    }

    struct Options: Sendable {
        var programs: FaultWorld.Programs
        var folder: String
        var campaignFile = "campaigns/spring-festival-2022.yaml"
        var cores = 3
        var gateways = 2
        /// Databases, each for a part of the people.
        var databases = 2
        /// Nodes that post for the core nodes, over a queue; 0: core nodes post themselves.
        var asyncs = 0
        /// Nodes that show wallets of everybody.
        var queries = 1
        /// Nodes that audit.
        var reconcilers = 1
        /// The program that nodes are upgraded to; `nil`: the one that they run, by another name.
        var upgradeTo: String?
        /// How often each of them.
        var times = 5
        var blows = Blow.allCases
        /// How long a core node is stopped.
        var stallSeconds = 2 * ClusterWorld.silenceSeconds
        var seed: UInt64 = 1
        /// How long the load goes on at least.
        var seconds = 0
        /// How long each client waits between two requests for grants.
        var wait = Duration.zero
        /// Of quiet between two blows.
        var pauseSeconds = 2
    }

    struct Report: Sendable {
        /// From the blow until grants to people of every mint were answered again.
        var recoveries: [Blow: [Duration]] = [:]
        var verdict = FaultWorld.Verdict()
        /// Acknowledged while the blows fell.
        var acknowledgedPerSecond = 0.0
    }

    let options: Options
    /// When all members serve.
    var onUp: @Sendable (_ members: [ClusterWorld.Member]) -> Void = { _ in }
    var onBlow: @Sendable (_ blow: Blow, _ recovery: Duration, _ acknowledged: Int) -> Void = { _, _, _ in }

    func run() async throws -> Report {
        try await FaultWorld.withClient { client in
            var clients = try FaultWorld(
                programs: options.programs,
                folder: options.folder,
                campaignFile: options.campaignFile,
                client: client
            )
            clients.wait = options.wait
            let world = try await ClusterWorld(clients, options)
            return try await run(world)
        }
    }

    private func run(_ world: ClusterWorld) async throws -> Report {
        var random = Seeded(seed: options.seed)
        try await world.startAll()
        let addresses = world.gateways.map(\.address)
        _ = try await untilAllAnswer(world, addresses, &random)
        onUp(world.members)
        let began = ContinuousClock.now
        let recoveries = Recoveries()
        let seed = random.next()
        try await load(world, addresses[...], &random) {
            var random = Seeded(seed: seed)
            for blow in (0..<options.times).flatMap({ _ in blows.shuffled(using: &random) }) {
                try await Task.sleep(for: .seconds(options.pauseSeconds))
                let recovery = try await strike(blow, world, &random)
                _ = try await untilWalletsShow(world, &random)
                recoveries.add(blow, recovery)
                onBlow(blow, recovery, world.clients.grants.counts.acknowledged)
            }
            try await Task.sleep(until: began + .seconds(options.seconds))
        }
        var report = Report(recoveries: recoveries.all)
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        report.acknowledgedPerSecond = Double(world.clients.grants.counts.acknowledged) / seconds
        try await world.settle(addresses[0], &random)
        try await world.checkTotals()
        try await checkWallets(world, &random)
        try await world.checkAudits()
        try await world.stopMembers()
        report.verdict = try await world.verdict()
        return report
    }

    /// All clients of all gateways, and people who look at their wallets, while `body` runs.
    private func load(
        _ world: ClusterWorld,
        _ addresses: ArraySlice<String>,
        _ random: inout Seeded,
        while body: @Sendable () async throws -> Void
    ) async throws {
        let seed = random.next()
        guard let address = addresses.first else { return try await lookAtWallets(world, seed, while: body) }
        try await world.clients.load(address, &random) {
            var random = Seeded(seed: seed)
            try await load(world, addresses.dropFirst(), &random, while: body)
        }
    }

    /// Does it, and answers how long it was until all people were served again; then everything is as before.
    private func strike(_ blow: Blow, _ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let addresses = world.gateways.map(\.address)
        switch blow {
        case .coreKilled:
            let core = try one(of: world.cores, &random)
            try await world.kill(core)
            let recovery = try await untilAllAnswer(world, addresses, &random)
            try await world.start(core)
            return recovery
        case .coreStalled:
            let core = try one(of: world.cores, &random)
            try world.signal(SIGSTOP, core)
            let began = ContinuousClock.now
            let recovery = try await untilAllAnswer(world, addresses, &random)
            try await Task.sleep(until: began + .seconds(options.stallSeconds))
            try world.signal(SIGCONT, core)
            return recovery
        case .coreRestarted:
            let core = try one(of: world.cores, &random)
            let began = ContinuousClock.now
            try await world.restart(core)
            _ = try await untilAllAnswer(world, addresses, &random)
            return ContinuousClock.now - began
        case .gatewayKilled:
            let gateway = try one(of: world.gateways, &random)
            try await world.kill(gateway)
            let others = addresses.filter { $0 != gateway.address }
            let recovery = try await untilAllAnswer(world, others.isEmpty ? addresses : others, &random)
            try await world.start(gateway)
            return recovery
        case .databaseKilled, .databaseLost, .databaseSwitched, .databaseStalled, .replicaKilled, .replicaStalled:
            return try await strikeDatabase(blow, world, &random)
        case .shardKilled, .shardStalled: return try await strikeShard(blow, world, &random)
        case .shardMoved: return try await moveShard(world, &random)
        case .shardMovedUnseen: return try await moveShardUnseen(world, &random)
        case .hotStateKilled:
            try await world.secondHotState.kill()
            let recovery = try await untilAllAnswer(world, addresses, &random)
            try await world.secondHotState.start()
            return recovery
        case .hotMasterKilled: return try await strikeHotMaster(world, &random)
        case .queryKilled: return try await strikeQuery(world, &random)
        case .reconcilerKilled: return try await strikeReconciler(world, &random)
        case .cellLost: return try await loseCell(world, &random)
        case .upgraded: return try await upgrade(world, random.next())
        case .queueLeaderKilled, .queueKilled, .asyncKilled:
            return try await strikePosting(blow, world, &random)
        }
    }

    private func strikeDatabase(
        _ blow: Blow,
        _ world: ClusterWorld,
        _ random: inout Seeded
    ) async throws -> Duration {
        let addresses = world.gateways.map(\.address)
        let (primary, replica) = (world.primary, world.replica)
        let began = ContinuousClock.now
        switch blow {
        case .databaseKilled:
            try await primary.kill()
            try await primary.start()
            try await world.switchOver(to: replica)
        case .databaseLost:
            try await primary.kill()
            try await world.switchOver(to: replica, ["--old-is-gone", "--alone"])
            let recovery = try await untilAllAnswer(world, addresses, &random, since: began)
            try await primary.start()
            try await world.switchOver(to: replica)
            return recovery
        case .databaseSwitched:
            try await world.switchOver(to: replica)
        case .replicaKilled:
            try await replica.kill()
            try await Task.sleep(for: .seconds(options.stallSeconds))
            try await replica.start()
        default:
            let stalled = blow == .replicaStalled ? replica : primary
            await stalled.signal(SIGSTOP)
            try await Task.sleep(until: began + .seconds(options.stallSeconds))
            await stalled.signal(SIGCONT)
        }
        return try await untilAllAnswer(world, addresses, &random, since: began)
    }

    func one<Element>(of all: [Element], _ random: inout Seeded) throws -> Element {
        guard let one = all.randomElement(using: &random) else { throw KillTestFault("there is none to strike") }
        return one
    }

    /// How long it takes.
    func untilAllAnswer(
        _ world: ClusterWorld,
        _ addresses: [String],
        _ random: inout Seeded,
        since began: ContinuousClock.Instant = .now,
        isAsked: @Sendable (MintID) -> Bool = { _ in true }
    ) async throws -> Duration {
        for address in addresses {
            while try await !world.answersAll(address, &random, isAsked: isAsked) {
                guard ContinuousClock.now - began < .seconds(120) else {
                    throw KillTestFault("after two minutes some people get no answer from \(address)")
                }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
        return ContinuousClock.now - began
    }

    private final class Recoveries: Sendable {
        private let state = Mutex<[Blow: [Duration]]>([:])

        func add(_ blow: Blow, _ recovery: Duration) { state.withLock { $0[blow, default: []].append(recovery) } }
        var all: [Blow: [Duration]] { state.withLock { $0.mapValues { $0.sorted() } } }
    }
}
