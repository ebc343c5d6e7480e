import HongbaoCore
import Testing

@Suite struct AmountTests {
    /// Sums and differences in words: a number, or `nil` where it would wrap or go below zero.
    private func check(_ script: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for line in script.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            let a = try #require(Int64(words[0]).flatMap { Amount(fen: $0) }, sourceLocation: sourceLocation)
            let b = try #require(Int64(words[2]).flatMap { Amount(fen: $0) }, sourceLocation: sourceLocation)
            let result = words[1] == "+" ? a.adding(b) : a.subtracting(b)
            #expect("\(result.map { "\($0.fen)" } ?? "nil")" == words[4], "\(line)", sourceLocation: sourceLocation)
        }
    }

    @Test func arithmeticNeverWraps() throws {
        try check(
            """
            0 + 0 = 0
            1 + 2 = 3
            9223372036854775806 + 1 = 9223372036854775807
            9223372036854775807 + 0 = 9223372036854775807
            9223372036854775807 + 1 = nil
            1 + 9223372036854775807 = nil
            9223372036854775807 + 9223372036854775807 = nil
            0 - 0 = 0
            3 - 2 = 1
            2 - 3 = nil
            0 - 1 = nil
            0 - 9223372036854775807 = nil
            9223372036854775807 - 9223372036854775807 = 0
            """
        )
    }

    @Test(arguments: [-1, .min, -100] as [Int64])
    func nothingIsNegative(fen: Int64) {
        #expect(Amount(fen: fen) == nil)
    }

    @Test func amountsCompareByValue() throws {
        let amounts = try [5, 0, .max, 1].map { try #require(Amount(fen: $0)) }
        #expect(amounts.sorted().map(\.fen) == [0, 1, 5, .max])
        #expect(Amount.zero.fen == 0)
    }
}

@Suite struct TimestampTests {
    /// Milliseconds, seconds to add, milliseconds afterwards.
    @Test(
        arguments: [
            (0, 1, 1000), (0, -1, -1000), (500, 0, 500), (1_643_630_400_000, 86_400, 1_643_716_800_000),
            (0, 9_007_199_254_740, 9_007_199_254_740_000),
        ] as [(Int64, Int64, Int64)]
    )
    func advancing(from: Int64, by seconds: Int64, to: Int64) {
        #expect(Timestamp(milliseconds: from).advanced(bySeconds: seconds) == Timestamp(milliseconds: to))
    }

    /// A deadline that is too far away is still a deadline, on the right side.
    @Test(arguments: [.max, .max / 1000 + 1, .max / 1000] as [Int64])
    func farDeadlinesSaturate(seconds: Int64) {
        for now in [0, 1_643_630_400_000, Timestamp.max.milliseconds] as [Int64] {
            let now = Timestamp(milliseconds: now)
            #expect(now.advanced(bySeconds: seconds) >= now)
            #expect(now.advanced(bySeconds: -seconds) < now)
            #expect(now.advanced(bySeconds: .min) < now)
        }
        #expect(Timestamp(milliseconds: .max).advanced(bySeconds: 1) >= Timestamp.max)
        #expect(Timestamp(milliseconds: .min).advanced(bySeconds: -1).milliseconds == .min)
    }
}
