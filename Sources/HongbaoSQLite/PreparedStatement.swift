import GRDBSQLite
import HongbaoCore
import HongbaoEngine

/// A compiled statement of one connection. Whoever compiled it finalises it; it's used only where its connection is.
struct PreparedStatement {
    let raw: OpaquePointer

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(raw, index, value) }

    @inline(__always)
    func bind(_ index: Int32, bits value: UInt64) { sqlite3_bind_int64(raw, index, Int64(bitPattern: value)) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { sqlite3_bind_null(raw, index) }
    }

    func bind(_ index: Int32, bytes: [UInt8]) {
        // An empty array may have no address, and SQLite takes a blob without one for NULL.
        if bytes.isEmpty {
            sqlite3_bind_zeroblob(raw, index, 0)
        } else {
            sqlite3_bind_blob64(raw, index, bytes, UInt64(bytes.count), Self.copies)
        }
    }

    func bind(_ index: Int32, text: String) {
        var text = text
        text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { characters in
                _ = sqlite3_bind_text(raw, index, characters.baseAddress, Int32(characters.count), Self.copies)
            }
        }
    }

    /// Tells SQLite to copy what is bound.
    private static var copies: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    /// Runs a statement that gives no rows. Answers SQLite's result code, `SQLITE_DONE` when it worked.
    @inline(__always)
    func runForCode() -> Int32 {
        let code = sqlite3_step(raw)
        sqlite3_reset(raw)
        return code
    }

    @inline(__always)
    func run() throws(StoreError) {
        let code = runForCode()
        guard code == SQLITE_DONE else { throw StoreError(sqlite: code, of: sqlite3_db_handle(raw)) }
    }

    /// How many rows a statement has changed; `nil` when the schema refused it.
    func change() throws(StoreError) -> Int? {
        let code = runForCode()
        if code & 0xFF == SQLITE_CONSTRAINT { return nil }
        guard code == SQLITE_DONE else { throw StoreError(sqlite: code, of: sqlite3_db_handle(raw)) }
        return Int(sqlite3_changes(sqlite3_db_handle(raw)))
    }

    /// Lets go of what was bound.
    func clear() { sqlite3_clear_bindings(raw) }

    /// Whether there is a row. The caller resets the statement when it has read enough.
    @inline(__always)
    func step() throws(StoreError) -> Bool {
        let code = sqlite3_step(raw)
        if code == SQLITE_ROW { return true }
        guard code == SQLITE_DONE else {
            let error = StoreError(sqlite: code, of: sqlite3_db_handle(raw))
            sqlite3_reset(raw)
            throw error
        }
        return false
    }

    @inline(__always)
    func reset() { sqlite3_reset(raw) }

    /// Reads for each of these keys the one row that there may be.
    @inline(__always)
    func rows<Key, Row>(
        for keys: [Key],
        _ bind: (PreparedStatement, Key) -> Void,
        _ read: (borrowing PreparedStatement) throws(StoreError) -> Row
    ) throws(StoreError) -> [Row] {
        var rows: [Row] = []
        for key in keys {
            bind(self, key)
            if let row = try first(read) { rows.append(row) }
        }
        return rows
    }
}

// Columns, counted from 0.
extension PreparedStatement {
    @inline(__always)
    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(raw, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(raw, column) == SQLITE_NULL }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let start = sqlite3_column_blob(raw, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(raw, column))))
    }

    func text(_ column: Int32) -> String {
        guard let start = sqlite3_column_text(raw, column) else { return "" }
        let bytes = UnsafeBufferPointer(start: start, count: Int(sqlite3_column_bytes(raw, column)))
        return String(decoding: bytes, as: UTF8.self)
    }

    func name(_ column: Int32) -> String { sqlite3_column_name(raw, column).map { String(cString: $0) } ?? "?" }
}
