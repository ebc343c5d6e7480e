import ArgumentParser
import Foundation
import HongbaoCore
import HongbaoSimulator
import Synchronization

/// Runs simulations, many seeds on all cores or one.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run the engine in virtual time against faults, crashes and attackers.",
        discussion: """
            Each seed is one installation: the real core and engine, a simulated store and payout channel, clients, \
            kills. After every transaction and every answer an independent auditor checks the invariants M1 to M15 \
            (docs/money-safety.md). Ends with 1 and prints the seeds when something doesn't hold; --seed replays one \
            exactly.

            --mutants plants known bugs, one at a time, and ends with 1 when one isn't noticed. Only debug builds have \
            them.
            """
    )

    @Option(
        help: ArgumentHelp("How many seeds. Default: 10000; with --mutants at most 1000 each.", valueName: "count")
    )
    var seeds: Int?

    @Option(help: "The first seed.")
    var from: UInt64 = 0

    @Option(help: "Threads. Default: as many as there are cores.")
    var threads = ProcessInfo.processInfo.activeProcessorCount

    @Option(help: "Run this seed alone.")
    var seed: UInt64?

    @Flag(help: "With --seed: print all that happens, with the virtual time of it.")
    var trace = false

    @Flag(help: "Plant bugs, one at a time, and say which seed finds each.")
    var mutants = false

    @Option(help: ArgumentHelp("Plant this bug in this process.", visibility: .private))
    var mutant: String?

    private var seedCount: Int { seeds ?? (mutants ? 1_000 : 10_000) }
    private var range: ClosedRange<UInt64> { seed.map { $0...$0 } ?? from...(from + UInt64(seedCount) - 1) }

    func validate() throws {
        guard seedCount > 0, (1...1_000).contains(threads) else {
            throw ValidationError("--seeds and --threads must be at least 1")
        }
        guard !trace || seed != nil else { throw ValidationError("--trace needs --seed") }
        guard !mutants && mutant == nil || Mutant.areBuiltIn else {
            throw ValidationError("mutants are compiled out of release builds: use a debug build")
        }
    }

    func run() async throws {
        insistOnDeterministicHashing()
        if mutants { return try await runMutants() }
        if let mutant { return try plant(mutant) }
        let began = ContinuousClock.now
        let tally = Tally(range)
        let threads = seed == nil ? threads : 1
        let trace: (@Sendable (String) -> Void)? = if trace { { line in print(line) } } else { nil }
        await withCheckedContinuation { done in
            // Simulations keep their thread busy, so not on the cooperative pool.
            DispatchQueue.global().async {
                DispatchQueue.concurrentPerform(iterations: threads) { _ in
                    while let seed = tally.next() { tally.add(Simulation(seed: seed, trace: trace).run()) }
                }
                done.resume()
            }
        }
        tally.summarize(in: began.duration(to: .now).inSeconds, threads: threads)
        if !tally.hasHeld { throw ExitCode(1) }
    }

    private func plant(_ name: String) throws {
        guard let mutant = Mutant.allCases.first(where: { "\($0)" == name }) else {
            throw ValidationError("there is no mutant \(name)")
        }
        if MutantRun.hunt(mutant, range) { throw ExitCode(1) }
    }

    private func runMutants() async throws {
        let began = ContinuousClock.now
        var killed = 0
        print("mutant                      seed  seeds  killed by")
        try await MutantRun.run(Mutant.allCases, range, processes: 2) { outcome in
            if outcome.violation != nil { killed += 1 }
            let name = outcome.mutant.padding(toLength: 26, withPad: " ", startingAt: 0)
            let numbers = [outcome.seed.map { "\($0)" } ?? "-", "\(outcome.seedsRun)"].map { text in
                String(repeating: " ", count: max(0, 6 - text.count)) + text
            }
            print("\(name)\(numbers.joined(separator: " "))  \(outcome.violation ?? "SURVIVED")")
        }
        print("\(killed) of \(Mutant.allCases.count) killed in \(Int(began.duration(to: .now).inSeconds)) s")
        if killed < Mutant.allCases.count { throw ExitCode(1) }
    }
}

/// What many simulations came to.
private final class Tally: Sendable {
    private struct State {
        var next: UInt64
        var done = 0
        var steps = 0
        var kills = 0
        var grants = 0
        var seconds = 0.0
        var history: UInt64 = 0
        var failures: [Simulation.Report] = []
    }

    private let range: ClosedRange<UInt64>
    private let state: Mutex<State>

    init(_ range: ClosedRange<UInt64>) {
        self.range = range
        state = Mutex(State(next: range.lowerBound))
    }

    var hasHeld: Bool { state.withLock { $0.failures.isEmpty } }

    func next() -> UInt64? {
        state.withLock { state in
            guard range.contains(state.next) else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    func add(_ report: Simulation.Report) {
        let done = state.withLock { state in
            state.done += 1
            state.steps += report.steps
            state.kills += report.kills
            state.grants += report.grants
            state.seconds += report.virtualSeconds
            // In any order, since threads end in any.
            state.history &+= report.history
            if !report.violations.isEmpty { state.failures.append(report) }
            return state.done
        }
        if !report.violations.isEmpty { print("seed \(report.seed) FAILED: \(report.violations[0])") }
        if done.isMultiple(of: 1_000) {
            FileHandle.standardError.write(Data("\(done) of \(range.count) seeds\n".utf8))
        }
    }

    func summarize(in seconds: Double, threads: Int) {
        let state = state.withLock { $0 }
        let failures = state.failures.sorted { $0.seed < $1.seed }
        for report in failures.prefix(10) {
            print("\nseed \(report.seed): hongbao-dev simulate --seed \(report.seed) --trace")
            for violation in report.violations { print("  \(violation)") }
        }
        print("seeds      \(state.done) (\(range.lowerBound) to \(range.upperBound)), \(failures.count) failed")
        print(
            "each       \(Simulation.operations) operations of 8 clients; \(state.steps / state.done) steps on average"
        )
        print("answered   \(state.grants) grants, over \(state.kills) kills")
        print("time       \(Int(state.seconds)) s of virtual time in \(Int(seconds)) s")
        print("rate       \(Int(Double(state.done) / seconds)) seeds/s on \(threads) threads")
        print("history    \(String(state.history, radix: 16))")
        print(failures.isEmpty ? "every invariant holds" : "INVARIANTS BROKEN in \(failures.count) seeds")
    }
}
