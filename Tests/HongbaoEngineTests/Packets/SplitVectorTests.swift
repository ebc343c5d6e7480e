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
                    25_508_139, 19_407_116, 106_995_303, 34_785_241, 10_795_115, 3_303_327, 53_864_473, 1_830_662,
                    6_811_854, 81_676_699, 61_482_313, 67_522_755, 13_109_829, 5_303_718, 120_518_246, 75_246_718,
                    68_613_578, 11_060_749, 42_714_998, 69_049_410, 120_399_757,
                ]
            ),
            (
                ones, 52,
                [
                    1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 1, 1, 2, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1,
                    1,
                    1, 1, 1, 1, 2, 1,
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
            (counting, 188_000_000, [41, 435, 11, 153]),
            (counting, .max, [1_985_850_631_194, 21_381_221_647_823, 526_297_454_004, 7_482_374_062_855]),
            (ones, 188_000_000, [119, 83, 163, 372]),
            (ones, .max, [5_803_371_169_672, 4_023_303_429_954, 7_970_489_761_176, 18_289_021_207_873]),
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
