/// What brings the orders of one outside system to their end, and how often it tries.
package struct OutsidePolicy: Hashable, Sendable {
    /// The three of AS-1. Each alone is enough for all that was submitted; the sweep also finds what never was.
    package struct Mechanisms: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let callback = Self(rawValue: 1)
        package static let delayedQuery = Self(rawValue: 2)
        package static let sweep = Self(rawValue: 4)
        package static let all: Self = [.callback, .delayedQuery, .sweep]
    }

    package var mechanisms: Mechanisms = .all
    /// Whether it also takes up what isn't its own: orders that an earlier process left, or another one of a cluster.
    package var takesUpOthers = true
    /// Orders in one call of the channel.
    package var batchMax = 100
    /// Calls of the channel at a time.
    package var concurrencyMax = 4
    /// Calls of the channel a second, at most one and a quarter of them at once; `nil` is without limit (FC-1). What
    /// has to wait stays in its line.
    package var callsPerSecond: Int?
    /// After so many calls in a row that brought no answer to any order the breaker opens; `nil`: it never does (FC-3).
    package var breakerAfterCalls: Int? = 10
    /// How long it stays open, the first time and at most, before one call tries again.
    package var breakerFirstMilliseconds: Int64 = 1_000
    package var breakerLongestMilliseconds: Int64 = 60_000
    /// Orders kept in memory. Those beyond are left to the sweep.
    package var trackedMax = 100_000
    /// Callbacks waiting to be looked up in the store. Those beyond are dropped: the other mechanisms do their work.
    package var lookupsMax = 10_000
    package var backoffFirstMilliseconds: Int64 = 1_000
    package var backoffLongestMilliseconds: Int64 = 300_000
    package var sweepIntervalSeconds: Int64 = 30
    package var sweepPageMax = 1_000
    /// After so many attempts, and every time after as many again, somebody is told (AS-2). The same
    /// for the breaker's tries in vain.
    package var alarmAfterAttempts: UInt32 = 10

    package init() {}

    /// No order is to be checked later than so long from now, with room to spare. One that is, was put off by a
    /// clock that has been set back since.
    package var putOffMaxSeconds: Int64 { 2 * max(1, (backoffLongestMilliseconds + 999) / 1000) }
}
