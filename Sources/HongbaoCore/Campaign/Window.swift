/// A span of time, half-open: `from` is inside it, `to` is the first millisecond after it.
package struct Window: Hashable, Sendable {
    package let from: Timestamp
    package let to: Timestamp

    /// Answers `nil` when the span would be empty or turned around.
    package init?(from: Timestamp, to: Timestamp) {
        guard from < to else { return nil }
        self.from = from
        self.to = to
    }

    @inlinable
    package func contains(_ instant: Timestamp) -> Bool { from <= instant && instant < to }

    package func contains(_ other: Window) -> Bool { from <= other.from && other.to <= to }

    package func overlaps(_ other: Window) -> Bool { from < other.to && other.from < to }
}
