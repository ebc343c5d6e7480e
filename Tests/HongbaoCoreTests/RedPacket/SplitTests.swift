import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoCore

private func sum(_ shares: [Amount]) -> Int128 { shares.reduce(0) { $0 + Int128($1.fen) } }

/// RP-10: what holds for any amount, count and draws.
@Suite struct SplitTests {
    static let sizes: [(fen: Int64, count: Int)] = [
        (1, 1), (.max, 1), (2, 2), (3, 2), (.max, 2), (3, 3), (4, 3), (.max, 3), (7, 7), (8, 7), (1000, 10),
        (19, 19), (20, 20), (21, 20), (21, 21), (1888, 21), (130, 100), (100, 100), (101, 100), (.max, 100),
        (.max - 1, 127), (888_888, 128), (5000, 129), (1000, 999), (1001, 1000), (20_000_000, 1000),
    ]

    @Test(arguments: sizes, SplitKind.allCases)
    func sharesAddUpAndNobodyGoesWithout(size: (fen: Int64, count: Int), kind: SplitKind) throws {
        let split = Split.of(size.fen, size.count, kind)
        let worst: [UInt128] = [0, .max, 1 << 127]
        var draws = (0..<4 as Range<UInt64>).map { KeyedDraws.seeded($0) }
        for first in worst { for second in worst { draws.append(.constant(first, second)) } }
        for draws in size.count > 200 ? Array(draws.suffix(2)) : draws {
            let shares = split.positions.map { split.share(at: $0, draws) }
            #expect(sum(shares) == Int128(size.fen))
            #expect(shares.allSatisfy { $0.fen >= 1 })
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func anyPacketAddsUp(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let count = Int.random(in: 1...Int.random(in: 1...300, using: &random), using: &random)
        let most = Int64.random(in: 0...62, using: &random)
        let fen = Int64(count) + Int64.random(in: 0...(1 << most), using: &random)
        let split = Split.of(fen, count)
        let shares = split.positions.map { split.share(at: $0, .seeded(seed)) }
        #expect(sum(shares) == Int128(fen))
        #expect(shares.allSatisfy { $0.fen >= 1 })
    }

    /// A share alone is the one of the list, which is made here by dividing all ranges at once.
    @Test(arguments: [(1000, 10), (77, 77), (1888, 21), (130, 100), (.max, 1000)] as [(Int64, Int)])
    func aShareAloneIsThatOfTheList(fen: Int64, count: Int) throws {
        let split = Split.of(fen, count)
        for seed in 0..<2 as Range<UInt64> {
            let draws = KeyedDraws.seeded(seed)
            let places = Self.list(first: 0, size: count, surplus: fen - Int64(count), draws)
            #expect(places.reduce(0, +) == fen - Int64(count))
            let deal = Deal(count: count, draws)
            for position in split.positions.reversed() {
                let share = split.share(at: position, draws)
                #expect(share.fen == 1 + places[deal.place(of: position)])
                #expect(split.share(at: position, draws) == share)
            }
        }
    }

    /// What was drawn for other shares changes none, in whatever order they are asked for, and is drawn once.
    @Test(arguments: sizes + [(fen: .max, count: 1_000_000), (5_000_000, 1_000_000)], SplitKind.allCases)
    func whatIsKeptChangesNoShare(size: (fen: Int64, count: Int), kind: SplitKind) throws {
        let split = Split.of(size.fen, size.count, kind)
        let asked = Mutex(0)
        let seeded = KeyedDraws.seeded(7)
        let draws = KeyedDraws { question in
            asked.withLock { $0 += 1 }
            return seeded.answer(to: question)
        }
        var random = Seeded(seed: UInt64(size.count))
        let positions = split.positions.shuffled(using: &random).prefix(1_000)
        var drawn = Split.Drawn(split)
        for position in positions {
            #expect(split.share(at: position, draws, &drawn) == split.share(at: position, seeded))
        }
        let first = asked.withLock { $0 }
        for position in positions { _ = split.share(at: position, draws, &drawn) }
        // A tree of a million places has six to seven levels more than are kept.
        let perShare = split.kind == .lucky && size.count == 1_000_000 ? 7 : 0
        #expect(asked.withLock { $0 } - first <= perShare * positions.count)
    }

    private static func list(first: Int, size: Int, surplus: Int64, _ draws: KeyedDraws) -> [Int64] {
        guard size > 1 else { return [surplus] }
        let half = size / 2
        let lower = Halving.lowerPart(of: surplus, size: size, draws.ask(.halve, first, UInt64(size)))
        return list(first: first, size: half, surplus: lower, draws)
            + list(first: first + half, size: size - half, surplus: surplus - lower, draws)
    }

    @Test func aMillionShares() throws {
        for fen in [.max] as [Int64] {
            let split = Split.of(fen, Split.countMax)
            let draws = KeyedDraws.seeded(1)
            let places = Self.list(first: 0, size: Split.countMax, surplus: fen - 1_000_000, draws)
            #expect(places.reduce(0, +) == fen - 1_000_000)
            #expect(places.allSatisfy { $0 >= 0 })
            let deal = Deal(count: Split.countMax, draws)
            for position in [0, 1, 499_999, 999_998, 999_999] {
                #expect(split.share(at: position, draws).fen == 1 + places[deal.place(of: position)])
            }
        }
    }

    @Test(
        arguments: [
            (1000, 10, [100, 100, 100, 100, 100, 100, 100, 100, 100, 100]), (1003, 4, [251, 251, 251, 250]),
            (3, 3, [1, 1, 1]), (5, 3, [2, 2, 1]), (9, 1, [9]), (.max, 2, [1 << 62, 1 << 62 - 1]),
        ] as [(Int64, Int, [Int64])]
    )
    func equalSharesGiveTheRemainderToTheFirst(fen: Int64, count: Int, shares: [Int64]) throws {
        let split = Split.of(fen, count, .equal)
        #expect(split.positions.map { split.share(at: $0, .seeded(1)).fen } == shares)
    }

    @Test(
        arguments: [
            (0, 1, .belowOneFenEach), (1, 0, .noShares), (1, -1, .noShares), (1, .min, .noShares),
            (9, 10, .belowOneFenEach),
            (10, 10, nil), (.max, 1_000_000, nil), (.max, 1_000_001, .tooManyShares), (1, .max, .tooManyShares),
            (999_999, 1_000_000, .belowOneFenEach), (0, 0, .noShares),
        ] as [(Int64, Int, Split.Refusal?)]
    )
    func refusalsByPrecedence(fen: Int64, count: Int, refusal: Split.Refusal?) throws {
        let amount = try #require(Amount(fen: fen))
        #expect(Split.refusal(amount: amount, count: count) == refusal)
        for kind in SplitKind.allCases {
            #expect((Split(kind, amount: amount, count: count) == nil) == (refusal != nil))
        }
    }

    /// RP-3: the first of the luckiest wins a tie.
    @Test(
        arguments: [
            ([], nil), ([5], 0), ([5, 5], 0), ([1, 9, 3, 9], 1), ([1, 2, 3], 2), ([3, 2, 1], 0), ([1, 1, 2, 2, 2], 2),
        ] as [([Int64], Int?)]
    )
    func theFirstOfTheLuckiest(shares: [Int64], index: Int?) {
        #expect(Split.luckiest(of: shares.compactMap { Amount(fen: $0) }) == index)
    }

    @Test(
        arguments: [
            ("", []), ("00ff7F", [0, 255, 127]), ("0", nil), ("0g", nil), ("+1", nil), (" 1", nil), ("１", nil),
            ("é", nil),
        ] as [(String, [UInt8]?)]
    )
    func hexadecimal(text: String, bytes: [UInt8]?) {
        #expect([UInt8](hex: text) == bytes)
        if let bytes { #expect(bytes.hex == text.lowercased()) }
    }
}

/// No share is above six fair surpluses and five fen, whatever is drawn (docs/splits.md).
@Suite struct SplitBoundTests {
    /// The largest share there can be, from the largest sums that the halves of a range can get.
    private struct Largest {
        private struct Range: Hashable {
            let size: Int
            let surplus: Int64
        }
        private var known: [Range: Int64] = [:]

        mutating func surplus(_ size: Int, _ surplus: Int64) -> Int64 {
            guard size > 1 else { return surplus }
            let range = Range(size: size, surplus: surplus)
            if let known = known[range] { return known }
            let parts = [size / 2, size - size / 2].map { part in
                let sum = Int128(part + 1) * Int128(surplus) + Int128(size - 1)
                return self.surplus(part, Int64(sum / Int128(size)))
            }
            let most = max(parts[0], parts[1])
            known[range] = most
            return most
        }
    }

    @Test func noShareIsAboveSixFairOnes() {
        var largest = Largest()
        for count in Array(1...100) + [127, 129, 1025, 4097] {
            let size = Int64(count)
            for surplus in [0, 1, size - 1, size, 3 * size + 1, 999 * size + 7, 1_000_000_007] {
                let most = largest.surplus(count, surplus)
                #expect(Double(most) < 6 * Double(surplus) / Double(count) + 5, "\(surplus) for \(count)")
            }
        }
        // The bound is near: it isn't stated too generously.
        #expect(largest.surplus(4097, 4_097_000_000) > 5_900_000)
    }

    @Test func whatIsDrawnKeepsToIt() throws {
        for count in [2, 3, 5, 10, 33, 100] {
            var largest = Largest()
            let most = 1 + largest.surplus(count, 100 * Int64(count))
            let split = Split.of(101 * Int64(count), count)
            var seen: Int64 = 0
            for seed in 0..<100 as Range<UInt64> {
                for position in split.positions { seen = max(seen, split.share(at: position, .seeded(seed)).fen) }
            }
            #expect(seen <= most && seen > most * 2 / 5, "\(count)")
        }
    }
}
