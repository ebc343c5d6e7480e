import AsyncHTTPClient
import Crypto
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoTesting

/// Kills the real server with SIGKILL at random moments while clients load it over HTTP with grants and withdrawals,
/// starts it again on the same data, and holds in the end that the ledger has exactly what the clients were told and
/// what the payout channel paid (GR-3, GR-5, M3 to M5, M9, M15).
struct KillTest: Sendable {
    struct Options: Sendable {
        var programs: FaultWorld.Programs
        /// An empty folder for the server's data and its logs.
        var folder: String
        var campaignFile = "campaigns/spring-festival-2022.yaml"
        var kills = 50
        var seed: UInt64 = 1
        /// The longest that a server may live after it's ready.
        var livesMilliseconds = 250
        /// One in so many rounds is killed while it starts.
        var earlyKillsEvery = 8
        /// The data are audited after each so many kills, as the crash left them.
        var auditsEvery = 10
    }

    struct Report: Sendable {
        var kills = 0
        /// Of these, before the server was ready.
        var earlyKills = 0
        var verdict = FaultWorld.Verdict()
        var audits = 0
        /// From the start of a process to its first line, in order of size.
        var readyTimes: [Duration] = []

        var medianReady: Duration { readyTimes.isEmpty ? .zero : readyTimes[readyTimes.count / 2] }
        var longestReady: Duration { readyTimes.last ?? .zero }
    }

    let options: Options
    /// Called after each kill with how many there were and what is acknowledged.
    var onKill: @Sendable (_ kills: Int, _ acknowledged: Int) -> Void = { _, _ in }

    static let campaign = "spring-festival-2022"
    static let serviceKey = "kill-test"
    /// The setting that lets `serviceKey` in.
    static var serviceKeySetting: String {
        "kill-test:\(SHA256.hash(data: Array(serviceKey.utf8)).hex):grant+read+accounts"
    }

    func run() async throws -> Report {
        try await FaultWorld.withClient { client in
            let world = try FaultWorld(
                programs: options.programs,
                folder: options.folder,
                campaignFile: options.campaignFile,
                client: client
            )
            return try await run(world, try await world.startSandbox())
        }
    }

    private func run(_ world: FaultWorld, _ sandbox: FaultWorld.Sandbox) async throws -> Report {
        var random = Seeded(seed: options.seed)
        var report = Report()
        while report.kills < options.kills {
            let isEarly = report.kills % options.earlyKillsEvery == options.earlyKillsEvery - 1
            if isEarly {
                try await killWhileStarting(world, sandbox, report.readyTimes.last ?? .milliseconds(500), &random)
                report.earlyKills += 1
            } else {
                report.readyTimes.append(try await loadAndKill(world, sandbox, &random))
            }
            report.kills += 1
            onKill(report.kills, world.grants.counts.acknowledged)
            if report.kills.isMultiple(of: options.auditsEvery) {
                try await world.audit("after kill \(report.kills)")
                report.audits += 1
            }
        }
        let began = ContinuousClock.now
        let server = try world.startServer(payingOver: sandbox)
        let address = try await server.firstLine()
        report.readyTimes.append(ContinuousClock.now - began)
        try await world.settle(address, &random)
        try await world.stopServer(server)
        try await world.audit("at the end")
        report.audits += 1
        report.verdict = try await world.compare(with: try await sandbox.dailyFile(FaultWorld.days()))
        try await sandbox.stop()
        report.readyTimes.sort()
        return report
    }

    /// Of the rain, that which all grants are made in, or another one.
    static func scene(_ key: String = "rain", of campaignFile: String, in phase: PhaseKind = .live) throws -> SceneID {
        guard case .loaded(let campaign, _) = try CampaignFile.load(path: campaignFile).reading,
            let scene = campaign.phase(phase)?.scenes.first(where: { $0.key == key })
        else { throw KillTestFault("\(campaignFile): has no scene `\(key)`") }
        return scene.id
    }

    /// A crash while the one before it is being recovered from.
    private func killWhileStarting(
        _ world: FaultWorld,
        _ sandbox: FaultWorld.Sandbox,
        _ usual: Duration,
        _ random: inout Seeded
    ) async throws {
        let server = try world.startServer(payingOver: sandbox)
        try await Task.sleep(for: usual * Double.random(in: 0..<1, using: &random))
        try await world.killServer(server)
    }

    /// - Returns: how long it took to be ready.
    private func loadAndKill(
        _ world: FaultWorld,
        _ sandbox: FaultWorld.Sandbox,
        _ random: inout Seeded
    ) async throws -> Duration {
        let began = ContinuousClock.now
        let server = try world.startServer(payingOver: sandbox)
        let address = try await server.firstLine()
        let ready = ContinuousClock.now - began
        let life = Duration.milliseconds(Int.random(in: 0...options.livesMilliseconds, using: &random))
        try await world.load(address, &random) {
            try await Task.sleep(for: life)
            try await world.killServer(server)
        }
        return ready
    }

    /// All grants in the ledger of a data folder.
    static func bookedGrants(_ dataFolder: String) async throws -> [OrderNumber: Int64] {
        try await FaultWorld.rows(of: dataFolder).grants
    }
}

/// Why a kill test can't go on.
struct KillTestFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
