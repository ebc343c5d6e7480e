package import HongbaoCore
import Synchronization

/// A hot state for totals in the memory of this process.
package final class MemoryTotals: HotTotals {
    private let books = Mutex<[BookID: TotalParts]>([:])

    package init() {}

    package func raise(_ parts: [TotalPart]) async throws(HotTotalsFault) -> [BookID: Tally] {
        try books.withLock { (books) throws(HotTotalsFault) in
            var sums: [BookID: Tally] = [:]
            for part in parts {
                guard let sum = books[part.book, default: TotalParts()].raise(part.mint, to: part.tally) else {
                    throw HotTotalsFault("the total of book \(part.book.rawValue) would overflow")
                }
                sums[part.book] = sum
            }
            return sums
        }
    }

    package func parts(of wanted: [BookID]) async throws(HotTotalsFault) -> [TotalPart] {
        books.withLock { books in
            wanted.flatMap { book in
                (books[book]?.parts ?? [:]).map { TotalPart(book: book, mint: $0.key, tally: $0.value) }
            }
        }
    }

    package func sum(of book: BookID) -> Tally { books.withLock { $0[book]?.sum ?? .zero } }

    /// For tests: it has lost everything.
    package func removeAll() { books.withLock { $0 = [:] } }
}
