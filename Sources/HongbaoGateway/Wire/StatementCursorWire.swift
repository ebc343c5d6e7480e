package import HongbaoCore

/// A statement's cursor as clients hold it: opaque to them, and of no use in another book.
///
/// Version 1: version (1 byte), book (2), time (8), transfer ID (16), kind (1); most significant byte first; base64url.
package enum StatementCursorWire {
    static let version: UInt8 = 1
    static let byteCount = 28

    package static func text(_ cursor: StatementCursor, in book: BookID) -> [UInt8] {
        var bytes: [UInt8] = [version]
        bytes.reserveCapacity(byteCount)
        append(book.rawValue, to: &bytes)
        append(UInt64(bitPattern: cursor.at.milliseconds), to: &bytes)
        append(cursor.id.bits, to: &bytes)
        bytes.append(cursor.kind.rawValue)
        return Base64URL.encode(bytes)
    }

    /// `nil` for anything that `text` can't have made for this book.
    package static func cursor(_ text: String, in book: BookID) -> StatementCursor? {
        guard text.utf8.count == (byteCount * 4 + 2) / 3, let bytes = Base64URL.decode(text.utf8),
            bytes.count == byteCount, bytes[0] == version,
            BookID(number(bytes[1..<3], UInt16.self)) == book,
            let kind = StatementEntry.Kind(rawValue: bytes[27])
        else { return nil }
        let at = Int64(bitPattern: number(bytes[3..<11], UInt64.self))
        guard (0...Timestamp.max.milliseconds).contains(at) else { return nil }
        return StatementCursor(
            at: Timestamp(milliseconds: at),
            id: TransferID(bits: number(bytes[11..<27], UInt128.self)),
            kind: kind
        )
    }

    private static func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number, to bytes: inout [UInt8]) {
        for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> Number(shift)))
        }
    }

    private static func number<Number: FixedWidthInteger & UnsignedInteger>(
        _ bytes: ArraySlice<UInt8>,
        _: Number.Type
    ) -> Number {
        bytes.reduce(0) { $0 << 8 | Number($1) }
    }
}
