/// A table of a store as it lies there, whatever it means: what carrying a whole store over to another goes by.
package struct StoredTable: Hashable, Sendable {
    package enum Kind: Hashable, Sendable { case integer, text, bytes }

    package struct Column: Hashable, Sendable {
        package let name: String
        package let kind: Kind

        package init(name: String, kind: Kind) {
            self.name = name
            self.kind = kind
        }
    }

    package let name: String
    package let columns: [Column]
    /// Places in `columns`, in the order by which rows are sorted.
    package let key: [Int]

    package init(name: String, columns: [Column], key: [Int]) {
        self.name = name
        self.columns = columns
        self.key = key
    }

    package func key(of row: StoredRow) -> StoredRow { key.map { row[$0] } }

    /// Rows that are read at a time: those with bytes may be large.
    package var pageRows: Int { columns.contains { $0.kind == .bytes } ? 256 : 4_096 }
}

package enum StoredValue: Hashable, Sendable {
    /// NULL
    case nothing
    case integer(Int64)
    case text(String)
    case bytes([UInt8])

    /// About how many bytes it takes on its way.
    package var size: Int {
        switch self {
        case .nothing: 1
        case .integer: 8
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        }
    }
}

/// In the order of the table's columns.
package typealias StoredRow = [StoredValue]

/// A store whose tables can be read without knowing what they mean.
package protocol StoredTables: Sendable {
    /// All that there are, but for those that note which steps of the schema were applied.
    func tables() async throws(StoreError) -> [StoredTable]
    /// In order of key; `nil`: from the first.
    func rows(of table: StoredTable, after key: StoredRow?, limit: Int) async throws(StoreError) -> [StoredRow]
}

/// A store that gets rows as they lie in another one.
package protocol StoredTablesTarget: StoredTables {
    /// Adds rows that must not be there yet.
    func add(_ rows: [StoredRow], to table: StoredTable) async throws(StoreError)
}

/// The database of a cluster that is to have what a pilot has. Until `finish` nobody opens it for anything else.
package protocol PromotionTarget: StoredTablesTarget {
    /// Brings the tables up to date. Of a promotion that was broken off nothing is left.
    ///
    /// - Throws: `unavailable` when the database isn't empty, or another process is promoting into it.
    func prepare() async throws(StoreError)
    /// Notes that a promotion is under way, and lets rows in that were made elsewhere.
    func begin() async throws(StoreError)
    /// Makes the one mint the first of a division, whose log all have in common up to here; refuses from now on what
    /// any store refuses.
    func divide(among mints: Int) async throws(StoreError)
    /// The same database as a store.
    func store() async throws(StoreError) -> any Store
    /// Lets others open it: the end of the promotion.
    func finish() async throws(StoreError)
}
