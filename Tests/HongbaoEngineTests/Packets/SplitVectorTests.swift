import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Known answers from an implementation of its own, Tests/KnownAnswers/split.py. When one changes, packets that were
/// committed to can't be checked any more: then the domain needs a new number.
@Suite struct SplitVectorTests {
    static let counting = Array(0..<32 as Range<UInt8>)
    static let ones = [UInt8](repeating: 255, count: 32)

    @Test(
        arguments: [
            (counting, 1000, [76, 25, 149, 29, 262, 147, 164, 93, 12, 43]),
            (counting, 1000, [14, 180, 82, 46, 416, 140, 122]),
            (ones, 1000, [45, 72, 99, 8, 124, 49, 102, 185, 110, 206]),
            (counting, 30, [2, 1, 2, 2, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2]),
            (counting, .max, [2_201_755_708_914_516_158, 3_750_696_145_185_027_100, 3_270_920_182_755_232_549]),
            (
                counting, 1_000_000_000,
                [
                    25_508_139, 19_407_116, 42_714_998, 75_246_718, 11_060_749, 67_522_755, 120_518_246, 69_049_410,
                    6_811_854, 3_303_327, 34_785_241, 10_795_115, 53_864_473, 81_676_699, 13_109_829, 68_613_578,
                    106_995_303, 1_830_662, 61_482_313, 5_303_718, 120_399_757,
                ]
            ),
            (
                ones, 52,
                [
                    1, 1, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 1, 1, 2, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 1, 1, 2,
                    1, 1, 2, 1, 1, 2, 1,
                ]
            ),
        ] as [([UInt8], Int64, [Int64])]
    )
    func shares(seed: [UInt8], fen: Int64, shares: [Int64]) throws {
        let split = Split.of(fen, shares.count)
        let draws = try #require(SplitSeed(seed)).draws
        #expect(split.positions.map { split.share(at: $0, draws).fen } == shares)
    }

    @Test(
        arguments: [
            (counting, 188_000_000, [140, 276, 250, 105]),
            (counting, .max, [6_847_642_073_001, 13_591_973_020_786, 12_272_553_261_512, 5_108_420_284_429]),
            (ones, 188_000_000, [195, 239, 82, 90]),
            (ones, .max, [9_567_497_777_428, 11_734_326_668_840, 3_997_516_339_238, 4_398_172_558_210]),
        ] as [([UInt8], Int64, [Int64])]
    )
    func sharesOfAMillion(seed: [UInt8], fen: Int64, shares: [Int64]) throws {
        let split = Split.of(fen, 1_000_000)
        let draws = try #require(SplitSeed(seed)).draws
        #expect([0, 1, 499_999, 999_999].map { split.share(at: $0, draws).fen } == shares)
    }

    @Test(
        arguments: [
            (7, 1000, 10, .lucky, counting, "8440f829a25a109889b1232f6e684beb74baafd82a04b34952bf9ca86225a64f"),
            (7, 1000, 10, .equal, counting, "76ffc8ff270403cd9871d0a7ddf5c23e9221983d983febfca9977b269f44189f"),
            (.max, .max, 1_000_000, .lucky, ones, "664c07b454d94815d879b3e7cb5a83c9ac14ede2bb2d96f86bc8fa2e387e5a60"),
        ] as [(UInt64, Int64, Int, SplitKind, [UInt8], String)]
    )
    func commitments(packet: UInt64, fen: Int64, count: Int, kind: SplitKind, seed: [UInt8], hex: String) throws {
        let commitment = SplitCommitment(
            to: try #require(SplitSeed(seed)),
            Split.of(fen, count, kind),
            of: RedPacketID(packet)
        )
        #expect(commitment.bytes.hex == hex)
    }
}
