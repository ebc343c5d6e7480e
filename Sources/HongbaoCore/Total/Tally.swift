/// How much was given, and in how many grants.
package struct Tally: Hashable, Sendable {
    package let amount: Amount
    package let count: Int64

    package init?(amount: Amount, count: Int64) {
        guard count >= 0 else { return nil }
        self.init(amount, count)
    }

    private init(_ amount: Amount, _ count: Int64) {
        self.amount = amount
        self.count = count
    }

    package static let zero = Tally(.zero, 0)

    package func adding(_ other: Tally) -> Tally? {
        let (count, overflow) = count.addingReportingOverflow(other.count)
        guard let amount = amount.adding(other.amount), !overflow else { return nil }
        return Tally(amount, count)
    }

    package func subtracting(_ other: Tally) -> Tally? {
        guard let amount = amount.subtracting(other.amount), count >= other.count else { return nil }
        return Tally(amount, count - other.count)
    }

    /// The larger of each: of two tallies of the same things, the later one.
    package func raised(to other: Tally) -> Tally { Tally(max(amount, other.amount), max(count, other.count)) }

    /// Adds one more grant.
    package func adding(_ amount: Amount) -> Tally? { adding(Tally(amount, 1)) }
}
