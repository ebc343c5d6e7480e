import HongbaoCore

/// Lets calls to one outside system through: so many a second, and next to none while it answers nothing (FC-1, FC-3).
/// Pure: time and randomness are handed in. It holds no orders; who isn't let through stays where it is.
///
/// The breaker opens after a number of calls in a row that brought no answer. After a while it lets one call through:
/// an answer closes it, none opens it again for longer.
struct OutsideGate: Sendable {
    /// Why, and for how long, the breaker has just opened.
    struct Opening: Hashable, Sendable {
        /// In a row, all without an answer.
        let calls: Int
        /// In a row, this one included.
        let openings: UInt32
        let milliseconds: Int64
    }

    private enum State: Hashable, Sendable {
        case closed
        case open(until: Duration)
        /// One call is under way that decides.
        case probing
    }

    private let policy: OutsidePolicy
    private var state = State.closed
    private var unanswered = 0
    private var openings: UInt32 = 0
    /// When the next call is due if all come as evenly as they may; `nil` before the first.
    private var nextCallAt: Duration?

    init(policy: OutsidePolicy) { self.policy = policy }

    /// Whether it waits for the outside to answer again.
    var isOpen: Bool { state != .closed }

    /// Whether a call may start now; if so, it counts as started.
    mutating func pass(_ now: Duration) -> Bool {
        switch state {
        case .closed: return passRate(now)
        case .open(let until):
            guard until <= now, passRate(now) else { return false }
            state = .probing
            return true
        case .probing: return false
        }
    }

    private mutating func passRate(_ now: Duration) -> Bool {
        guard let rate = policy.callsPerSecond else { return true }
        let interval = Duration.seconds(1) / rate
        let due = nextCallAt ?? now
        // So many may come early, so that calls keep to their rate though ticks are further apart than they.
        guard due - interval * (rate / 4) <= now else { return false }
        nextCallAt = max(due, now) + interval
        return true
    }

    /// Takes note of how a call ended. An answer to any call counts, also to one from before the breaker opened.
    mutating func ended(isAnswered: Bool, _ now: Duration, _ random: inout SplitMix64) -> Opening? {
        if isAnswered {
            state = .closed
            unanswered = 0
            openings = 0
            return nil
        }
        unanswered += 1
        guard let callsMax = policy.breakerAfterCalls, unanswered >= callsMax else { return nil }
        if case .open = state { return nil }
        let milliseconds = random.backoff(
            first: policy.breakerFirstMilliseconds,
            longest: policy.breakerLongestMilliseconds,
            doublings: openings
        )
        openings += 1
        state = .open(until: now + .milliseconds(milliseconds))
        return Opening(calls: unanswered, openings: openings, milliseconds: milliseconds)
    }
}

extension SplitMix64 {
    /// Doubles from `first` up to `longest`, and spreads by a quarter to both sides.
    mutating func backoff(first: Int64, longest: Int64, doublings: UInt32) -> Int64 {
        let (product, overflow) = first.multipliedReportingOverflow(by: 1 << Int64(min(doublings, 30)))
        let middle = overflow ? longest : min(product, longest)
        let spread = middle / 2
        return max(1, middle - middle / 4 + Int64(next(below: UInt64(spread) + 1)))
    }
}
