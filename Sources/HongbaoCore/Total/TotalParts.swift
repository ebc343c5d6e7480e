/// One running total as a hot state keeps it: the part of each mint, and the sum of all parts (CT-2).
///
/// A part is everything that a mint has ever given, so it only grows. Writing a part again, or writing an older one
/// after a newer one, changes nothing: a flush whose answer is lost is sent again, and what was lost altogether comes
/// back with the next one.
package struct TotalParts: Hashable, Sendable {
    package private(set) var parts: [MintID: Tally] = [:]
    package private(set) var sum = Tally.zero

    package init() {}

    /// Raises a mint's part and answers the sum, to which what is new in the part has been added.
    ///
    /// Answers `nil`, and changes nothing, when the sum would overflow, which no total within its budgets does (M6).
    package mutating func raise(_ mint: MintID, to part: Tally) -> Tally? {
        let known = parts[mint] ?? .zero
        let raised = known.raised(to: part)
        guard let more = raised.subtracting(known), let sum = sum.adding(more) else { return nil }
        parts[mint] = raised
        self.sum = sum
        return sum
    }
}
