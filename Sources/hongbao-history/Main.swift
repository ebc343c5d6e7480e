import HongbaoSimulator

/// Prints the history of the first seeds, in one number: `hongbao-history [SEEDS]`.
///
/// `hongbao-dev simulate` prints the same one. This is all of it that must be built to see that an optimised build
/// comes to the same history (`scripts/test --only history`).
@main
enum Main {
    static func main() {
        let seeds = CommandLine.arguments.dropFirst().first.flatMap { UInt64($0) } ?? 100
        var history: UInt64 = 0
        for seed in 0..<seeds { history &+= Simulation(seed: seed).run().history }
        print(String(history, radix: 16))
    }
}
