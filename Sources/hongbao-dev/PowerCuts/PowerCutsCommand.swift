import ArgumentParser
import Foundation
import HongbaoSQLite
import HongbaoTesting

struct PowerCutsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "power-cuts",
        abstract: "Cut the power under the store, again and again, and compare what survives with what it promised.",
        discussion: """
            Runs the real store on a disk in memory. Callers append batches, post transfers and hold withdrawals; the \
            power goes at a write or sync that a seed chooses, while the store opens, works, moves its log into the \
            file, or closes. Of what was not synced then, each sector of 512 bytes is kept, dropped or torn. After \
            each cut the store is opened again on what is left: every acknowledged transaction must be there, each \
            other one whole or not at all, and the file sound. Nothing outside this process is touched but temporary \
            folders. Exit codes: 0 all of it holds, 1 something doesn't, 2 could not run.

            A disk lives through several cuts and depends on its seed alone. To repeat one that failed: \
            --seed N --cuts 10 --trace.
            """
    )

    @Option(help: "How many times.")
    var cuts = 10_000
    @Option(help: "Seed of the first disk; the next ones have the next numbers.")
    var seed: UInt64 = 1
    @Option(help: "How many cuts each disk lives through.")
    var cutsPerDisk = 10
    @Option(help: "How many disks at the same time.")
    var jobs = 4 * ProcessInfo.processInfo.activeProcessorCount
    @Flag(help: "Run the store with synchronous=NORMAL, which must lose transactions.")
    var normal = false
    @Flag(help: "Let the disk say that it has synced when it hasn't, which must end in losses and damage.")
    var lyingDisk = false
    @Flag(help: "Print every operation of every disk.")
    var trace = false

    func validate() throws {
        guard (1...100_000_000).contains(cuts) else { throw ValidationError("--cuts: 1 to 100000000") }
        guard (1...20).contains(cutsPerDisk) else { throw ValidationError("--cuts-per-disk: 1 to 20") }
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs: 1 to 256") }
    }

    func run() async throws {
        var options = PowerCuts.Options()
        options.cuts = cuts
        options.seed = seed
        options.cutsPerDisk = cutsPerDisk
        options.width = jobs
        options.syncs = normal ? .later : .withEachCommit
        options.liesAboutSyncs = lyingDisk
        options.isTraced = trace
        let began = ContinuousClock.now
        let report: PowerCutReport
        do {
            report = try await PowerCuts(options: options).run { [cuts] report in
                guard report.cuts > 0, report.cuts.isMultiple(of: 500) || report.cuts == cuts else { return }
                let line = "\(report.cuts) cuts, \(report.acknowledged) acknowledged, \(report.breachCount) breaches\n"
                FileHandle.standardError.write(Data(line.utf8))
            }
        } catch {
            FileHandle.standardError.write(Data("hongbao-dev power-cuts: \(error)\n".utf8))
            throw ExitCode(2)
        }
        for line in report.trace { print(line) }
        print(report.text(took: ContinuousClock.now - began))
        if report.breachCount > 0 { throw ExitCode(1) }
    }
}

extension PowerCutReport {
    fileprivate func text(took duration: Duration) -> String {
        let seconds = duration / .seconds(1)
        var lines = [
            "cuts          \(cuts): \(whileOpening) while opening, \(whileWorking) at work, \(whileClosing) while "
                + "closing or after; \(inCheckpoints) of them in a checkpoint",
            "operations    \(operations) writes, syncs and the like before them",
            "acknowledged  \(acknowledged) transactions",
            "unanswered    \(untoldKept) transactions survived, \(untoldGone) didn't",
        ]
        for kind in Breach.Kind.allCases {
            lines.append(kind.rawValue.padding(toLength: 14, withPad: " ", startingAt: 0) + "\(count(kind))")
        }
        lines.append(
            "took          \(Int(seconds.rounded())) s, \(Int((Double(cuts) / max(seconds, 0.001)).rounded())) cuts/s"
        )
        lines += examples.map { "seed \($0.seed), after cut \($0.cut): \($0.kind.rawValue): \($0.text)" }
        if breachCount > examples.count { lines.append("and \(breachCount - examples.count) more") }
        if !seeds.isEmpty {
            let shown = seeds.sorted().prefix(50).map(String.init).joined(separator: " ")
            lines.append("seeds         \(shown)\(seeds.count > 50 ? " and \(seeds.count - 50) more" : "")")
        }
        lines.append(breachCount == 0 ? "what was acknowledged is there" : "\(breachCount) BREACHES")
        return lines.joined(separator: "\n")
    }
}
