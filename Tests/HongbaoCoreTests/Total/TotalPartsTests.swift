import HongbaoCore
import HongbaoTesting
import Testing

/// What a hot state does with what nodes send, however it arrives (CT-2, M12).
@Suite struct TotalPartsTests {
    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    /// Each mint's part grows; what is sent of it comes late, twice, or not at all, but the last one comes.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyOrderAndAnyRepetitionGiveTheSameSum(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var sent: [(MintID, Tally)] = []
        var last: [MintID: Tally] = [:]
        for _ in 0..<60 {
            let mint = MintID(UInt32(1 + random.next(below: 4)))
            let more = try Self.tally(Int64(random.next(below: 1000)), Int64(random.next(below: 5)))
            let part = try #require((last[mint] ?? .zero).adding(more))
            last[mint] = part
            for _ in 0..<random.next(below: 3) { sent.append((mint, part)) }
        }
        sent.shuffle(using: &random)
        sent += last.map { ($0.key, $0.value) }

        var parts = TotalParts()
        var shown = Tally.zero
        for (mint, part) in sent {
            let raised = parts.raise(mint, to: part)
            let sum = try #require(raised)
            #expect(sum.raised(to: shown) == sum, "it went back")
            #expect(sum == parts.sum)
            shown = sum
        }
        var exact = Tally.zero
        for part in last.values { exact = try #require(exact.adding(part)) }
        #expect(shown == exact && parts.parts == last)
    }

    @Test func aSumThatWouldOverflowIsNotTaken() throws {
        var parts = TotalParts()
        let most = try Self.tally(.max, 1)
        let one = try Self.tally(1, 1)
        let first = parts.raise(MintID(1), to: most)
        let second = parts.raise(MintID(2), to: one)
        #expect(first == most && second == nil)
        #expect(parts.sum == most && parts.parts == [MintID(1): most])
        let many = try Self.tally(1, .max)
        var others = TotalParts()
        let third = others.raise(MintID(1), to: many)
        let fourth = others.raise(MintID(2), to: one)
        #expect(third == many && fourth == nil)
    }

    @Test func talliesAreNeverNegative() throws {
        let (small, large) = (try Self.tally(3, 2), try Self.tally(5, 4))
        #expect(Tally(amount: .zero, count: -1) == nil)
        #expect(large.subtracting(small) == (try Self.tally(2, 2)))
        #expect(small.subtracting(large) == nil)
        #expect(try Self.tally(9, 1).subtracting(small) == nil)
        #expect(try Self.tally(9, 1).raised(to: large) == Self.tally(9, 4))
    }
}
