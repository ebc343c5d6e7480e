package import HongbaoCore
import Synchronization

/// The running total of one book: of all money that a campaign has given in one phase (CT-1).
///
/// Whoever adds or reads often keeps it; finding it in `SharedTotals` takes longer than either. What a reading goes
/// through is public, since the compiler inlines nothing that is `package` into other modules.
public final class SharedTotal: Sendable {
    package let book: BookID
    private let pending = StripedTally()
    @usableFromInline
    let shown = ShownTotal()
    /// All that this mint has ever given, but for what is pending.
    private let part: Mutex<Tally>

    /// - Parameter part: what this mint had given before.
    init(book: BookID, part: Tally = .zero) {
        self.book = book
        self.part = Mutex(part)
    }

    /// Counts what has been given and is durable. It's shown from the next flush on.
    package func add(_ tally: Tally) { pending.add(tally) }

    /// As of the last time that a hot state answered; `nil` when none has since the start.
    @inlinable
    public var reading: TotalReading? { shown.reading }

    /// Moves what is pending into this mint's part, and answers that.
    func gather() -> Tally {
        part.withLock { part in
            guard let sum = part.adding(pending.take()) else {
                preconditionFailure("a total larger than any budget")
            }
            if !Mutant.isOn(.forgetsGathered) { part = sum }
            return sum
        }
    }

    func show(_ tally: Tally, at time: Timestamp) { shown.raise(to: tally, at: time) }
}
