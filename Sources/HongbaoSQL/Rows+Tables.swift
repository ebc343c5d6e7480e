import HongbaoEngine

// Rows of a table whatever they mean, for carrying them over to another store.
extension PreparedStatement {
    func bind(_ index: Int32, _ value: StoredValue) {
        switch value {
        case .nothing: bind(index, nil)
        case .integer(let number): bind(index, number)
        case .text(let text): bind(index, text: text)
        case .bytes(let bytes): bind(index, bytes: bytes)
        }
    }

    /// The columns of `StoredTable.page`.
    func row(of table: StoredTable) -> StoredRow {
        table.columns.indices.map { place in
            let column = Int32(place)
            if isNull(column) { return .nothing }
            switch table.columns[place].kind {
            case .integer: return .integer(integer(column))
            case .text: return .text(text(column))
            case .bytes: return .bytes(bytes(column))
            }
        }
    }
}

extension StoredTable {
    private var keyNames: String { key.map { columns[$0].name }.joined(separator: ", ") }
    var columnNames: String { columns.map(\.name).joined(separator: ", ") }

    /// Rows in order of key; the last parameter is the limit, those before it are the key behind which it begins.
    func page(isFirst: Bool) -> String {
        if isFirst { return "SELECT \(columnNames) FROM \(name) ORDER BY \(keyNames) LIMIT ?" }
        return Query.page(of: name, columnNames, key: keyNames, ">")
    }
}
