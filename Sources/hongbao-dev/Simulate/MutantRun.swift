import Foundation
import HongbaoCore
import HongbaoSimulator
import HongbaoTesting

/// What became of one planted bug.
struct MutantOutcome: Sendable {
    let mutant: String
    /// The first violation; `nil` when nothing was noticed.
    let violation: String?
    /// The seed that found it.
    let seed: UInt64?
    let seedsRun: Int
}

/// Runs one planted bug after the other, each in a process of its own: some end it.
enum MutantRun {
    /// In the process of one bug: a line for each seed, then what it found.
    static func hunt(_ mutant: Mutant, _ seeds: ClosedRange<UInt64>) -> Bool {
        guard Mutant.activate(mutant) else { return false }
        for seed in seeds {
            say("seed \(seed)")
            guard let violation = Simulation(seed: seed).run().violations.first else { continue }
            say("killed \(violation)")
            return true
        }
        return false
    }

    /// - Parameter outcome: told in the order of the list.
    static func run(
        _ mutants: [Mutant],
        _ seeds: ClosedRange<UInt64>,
        processes: Int,
        outcome: (MutantOutcome) -> Void
    ) async throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        try await withThrowingTaskGroup(of: (Int, MutantOutcome).self) { group in
            func begin(_ place: Int) {
                guard place < mutants.count else { return }
                let mutant = mutants[place]
                group.addTask { (place, try await follow(mutant, seeds, own)) }
            }
            for place in 0..<processes { begin(place) }
            var waiting: [Int: MutantOutcome] = [:]
            var next = 0
            var begun = processes
            while let (place, result) = try await group.next() {
                begin(begun)
                begun += 1
                waiting[place] = result
                while let result = waiting.removeValue(forKey: next) {
                    outcome(result)
                    next += 1
                }
            }
        }
    }

    private static func follow(_ mutant: Mutant, _ seeds: ClosedRange<UInt64>, _ own: String) async throws
        -> MutantOutcome
    {
        let program = try StartedProgram(
            own,
            [
                "simulate", "--mutant", "\(mutant)", "--from", "\(seeds.lowerBound)", "--seeds", "\(seeds.count)",
            ],
            environment: ["SWIFT_BACKTRACE": "enable=no"]
        )
        let code = try await program.exitCode()
        let lines = program.output.split(separator: "\n")
        let seed = lines.last { $0.hasPrefix("seed ") }.flatMap { UInt64($0.dropFirst(5)) }
        let tried = seed.map { Int($0 - seeds.lowerBound) + 1 } ?? 0
        let found = lines.last.flatMap { $0.hasPrefix("killed ") ? String($0.dropFirst(7)) : nil }
        let trap = code < 0 ? "trapped" + (Self.trap(program.errors).map { ": \($0)" } ?? "") : nil
        guard let violation = found ?? trap else {
            return MutantOutcome(mutant: "\(mutant)", violation: nil, seed: nil, seedsRun: tried)
        }
        return MutantOutcome(mutant: "\(mutant)", violation: violation, seed: seed, seedsRun: tried)
    }

    /// Where a program ended itself, as `File.swift:12: why`.
    private static func trap(_ errors: String) -> String? {
        guard
            let line = errors.split(separator: "\n").first(where: {
                $0.contains("Fatal error") || $0.contains("Precondition failed")
            })
        else { return nil }
        return line.split(separator: "/").last
            .map { String($0).replacing(": Fatal error", with: "") }
    }

    private static func say(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }
}
