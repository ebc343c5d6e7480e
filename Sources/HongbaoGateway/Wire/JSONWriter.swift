package import NIOCore

/// Writes JSON straight into bytes, with commas where they belong. Keys come in the order written.
///
///     var json = JSONWriter()
///     json.object {
///         $0.field("person", decimal: person)
///         $0.field("amount", amount.fen)
///     }
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    package init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

    package var buffer: ByteBuffer { ByteBuffer(bytes: bytes) }

    @inline(__always)
    package mutating func object<Fault: Error>(_ body: (inout JSONWriter) throws(Fault) -> Void) throws(Fault) {
        begin(UInt8(ascii: "{"))
        try body(&self)
        end(UInt8(ascii: "}"))
    }

    @inline(__always)
    package mutating func array<Fault: Error>(_ body: (inout JSONWriter) throws(Fault) -> Void) throws(Fault) {
        begin(UInt8(ascii: "["))
        try body(&self)
        end(UInt8(ascii: "]"))
    }

    /// Names the value that is written next. `name` must not need escaping.
    package mutating func key(_ name: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func field(_ name: StaticString, _ value: Int64) {
        key(name)
        self.value(value)
    }
    package mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        self.value(value)
    }
    package mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        self.value(value)
    }
    /// Writes a string of decimal digits, for IDs too large for a JavaScript number.
    package mutating func field(_ name: StaticString, decimal value: UInt64) {
        key(name)
        self.value(decimal: value)
    }

    package mutating func value(_ value: Int64) {
        separate()
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        append(value.magnitude)
        needsComma = true
    }

    package mutating func value(_ value: Bool) {
        separate()
        append(value ? "true" : "false")
        needsComma = true
    }

    package mutating func null() {
        separate()
        append("null")
        needsComma = true
    }

    package mutating func value(decimal value: UInt64) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        append(value)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    package mutating func value(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { append(escaping: $0) }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Writes bytes of ASCII that need no escaping as a string: base64, hexadecimal, order numbers.
    package mutating func value(ascii text: some Collection<UInt8>) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        bytes.append(contentsOf: text)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Inserts a value that is JSON already.
    package mutating func value(json: some Collection<UInt8>) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    @usableFromInline
    mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        needsComma = false
    }

    @usableFromInline
    mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ number: UInt64) {
        var digits: [20 of UInt8] = .init(repeating: 0)
        var start = 20
        var rest = number
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        for position in start..<20 { bytes.append(digits[position]) }
    }

    private mutating func append(escaping text: UnsafeBufferPointer<UInt8>) {
        var clean = text.startIndex
        for (position, byte) in text.enumerated() {
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F else {
                continue
            }
            bytes.append(contentsOf: text[clean..<position])
            clean = position + 1
            bytes.append(UInt8(ascii: "\\"))
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
            case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
            case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
            case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
            default:
                append("u00")
                bytes.append(Self.hexDigits[Int(byte >> 4)])
                bytes.append(Self.hexDigits[Int(byte & 15)])
            }
        }
        bytes.append(contentsOf: text[clean...])
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)
}
