import CMySQLClient
import HongbaoEngine

/// The tables of a database as they lie there, on one connection: what carries whole databases over goes by.
final class BookTables {
    let connection: Connection
    /// Of the table that got rows last.
    private var insertion: (table: StoredTable, statement: PreparedStatement)?

    struct Trigger: Hashable {
        let name: String
        let event: String
        let table: String
        let body: String
    }

    init(_ connection: Connection) { self.connection = connection }

    deinit { forgetInsertion() }

    // MARK: Which there are

    /// All of the books. Where they are and which server is the primary is said of each copy by itself.
    private func names() throws(StoreError) -> [String] {
        try connection.ask(
            """
            SELECT table_name FROM information_schema.tables
            WHERE table_schema = database() AND table_type = 'BASE TABLE'
                AND table_name NOT IN ('hongbao_migration', 'reign', 'place')
            ORDER BY table_name
            """
        ) { row throws(StoreError) in row.text(0) }
    }

    /// What others refer to comes before them.
    func all() throws(StoreError) -> [StoredTable] {
        let references = try connection.ask(
            """
            SELECT table_name, referenced_table_name FROM information_schema.key_column_usage
            WHERE table_schema = database() AND referenced_table_name IS NOT NULL
            """
        ) { row throws(StoreError) in (from: row.text(0), to: row.text(1)) }
        var rest = try names()
        var sorted: [StoredTable] = []
        while !rest.isEmpty {
            let next = rest.firstIndex { name in
                !references.contains { $0.from == name && $0.to != name && rest.contains($0.to) }
            }
            guard let next else { throw StoreError(.corrupt, "tables refer to each other in a ring") }
            sorted.append(try table(rest.remove(at: next)))
        }
        return sorted
    }

    private func table(_ name: String) throws(StoreError) -> StoredTable {
        let columns = try connection.ask(
            """
            SELECT column_name, data_type FROM information_schema.columns
            WHERE table_schema = database() AND table_name = ? AND generation_expression IS NULL
            ORDER BY ordinal_position
            """,
            [name]
        ) { row throws(StoreError) in
            let kind: StoredTable.Kind
            switch row.text(1) {
            case "tinyint", "smallint", "int", "bigint": kind = .integer
            case "varchar": kind = .text
            case "varbinary", "blob", "mediumblob": kind = .bytes
            default: throw StoreError(.corrupt, "table \(name) has a column of another kind")
            }
            return StoredTable.Column(name: row.text(0), kind: kind)
        }
        let key = try connection.ask(
            """
            SELECT column_name FROM information_schema.statistics
            WHERE table_schema = database() AND table_name = ? AND index_name = 'PRIMARY' ORDER BY seq_in_index
            """,
            [name]
        ) { row throws(StoreError) in row.text(0) }
        return StoredTable(
            name: name,
            columns: columns,
            key: key.compactMap { name in columns.firstIndex { $0.name == name } }
        )
    }

    /// A table that has a row.
    func firstFilled() throws(StoreError) -> String? {
        for name in try names() {
            let found = try connection.ask("SELECT 1 FROM \(name) LIMIT 1") { _ throws(StoreError) in true }
            if !found.isEmpty { return name }
        }
        return nil
    }

    /// With all that is in them.
    func dropAll() throws(StoreError) {
        try connection.execute("SET SESSION foreign_key_checks = 0")
        for name in try names() { try connection.execute("DROP TABLE \(name)") }
        try connection.execute("SET SESSION foreign_key_checks = 1")
    }

    // MARK: Triggers

    func triggers() throws(StoreError) -> [Trigger] {
        try connection.ask(
            """
            SELECT trigger_name, event_manipulation, event_object_table, action_statement
            FROM information_schema.triggers
            WHERE trigger_schema = database() AND action_timing = 'BEFORE' ORDER BY event_object_table, action_order
            """
        ) { row throws(StoreError) in
            Trigger(name: row.text(0), event: row.text(1), table: row.text(2), body: row.text(3))
        }
    }

    func drop(_ triggers: [Trigger]) throws(StoreError) {
        for trigger in triggers { try connection.execute("DROP TRIGGER \(trigger.name)") }
    }

    func restore(_ triggers: [Trigger]) throws(StoreError) {
        for trigger in triggers {
            let place = "BEFORE \(trigger.event) ON \(trigger.table)"
            try connection.execute("CREATE TRIGGER \(trigger.name) \(place) FOR EACH ROW \(trigger.body)")
        }
        guard Set(try self.triggers()).isSuperset(of: triggers) else {
            throw StoreError(.corrupt, "the triggers aren't as they were")
        }
    }

    // MARK: Reading

    func rows(of table: StoredTable, after key: StoredRow?, limit: Int) throws(StoreError) -> [StoredRow] {
        try rows(of: table, table.page(isFirst: key == nil), after: key ?? [], limit: limit)
    }

    /// The last ones, the very last first.
    func lastRows(of table: StoredTable, limit: Int) throws(StoreError) -> [StoredRow] {
        let keys = table.key.map { "\(table.columns[$0].name) DESC" }.joined(separator: ", ")
        let page = "SELECT \(table.columnNames) FROM \(table.name) ORDER BY \(keys) LIMIT ?"
        return try rows(of: table, page, after: [], limit: limit)
    }

    private func rows(
        of table: StoredTable,
        _ page: String,
        after key: StoredRow,
        limit: Int
    ) throws(StoreError) -> [StoredRow] {
        let statement = try connection.prepared(page)
        defer { client_close_statement(statement.raw) }
        for (index, value) in key.enumerated() { statement.bind(Int32(index) + 1, value) }
        statement.bind(Int32(key.count) + 1, Int64(limit))
        return try statement.all { row throws(StoreError) in row.row(of: table) }
    }

    // MARK: Writing

    /// How much one message to the server holds: a quarter of what it must be able to take.
    private static let messageBytesMax = Int(ServerSettings.packetBytesLeast) / 4

    /// In one transaction.
    func add(_ rows: [StoredRow], to table: StoredTable) throws(StoreError) {
        let statement = try insertion(into: table)
        try connection.execute("START TRANSACTION")
        var rest = rows[...]
        while !rest.isEmpty {
            var bytes = 0
            let some = rest.prefix { row in
                bytes += row.reduce(0) { $0 + $1.size }
                return bytes <= Self.messageBytesMax
            }
            let next = some.isEmpty ? rest.prefix(1) : some
            let count = try statement.run(next) { statement, row in
                for (index, value) in row.enumerated() { statement.bind(Int32(index) + 1, value) }
            }
            guard count == next.count else {
                throw StoreError(.corrupt, "table \(table.name): \(next.count) rows were to be added, \(count) were")
            }
            rest = rest.dropFirst(next.count)
        }
        try connection.execute("COMMIT")
    }

    private func insertion(into table: StoredTable) throws(StoreError) -> PreparedStatement {
        if let insertion, insertion.table == table { return insertion.statement }
        forgetInsertion()
        let marks = table.columns.map { _ in "?" }.joined(separator: ", ")
        let statement = try connection.prepared("INSERT INTO \(table.name) (\(table.columnNames)) VALUES (\(marks))")
        insertion = (table, statement)
        return statement
    }

    func forgetInsertion() {
        if let insertion { client_close_statement(insertion.statement.raw) }
        insertion = nil
    }
}
