import ArgumentParser
import Foundation
import HongbaoTesting

struct RestartTimeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart-time",
        abstract: "Measure how long a killed server with many orders takes until it's ready again.",
        discussion: """
            Grants the orders through the real engine into a data folder, takes its files as SIGKILL would leave \
            them, and starts `hongbao serve`, which must be beside this program, on a copy of them, again and again: \
            from the start of the process until /readyz says 200. Build with -c release: debug builds are ten times \
            slower. Exit codes: 0 the median is below --limit, 1 it isn't, 2 could not run.
            """
    )

    @Option(help: "Orders in the data.")
    var orders = 1_000_000
    @Option(help: "Of these, not posted when the server is killed.")
    var unposted = 10_000
    @Option(help: "Grants in one call while filling: small calls make small batches, and more of them.")
    var call = 1_000
    @Option(help: "How many starts.")
    var repetitions = 5
    @Option(help: "The longest median that is good, in milliseconds.")
    var limit: Int64 = 1_000
    @Option(help: "Campaign file.")
    var campaign = "campaigns/spring-festival-2022.yaml"
    @Option(help: "Where a folder for the data is made and removed: the disk to be measured. Default: temporary.")
    var folder: String?

    func validate() throws {
        guard (1...50_000_000).contains(orders) else { throw ValidationError("--orders: 1 to 50000000") }
        guard (0...orders).contains(unposted) else { throw ValidationError("--unposted: 0 to --orders") }
        guard (1...1_000).contains(call) else { throw ValidationError("--call: 1 to 1000") }
        guard (1...100).contains(repetitions) else { throw ValidationError("--repetitions: 1 to 100") }
    }

    func run() async throws {
        let report: RestartTime.Report
        do {
            let temporary = try TemporaryFolder(in: folder)
            var options = RestartTime.Options(program: try FaultWorld.Programs.beside().server, folder: temporary.path)
            options.campaignFile = campaign
            options.orders = orders
            options.unposted = unposted
            options.callSize = call
            options.repetitions = repetitions
            report = try await RestartTime(options: options, progress: say).run()
        } catch {
            say("hongbao-dev restart-time: \(error)")
            throw ExitCode(2)
        }
        print(
            """
            orders  \(orders) in \(report.batches) batches, \(unposted) not posted
            data    \(report.fileBytes >> 20) MiB, and \(report.logBytes >> 20) MiB in SQLite's log
            ready   after \(Self.text(report.readyTimes))
            used    \(Self.text(report.processorTimes)) of processor time
            """
        )
        guard report.readyTimes[report.readyTimes.count / 2].milliseconds < limit else {
            print("TOO SLOW: the limit is \(limit) ms")
            throw ExitCode(1)
        }
    }

    private static func text(_ sorted: [Duration]) -> String {
        let all = sorted.map { "\($0.milliseconds)" }.joined(separator: " ")
        return "\(sorted[sorted.count / 2].milliseconds) ms (median of \(all))"
    }
}

/// A line for whoever watches, on standard error.
func say(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }

extension FaultWorld.Programs {
    /// This program, and the `hongbao` beside it.
    static func beside() throws -> FaultWorld.Programs {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let server = URL(filePath: own).deletingLastPathComponent().appending(path: "hongbao").path
        guard FileManager.default.isExecutableFile(atPath: server) else {
            throw KillTestFault("\(server) is missing: build the product hongbao, too")
        }
        return FaultWorld.Programs(server: server, tools: own)
    }
}
