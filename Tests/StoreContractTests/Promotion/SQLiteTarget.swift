import Foundation
import GRDB
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting

/// A target of promotions in another file of SQLite: what is asked of a database, without one.
actor SQLiteTarget: PromotionTarget {
    private let folder: String
    private let queue: DatabaseQueue
    private var opened: SQLiteStore?
    private(set) var calls: [String] = []
    /// Loses the last row of this table.
    private let losing: String?

    init(_ folder: TemporaryFolder, losing: String? = nil) async throws {
        self.folder = folder.path
        self.losing = losing
        try await SQLiteStore(folder: folder.path).close()
        queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
    }

    private func write(_ body: @Sendable (Database) throws -> Void) throws(StoreError) {
        do { try queue.write(body) } catch { throw StoreError(.corrupt, "\(error)") }
    }

    func tables() async throws(StoreError) -> [StoredTable] {
        let first = ["mint", "budget"]
        let store = try await reader()
        let tables = try await store.tables()
        return tables.filter { first.contains($0.name) } + tables.filter { !first.contains($0.name) }
    }

    func rows(of table: StoredTable, after key: StoredRow?, limit: Int) async throws(StoreError) -> [StoredRow] {
        try await reader().rows(of: table, after: key, limit: limit)
    }

    private func reader() async throws(StoreError) -> SQLiteStore {
        if let opened { return opened }
        let store = try SQLiteStore(folder: folder)
        opened = store
        return store
    }

    func prepare() { calls.append("prepare") }

    func begin() throws(StoreError) {
        calls.append("begin")
        try write { database in
            let triggers = try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for trigger in triggers { try database.execute(sql: "DROP TRIGGER \(trigger)") }
        }
    }

    func add(_ rows: [StoredRow], to table: StoredTable) throws(StoreError) {
        let kept = losing == table.name ? Array(rows.dropLast()) : rows
        let marks = table.columns.map { _ in "?" }.joined(separator: ", ")
        try write { database in
            for row in kept {
                let values = row.map { value -> (any DatabaseValueConvertible)? in
                    switch value {
                    case .nothing: nil
                    case .integer(let number): number
                    case .text(let text): text
                    case .bytes(let bytes): Data(bytes)
                    }
                }
                let sql = "INSERT INTO \(table.name) VALUES (\(marks))"
                try database.execute(sql: sql, arguments: StatementArguments(values))
            }
        }
    }

    func divide(among mints: Int) throws(StoreError) {
        calls.append("divide")
        try write { try $0.execute(sql: "UPDATE mint SET mints = \(mints), common_sequence = last_sequence") }
    }

    func store() async throws(StoreError) -> any Store { try await reader() }

    func finish() { calls.append("finish") }

    func close() async throws { try await opened?.close() }
}
