import HongbaoCore
import HongbaoGateway

/// Order numbers and cursors have one spelling each.
enum TextProperties {
    static func checkOrder(_ input: [UInt8]) throws(FuzzBreach) {
        if let text = String(validating: input, as: UTF8.self), let order = OrderNumber(text) {
            try hold(Array(order.description.utf8) == input, "an order number has two spellings")
            try hold(OrderText.bytes(order) == input, "the gateway writes the order number otherwise")
        }
        guard input.count >= 16 else { return }
        let order = OrderNumber(bits: input.span.bigEndian(at: 0))
        try hold(OrderNumber(order.description) == order, "an order number isn't read as it was written")
        try hold(OrderText.bytes(order) == Array(order.description.utf8), "the gateway writes it otherwise")
        let parts = OrderNumber(
            person: order.person,
            scene: order.scene,
            rain: order.rain,
            awardType: order.awardType,
            stage: order.stage
        )
        try hold(parts == order, "packing loses something")
    }

    static func checkCursor(_ input: [UInt8]) throws(FuzzBreach) {
        let decoded = Base64URL.decode(input)
        if let decoded { try hold(Base64URL.encode(decoded) == input, "base64url has two spellings") }
        try hold(Base64URL.decode(Base64URL.encode(input)) == input, "base64url loses something")
        guard let text = String(validating: input, as: UTF8.self) else { return }
        // A book that it may be for; if it's not long enough, any.
        let book = BookID(decoded.flatMap { $0.count > 2 ? UInt16($0[1]) << 8 | UInt16($0[2]) : nil } ?? 0)
        try hold(
            StatementCursorWire.cursor(text, in: BookID(book.rawValue &+ 1)) == nil,
            "a cursor is good for another book"
        )
        guard let cursor = StatementCursorWire.cursor(text, in: book) else { return }
        try hold(StatementCursorWire.text(cursor, in: book) == input, "a cursor has two spellings")
    }
}
