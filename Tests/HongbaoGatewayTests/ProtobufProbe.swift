import HongbaoCore

@testable import HongbaoGateway

/// Reaches what the module keeps to itself.
enum ProtobufProbe {
    static func request(_ bytes: [UInt8]) throws -> GrantRequest { try GrantProtobuf.request(bytes) }
}

enum CursorProbe {
    static func text(_ cursor: StatementCursor, in book: BookID) -> String {
        String(decoding: StatementCursorWire.text(cursor, in: book), as: UTF8.self)
    }

    static func cursor(_ text: String, in book: BookID) -> StatementCursor? {
        StatementCursorWire.cursor(text, in: book)
    }
}
