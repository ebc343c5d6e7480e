package import HongbaoCore
import Synchronization

/// What a screen shows of a total.
package struct TotalReading: Hashable, Sendable {
    package let tally: Tally
    /// When a hot state said so.
    package let at: Timestamp

    package init(tally: Tally, at: Timestamp) {
        self.tally = tally
        self.at = at
    }
}

/// The total as this node last heard of it: read by everybody without a lock, and never lower than before (M12).
///
/// Writers count `version` up before and after; a reader that meets an odd one, or another one afterwards, has read
/// parts of two values and reads again.
final class ShownTotal: Sendable {
    /// Keeps what is written often elsewhere from the bytes that everybody reads.
    private let paddingBefore: [16 of UInt64] = .init(repeating: 0)
    private let version = Atomic<UInt64>(0)
    private let amount = Atomic<Int64>(0)
    private let count = Atomic<Int64>(0)
    private let milliseconds = Atomic<Int64>(0)
    private let paddingAfter: [16 of UInt64] = .init(repeating: 0)
    private let writing = Mutex(())

    private static let attempts = 64

    /// `nil` until a hot state has answered for the first time.
    var reading: TotalReading? {
        for _ in 0..<Self.attempts {
            let before = version.load(ordering: .acquiring)
            let found = (amount.load(ordering: .relaxed), count.load(ordering: .relaxed))
            let at = milliseconds.load(ordering: .relaxed)
            atomicMemoryFence(ordering: .acquiring)
            guard before & 1 == 0, version.load(ordering: .relaxed) == before else { continue }
            return before == 0 ? nil : Self.reading(found, at)
        }
        // Somebody writes and has been put aside by the system: waiting is better than spinning.
        return writing.withLock { _ in current }
    }

    /// Replaces what is lower or older.
    func raise(to tally: Tally, at time: Timestamp) {
        writing.withLock { _ in
            let known = current
            let tally = Mutant.isOn(.showsLess) ? tally : known?.tally.raised(to: tally) ?? tally
            let at = max(known?.at ?? time, time)
            let version = version.load(ordering: .relaxed)
            self.version.store(version + 1, ordering: .relaxed)
            atomicMemoryFence(ordering: .releasing)
            amount.store(tally.amount.fen, ordering: .relaxed)
            count.store(tally.count, ordering: .relaxed)
            milliseconds.store(at.milliseconds, ordering: .relaxed)
            self.version.store(version + 2, ordering: .releasing)
        }
    }

    /// Only for who holds `writing`.
    private var current: TotalReading? {
        guard version.load(ordering: .relaxed) > 0 else { return nil }
        let found = (amount.load(ordering: .relaxed), count.load(ordering: .relaxed))
        return Self.reading(found, milliseconds.load(ordering: .relaxed))
    }

    private static func reading(_ found: (fen: Int64, count: Int64), _ at: Int64) -> TotalReading {
        guard let amount = Amount(fen: found.fen), let tally = Tally(amount: amount, count: found.count) else {
            preconditionFailure("a total that no tally has written")
        }
        return TotalReading(tally: tally, at: Timestamp(milliseconds: at))
    }
}
