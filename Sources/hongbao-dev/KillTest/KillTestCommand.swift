import ArgumentParser
import Foundation
import HongbaoTesting

struct KillTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill-test",
        abstract: "Kill the server with SIGKILL under load, again and again, and compare the ledger with its clients.",
        discussion: """
            Starts `hongbao serve`, which must be beside this program, and a payout channel that loses replies and \
            callbacks; loads the server with grants and withdrawals over HTTP, kills it at random moments, also while \
            it starts, and starts it again on the same data. Its clients write down every answer. In the end every \
            acknowledged grant must be booked exactly once with its amount, nothing else may be booked that was never \
            sent, every withdrawal must be final and the same in the channel's file, and `hongbao audit` must confirm \
            it. Exit codes: 0 all of it holds, 1 something doesn't, 2 could not run.
            """
    )

    @Option(help: "How many times.")
    var kills = 500
    @Option(help: "Seed of when to kill and what to send.")
    var seed: UInt64 = 1
    @Option(help: "Longest life of a server after it's ready, in milliseconds.")
    var life = 250
    @Option(help: "Campaign file.")
    var campaign = "campaigns/spring-festival-2022.yaml"
    @Option(help: "Empty folder for the data, kept afterwards; default: a new temporary one, removed at the end.")
    var data: String?

    func validate() throws {
        guard (1...1_000_000).contains(kills) else { throw ValidationError("--kills: 1 to 1000000") }
        guard (0...3_600_000).contains(life) else { throw ValidationError("--life: 0 to 3600000") }
    }

    func run() async throws {
        let report: KillTest.Report
        do {
            let temporary = try data == nil ? TemporaryFolder() : nil
            var options = KillTest.Options(programs: try .beside(), folder: data ?? temporary?.path ?? ".")
            options.campaignFile = campaign
            options.kills = kills
            options.seed = seed
            options.livesMilliseconds = life
            // Each reads all that there is.
            options.auditsEvery = max(options.auditsEvery, kills / 50)
            var test = KillTest(options: options)
            test.onKill = { [kills] count, acknowledged in
                guard count.isMultiple(of: 10) || count == kills else { return }
                say("\(count) kills, \(acknowledged) grants acknowledged")
            }
            report = try await interruptible { [test] in try await test.run() }
        } catch {
            say("hongbao-dev kill-test: \(error)")
            throw ExitCode(2)
        }
        print(report.text)
        if !report.verdict.breaches.isEmpty { throw ExitCode(1) }
    }
}

extension KillTest.Report {
    var text: String {
        """
        kills         \(kills), \(earlyKills) of them while starting
        \(verdict.text)
        audits        \(audits)
        ready in      \(medianReady.milliseconds) ms (median), \(longestReady.milliseconds) ms (longest)
        \(verdict.conclusion)
        """
    }
}

extension FaultWorld.Verdict {
    /// What is wrong, or that nothing is.
    var conclusion: String {
        guard !breaches.isEmpty else { return "the ledger has what the clients were told, and the channel the same" }
        return (breaches + ["\(breaches.count) BREACHES"]).joined(separator: "\n")
    }
}
