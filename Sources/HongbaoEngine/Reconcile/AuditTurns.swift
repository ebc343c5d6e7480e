import HongbaoCore

/// Decides when a process audits everything, of several that may. Pure: what was seen and the time are handed in.
///
/// Each looks whether another is at it. Who sees that puts its own off until the other must have missed its next turn.
/// Audits so short that nobody sees them cost little when two do them.
struct AuditTurns: Sendable {
    /// From the end of one to the beginning of the next.
    private let every: Duration
    /// After one that came to no end.
    private let again: Duration
    private var random: SplitMix64
    private var dueAt: Duration

    init(every: Duration, again: Duration, seed: UInt64, now: Duration) {
        self.every = every
        self.again = min(every, again)
        random = SplitMix64(seed: seed)
        dueAt = now
    }

    func isDue(_ now: Duration) -> Bool { now >= dueAt }

    mutating func ended(_ now: Duration) { dueAt = now + every }

    mutating func brokeOff(_ now: Duration) { dueAt = now + again }

    /// Those who wait begin one after the other.
    mutating func sawAnother(_ now: Duration) {
        let jitter = Int64(random.next() % 1_000)
        dueAt = max(dueAt, now + every * 5 / 4 + every * jitter / 1_000)
    }
}
