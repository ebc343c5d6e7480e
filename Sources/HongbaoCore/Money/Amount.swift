/// A non-negative sum of money in fen (分).
///
/// Arithmetic never wraps and never goes below zero: it answers `nil`, and the caller turns that into an outcome.
package struct Amount: Hashable, Comparable, Sendable {
    package let fen: Int64

    package init?(fen: Int64) {
        guard fen >= 0 else { return nil }
        self.fen = fen
    }

    private init(unchecked fen: Int64) { self.fen = fen }

    package static let zero = Amount(unchecked: 0)
    /// A piece, where pieces are counted.
    package static let one = Amount(unchecked: 1)

    @inlinable
    package func adding(_ other: Amount) -> Amount? {
        let (sum, overflow) = fen.addingReportingOverflow(other.fen)
        return overflow ? nil : Amount(fen: sum)
    }

    @inlinable
    package func subtracting(_ other: Amount) -> Amount? {
        fen >= other.fen ? Amount(fen: fen - other.fen) : nil
    }

    @inlinable
    package static func < (a: Amount, b: Amount) -> Bool { a.fen < b.fen }
}
