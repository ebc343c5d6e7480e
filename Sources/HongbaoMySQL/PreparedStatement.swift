import CMySQLClient
import HongbaoCore
import HongbaoEngine

/// A statement that a server has compiled for one connection, used only on the connection's thread.
final class PreparedStatement {
    let raw: OpaquePointer
    private let query: Query?
    /// Where a parameter stands, if it stands in several places.
    private let places: [[UInt32]]
    private let locks: Bool
    private unowned let connection: Connection
    /// What is bound next belongs to this row of many.
    private var row: UInt32 = 0
    /// What is bound next comes so many parameters later: for one of many keys.
    private var shift: Int32 = 0
    private var hasLostBindings = false

    init(_ raw: OpaquePointer, _ query: Query?, _ places: [[UInt32]], locks: Bool, of connection: Connection) {
        self.raw = raw
        self.query = query
        self.places = places
        self.locks = locks
        self.connection = connection
    }

    // MARK: Parameters, counted from 1

    func bind(_ index: Int32, _ value: Int64) {
        atEach(index) { client_bind_number(raw, row, $0, value) }
    }

    func bind(_ index: Int32, bits value: UInt64) { bind(index, Int64(bitPattern: value)) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { atEach(index) { client_bind_null(raw, row, $0) } }
    }

    func bind(_ index: Int32, bytes: [UInt8]) {
        atEach(index) { client_bind_bytes(raw, row, $0, bytes, bytes.count, 0) }
    }

    func bind(_ index: Int32, text: String) {
        var text = text
        text.withUTF8 { utf8 in atEach(index) { client_bind_bytes(raw, row, $0, utf8.baseAddress, utf8.count, 1) } }
    }

    private func atEach(_ index: Int32, _ bind: (UInt32) -> Int32) {
        if places.isEmpty {
            note(bind(UInt32(index - 1 + shift)))
        } else {
            for place in places[Int(index) - 1] { note(bind(place)) }
        }
    }

    private func note(_ code: Int32) {
        if code != 0 { hasLostBindings = true }
    }

    /// Of a statement that nobody else closes, before its connection is.
    func close() { client_close_statement(raw) }

    /// Lets go of what was bound.
    func clear() { client_clear(raw) }

    // MARK: Running

    /// Runs it for so many rows that were bound by `run(_:_:)`.
    private func execute(rows: UInt32 = 1) throws(ServerFault) {
        row = 0
        if hasLostBindings {
            hasLostBindings = false
            throw ServerFault(number: 2008, text: "no memory")
        }
        guard client_execute(raw, rows) == 0 else { throw connection.fault() }
    }

    func run() throws(StoreError) {
        do throws(ServerFault) { try execute() } catch { throw connection.met(error) }
        connection.rowsChanged += Int64(client_affected(raw))
    }

    /// How many rows a statement has changed, or found as they should be; `nil` when the schema refused it.
    func change() throws(StoreError) -> Int? {
        do throws(ServerFault) { try execute() } catch {
            if error.meaning == .refused { return nil }
            throw connection.met(error)
        }
        let count = client_affected(raw)
        connection.rowsChanged += Int64(count)
        return Int(count)
    }

    /// Runs it for all of these rows, a bounded number at a time. Answers how many rows were changed or found.
    func run<Row>(_ rows: some Collection<Row>, _ bind: (PreparedStatement, Row) -> Void) throws(StoreError) -> Int {
        var rest = rows[...]
        var affected = 0
        while !rest.isEmpty {
            let some = rest.prefix(Connection.rowsMax)
            for value in some {
                bind(self, value)
                row += 1
            }
            do throws(ServerFault) { try execute(rows: UInt32(some.count)) } catch { throw connection.met(error) }
            affected += Int(client_affected(raw))
            rest = rest.dropFirst(some.count)
        }
        connection.rowsChanged += Int64(affected)
        return affected
    }

    private var isRunning = false

    /// Whether there is a row. The caller resets the statement when it has read enough.
    func step() throws(StoreError) -> Bool {
        if !isRunning {
            do throws(ServerFault) { try execute() } catch { throw connection.met(error) }
            isRunning = true
        }
        switch client_fetch(raw) {
        case 1: return true
        case 0: return false
        default:
            let fault = connection.fault()
            reset()
            throw connection.met(fault)
        }
    }

    func reset() {
        isRunning = false
        client_reset(raw)
    }

    /// Reads the rows with these keys, many at a time, in the order of the table's own key.
    ///
    /// - Parameter common: binds a parameter that all keys have in common, if the statement begins with one.
    func rows<Key, Row>(
        for keys: [Key],
        _ bind: (PreparedStatement, Key) -> Void,
        behind common: ((PreparedStatement) -> Void)? = nil,
        _ read: (borrowing PreparedStatement) throws(StoreError) -> Row
    ) throws(StoreError) -> [Row] {
        guard let query else { preconditionFailure("a statement without keys") }
        var rows: [Row] = []
        var rest = keys[...]
        while let last = rest.prefix(Connection.keysMax).last {
            let some = rest.prefix(Connection.keysMax)
            let size = Connection.keyCounts.first { $0 >= some.count } ?? Connection.keysMax
            let statement = try connection.prepared(query, keys: size, locks: locks)
            common?(statement)
            let first = common == nil ? 0 : 1
            let width = (statement.parameterCount - first) / size
            for index in 0..<size {
                statement.shift = Int32(first + index * width)
                // A key that is named twice is found once.
                bind(statement, index < some.count ? some[some.startIndex + index] : last)
            }
            statement.shift = 0
            rows += try statement.all(read)
            rest = rest.dropFirst(some.count)
        }
        return rows
    }

    private var parameterCount: Int { Int(client_parameter_count(raw)) }
}

// Columns, counted from 0.
extension PreparedStatement {
    func integer(_ column: Int32) -> Int64 { client_number(raw, UInt32(column)) }

    func isNull(_ column: Int32) -> Bool { client_is_null(raw, UInt32(column)) != 0 }

    func bytes(_ column: Int32) -> [UInt8] {
        var count = 0
        guard let start = client_bytes(raw, UInt32(column), &count) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: count))
    }

    func text(_ column: Int32) -> String {
        var count = 0
        guard let start = client_bytes(raw, UInt32(column), &count) else { return "" }
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    var columnCount: Int32 { Int32(client_column_count(raw)) }

    func name(_ column: Int32) -> String {
        client_column_name(raw, UInt32(column)).map { String(cString: $0) } ?? "?"
    }
}
