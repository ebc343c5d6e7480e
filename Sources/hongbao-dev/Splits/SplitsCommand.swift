import ArgumentParser
import Foundation
import HongbaoCore

struct SplitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "splits",
        abstract: "Compare ways to split a red packet: who expects what, and how far it spreads.",
        discussion: """
            Prints the tables of docs/splits.md, in fair shares (amount divided by count). The same seed gives the \
            same tables. Build with -c release.
            """
    )

    @Option(help: "Packets of each kind.")
    var packets = 20_000
    @Option(help: "Seed.")
    var seed: UInt64 = 1

    /// ¥10 for 10, ¥100 for 100, and little more than a fen each: ¥1.30 for 100.
    private static let cases: [(amount: Int64, count: Int)] = [(1000, 10), (10_000, 100), (130, 100)]

    func validate() throws {
        guard (1...10_000_000).contains(packets) else { throw ValidationError("--packets: 1 to 10000000") }
    }

    func run() throws {
        for (amount, count) in Self.cases {
            print("\(amount) fen for \(count), \(packets) packets\n")
            print("| algorithm | mean: first | middle | last | spread: first | middle | last | largest | ever |")
            print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
            for algorithm in SplitAlgorithm.allCases {
                var random = SplitMix64(seed: seed)
                var figures = SplitFigures(amount: amount, count: count)
                for _ in 0..<packets {
                    figures.add(try algorithm.shares(of: amount, count: count, using: &random))
                }
                print(Self.row(algorithm, figures))
            }
            print("")
        }
    }

    private static func row(_ algorithm: SplitAlgorithm, _ figures: SplitFigures) -> String {
        let positions = [0, figures.last / 2, figures.last]
        let values =
            positions.map { figures.mean($0) } + positions.map { figures.spread($0) }
            + [figures.largestMean, figures.largest]
        let cells = values.map { value in
            value.formatted(.number.precision(.fractionLength(2)).locale(Locale(identifier: "en_US_POSIX")))
        }
        return "| \(algorithm.rawValue) | " + cells.joined(separator: " | ") + " |"
    }
}
