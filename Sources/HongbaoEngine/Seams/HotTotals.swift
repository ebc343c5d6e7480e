package import HongbaoCore

/// What one mint has given in one book.
package struct TotalPart: Hashable, Sendable {
    package let book: BookID
    package let mint: MintID
    package let tally: Tally

    package init(book: BookID, mint: MintID, tally: Tally) {
        self.book = book
        self.mint = mint
        self.tally = tally
    }
}

/// A hot state didn't answer. Whether it did what it was asked doesn't matter: asking again does no harm.
package struct HotTotalsFault: Error, Hashable, CustomStringConvertible {
    package let message: String

    package init(_ message: String) { self.message = message }

    package var description: String { message }
}

/// Where nodes bring together what each has given (CT-2). It may lose anything at any time, and must answer or fail
/// within a fraction of the flush interval.
package protocol HotTotals: Sendable {
    /// Raises parts, as `TotalParts` does, and answers the sums of all books named.
    func raise(_ parts: [TotalPart]) async throws(HotTotalsFault) -> [BookID: Tally]

    /// All parts of these books, of all mints.
    func parts(of books: [BookID]) async throws(HotTotalsFault) -> [TotalPart]
}

/// Two hot states, of which each alone is enough (CT-3).
package struct HotTotalsPair: Sendable {
    package enum Place: String, Hashable, Sendable, CaseIterable { case main, backup }

    package let main: any HotTotals
    package let backup: any HotTotals

    package init(main: any HotTotals, backup: any HotTotals) {
        self.main = main
        self.backup = backup
    }

    /// What a single process has: both are in its memory.
    package static var inMemory: HotTotalsPair { HotTotalsPair(main: MemoryTotals(), backup: MemoryTotals()) }

    package subscript(_ place: Place) -> any HotTotals {
        switch place {
        case .main: main
        case .backup: backup
        }
    }
}
