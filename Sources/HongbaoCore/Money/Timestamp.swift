/// An instant in UTC milliseconds since 1970.
package struct Timestamp: Hashable, Comparable, Sendable {
    package let milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Saturates instead of wrapping: a deadline far away is still a deadline.
    package func advanced(bySeconds seconds: Int64) -> Timestamp {
        let (span, tooLong) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, tooFar) = milliseconds.addingReportingOverflow(span)
        return Timestamp(milliseconds: tooLong || tooFar ? (seconds < 0 ? .min : .max) : sum)
    }

    package static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// The last millisecond that the wire format (an integer that JavaScript holds exactly) can carry.
    package static let max = Timestamp(milliseconds: (1 << 53) - 1)
}
