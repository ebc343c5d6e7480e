import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@testable import HongbaoRedis

/// What holds for every hot state of running totals (CT-2, DP-4).
@Suite(.timeLimit(.minutes(10))) struct TotalsContractTests {
    private static let live = BookID(campaign: 7, phase: .live)
    private static let other = BookID(campaign: 8, phase: .live)

    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    private static func part(_ book: BookID, _ mint: UInt32, _ fen: Int64, _ count: Int64) throws -> TotalPart {
        TotalPart(book: book, mint: MintID(mint), tally: try tally(fen, count))
    }

    @Test(arguments: TotalsBackend.allCases) func partsAreOnlyRaised(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            func raise(_ fen: Int64, _ count: Int64) async throws -> Tally? {
                try await open.totals.raise([try Self.part(Self.live, 1, fen, count)])[Self.live]
            }
            #expect(try await raise(100, 2) == Self.tally(100, 2))
            // The same again, and an older one.
            #expect(try await raise(100, 2) == Self.tally(100, 2))
            #expect(try await raise(99, 1) == Self.tally(100, 2))
            // More digits are more, whatever they begin with.
            #expect(try await raise(1_000, 2) == Self.tally(1_000, 2))
            #expect(try await raise(999, 10) == Self.tally(1_000, 10))
            #expect(try await open.totals.parts(of: [Self.live]) == [Self.part(Self.live, 1, 1_000, 10)])
        }
    }

    @Test(arguments: TotalsBackend.allCases) func sumsAreOfAllMintsOfABook(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            #expect(try await open.totals.raise([]) == [:])
            #expect(try await open.totals.parts(of: [Self.live, Self.other]) == [])
            // Nothing raised is a reading.
            let nothing = try await open.totals.raise([try Self.part(Self.live, 3, 0, 0)])
            #expect(nothing == [Self.live: .zero])
            let sums = try await open.totals.raise([
                try Self.part(Self.live, 1, 10, 1), try Self.part(Self.other, 1, 7, 1),
                try Self.part(Self.live, 4_294_967_295, 5, 2), try Self.part(Self.live, 1, 11, 1),
            ])
            #expect(try sums == [Self.live: Self.tally(16, 3), Self.other: Self.tally(7, 1)])
            let parts = try await open.totals.parts(of: [Self.live])
            let expected = [
                try Self.part(Self.live, 3, 0, 0), try Self.part(Self.live, 1, 11, 1),
                try Self.part(Self.live, 4_294_967_295, 5, 2),
            ]
            #expect(Set(parts) == Set(expected) && parts.count == 3)
            let all = try await open.totals.parts(of: [Self.live, Self.other])
            #expect(try Set(all) == Set(expected + [Self.part(Self.other, 1, 7, 1)]))
        }
    }

    /// However often parts are sent, and in whatever order: in the end it's the largest of each mint.
    @Test(arguments: TotalsBackend.allCases, 0..<3 as Range<UInt64>)
    func repeatedAndOutOfOrderIsTheSame(_ backend: TotalsBackend, seed: UInt64) async throws {
        try await backend.with { (open) async throws in
            var random = Seeded(seed: seed)
            var model: [BookID: TotalParts] = [:]
            var sent: [TotalPart] = []
            for _ in 0..<80 {
                let book = random.next(below: 2) == 0 ? Self.live : Self.other
                let digits = random.next(below: 16)
                let most = (0..<digits).reduce(UInt64(9)) { most, _ in most * 10 + 9 }
                let fen = Int64(random.next(below: most))
                sent.append(try Self.part(book, UInt32(random.next(below: 4)), fen, Int64(random.next(below: 1_000))))
                let part = sent[Int(random.next(below: UInt64(sent.count)))]
                let expected = model[part.book, default: TotalParts()].raise(part.mint, to: part.tally)
                let sums = try await open.totals.raise([part])
                #expect(sums[part.book] == expected, "\(part)")
            }
            for (book, parts) in model {
                let found = try await open.totals.parts(of: [book])
                #expect(found.count == parts.parts.count)
                for part in found { #expect(parts.parts[part.mint] == part.tally) }
            }
        }
    }

    /// Numbers are exact to the last fen, and what doesn't fit changes nothing (M6).
    @Test(arguments: TotalsBackend.allCases) func overflowIsRefused(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            let totals = open.totals
            func isRefused(_ fen: Int64, _ count: Int64, mint: UInt32 = 2) async throws -> Bool {
                let part = try Self.part(Self.live, mint, fen, count)
                do {
                    _ = try await totals.raise([part])
                    return false
                } catch {
                    return true
                }
            }
            let most = Int64.max
            let sums = try await totals.raise([
                try Self.part(Self.live, 1, most - 10, 5), try Self.part(Self.live, 2, 3, 1),
                try Self.part(Self.other, 1, 9_007_199_254_740_993, 1), try Self.part(Self.other, 2, 0, most - 1),
            ])
            #expect(try sums[Self.live] == Self.tally(most - 7, 6))
            #expect(try sums[Self.other] == Self.tally(9_007_199_254_740_993, most))
            let before = Set(try await totals.parts(of: [Self.live, Self.other]))
            #expect(try await isRefused(11, 1))
            #expect(try await isRefused(11, 7))
            #expect(try await isRefused(8, 1, mint: 3))
            #expect(try await isRefused(3, most))
            // The amount would fit, the count doesn't: neither is raised.
            #expect(try await isRefused(5, most - 4))
            #expect(try await isRefused(1, most, mint: 3))
            #expect(Set(try await totals.parts(of: [Self.live, Self.other])) == before)
            let same = try await totals.raise([try Self.part(Self.live, 2, 0, 0)])
            #expect(try same[Self.live] == Self.tally(most - 7, 6))
            // Up to the last fen and the last grant.
            let full = try await totals.raise([try Self.part(Self.live, 2, 10, most - 5)])
            #expect(try full[Self.live] == Self.tally(most, most))
        }
    }

    @Test(arguments: TotalsBackend.allCases) func manyAtOnceComeToTheSum(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            let books = (1...5 as ClosedRange<UInt16>).map { BookID(campaign: $0, phase: .live) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for mint in 1...20 as ClosedRange<UInt32> {
                    group.addTask {
                        var before: [BookID: Tally] = [:]
                        for turn in 1...30 as ClosedRange<Int64> {
                            let parts = try books.map { try Self.part($0, mint, turn * 100, turn) }
                            let sums = try await open.totals.raise(parts)
                            for (book, sum) in sums {
                                #expect(sum.raised(to: before[book] ?? .zero) == sum, "a sum went back")
                            }
                            before = sums
                        }
                    }
                }
                try await group.waitForAll()
            }
            let sums = try await open.totals.raise(books.map { try Self.part($0, 1, 0, 0) })
            #expect(sums.count == 5)
            for sum in sums.values { #expect(try sum == Self.tally(20 * 3_000, 20 * 30)) }
        }
    }

    @Test(arguments: TotalsBackend.allCases) func manyPartsInOneCall(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            let parts = try (1...1_300 as ClosedRange<UInt32>).map { try Self.part(Self.live, $0, Int64($0), 1) }
            #expect(try await open.totals.raise(parts)[Self.live] == Self.tally(1_300 * 1_301 / 2, 1_300))
            #expect(Set(try await open.totals.parts(of: [Self.live])) == Set(parts))
        }
    }

    /// It may lose anything at any time; what is raised then is there again.
    @Test(arguments: TotalsBackend.allCases) func whatWasLostIsRaisedAgain(_ backend: TotalsBackend) async throws {
        try await backend.with { (open) async throws in
            let parts = [try Self.part(Self.live, 1, 10, 1), try Self.part(Self.other, 1, 20, 1)]
            _ = try await open.totals.raise(parts)
            try await open.empty()
            #expect(try await open.totals.parts(of: [Self.live, Self.other]) == [])
            let sums = try await open.totals.raise(parts)
            #expect(try sums == [Self.live: Self.tally(10, 1), Self.other: Self.tally(20, 1)])
        }
    }
}
