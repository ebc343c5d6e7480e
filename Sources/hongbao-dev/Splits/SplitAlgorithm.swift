import HongbaoCore
import HongbaoEngine

/// Ways to divide an amount by luck: the usual ones, each as it's usually written, and ours.
enum SplitAlgorithm: String, CaseIterable {
    case uniformOfTheRest = "uniform of the rest"
    case doubleMean = "double mean"
    case cutPoints = "cut points"
    case shuffledDoubleMean = "double mean, shuffled"
    case halving = "halving (ours)"

    /// Shares in fen, in the order of claims.
    func shares(of amount: Int64, count: Int, using random: inout SplitMix64) throws -> [Int64] {
        switch self {
        case .uniformOfTheRest:
            Self.oneByOne(amount, count, &random) { rest, left in rest - (left - 1) }
        case .doubleMean:
            Self.oneByOne(amount, count, &random) { rest, left in max(1, 2 * rest / left - 1) }
        case .shuffledDoubleMean:
            try Self.doubleMean.shares(of: amount, count: count, using: &random).shuffled(using: &random)
        case .cutPoints: Self.cut(amount, count, &random)
        case .halving: try Self.halve(amount, count, &random)
        }
    }

    /// Each takes an even draw from 1 to a bound, the last what is left. Nobody is left without a fen.
    private static func oneByOne(
        _ amount: Int64,
        _ count: Int,
        _ random: inout SplitMix64,
        bound: (_ rest: Int64, _ left: Int64) -> Int64
    ) -> [Int64] {
        var rest = amount
        return (0..<count).map { position in
            let left = Int64(count - position)
            guard left > 1 else { return rest }
            let share = Int64.random(in: 1...min(bound(rest, left), rest - (left - 1)), using: &random)
            rest -= share
            return share
        }
    }

    /// All ways to cut the amount into so many pieces are as likely ("stars and bars").
    private static func cut(_ amount: Int64, _ count: Int, _ random: inout SplitMix64) -> [Int64] {
        var cuts: Set<Int64> = []
        while cuts.count < count - 1 { cuts.insert(.random(in: 1..<amount, using: &random)) }
        let ends = cuts.sorted() + [amount]
        return zip(ends, [0] + ends).map { $0 - $1 }
    }

    private static func halve(_ amount: Int64, _ count: Int, _ random: inout SplitMix64) throws -> [Int64] {
        let bytes = (0..<SplitSeed.size).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        guard
            let amount = Amount(fen: amount), let split = Split(.lucky, amount: amount, count: count),
            let draws = SplitSeed(bytes)?.draws
        else { throw BenchFault("no such split") }
        return split.positions.map { split.share(at: $0, draws).fen }
    }
}

/// What many packets of one algorithm have in common. Everything but the counts is in fair shares: amount ÷ count.
struct SplitFigures {
    private(set) var packetCount = 0
    private var sums: [Double]
    private var squares: [Double]
    private var largestSum = 0.0
    private(set) var largest = 0.0
    private let fair: Double

    init(amount: Int64, count: Int) {
        fair = Double(amount) / Double(count)
        sums = [Double](repeating: 0, count: count)
        squares = sums
    }

    mutating func add(_ shares: [Int64]) {
        packetCount += 1
        var packetLargest = 0.0
        for (position, share) in shares.enumerated() {
            let share = Double(share) / fair
            sums[position] += share
            squares[position] += share * share
            packetLargest = max(packetLargest, share)
        }
        largestSum += packetLargest
        largest = max(largest, packetLargest)
    }

    var last: Int { sums.count - 1 }
    func mean(_ position: Int) -> Double { sums[position] / Double(packetCount) }
    func spread(_ position: Int) -> Double {
        max(0, squares[position] / Double(packetCount) - mean(position) * mean(position)).squareRoot()
    }
    var largestMean: Double { largestSum / Double(packetCount) }
}
