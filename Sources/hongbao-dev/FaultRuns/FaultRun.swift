import Foundation
import Glibc
import HongbaoCore
import HongbaoTesting

/// A way in which the world fails around a real server, and what must hold all the same.
enum FaultRun: String, Sendable, CaseIterable {
    case kills
    case ledgerKills = "ledger-kills"
    case diskFull = "disk-full"
    case failingWrites = "failing-writes"
    case hungChannel = "hung-channel"
    case clock

    struct Options: Sendable {
        var programs: FaultWorld.Programs
        /// An empty folder.
        var folder: String
        var campaignFile = "campaigns/spring-festival-2022.yaml"
        /// How often the fault comes and goes.
        var rounds = 20
        var seed: UInt64 = 1
        /// The longest that one state of the world lasts, in milliseconds.
        var roundMilliseconds = 500
    }

    struct Outcome: Sendable {
        /// What was done and counted.
        let text: String
        let breaches: [String]
    }

    var meaning: String {
        switch self {
        case .kills: "SIGKILL while grants and withdrawals are in flight, and while starting"
        case .ledgerKills: "SIGKILL of a process that works the ledger, then the laws of the ledger on what is left"
        case .diskFull: "no space left, then space again; also killed while full"
        case .failingWrites: "writes and syncs that fail with EIO, come and go; also killed while failing"
        case .hungChannel: "a payout channel that takes orders and never answers, then does"
        case .clock: "a clock that jumps forward and back, over phases and key epochs"
        }
    }

    func run(_ options: Options, progress: @escaping @Sendable (String) -> Void) async throws -> Outcome {
        switch self {
        case .kills: return try await Self.runKills(options, progress)
        case .ledgerKills:
            let kills = LedgerKills.Options(
                program: options.programs.tools,
                folder: options.folder,
                kills: options.rounds,
                seed: options.seed
            )
            let report = try await LedgerKills(options: kills, progress: progress).run()
            return Outcome(text: report.text, breaches: report.breaches)
        case .diskFull, .failingWrites, .hungChannel, .clock:
            return try await FaultWorld.withClient { client in
                let world = try FaultWorld(
                    programs: options.programs,
                    folder: options.folder,
                    campaignFile: options.campaignFile,
                    client: client
                )
                let play = FaultPlay(options: options, progress: progress)
                switch self {
                case .diskFull: return try await play.diskFull(world)
                case .failingWrites: return try await play.failingWrites(world)
                case .hungChannel: return try await play.hungChannel(world)
                default: return try await play.clock(world)
                }
            }
        }
    }

    private static func runKills(
        _ options: Options,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> Outcome {
        var kills = KillTest.Options(programs: options.programs, folder: options.folder)
        kills.campaignFile = options.campaignFile
        kills.kills = options.rounds
        kills.seed = options.seed
        var test = KillTest(options: kills)
        test.onKill = { count, acknowledged in
            if count.isMultiple(of: 10) { progress("\(count) kills, \(acknowledged) grants acknowledged") }
        }
        let report = try await test.run()
        return Outcome(text: report.text, breaches: report.verdict.breaches)
    }
}

/// The runs in which a fault comes and goes around a living server.
struct FaultPlay: Sendable {
    let options: FaultRun.Options
    let progress: @Sendable (String) -> Void

    func pause(_ random: inout Seeded) -> Duration {
        .milliseconds(Int.random(in: 20...max(20, options.roundMilliseconds), using: &random))
    }

    /// The end that all have in common: a server without faults, everything final, all sides compared.
    func finish(
        _ world: FaultWorld,
        _ sandbox: FaultWorld.Sandbox,
        _ server: StartedProgram?,
        _ random: inout Seeded,
        arguments: [String] = ["--rehearse"],
        counted: String
    ) async throws -> FaultRun.Outcome {
        var running = server
        if running == nil { running = try world.startServer(payingOver: sandbox, arguments: arguments) }
        guard let running else { throw KillTestFault("no server") }
        let address = try await running.firstLine()
        try await world.settle(address, &random)
        try await world.stopServer(running)
        try await world.audit("at the end")
        let verdict = try await world.compare(with: try await sandbox.dailyFile(FaultWorld.days()))
        try await sandbox.stop()
        return FaultRun.Outcome(text: "\(counted)\n\(verdict.text)", breaches: verdict.breaches)
    }

    /// Faults come and go under load: `begin` and `end` one, and one in four servers is killed while it fails.
    ///
    /// - Returns: how many servers were killed.
    func faultsUnderLoad(
        _ world: FaultWorld,
        _ sandbox: FaultWorld.Sandbox,
        _ random: inout Seeded,
        begin: @Sendable (_ round: Int) throws -> Void,
        end: @Sendable () throws -> Void
    ) async throws -> (kills: Int, server: StartedProgram?) {
        var kills = 0
        var server: StartedProgram?
        for round in 0..<options.rounds {
            let running: StartedProgram
            if let server { running = server } else { running = try world.startServer(payingOver: sandbox) }
            let address = try await running.firstLine()
            let (before, during) = (pause(&random), pause(&random))
            let isKilled = round % 4 == 3
            try await world.load(address, &random) {
                try await Task.sleep(for: before)
                try begin(round)
                try await Task.sleep(for: during)
                if isKilled { try await world.killServer(running) }
                try end()
                if !isKilled { try await Task.sleep(for: before) }
            }
            if isKilled {
                kills += 1
                server = nil
                try await world.audit("after round \(round)")
            } else {
                server = running
                guard running.codeIfEnded == nil else {
                    throw KillTestFault("the server ended: \(running.errors.suffix(2000))")
                }
            }
            if round.isMultiple(of: 5) {
                progress("round \(round + 1) of \(options.rounds), \(world.grants.counts.acknowledged) acknowledged")
            }
        }
        return (kills, server)
    }
}
