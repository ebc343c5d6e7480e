import HongbaoSimulator
import Testing

/// M1 to M15 in virtual time, for some seeds each time; `hongbao-dev simulate` runs many.
@Suite(.timeLimit(.minutes(15))) struct SimulationTests {
    @Test(arguments: 0..<40 as Range<UInt64>)
    func everyInvariantHolds(seed: UInt64) {
        let report = Simulation(seed: seed).run()
        #expect(report.violations.isEmpty)
        #expect(report.grants > 0, "nothing was granted")
    }

    @Test(arguments: 0..<5 as Range<UInt64>)
    func aSeedReplaysExactly(seed: UInt64) {
        let first = Simulation(seed: seed).run()
        let second = Simulation(seed: seed).run()
        #expect(first.history == second.history)
        #expect(first.steps == second.steps)
    }
}
