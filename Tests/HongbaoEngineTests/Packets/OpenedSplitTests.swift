import Crypto
import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

@Suite struct OpenedSplitTests {
    private typealias Claim = OpenedSplit.Claim

    /// A packet of ¥10 for ten as it was published, with all its claims.
    private struct Published {
        let split: Split
        let seed: SplitSeed
        let commitment: SplitCommitment
        let claims: [Claim]
        static let packet = RedPacketID(7)

        init(_ kind: SplitKind = .lucky, seed: SplitSeed? = SplitSeed(SplitVectorTests.counting)) throws {
            split = .of(1003, 10, kind)
            let (seed, split) = (try #require(seed), split)
            self.seed = seed
            commitment = SplitCommitment(to: seed, split, of: Self.packet)
            let draws = seed.draws
            claims = split.positions.map { Claim(position: $0, amount: split.share(at: $0, draws)) }
        }

        func opened(
            packet: RedPacketID = Self.packet,
            split: Split? = nil,
            seed: SplitSeed? = nil,
            claims: [Claim]? = nil
        ) -> OpenedSplit {
            OpenedSplit(
                packet: packet,
                split: split ?? self.split,
                seed: seed ?? self.seed,
                commitment: commitment,
                claims: claims ?? self.claims
            )
        }
    }

    @Test(arguments: SplitKind.allCases) func whatWasPublishedHolds(kind: SplitKind) throws {
        let published = try Published(kind)
        let report = published.opened().verify()
        #expect(report.holds && report.isCommitted && report.faultCount == 0)
        #expect(report.lines.map(\.position) == Array(0..<10))
        #expect(report.lines.map(\.share) == published.claims.map(\.amount))
        #expect(report.lines.allSatisfy { $0.verdict == .agrees })
        // In whatever order claims are given, and when the packet expired before all were claimed.
        #expect(published.opened(claims: published.claims.reversed()).verify() == report)
        let few = published.opened(claims: Array(published.claims.prefix(3))).verify()
        #expect(few.holds)
        #expect(
            few.lines.map(\.verdict) == Array(repeating: .agrees, count: 3) + Array(repeating: .unclaimed, count: 7)
        )
    }

    /// Whatever is changed afterwards, the commitment doesn't fit.
    @Test func nothingCanBeChangedAfterwards() throws {
        let published = try Published()
        let changed = [
            published.opened(packet: RedPacketID(8)),
            published.opened(split: .of(1002, 10)),
            published.opened(split: .of(1004, 10)),
            published.opened(split: .of(1003, 11)),
            published.opened(split: .of(1003, 10, .equal)),
        ]
        for opened in changed {
            let report = opened.verify()
            #expect(!report.isCommitted && !report.holds)
        }
        for bit in 0..<256 {
            var bytes = published.seed.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let report = published.opened(seed: SplitSeed(bytes)).verify()
            #expect(!report.isCommitted && !report.holds && report.faultCount > 0, "bit \(bit)")
        }
    }

    /// A packet whose commitment fits, but whose claims got something else.
    @Test func everyWrongClaimIsFound() throws {
        let published = try Published()
        for position in published.split.positions {
            for change in [-1, 1] as [Int64] {
                var claims = published.claims
                let wrong = try #require(Amount(fen: claims[position].amount.fen + change))
                claims[position] = Claim(position: position, amount: wrong)
                let report = published.opened(claims: claims).verify()
                #expect(report.isCommitted && !report.holds && report.faultCount == 1)
                #expect(report.lines[position].verdict == .differs(claimed: wrong))
            }
        }
    }

    @Test func positionsThatCannotBeAreFound() throws {
        let published = try Published()
        for position in [-1, 10, .min, .max] {
            let stray = Claim(position: position, amount: .zero)
            let report = published.opened(claims: published.claims + [stray]).verify()
            #expect(!report.holds && report.strays == [stray] && report.faultCount == 1)
        }
        // Two claims of one share, both of the right amount: money was given twice.
        let twice = published.opened(claims: published.claims + [published.claims[3]]).verify()
        #expect(!twice.holds && twice.lines[3].verdict == .claimedTwice && twice.faultCount == 1)
        // Two people's shares exchanged.
        let exchanged = published.opened(claims: [
            Claim(position: 0, amount: published.claims[1].amount),
            Claim(position: 1, amount: published.claims[0].amount),
        ])
        #expect(exchanged.verify().faultCount == 2)
    }
}

@Suite struct SplitSeedTests {
    @Test(arguments: [0, 1, 31, 33, 64]) func seedsAndCommitmentsHave32Bytes(size: Int) {
        #expect(SplitSeed([UInt8](repeating: 1, count: size)) == nil)
        #expect(SplitCommitment([UInt8](repeating: 1, count: size)) == nil)
    }

    @Test func seedsAreDrawnAndNotShown() {
        let seeds = (0..<100).map { _ in SplitSeed() }
        #expect(Set(seeds).count == 100)
        #expect(seeds.allSatisfy { $0.bytes.count == 32 && "\($0)" == "SplitSeed(hidden)" })
        #expect(String(reflecting: seeds[0]) == "SplitSeed(hidden)")
    }

    /// Ours and swift-crypto's are one function.
    @Test func hashingPaddedKeysOnceChangesNothing() {
        for keySize in [0, 1, 32, 63, 64] {
            let key = (0..<keySize).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
            let code = RepeatedHMAC(key: key)
            for size in [0, 1, 25, 55, 56, 64, 200] {
                let message = (0..<size).map { UInt8($0) }
                let expected = HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))
                #expect(Array(message.withUnsafeBytes { code.of($0) }) == Array(expected))
            }
        }
    }

    /// With the real draws: sums, the same again, and otherwise with every other seed.
    @Test(arguments: [(1000, 10), (130, 100), (1888, 21), (.max, 33)] as [(Int64, Int)])
    func sharesOfDrawnSeeds(fen: Int64, count: Int) throws {
        let split = Split.of(fen, count)
        var seen: Set<[Amount]> = []
        for byte in 0..<20 as Range<UInt8> {
            let seed = try #require(SplitSeed([UInt8](repeating: byte, count: 32)))
            let shares = split.positions.map { split.share(at: $0, seed.draws) }
            #expect(shares.reduce(Int128(0)) { $0 + Int128($1.fen) } == Int128(fen))
            #expect(shares.allSatisfy { $0.fen >= 1 })
            let draws = seed.draws
            #expect(shares == split.positions.reversed().map { split.share(at: $0, draws) }.reversed())
            seen.insert(shares)
        }
        #expect(seen.count == 20)
    }
}
