/// Carries tables of one store over into another that has the same tables, page by page in order of key.
package struct TableCopy: Sendable {
    private let source: any StoredTables
    private let target: any StoredTablesTarget

    package init(from source: any StoredTables, to target: any StoredTablesTarget) {
        self.source = source
        self.target = target
    }

    private typealias Page = Result<[StoredRow], StoreError>

    private func page(of table: StoredTable, in store: any StoredTables, after key: StoredRow?) async -> Page {
        do throws(StoreError) {
            return .success(try await store.rows(of: table, after: key, limit: table.pageRows))
        } catch {
            return .failure(error)
        }
    }

    /// Answers how many rows there are. The next page is read while one is written.
    ///
    /// - Parameter told: is told how many are copied, before each further page.
    package func copy(_ table: StoredTable, _ told: (Int) async -> Void) async throws(StoreError) -> Int {
        var count = 0
        var rows = try await page(of: table, in: source, after: nil).get()
        while let last = rows.last {
            let key = table.key(of: last)
            async let next = page(of: table, in: source, after: key)
            try await target.add(rows, to: table)
            count += rows.count
            rows = try await next.get()
            if !rows.isEmpty { await told(count) }
        }
        return count
    }

    /// Reads both again, row by row.
    package func compare(_ table: StoredTable) async throws(StoreError) {
        var last: StoredRow?
        while true {
            let key = last.map { table.key(of: $0) }
            async let own = page(of: table, in: source, after: key)
            async let copied = page(of: table, in: target, after: key)
            let (rows, copies) = (try await own.get(), try await copied.get())
            guard rows == copies else {
                throw StoreError(.corrupt, "table \(table.name): the copy differs")
            }
            last = rows.last
            if last == nil { return }
        }
    }
}
