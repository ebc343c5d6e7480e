import GRDB
package import HongbaoEngine

extension SQLiteStore: StoredTables {
    package func tables() async throws(StoreError) -> [StoredTable] {
        do {
            return try await pool.read { database in
                let names = try String.fetchAll(
                    database,
                    sql: """
                        SELECT name FROM sqlite_master
                        WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'grdb_migrations' ORDER BY name
                        """
                )
                return try names.map { try Self.table($0, database) }
            }
        } catch {
            throw StoreError(error)
        }
    }

    private static func table(_ name: String, _ database: Database) throws -> StoredTable {
        let rows = try Row.fetchAll(database, sql: "PRAGMA table_info(\(name))")
        let columns = try rows.map { row in
            let kind: StoredTable.Kind
            switch row["type"] as String {
            case "INTEGER": kind = .integer
            case "TEXT": kind = .text
            case "BLOB": kind = .bytes
            default: throw StoreError(.corrupt, "table \(name) has a column of another kind")
            }
            return StoredTable.Column(name: row["name"], kind: kind)
        }
        let ranks = rows.map { row -> Int in row["pk"] }
        let key = ranks.indices.filter { ranks[$0] > 0 }.sorted { ranks[$0] < ranks[$1] }
        return StoredTable(name: name, columns: columns, key: key)
    }

    package func rows(
        of table: StoredTable,
        after key: StoredRow?,
        limit: Int
    ) async throws(StoreError) -> [StoredRow] {
        do {
            return try await pool.read { database in
                let sql = table.page(isFirst: key == nil)
                let statement = PreparedStatement(raw: try database.cachedStatement(sql: sql).sqliteStatement)
                let key = key ?? []
                for (index, value) in key.enumerated() { statement.bind(Int32(index) + 1, value) }
                statement.bind(Int32(key.count) + 1, Int64(limit))
                return try statement.all { row throws(StoreError) in row.row(of: table) }
            }
        } catch {
            throw StoreError(error)
        }
    }
}
