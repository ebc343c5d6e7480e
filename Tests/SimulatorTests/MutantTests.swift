import HongbaoCore
import HongbaoTesting
import Testing

/// The simulator finds every planted bug, so it would find such a bug that nobody planted (docs/money-safety.md).
@Suite(.timeLimit(.minutes(15))) struct MutantTests {
    private static let invariants = [
        "M1", "M2", "M3", "M4", "M5", "M6", "M9", "M10", "M11", "M12", "M13", "M14", "M15",
    ]

    @Test func everyMutantIsKilled() async throws {
        let program = try #require(StartedProgram.built("hongbao-dev"), "hongbao-dev isn't built")
        let run = try await StartedProgram.run(program, ["simulate", "--mutants"])
        #expect(run.code == 0, "\(run.output)\(run.errors)")
        let names = run.output.split(separator: "\n").dropFirst().dropLast().compactMap {
            $0.split(separator: " ").first
        }
        #expect(names.map(String.init) == Mutant.allCases.map { "\($0)" })
        for invariant in Self.invariants {
            #expect(run.output.contains("  \(invariant): "), "no mutant trips \(invariant)")
        }
    }

    @Test func thereAreManyMutants() {
        #expect(Mutant.areBuiltIn)
        #expect(Mutant.allCases.count >= 40)
        for mutant in Mutant.allCases { #expect(!Mutant.isOn(mutant), "\(mutant) is on without being planted") }
    }
}
