import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoServer
import HongbaoTesting
import Synchronization

/// A whole cluster on one machine, of real processes on loopback: MariaDB with a replica, and two more between which
/// the database of another part of the people is moved; for running totals a Redis Cluster of three masters and another
/// Redis; nodes that have the people divided among them, gateways that have none, a node that shows wallets, one that
/// audits, and the sandbox outside.
final class ClusterWorld: Sendable {
    /// A `hongbao serve` that is started again and again at the same address.
    struct Member: Hashable, Sendable {
        enum Role: String, Sendable { case core, gateway, async, query, reconcile }

        let role: Role
        let name: String
        let port: Int
        var address: String { "http://127.0.0.1:\(port)" }
    }

    static let mints = 6
    static let silenceSeconds = 3

    let clients: FaultWorld
    /// Of which one is the primary and the other its replica.
    private let databases: [MariaDBServer]
    private let primaryIndex = Mutex(0)
    /// Those of the other parts of the people.
    let shards: [ClusterShard]
    let hotCluster: RedisTrio
    /// Beside that, with the same in it.
    let secondHotState: RedisProcess
    /// `nil` when core nodes post themselves.
    let queue: NATSCluster?
    let members: [Member]
    /// Of all databases, in their order.
    private let urls: [String]
    private let sandbox: FaultWorld.Sandbox
    private let programs = Mutex<[Member: StartedProgram]>([:])
    /// The program that members are started with.
    let server: Mutex<String>

    var primary: MariaDBServer { databases[primaryIndex.withLock { $0 }] }
    var replica: MariaDBServer { databases[1 - primaryIndex.withLock { $0 }] }
    var cores: [Member] { members.filter { $0.role == .core } }
    var gateways: [Member] { members.filter { $0.role == .gateway } }

    init(_ clients: FaultWorld, _ options: ClusterRun.Options) async throws {
        databases = try await MariaDBServer.pair(in: clients.folder)
        var shards: [ClusterShard] = []
        for number in 1..<options.databases {
            shards.append(try await ClusterShard(number, in: clients.folder))
        }
        self.shards = shards
        // Without the slots of one that is gone, the others go on.
        hotCluster = try await RedisTrio.started([
            ("cluster-node-timeout", "2000"), ("cluster-require-full-coverage", "no"),
        ])
        secondHotState = try await RedisProcess()
        queue = options.asyncs > 0 ? try await NATSCluster() : nil
        // The sandbox calls back where the clients' only server would be: that's the first gateway.
        var members = [Member(role: .gateway, name: "gateway1", port: clients.port)]
        for number in 2..<(options.gateways + 1) {
            members.append(Member(role: .gateway, name: "gateway\(number)", port: try freePort()))
        }
        for number in 1...options.cores {
            members.append(Member(role: .core, name: "core\(number)", port: try freePort()))
        }
        for number in 0..<options.asyncs {
            members.append(Member(role: .async, name: "async\(number + 1)", port: try freePort()))
        }
        for number in 0..<options.queries {
            members.append(Member(role: .query, name: "query\(number + 1)", port: try freePort()))
        }
        for number in 0..<options.reconcilers {
            members.append(Member(role: .reconcile, name: "reconcile\(number + 1)", port: try freePort()))
        }
        self.members = members
        server = Mutex(clients.programs.server)
        let (user, operatorUser) = (MariaDBServer.storeUser, MariaDBServer.operatorUser)
        let places = databases.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        let others = shards.map { "127.0.0.1:\($0.first.port)" }
        let urls = ([places] + others).map { "mysql://\(user.name):\(user.password)@\($0)/hongbao" }
        var clients = clients
        clients.environment["HONGBAO_STORE_URL"] = urls[0]
        // For the audit, too, which has to know who is where.
        clients.environment["HONGBAO_CLUSTER_ADDRESS"] = members[0].address
        clients.environment["HONGBAO_CLUSTER_MINTS"] = "\(Self.mints)"
        if urls.count > 1 { clients.environment["HONGBAO_STORE_SHARDS"] = urls.dropFirst().joined(separator: ",") }
        self.urls = urls
        clients.environment["HONGBAO_SWITCH_OVER_USER"] = operatorUser.name
        clients.environment["HONGBAO_SWITCH_OVER_PASSWORD"] = operatorUser.password
        clients.packets = PacketBook(scene: try KillTest.scene(PacketCaller.scene, of: clients.campaignFile))
        clients.twins = TwinBook(scene: try KillTest.scene(TwinCaller.scene, of: clients.campaignFile))
        clients.dataFolder = "\(clients.folder)/core1"
        clients.readRows = {
            var rows = FaultWorld.Rows()
            for url in urls { rows.add(try await Self.reading(url) { try await FaultWorld.rows(in: $0) }) }
            return rows
        }
        self.clients = clients
        sandbox = try await clients.startSandbox()
        let keyring = Keyring()
        for member in members {
            let folder = "\(clients.folder)/\(member.name)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try keyring.create(path: "\(folder)/keyring")
        }
        try await switchOver(to: databases[0])
    }

    // MARK: The databases

    /// `hongbao switch-over`. What it says is added to a file.
    func switchOver(to server: MariaDBServer, _ flags: [String] = []) async throws {
        let program = try StartedProgram(
            clients.programs.server,
            ["switch-over", "--to", "127.0.0.1:\(server.port)"] + flags,
            environment: clients.environment,
            errorFile: "\(clients.folder)/switch-over.log"
        )
        guard try await program.exitCode() == 0 else {
            throw KillTestFault("hongbao switch-over: \(program.output) \(program.errors.suffix(2_000))")
        }
        primaryIndex.withLock { $0 = databases.firstIndex { $0 === server } ?? $0 }
    }

    static func reading<Answer>(
        _ url: String,
        _ body: (any Store) async throws -> Answer
    ) async throws -> Answer {
        var configuration = ServerConfiguration()
        configuration.store = DatabaseAddress(url)
        let opened = try await OpenedStore.open(configuration)
        do {
            let answer = try await body(opened.shards.home)
            try await opened.close()
            return answer
        } catch {
            try await opened.close()
            throw error
        }
    }

    // MARK: Members

    /// Waits until it answers, unless that isn't wanted.
    func start(_ member: Member, waits: Bool = true) async throws {
        let folder = "\(clients.folder)/\(member.name)"
        var settings = try clients.settings(payingOver: sandbox)
        settings.merge(clients.environment) { _, new in new }
        settings["HONGBAO_CLUSTER_ADDRESS"] = member.address
        settings["HONGBAO_CLUSTER_SILENCE_SECONDS"] = "\(Self.silenceSeconds)"
        settings["HONGBAO_ROLES"] = roles(member)
        settings["HONGBAO_QUEUE_URL"] = queue?.address
        // Who has mints mirrors what isn't posted for those who show it.
        if !queries.isEmpty { settings["HONGBAO_HOT_TOKENS_URL"] = hotCluster.address }
        settings["HONGBAO_RECONCILE_EVERY"] = "1s"
        settings["HONGBAO_LOG_LEVEL"] = "notice"
        settings["HONGBAO_TOTALS_MAIN_URL"] = hotCluster.address
        settings["HONGBAO_TOTALS_BACKUP_URL"] = "redis://127.0.0.1:\(secondHotState.port)"
        let program = try StartedProgram(
            server.withLock { $0 },
            ["serve", "--data", folder, "--port", "\(member.port)", "--campaign", clients.campaignFile, "--rehearse"],
            environment: settings,
            errorFile: "\(folder)/log"
        )
        programs.withLock { $0[member] = program }
        if waits { _ = try await program.firstLine() }
    }

    func startAll() async throws {
        for member in members { try await start(member) }
    }

    private func program(_ member: Member) throws -> StartedProgram {
        guard let program = programs.withLock({ $0[member] }) else { throw KillTestFault("\(member.name) isn't there") }
        return program
    }

    func kill(_ member: Member) async throws { try await clients.killServer(try program(member)) }

    /// Gracefully.
    func restart(_ member: Member) async throws {
        try await clients.stopServer(try program(member))
        try await start(member)
    }

    func signal(_ signal: Int32, _ member: Member) throws { try program(member).kill(signal) }

    /// Gracefully, all of them.
    func stopMembers() async throws {
        for member in members { try await clients.stopServer(try program(member)) }
    }

    // MARK: What there is

    /// Sends grants to people of every mint; whether all are answered.
    ///
    /// - Parameter isAsked: whether anybody of a mint is asked; of all, if it isn't said.
    func answersAll(
        _ address: String,
        _ random: inout Seeded,
        isAsked: @Sendable (MintID) -> Bool = { _ in true }
    ) async throws -> Bool {
        let book = clients.grants
        var places = Set<Int>()
        var asked: [GrantBook.Asked] = []
        let division = Division(mints: Self.mints)
        // People come one after the other, each with hundreds of grants; so those of some time ago are asked, too.
        for one in book.sample(400, &random) + book.take(50, &random) {
            let mint = division.mint(of: one.order.person)
            guard isAsked(mint), places.insert(Int(mint.rawValue)).inserted || !one.wasAcknowledged else { continue }
            asked.append(one)
        }
        do {
            let answered = try await clients.grantCaller(address).send(asked, as: .batches(100))
            return answered == asked.count && places.count == division.all.count(where: isAsked)
        } catch is Caller.Unanswered {
            return false
        }
    }

    /// Until everything that is accepted is posted, every withdrawal final, and every share where it belongs.
    func settle(_ address: String, _ random: inout Seeded, within limit: Duration = .seconds(180)) async throws {
        try await clients.askAgain(address, &random)
        let end = ContinuousClock.now + limit
        try await finishPlays(address, within: limit)
        while true {
            for asked in clients.withdrawals.open() { try await clients.withdrawalCaller(address).look(asked) }
            let (unposted, pending) = try await left()
            if unposted == 0, pending == 0, clients.withdrawals.open().isEmpty { return }
            guard ContinuousClock.now < end else {
                return clients.grants.breach("M5, M10: \(unposted) batches and \(pending) orders after \(limit)")
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func left() async throws -> (unposted: UInt64, pending: Int) {
        var unposted: UInt64 = 0
        for url in urls {
            unposted += try await Self.reading(url) { store in
                try await store.read { (snapshot) throws(StoreError) in
                    try snapshot.mints().reduce(0) { $0 + $1.lastSequence - $1.postedSequence }
                }
            }
        }
        let rows = try await clients.readRows()
        let pending = rows.withdrawals.count { $0.state == .pending } + rows.claims.count { $0.state == .pending }
        return (unposted, pending)
    }

    /// Until everybody knows whether they have a share, and who they are.
    private func finishPlays(_ address: String, within limit: Duration) async throws {
        guard let packets = clients.packets, let twins = clients.twins else { return }
        let (packetCaller, twinCaller) = (clients.packetCaller(address, packets), clients.twinCaller(address, twins))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for plan in packets.unfinished() { try await packetCaller.play(plan) }
                for two in twins.unfinished() { try await twinCaller.play(two) }
            }
            group.addTask {
                await pause(limit, on: ContinuousClock())
                if Task.isCancelled { return }
                packets.breach("RP-8: \(packets.unfinished().count) packets have no end after \(limit)")
                twins.breach("ID-3: \(twins.unfinished().count) merges have no end after \(limit)")
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// `hongbao audit`, and clients = ledger = channel; then all the rest ends.
    func verdict() async throws -> FaultWorld.Verdict {
        try await clients.audit("at the end")
        let verdict = try await clients.compare(with: try await sandbox.dailyFile(FaultWorld.days()))
        try await sandbox.stop()
        for redis in hotCluster.servers + [secondHotState] { try await redis.kill() }
        try await queue?.killAll()
        for database in databases { try await database.stop() }
        for shard in shards { try await shard.stop() }
        return verdict
    }
}
