import HongbaoCore
import Testing

@testable import HongbaoEngine

/// Who posts for others begins where nobody does, goes on where it has begun, and leaves others alone.
@Suite final class PostingTurnsTests {
    private static let mint = MintID(1)
    private var turns = PostingTurns(patience: .seconds(2), seed: 7)

    private static func record(_ posted: UInt64, of last: UInt64) -> MintRecord {
        MintRecord(id: mint, epoch: 1, lastSequence: last, postedSequence: posted, mints: 4)
    }

    private func look(_ posted: UInt64, of last: UInt64, at seconds: Int, busy: Set<MintID> = []) -> Bool {
        !turns.look(at: [Self.record(posted, of: last)], busy: busy, now: .seconds(seconds)).isEmpty
    }

    private func hint(_ posted: UInt64, upTo sequence: UInt64, at seconds: Int) -> PostingTurns.Turn {
        turns.hinted(Self.record(posted, of: sequence), upTo: sequence, isBusy: false, now: .seconds(seconds))
    }

    @Test func whatNobodyPostsIsTaken() {
        #expect(!look(0, of: 10, at: 0))
        #expect(!look(0, of: 20, at: 1))
        // Two seconds, and up to as much more.
        #expect(look(0, of: 30, at: 4))
        turns.posted(Self.mint, upTo: 30, now: .seconds(4))
        // From then on at once.
        #expect(!look(30, of: 30, at: 5))
        #expect(look(30, of: 31, at: 6))
        // Not while it's at it, nor by what was read before that.
        #expect(!look(30, of: 31, at: 6, busy: [Self.mint]))
        turns.posted(Self.mint, upTo: 31, now: .seconds(6))
        #expect(!look(30, of: 31, at: 6))
    }

    @Test func whatOthersPostIsLeftToThem() {
        for second in 0..<60 { #expect(!look(UInt64(second), of: 100, at: second)) }
        // Until they no longer do.
        #expect(look(59, of: 100, at: 63))
        turns.posted(Self.mint, upTo: 70, now: .seconds(63))
        #expect(!look(80, of: 100, at: 64))
        #expect(!look(80, of: 100, at: 65))
    }

    /// What waits for nothing isn't behind, however long ago it was posted.
    @Test func patienceBeginsWithTheFirstThatWaits() {
        #expect(!look(5, of: 5, at: 0))
        #expect(!look(5, of: 5, at: 100))
        #expect(!look(5, of: 6, at: 101))
        #expect(look(5, of: 6, at: 104))
    }

    @Test func hintsAreTakenUpAtOnce() {
        #expect(hint(0, upTo: 3, at: 0) == .own)
        turns.posted(Self.mint, upTo: 3, now: .seconds(0))
        #expect(hint(3, upTo: 3, at: 0) == .done)
        #expect(hint(3, upTo: 4, at: 0) == .own)
        // Another has posted.
        #expect(hint(5, upTo: 6, at: 1) == .others)
        #expect(hint(5, upTo: 6, at: 2) == .others)
        #expect(hint(5, upTo: 6, at: 5) == .own)
    }
}
