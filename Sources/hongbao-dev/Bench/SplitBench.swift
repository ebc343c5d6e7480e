import HongbaoCore
import HongbaoEngine

/// One lucky share by its position, against walking there through all earlier ones with the same keyed draws.
struct SplitBench: Sendable {
    let bench: Bench

    func run() async throws -> [Figure] {
        let draws = SplitSeed().draws
        let walkTen = Figure(name: "one of 10, walking there", unit: "ns", better: .lower)
        let walkThousand = Figure(name: "one of 1,000, walking there", unit: "ns", better: .lower)
        let ten = Figure(name: "one of 10", unit: "ns", better: .lower, baseline: walkTen.name)
        let thousand = Figure(name: "one of 1,000", unit: "ns", better: .lower, baseline: walkThousand.name)
        let million = Figure(name: "one of 1,000,000", unit: "ns", better: .lower)
        return try await bench.measure([
            Measurement(ten, value: { try share(count: 10, draws) }),
            Measurement(thousand, value: { try share(count: 1000, draws) }),
            Measurement(million, value: { try share(count: 1_000_000, draws) }),
            Measurement(walkTen, value: { try walk(count: 10, draws) }),
            Measurement(walkThousand, value: { try walk(count: 1000, draws) }),
        ])
    }

    private func share(count: Int, _ draws: KeyedDraws) throws -> Double {
        guard let amount = Amount(fen: Int64(188 * count)), let split = Split(.lucky, amount: amount, count: count)
        else { throw BenchFault("no such split") }
        return try nanoseconds(count: count) { split.share(at: $0, draws).fen }
    }

    private func walk(count: Int, _ draws: KeyedDraws) throws -> Double {
        try nanoseconds(count: count) { Self.walk(to: $0, count: count, draws) }
    }

    /// Nanoseconds for a share, over all positions alike.
    private func nanoseconds(count: Int, _ share: (Int) -> Int64) throws -> Double {
        let began = ContinuousClock.now
        let end = began + .seconds(bench.seconds)
        var position = 0
        var done = 0
        var sum: Int64 = 0
        while ContinuousClock.now < end {
            for _ in 0..<16 {
                sum &+= share(position)
                position = (position + 7919) % count
            }
            done += 16
        }
        guard sum > 0 else { throw BenchFault("no shares") }
        return began.duration(to: .now).inSeconds * 1e9 / Double(done)
    }

    /// The double mean, one position after the other.
    private static func walk(to position: Int, count: Int, _ draws: KeyedDraws) -> Int64 {
        var rest = Int64(188 * count)
        var share: Int64 = 0
        for place in 0...position {
            let left = Int64(count - place)
            let bound = UInt64(max(1, 2 * rest / left - 1))
            share = left == 1 ? rest : 1 + Int64(draws.ask(.halve, place, UInt64(count)).first.below(bound))
            rest -= share
        }
        return share
    }
}
