import HongbaoCore
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// One node's part of a running total, with many threads at it (CT-1, CT-2).
@Suite(.timeLimit(.minutes(5))) struct SharedTotalTests {
    private final class End: Sendable {
        let isHere = Atomic<Bool>(false)
    }

    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    /// What is taken out while others add is everything, once.
    @Test func nothingIsLostOrTakenTwice() async throws {
        let pending = StripedTally()
        let one = try Self.tally(3, 1)
        let (adders, each) = (8, 20_000)
        let taken = try await withThrowingTaskGroup(of: Tally.self) { group in
            for _ in 0..<adders {
                group.addTask {
                    for _ in 0..<each { pending.add(one) }
                    return .zero
                }
            }
            group.addTask {
                var sum = Tally.zero
                for _ in 0..<1_000 {
                    let taken = pending.take()
                    sum = try #require(sum.adding(taken))
                }
                return sum
            }
            var taken = Tally.zero
            for try await part in group { taken = try #require(taken.adding(part)) }
            return taken
        }
        let rest = pending.take()
        let all = try #require(taken.adding(rest))
        #expect(all == (try Self.tally(3 * Int64(adders * each), Int64(adders * each))))
        #expect(pending.take() == .zero)
    }

    /// Readers see whole values, each not below the one before, whatever order writers come in (M12).
    @Test func whatIsShownNeverGoesBackAndIsNeverHalf() async throws {
        let shown = ShownTotal()
        #expect(shown.reading == nil)
        let last: Int64 = 20_000
        let end = End()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    var before: Int64 = 0
                    while !end.isHere.load(ordering: .acquiring) {
                        // Writers need a thread, too, and there may be no more than there are readers.
                        await Task.yield()
                        guard let reading = shown.reading else { continue }
                        let value = reading.tally.count
                        guard reading.tally.amount.fen == 7 * value, reading.at.milliseconds == 3 * value,
                            value >= before
                        else {
                            Issue.record("\(reading) after \(before)")
                            return
                        }
                        before = value
                    }
                }
            }
            for writer in 0..<2 as Range<Int64> {
                group.addTask {
                    // Every third value is an old one.
                    for value in stride(from: 1 + writer, through: last, by: 2) {
                        for value in value.isMultiple(of: 3) ? [value, value / 2] : [value] {
                            let tally = try Self.tally(7 * value, value)
                            shown.raise(to: tally, at: Timestamp(milliseconds: 3 * value))
                        }
                    }
                    if writer == 0 { return }
                    // The readers need one who ends; the other writer's values count at the end all the same.
                    end.isHere.store(true, ordering: .releasing)
                }
            }
            try await group.waitForAll()
        }
        #expect(shown.reading?.tally == (try Self.tally(7 * last, last)))
    }

    @Test func anOldTimeAndAnOldTallyChangeNothing() throws {
        let shown = ShownTotal()
        shown.raise(to: try Self.tally(10, 2), at: Timestamp(milliseconds: 100))
        shown.raise(to: try Self.tally(9, 1), at: Timestamp(milliseconds: 50))
        #expect(shown.reading?.tally == (try Self.tally(10, 2)))
        #expect(shown.reading?.at == Timestamp(milliseconds: 100))
        shown.raise(to: .zero, at: Timestamp(milliseconds: 200))
        #expect(shown.reading?.tally == (try Self.tally(10, 2)))
        #expect(shown.reading?.at == Timestamp(milliseconds: 200))
    }
}
