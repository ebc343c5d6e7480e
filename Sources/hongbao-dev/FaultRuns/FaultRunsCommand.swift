import ArgumentParser
import Foundation
import HongbaoTesting

struct FaultRunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault-runs",
        abstract: "Let the world fail around the real server, and compare ledger, clients and payout channel.",
        discussion: """
            Runs, in this order:
            \(FaultRun.allCases.map { "  \($0.rawValue): \($0.meaning)" }.joined(separator: "\n"))

            Each but ledger-kills loads `hongbao serve`, which must be beside this program, with grants and \
            withdrawals over HTTP, and lets the fault come and go. Then the faults stop: everything accepted must \
            be posted, every withdrawal final, clients, ledger and the channel's file must agree order by order, and \
            `hongbao audit` must confirm it. Needs a C compiler (failing-writes, clock), libfaketime (clock) and, for \
            a real full disk, root. Exit codes: 0 all of it holds, 1 something doesn't, 2 could not run.
            """
    )

    @Option(help: "Run only this one; may be given several times.")
    var only: [FaultRun] = []
    @Option(help: "How often the fault comes and goes, or how many kills.")
    var rounds = 100
    @Option(help: "Seed of when and what.")
    var seed: UInt64 = 1
    @Option(help: "The longest that one state of the world lasts, in milliseconds.")
    var span = 500
    @Option(help: "Campaign file.")
    var campaign = "campaigns/spring-festival-2022.yaml"

    func validate() throws {
        guard (1...1_000_000).contains(rounds) else { throw ValidationError("--rounds: 1 to 1000000") }
        guard (20...600_000).contains(span) else { throw ValidationError("--span: 20 to 600000") }
    }

    func run() async throws {
        var breaches = 0
        for name in only.isEmpty ? FaultRun.allCases : only {
            say("── \(name.rawValue): \(name.meaning)")
            let began = ContinuousClock.now
            let outcome: FaultRun.Outcome
            do {
                let folder = try TemporaryFolder()
                var options = FaultRun.Options(programs: try .beside(), folder: folder.path)
                options.campaignFile = URL(filePath: campaign).path
                options.rounds = rounds
                options.seed = seed
                options.roundMilliseconds = span
                outcome = try await interruptible { [options] in try await name.run(options) { say("   \($0)") } }
            } catch {
                say("hongbao-dev fault-runs: \(name.rawValue): \(error)")
                throw ExitCode(2)
            }
            breaches += outcome.breaches.count
            let verdict = outcome.breaches.isEmpty ? "holds" : "\(outcome.breaches.count) BREACHES"
            let seconds = (ContinuousClock.now - began).milliseconds / 1000
            let title = "\(name.rawValue): \(verdict), seed \(seed), \(seconds) s"
            print(([title, outcome.text] + outcome.breaches).joined(separator: "\n"))
        }
        if breaches > 0 { throw ExitCode(1) }
    }
}

extension FaultRun: ExpressibleByArgument {}
