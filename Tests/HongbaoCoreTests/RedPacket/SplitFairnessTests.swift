import HongbaoTesting
import Testing

@testable import HongbaoCore

/// Shares of one packet, from its seed.
private typealias Maker = (_ seed: UInt64) -> [Int64]
/// One of them.
private typealias Picker = (_ seed: UInt64, _ position: Int) -> Int64

/// RP-10: the same expectation for every position, and the same spread.
@Suite struct SplitFairnessTests {
    private static func ours(_ fen: Int64, _ count: Int) -> Maker {
        let split = Split.of(fen, count)
        return { seed in split.positions.map { split.share(at: $0, .seeded(seed)).fen } }
    }

    /// The usual double mean with its bound rounded down: what the tests must find wrong.
    private static func doubleMean(_ fen: Int64, _ count: Int) -> Maker {
        { seed in
            var random = Seeded(seed: seed)
            var rest = fen
            return (0..<count).map { position in
                let left = Int64(count - position)
                let bound = max(1, 2 * rest / left - 1)
                let share = left == 1 ? rest : Int64.random(in: 1...bound, using: &random)
                rest -= share
                return share
            }
        }
    }

    /// Positions whose mean is further from the fair share than chance explains.
    private static func unfair(_ fen: Int64, _ count: Int, packets: UInt64, _ make: Maker) -> [Int] {
        let fair = Double(fen) / Double(count)
        var sums = [Double](repeating: 0, count: count)
        var squares = sums
        for seed in 0..<packets {
            for (position, share) in make(seed).enumerated() {
                sums[position] += Double(share)
                squares[position] += Double(share) * Double(share)
            }
        }
        let n = Double(packets)
        return (0..<count).filter { position in
            let mean = sums[position] / n
            let deviation = ((squares[position] / n - mean * mean) / n).squareRoot()
            return abs(mean - fair) > Chance.deviations * deviation
        }
    }

    @Test(arguments: [(1000, 2), (1000, 3), (1000, 7), (1000, 10), (2000, 21), (5000, 33)] as [(Int64, Int)])
    func everyPositionExpectsTheSame(fen: Int64, count: Int) throws {
        #expect(Self.unfair(fen, count, packets: 500, Self.ours(fen, count)) == [])
    }

    /// Where a fen is much, rounding decides: 1.30 fen on average over 100 people must not favour the last.
    @Test(arguments: [(130, 100), (11, 10), (3, 2), (28, 21)] as [(Int64, Int)])
    func tinyAveragesFavourNobody(fen: Int64, count: Int) throws {
        #expect(Self.unfair(fen, count, packets: 300, Self.ours(fen, count)) == [])
    }

    /// Dealing would hide it if halving favoured some places, so places are looked at as well.
    @Test(arguments: [(130, 100), (11, 10), (3, 2), (28, 21), (1003, 7)] as [(Int64, Int)])
    func everyPlaceExpectsTheSame(fen: Int64, count: Int) {
        let places: Maker = { seed in
            let halving = Halving(surplus: fen - Int64(count), count: count, .seeded(seed))
            return (0..<count).map { 1 + halving.surplus(at: $0) }
        }
        #expect(Self.unfair(fen, count, packets: 600, places) == [])
    }

    /// The same check finds what's wrong with others.
    @Test func unfairSplitsAreFound() {
        #expect(Self.unfair(130, 100, packets: 800, Self.doubleMean(130, 100)).contains(99))
        let skewed: Maker = { seed in
            var shares = [Int64](repeating: 100, count: 10)
            var random = Seeded(seed: seed)
            let moved = Int64.random(in: -40...60, using: &random)
            shares[0] -= moved
            shares[9] += moved
            return shares
        }
        #expect(Self.unfair(1000, 10, packets: 1500, skewed) == [0, 9])
    }

    // MARK: Spread

    /// Chi-square of positions against tenths of the shares' distribution. Each packet counts for one position only, so
    /// that counts are independent.
    private static func chiSquare(count: Int, each: Int, _ pick: Picker) -> (value: Double, freedom: Int) {
        var samples: [[Int64]] = Array(repeating: [], count: count)
        for seed in 0..<UInt64(count * each) {
            let position = Int(seed) % count
            samples[position].append(pick(seed, position))
        }
        let all = samples.flatMap(\.self).sorted()
        let edges = Array(Set((1..<10).map { all[all.count * $0 / 10] })).sorted()
        var table = samples.map { shares in
            shares.reduce(into: [Int](repeating: 0, count: edges.count + 1)) { row, share in
                row[edges.firstIndex { share < $0 } ?? edges.count] += 1
            }
        }
        table.removeAll { $0.allSatisfy { $0 == 0 } }
        let totals = (0...edges.count).map { column in table.reduce(0) { $0 + $1[column] } }
        let value = table.reduce(0.0) { sum, row in
            zip(row, totals).reduce(sum) { sum, cell in
                let expected = Double(cell.1) / Double(count)
                return expected == 0 ? sum : sum + (Double(cell.0) - expected) * (Double(cell.0) - expected) / expected
            }
        }
        return (value, (count - 1) * (totals.count { $0 > 0 } - 1))
    }

    @Test(arguments: [(1000, 3), (1000, 5), (1000, 10), (2100, 21), (130, 100)] as [(Int64, Int)])
    func everyPositionSpreadsTheSame(fen: Int64, count: Int) throws {
        let split = Split.of(fen, count)
        let (value, freedom) = Self.chiSquare(count: count, each: 8_000 / count) { seed, position in
            split.share(at: position, .seeded(seed)).fen
        }
        #expect(value < Chance.chiSquareMax(freedom: freedom), "chi-square \(value) of \(freedom)")
    }

    /// The double mean spreads more for those who come late, though all expect the same.
    @Test func unevenSpreadsAreFound() {
        let make = Self.doubleMean(100_000, 10)
        let (value, freedom) = Self.chiSquare(count: 10, each: 800) { seed, position in make(seed)[position] }
        #expect(value > Chance.chiSquareMax(freedom: freedom), "chi-square \(value) of \(freedom)")
    }

    /// How far shares lie from the mean on average over places, by the variance of the tree: each half's mean moves by
    /// an even draw of at most 1/(its places).
    private static func spread(_ count: Int) -> Double {
        func squares(_ size: Int) -> Double {
            guard size > 1 else { return 1 }
            return [size / 2, size - size / 2].reduce(0) { $0 + squares($1) * (1 + 1 / (3 * Double($1 * $1))) }
        }
        return (squares(count) / Double(count) - 1).squareRoot()
    }

    /// People call it lucky: the standard deviation is 0.58 to 0.70 fair shares.
    @Test(arguments: [2, 3, 10, 21, 100])
    func sharesSpreadAsReckoned(count: Int) throws {
        let make = Self.ours(100_001 * Int64(count), count)
        var squares: [Double] = []
        for seed in 0..<UInt64(6_000 / count) {
            let deviations = make(seed).map { (Double($0 - 1) / 100_000 - 1) * (Double($0 - 1) / 100_000 - 1) }
            squares.append(deviations.reduce(0, +) / Double(count))
        }
        let n = Double(squares.count)
        let variance = squares.reduce(0, +) / n
        let error = (squares.reduce(0) { $0 + ($1 - variance) * ($1 - variance) } / n / n).squareRoot()
        let reckoned = Self.spread(count)
        #expect(abs(variance - reckoned * reckoned) < Chance.deviations * error)
        #expect((0.57...0.70).contains(reckoned))
    }
}

@Suite struct DealTests {
    @Test(arguments: Array(1...70) + [99, 100, 101, 128, 1025, 4099])
    func everyPlaceIsDealtOnce(count: Int) {
        for seed in 0..<(count > 1000 ? 1 : 3) as Range<UInt64> {
            let deal = Deal(count: count, .seeded(seed))
            #expect((0..<count).map { deal.place(of: $0) }.sorted() == Array(0..<count))
        }
        let worst = Deal(count: count, .constant(.max, .max))
        #expect(Set((0..<count).map { worst.place(of: $0) }).count == count)
    }

    @Test func aMillionPlaces() {
        let deal = Deal(count: Split.countMax, .seeded(1))
        let places = (0..<2000).map { deal.place(of: $0 * 499) }
        #expect(Set(places).count == 2000)
        #expect(places.allSatisfy { (0..<Split.countMax).contains($0) })
    }

    /// Few: all orders are as likely.
    @Test(arguments: [2, 3, 4, 5])
    func everyOrderIsAsLikely(count: Int) {
        var counts: [[Int]: Int] = [:]
        let orders = (1...count).reduce(1, *)
        for seed in 0..<UInt64(orders * 60) {
            let deal = Deal(count: count, .seeded(seed))
            counts[(0..<count).map { deal.place(of: $0) }, default: 0] += 1
        }
        #expect(counts.count == orders)
        #expect(Chance.chiSquare(Array(counts.values)) < Chance.chiSquareMax(freedom: orders - 1))
    }

    /// Many: every pair of places is as likely for any two positions, neighbours too.
    @Test(arguments: [(21, 0, 1), (21, 5, 20), (26, 12, 13)])
    func everyPairIsAsLikely(count: Int, a: Int, b: Int) {
        var counts = [Int](repeating: 0, count: count * count)
        for seed in 0..<UInt64(count * (count - 1) * 8) {
            let deal = Deal(count: count, .seeded(seed))
            counts[deal.place(of: a) * count + deal.place(of: b)] += 1
        }
        let pairs = (0..<count * count).filter { $0 / count != $0 % count }.map { counts[$0] }
        #expect(pairs.reduce(0, +) == count * (count - 1) * 8)
        #expect(Chance.chiSquare(pairs) < Chance.chiSquareMax(freedom: pairs.count - 1))
    }
}
