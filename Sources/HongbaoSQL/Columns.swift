import HongbaoCore
import HongbaoEngine

// Binding and reading rows. Columns are counted from 0; what doesn't fit its type contradicts the schema, so it's
// `corrupt`.
extension PreparedStatement {
    /// Reads the one row that there may be.
    @inline(__always)
    func first<Row>(_ read: (borrowing PreparedStatement) throws(StoreError) -> Row) throws(StoreError) -> Row? {
        guard try step() else {
            reset()
            return nil
        }
        defer { reset() }
        return try read(self)
    }

    func all<Row>(_ read: (borrowing PreparedStatement) throws(StoreError) -> Row) throws(StoreError) -> [Row] {
        defer { reset() }
        var rows: [Row] = []
        while try step() { rows.append(try read(self)) }
        return rows
    }

    func bind(_ index: Int32, textIfAny text: String?) {
        if let text { bind(index, text: text) } else { bind(index, nil) }
    }

    func textIfAny(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

    @inline(__always)
    func bits(_ column: Int32) -> UInt64 { UInt64(bitPattern: integer(column)) }

    @inline(__always)
    func number<Number: FixedWidthInteger>(_ column: Int32) throws(StoreError) -> Number {
        guard let number = Number(exactly: integer(column)) else { throw unreadable(column) }
        return number
    }

    @inline(__always)
    func amount(_ column: Int32) throws(StoreError) -> Amount {
        guard let amount = Amount(fen: integer(column)) else { throw unreadable(column) }
        return amount
    }

    func time(_ column: Int32) -> Timestamp { Timestamp(milliseconds: integer(column)) }

    func timeIfAny(_ column: Int32) -> Timestamp? { isNull(column) ? nil : time(column) }

    func unreadable(_ column: Int32) -> StoreError {
        StoreError(.corrupt, "a row has an impossible \(name(column))")
    }
}
