import ArgumentParser
import Foundation
import HongbaoFuzzing

struct FuzzCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fuzz",
        abstract: "Give the readers of input from outside inputs that a seeded mutator makes of a corpus.",
        discussion: """
            Targets: json, protobuf, token, record, order, cursor, campaign, outside, resp. Checks for each input what \
            must hold: that what is read can be written and read again, that other parsers agree, that no forged \
            token is accepted, and that nothing traps. The same seed gives the same inputs. scripts/fuzz does the same \
            with libFuzzer, which looks for new paths through the code. Build with -c release for long runs. Exit \
            codes: 0 all of it holds, 1 something doesn't, 2 could not run; a trap ends the program with a signal.
            """
    )

    @Argument(help: "Targets. Default: all.")
    var targets: [FuzzTarget] = []
    @Option(help: "Inputs for each target.")
    var executions = 100_000
    @Option(help: "Seed of the mutator.")
    var seed: UInt64 = 1
    @Option(help: "How many at a time.")
    var threads = 2
    @Option(help: "Folder with a folder of seeds for each target.")
    var corpus = "Tests/Corpus"
    @Option(help: "File for the input at work, written before it's tried: what a trap leaves. Slow; one thread only.")
    var last: String?

    func validate() throws {
        guard executions >= 1 else { throw ValidationError("--executions: 1 or more") }
        guard (1...256).contains(threads) else { throw ValidationError("--threads: 1 to 256") }
        guard last == nil || threads == 1 else { throw ValidationError("--last: with --threads 1 only") }
    }

    func run() async throws {
        var findingCount = 0
        for target in targets.isEmpty ? FuzzTarget.allCases : targets {
            let seeds: [[UInt8]]
            do {
                seeds = try Corpus.load(target, in: corpus).map(\.bytes)
            } catch {
                let line = "hongbao-dev fuzz: \(corpus): \(error.localizedDescription)\n"
                FileHandle.standardError.write(Data(line.utf8))
                throw ExitCode(2)
            }
            let start = ContinuousClock.now
            let report = await run(target, seeds)
            let seconds = (ContinuousClock.now - start).inSeconds
            findingCount += report.findingCount
            let name = target.rawValue.padding(toLength: 9, withPad: " ", startingAt: 0)
            let rate = Int(Double(report.executions) / seconds)
            let slowest = String(format: "%.1f", report.slowest.inSeconds * 1000)
            print(
                "\(name) \(report.executions) inputs, \(rate) a second; slowest \(slowest) ms "
                    + "(\(report.slowestInput.count) bytes); \(report.findingCount) breaches"
            )
            for finding in report.findings {
                print("  \(finding.breach): \(Data(finding.input).base64EncodedString())")
            }
        }
        if findingCount > 0 { throw ExitCode(1) }
    }

    private func run(_ target: FuzzTarget, _ seeds: [[UInt8]]) async -> FuzzRun.Report {
        let (seed, last) = (seed, last)
        return await withTaskGroup(of: FuzzRun.Report.self) { group in
            for thread in 0..<threads {
                // The first takes what doesn't divide.
                let share = executions / threads + (thread == 0 ? executions % threads : 0)
                group.addTask {
                    var run = FuzzRun(target, seeds: seeds, seed: seed &+ UInt64(thread) << 32)
                    return run.run(executions: share) { input in
                        if let last { Self.write(input, to: last) }
                    }
                }
            }
            return await group.reduce(into: FuzzRun.Report()) { $0.add($1) }
        }
    }

    private static func write(_ input: [UInt8], to path: String) {
        do {
            try Data(input).write(to: URL(filePath: path))
        } catch {
            preconditionFailure("\(path) can't be written: \(error)")
        }
    }
}

extension FuzzTarget: ExpressibleByArgument {}
