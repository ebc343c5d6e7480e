import AsyncHTTPClient
import Foundation
import Glibc
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import NIOCore
import NIOHTTP1
import Synchronization

extension FaultPlay {
    /// The longest that anybody else may wait while the payout channel hangs.
    private static let answerLimit = Duration.seconds(5)

    /// A channel that carries orders out and doesn't answer: grants, wallets and requests for withdrawals go on, and
    /// when it answers again each order is paid once.
    func hungChannel(_ world: FaultWorld) async throws -> FaultRun.Outcome {
        var random = Seeded(seed: options.seed)
        let sandbox = try await world.startSandbox()
        var server = try world.startServer(payingOver: sandbox)
        let slowest = Mutex(Duration.zero)
        var kills = 0
        for round in 0..<options.rounds {
            let address = try await server.firstLine()
            let (before, during) = (pause(&random), pause(&random))
            let isKilled = round % 4 == 3
            let running = server
            try await world.load(address, &random) {
                try await Task.sleep(for: before)
                try await sandbox.set(#"{"hangs":1000,"hangTime":60000}"#)
                let end = ContinuousClock.now + during
                repeat {
                    let time = try await Self.answerTime(world, address)
                    slowest.withLock { $0 = max($0, time) }
                } while ContinuousClock.now < end
                if isKilled { try await world.killServer(running) }
                try await sandbox.set(#"{"hangs":0}"#)
            }
            if isKilled {
                kills += 1
                try await world.audit("after round \(round)")
                server = try world.startServer(payingOver: sandbox)
            }
            if round.isMultiple(of: 5) {
                progress("round \(round + 1) of \(options.rounds), \(world.withdrawals.counts.accepted) withdrawals")
            }
        }
        let longest = slowest.withLock { $0 }
        if longest > Self.answerLimit {
            world.grants.breach("WL-3: while the channel hung, an answer took \(longest.milliseconds) ms")
        }
        let counted =
            "hung          \(options.rounds) times, \(kills) kills; the slowest answer to others took "
            + "\(longest.milliseconds) ms"
        return try await finish(world, sandbox, server, &random, counted: counted)
    }

    /// How long a person waits for the wallet.
    private static func answerTime(_ world: FaultWorld, _ address: String) async throws -> Duration {
        let began = ContinuousClock.now
        var request = HTTPClientRequest(url: "\(address)/v1/wallet?campaign=\(KillTest.campaign)")
        let token = try world.accounts.token(for: GrantBook.person(0), app: "douyin", at: world.now())
        request.headers.add(name: "Authorization", value: "Bearer \(token)")
        let response = try await world.client.execute(request, timeout: .seconds(30))
        _ = try await response.body.collect(upTo: 1 << 20)
        if response.status != .ok { world.grants.breach("the wallet answers \(response.status)") }
        return ContinuousClock.now - began
    }
}

// MARK: The clock

extension FaultPlay {
    /// 2022-01-24T00:00:00+08:00, when the rollout ends and the live phase begins.
    private static let switchTime = Timestamp(milliseconds: 1_642_953_600_000)
    private static let hour: Int64 = 3_600

    /// The server's clock is moved under load, forward and back: within a phase by seconds, hours and
    /// days, over key epochs of 10 seconds; and from one phase to the other and back. Each phase keeps its own books.
    func clock(_ plain: FaultWorld) async throws -> FaultRun.Outcome {
        var random = Seeded(seed: options.seed)
        let file = try Self.everybodyInBothPhases(options)
        let clock = try await MovedClock(folder: options.folder)
        var world = try FaultWorld(
            programs: plain.programs,
            folder: plain.folder,
            campaignFile: file,
            client: plain.client
        )
        world.sides.append(
            FaultWorld.Side(
                grants: GrantBook(scene: try KillTest.scene(of: file, in: .rollout)),
                withdrawals: WithdrawalBook(prefix: "r")
            )
        )
        // In a process that was loaded with libfaketime first, a Swift program doesn't find its arguments: the library
        // moves the environment, next to which they're looked for. So `env` comes first, and becomes the program.
        world.wrapper = ["/usr/bin/env"]
        world.environment = clock.environment.merging(["HONGBAO_EPOCHS_SECONDS": "10"]) { _, new in new }
        // Tokens are good for days before and after, so that a jump between making and showing one is no news.
        world.now = { clock.now.advanced(bySeconds: -5 * 24 * Self.hour) }
        let start = Self.switchTime.advanced(bySeconds: 48 * Self.hour)
        try clock.move(to: start)
        // The channel keeps the real time, so it can't check signatures, and its callbacks are refused as outdated:
        // queries and sweeps alone bring withdrawals to their end.
        let sandbox = try await world.startSandbox(FaultWorld.unreliable + ["--unsigned"])
        var server = try world.startServer(payingOver: sandbox, arguments: [])
        var processes = [server.pid]
        var jumps = 0
        var kills = 0
        for round in 0..<options.rounds {
            // Live by turns with the rollout, which begins two days before and takes withdrawals a day later.
            world.current = round % 3 == 2 ? 1 : 0
            let base = world.current == 0 ? start : Self.switchTime.advanced(bySeconds: -12 * Self.hour)
            try clock.move(to: base)
            let address = try await server.firstLine()
            let steps = [1, -1, Self.hour, -Self.hour, 8 * Self.hour, -8 * Self.hour, 30, -30].shuffled(using: &random)
            let isKilled = round % 4 == 3
            let (running, moment, player) = (server, pause(&random) / 4, world)
            try await player.load(address, &random) {
                for step in steps {
                    try await Task.sleep(for: moment)
                    try clock.move(by: step)
                }
                try await Task.sleep(for: moment)
                if isKilled { try await player.killServer(running) }
            }
            jumps += steps.count + 1
            if isKilled {
                kills += 1
                try await world.audit("after round \(round)")
                server = try world.startServer(payingOver: sandbox, arguments: [])
                processes.append(server.pid)
            }
            if round.isMultiple(of: 5) {
                progress("round \(round + 1) of \(options.rounds), \(world.grants.counts.acknowledged) acknowledged")
            }
        }
        world.current = 0
        // Later than it ever was: whatever was put off to a time comes due.
        try clock.move(to: start.advanced(bySeconds: 24 * Self.hour))
        let outcome = try await finish(
            world,
            sandbox,
            server,
            &random,
            arguments: [],
            counted: "the clock     jumped \(jumps) times in \(options.rounds) rounds, \(kills) kills"
        )
        try MovedClock.cleanUp(after: processes)
        return outcome
    }

    /// The campaign with everybody in its rollout, money enough there, and rain all the time.
    private static func everybodyInBothPhases(_ options: FaultRun.Options) throws -> String {
        var text = try String(contentsOfFile: options.campaignFile, encoding: .utf8)
        for (old, new) in [
            ("admission: { basisPoints: 500, people: [10001, 10002, 10003] }", "admission: everyone"),
            ("admission: { basisPoints: 1000, people: [10001, 10002, 10003] }", "admission: everyone"),
            ("    budget: 113333200\n", "    budget: 301333320000\n"),
            ("        budget: 50000000\n", "        budget: 200000000000\n"),
            // The rain falls all the time.
            (
                "{ from: 2022-01-31T12:00:00+08:00, to: 2022-02-01T00:30:00+08:00 }",
                "{ from: 2022-01-24T00:00:00+08:00, to: 2022-02-07T00:00:00+08:00 }"
            ),
        ] {
            guard text.contains(old) else { throw KillTestFault("\(options.campaignFile) has no line `\(old)`") }
            text = text.replacing(old, with: new)
        }
        let path = "\(options.folder)/both-phases.yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
