package import HongbaoCore
public import Synchronization

/// What a screen shows of a total, in plain numbers: it's read far more often than anything is worked out with it.
public struct TotalReading: Hashable, Sendable {
    /// In fen.
    public let amount: Int64
    /// Of grants.
    public let count: Int64
    /// When a hot state said so, in UTC milliseconds.
    public let milliseconds: Int64

    @inlinable
    init(amount: Int64, count: Int64, milliseconds: Int64) {
        self.amount = amount
        self.count = count
        self.milliseconds = milliseconds
    }

    package init(tally: Tally, at: Timestamp) {
        self.init(amount: tally.amount.fen, count: tally.count, milliseconds: at.milliseconds)
    }

    package var tally: Tally {
        guard let amount = Amount(fen: amount), let tally = Tally(amount: amount, count: count) else {
            preconditionFailure("a total that no tally has written")
        }
        return tally
    }

    package var at: Timestamp { Timestamp(milliseconds: milliseconds) }
}

/// The total as this node last heard of it: read by everybody without a lock, and never lower than before (M12).
///
/// Writers count `version` up before and after; a reader that meets an odd one, or another one afterwards, has read
/// parts of two values, and waits for the writer.
@usableFromInline
final class ShownTotal: Sendable {
    /// Keeps what is written often elsewhere from the bytes that everybody reads.
    private let paddingBefore: [16 of UInt64] = .init(repeating: 0)
    @usableFromInline
    let version = Atomic<UInt64>(0)
    @usableFromInline
    let amount = Atomic<Int64>(0)
    @usableFromInline
    let count = Atomic<Int64>(0)
    @usableFromInline
    let milliseconds = Atomic<Int64>(0)
    private let paddingAfter: [16 of UInt64] = .init(repeating: 0)
    private let writing = Mutex(())

    /// `nil` until a hot state has answered for the first time.
    @inlinable
    var reading: TotalReading? {
        let before = version.load(ordering: .acquiring)
        let reading = stored
        atomicMemoryFence(ordering: .acquiring)
        guard before & 1 == 0, version.load(ordering: .relaxed) == before else { return readingOnceWritten }
        return before == 0 ? nil : reading
    }

    /// Of one moment only for who knows that nobody writes.
    @inlinable
    var stored: TotalReading {
        TotalReading(
            amount: amount.load(ordering: .relaxed),
            count: count.load(ordering: .relaxed),
            milliseconds: milliseconds.load(ordering: .relaxed)
        )
    }

    /// Somebody writes: that takes a few stores, or longer when the system has put them aside.
    @usableFromInline
    var readingOnceWritten: TotalReading? { writing.withLock { _ in current } }

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
    private var current: TotalReading? { version.load(ordering: .relaxed) > 0 ? stored : nil }
}
