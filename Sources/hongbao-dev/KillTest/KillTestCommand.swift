import ArgumentParser
import Foundation
import HongbaoTesting

struct KillTestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill-test",
        abstract: "Kill the server with SIGKILL under load, again and again, and compare the ledger with its clients.",
        discussion: """
            Starts `hongbao serve`, which must be beside this program, loads it with grants over HTTP, kills it at \
            random moments, also while it starts, and starts it again on the same data. Its clients write down every \
            answer. In the end every acknowledged grant must be booked exactly once with its amount, nothing else \
            may be booked that was never sent, and `hongbao audit` must confirm it. Exit codes: 0 all of it holds, 1 \
            something doesn't, 2 could not run.
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
            var options = KillTest.Options(program: try Self.server(), folder: data ?? temporary?.path ?? ".")
            options.campaignFile = campaign
            options.kills = kills
            options.seed = seed
            options.livesMilliseconds = life
            var test = KillTest(options: options)
            test.onKill = { [kills] count, acknowledged in
                guard count.isMultiple(of: 10) || count == kills else { return }
                let line = "\(count) kills, \(acknowledged) grants acknowledged\n"
                FileHandle.standardError.write(Data(line.utf8))
            }
            report = try await test.run()
        } catch {
            FileHandle.standardError.write(Data("hongbao-dev kill-test: \(error)\n".utf8))
            throw ExitCode(2)
        }
        print(report.text)
        if report.breachCount > 0 { throw ExitCode(1) }
    }

    private static func server() throws -> String {
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let path = URL(filePath: program).deletingLastPathComponent().appending(path: "hongbao").path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw KillTestFault("\(path) is missing: build the product hongbao, too")
        }
        return path
    }
}

extension KillTest.Report {
    var text: String {
        var lines = [
            "kills         \(kills), \(earlyKills) of them while starting",
            "sent          \(sent) orders",
            "acknowledged  \(acknowledged), and \(replayed) replays that agree",
            "booked        \(booked), \(untold) of them without an answer that arrived",
            "audits        \(audits)",
            "ready in      \(Self.milliseconds(medianReady)) ms (median), "
                + "\(Self.milliseconds(longestReady)) ms (longest)",
        ]
        lines += breaches
        if breachCount > breaches.count { lines.append("and \(breachCount - breaches.count) more") }
        lines.append(breachCount == 0 ? "the ledger has what the clients were told" : "\(breachCount) BREACHES")
        return lines.joined(separator: "\n")
    }

    private static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
