import HongbaoCore
package import NIOCore

/// A strict pull parser for JSON from outside: the caller says what is due next, and anything else is a fault.
///
/// Total: no input traps it or makes it recurse deeper than `depthMax`. Beyond RFC 8259 it refuses unknown and repeated
/// keys (escaped or not), numbers that aren't integers, and what `identifier` lists. It never rounds.
///
///     var reader = JSONReader(body)
///     try reader.object(fields) { reader, field in
///         switch field {
///         case .person: person = try reader.decimal(UInt64.self)
///         case .amount: amount = try reader.integer()
///         }
///     }
///     try reader.finish()
package struct JSONReader: Sendable {
    package static let depthMaxDefault = 16

    package enum UnknownFields: Sendable {
        case refused
        /// They and everything in them are checked as JSON, but not for repeated keys.
        case skipped
    }

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0
    private let depthMax: Int
    private var field: String?

    package init(_ bytes: [UInt8], depthMax: Int = Self.depthMaxDefault) {
        self.bytes = bytes
        self.depthMax = depthMax
    }

    package init(_ buffer: ByteBuffer, depthMax: Int = Self.depthMaxDefault) {
        self.init(Array(buffer.readableBytesView), depthMax: depthMax)
    }

    /// A fault at the place reached so far, for rules that only the caller knows.
    @inline(never)
    package func fault(_ reason: JSONFault.Reason) -> JSONFault { JSONFault(reason, offset: index, field: field) }

    /// Call it after the document: nothing but blanks may follow.
    package mutating func finish() throws(JSONFault) {
        skipBlanks()
        guard index == bytes.count else { throw fault(.malformed) }
    }

    // MARK: Objects and arrays

    /// Reads an object. `body` must read exactly one value for each field that it's given.
    @inline(__always)
    package mutating func object<Field>(
        _ fields: JSONFields<Field>,
        unknown: UnknownFields = .refused,
        _ body: (inout JSONReader, Field) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        let outer = field
        try open(.braceOpen)
        var seen: UInt64 = 0
        var hint = 0
        var isFirst = true
        while try hasNext(before: .braceClose, isFirst: isFirst) {
            isFirst = false
            let start = index
            let key = try scanKey()
            try expect(.colon)
            guard let position = fields.position(of: key, from: hint) else {
                guard unknown == .skipped else { throw unknownField(at: start) }
                try skip()
                continue
            }
            field = fields.names[position]
            let bit: UInt64 = 1 << UInt64(position)
            guard seen & bit == 0 else { throw JSONFault(.duplicateField, offset: start, field: field) }
            seen |= bit
            hint = position + 1
            try body(&self, fields.fields[position])
        }
        field = outer
    }

    /// Reads an array of at most `max` elements. `body` must read exactly one value each time.
    @inline(__always)
    package mutating func array(
        max: Int,
        _ body: (inout JSONReader) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try open(.bracketOpen)
        var count = 0
        while try hasNext(before: .bracketClose, isFirst: count == 0) {
            count += 1
            guard count <= max else { throw fault(.wrongLength) }
            try body(&self)
        }
    }

    private mutating func open(_ bracket: UInt8) throws(JSONFault) {
        skipBlanks()
        guard current == bracket else { throw mismatch() }
        index += 1
        depth += 1
        guard depth <= depthMax else { throw fault(.tooDeep) }
    }

    /// Whether another member follows; if so, stands on its first byte, and if not, behind the bracket.
    private mutating func hasNext(before close: UInt8, isFirst: Bool) throws(JSONFault) -> Bool {
        skipBlanks()
        if current == close {
            index += 1
            depth -= 1
            return false
        }
        if isFirst { return true }
        guard current == .comma else { throw fault(.malformed) }
        index += 1
        skipBlanks()
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(JSONFault) {
        skipBlanks()
        guard current == byte else { throw fault(.malformed) }
        index += 1
    }

    // MARK: Numbers, truth values, null

    /// Reads an integer written as one: no fraction, exponent, plus, leading zero or minus zero.
    package mutating func integer() throws(JSONFault) -> Int64 {
        skipBlanks()
        let isNegative = current == .minus
        let start = index
        if isNegative { index += 1 }
        let firstDigit = index
        var magnitude: UInt64 = 0
        while true {
            let digit = current &- .zero
            guard digit < 10 else { break }
            // 18 digits can't overflow, so only what follows is checked.
            if index - firstDigit < 18 {
                magnitude = magnitude &* 10 &+ UInt64(digit)
            } else {
                let (tens, overflow) = magnitude.multipliedReportingOverflow(by: 10)
                let (sum, carry) = tens.addingReportingOverflow(UInt64(digit))
                guard !overflow, !carry else { throw fault(.outOfRange) }
                magnitude = sum
            }
            index += 1
        }
        let length = index - firstDigit
        guard length > 0 else {
            index = start
            throw isNegative ? fault(.malformed) : mismatch()
        }
        guard length == 1 || bytes[firstDigit] != .zero else { throw fault(.malformed) }
        guard current != .dot, current | 0x20 != UInt8(ascii: "e"), !(isNegative && magnitude == 0) else {
            throw fault(.notAnInteger)
        }
        if isNegative {
            guard magnitude <= UInt64(Int64.max) + 1 else { throw fault(.outOfRange) }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        guard let value = Int64(exactly: magnitude) else { throw fault(.outOfRange) }
        return value
    }

    package mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type,
        in range: ClosedRange<Value> = Value.min...Value.max
    ) throws(JSONFault) -> Value {
        guard let value = Value(exactly: try integer()), range.contains(value) else { throw fault(.outOfRange) }
        return value
    }

    package mutating func bool() throws(JSONFault) -> Bool {
        if try literal("true") { return true }
        if try literal("false") { return false }
        throw mismatch()
    }

    /// Reads `null` if that comes next; if not, reads nothing.
    package mutating func null() throws(JSONFault) -> Bool { try literal("null") }

    private mutating func literal(_ word: StaticString) throws(JSONFault) -> Bool {
        skipBlanks()
        guard current == word.utf8Start.pointee else { return false }
        let end = index + word.utf8CodeUnitCount
        guard end <= bytes.count else { throw fault(.malformed) }
        let isEqual = word.withUTF8Buffer { bytes[index..<end].elementsEqual($0) }
        guard isEqual else { throw fault(.malformed) }
        index = end
        return true
    }

    // MARK: Strings

    /// Reads free text of `length` bytes in UTF-8. It may hold any character: escape it wherever it's shown.
    package mutating func string(length: ClosedRange<Int> = 0...65_536) throws(JSONFault) -> String {
        try decode(try scanString(), length: length)
    }

    /// Reads a name: like `string`, but without control, bidirectional, invisible and line-breaking characters.
    package mutating func identifier(length: ClosedRange<Int> = 1...64) throws(JSONFault) -> String {
        let raw = try scanString()
        let text = try decode(raw, length: length)
        guard raw.isPlain || text.unicodeScalars.allSatisfy(\.isAcceptableInIdentifier) else {
            throw fault(.unacceptableCharacter)
        }
        return text
    }

    /// Reads a string that is an unsigned number in its shortest decimal form, as IDs of persons are.
    package mutating func decimal<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type
    ) throws(JSONFault) -> Value {
        let raw = try scanString()
        guard raw.isPlain, let value = Value(canonicalDecimal: bytes[raw.range]) else { throw fault(.outOfRange) }
        return value
    }

    /// Reads a string of plain ASCII as its bytes, for values that are parsed further: tokens, signatures, orders.
    package mutating func ascii(length: ClosedRange<Int> = 0...65_536) throws(JSONFault) -> ArraySlice<UInt8> {
        let raw = try scanString()
        guard raw.isPlain else { throw fault(.unacceptableCharacter) }
        guard length.contains(raw.range.count) else { throw fault(.wrongLength) }
        return bytes[raw.range]
    }

    /// A string as it stands between its quotes.
    private struct RawString {
        let range: Range<Int>
        let hasEscapes: Bool
        let isASCII: Bool
        /// DEL is ASCII and legal in JSON, but isn't plain.
        let hasDelete: Bool

        var isPlain: Bool { !hasEscapes && isASCII && !hasDelete }
    }

    private mutating func scanString() throws(JSONFault) -> RawString {
        skipBlanks()
        guard current == .quote else { throw mismatch() }
        index += 1
        let start = index
        var hasEscapes = false
        var hasDelete = false
        var union: UInt8 = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == .quote {
                let range = start..<index
                index += 1
                let isASCII = union < 0x80
                guard isASCII || Self.isUTF8(bytes[range]) else { throw fault(.malformed) }
                return RawString(range: range, hasEscapes: hasEscapes, isASCII: isASCII, hasDelete: hasDelete)
            }
            guard byte >= 0x20 else { throw fault(.malformed) }
            union |= byte
            if byte == .backslash {
                hasEscapes = true
                _ = try scanEscape()
            } else {
                hasDelete = hasDelete || byte == 0x7F
                index += 1
            }
        }
        throw fault(.malformed)
    }

    private mutating func scanKey() throws(JSONFault) -> JSONKey {
        guard current == .quote else { throw fault(.malformed) }
        let start = index
        index += 1
        var key = JSONKey()
        while index < bytes.count {
            let byte = bytes[index]
            if byte == .quote {
                index += 1
                return key
            }
            if byte == .backslash || byte < 0x20 || byte >= 0x80 {
                index = start
                return try scanUnusualKey()
            }
            key.append(byte)
            index += 1
        }
        throw fault(.malformed)
    }

    /// A key with escapes or characters beyond ASCII: compared by what it means, not by how it's spelled.
    private mutating func scanUnusualKey() throws(JSONFault) -> JSONKey {
        let text = try decode(try scanString(), length: 0...bytes.count)
        var key = JSONKey()
        for byte in text.utf8 { key.append(byte) }
        return key
    }

    private func unknownField(at start: Int) -> JSONFault {
        let name = bytes[start...].dropFirst().prefix(33).prefix { $0 != .quote }
        let isPrintable = name.count <= 32 && name.allSatisfy { (0x21..<0x7F).contains($0) && $0 != .backslash }
        return JSONFault(.unknownField, offset: start, field: isPrintable ? String(decoding: name, as: UTF8.self) : nil)
    }

    private func decode(_ raw: RawString, length: ClosedRange<Int>) throws(JSONFault) -> String {
        guard raw.hasEscapes else {
            guard length.contains(raw.range.count) else { throw fault(.wrongLength) }
            return String(decoding: bytes[raw.range], as: UTF8.self)
        }
        var text = ""
        var escapes = self
        escapes.index = raw.range.lowerBound
        while escapes.index < raw.range.upperBound {
            if escapes.current == .backslash {
                text.unicodeScalars.append(try escapes.scanEscape())
            } else {
                let rest = bytes[escapes.index..<raw.range.upperBound]
                let run = rest.prefix { $0 != .backslash }
                text += String(decoding: run, as: UTF8.self)
                escapes.index = run.endIndex
            }
        }
        guard length.contains(text.utf8.count) else { throw fault(.wrongLength) }
        return text
    }

    /// Reads one escape, or two that form a surrogate pair, from the backslash on.
    private mutating func scanEscape() throws(JSONFault) -> Unicode.Scalar {
        index += 1
        let letter = current
        index += 1
        switch letter {
        case .quote, .backslash, UInt8(ascii: "/"): return Unicode.Scalar(letter)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw fault(.malformed)
        }
        let unit = try scanHex()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, current == .backslash else { throw fault(.malformed) }
        index += 1
        guard current == UInt8(ascii: "u") else { throw fault(.malformed) }
        index += 1
        let low = try scanHex()
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit - 0xD800) << 10 | UInt32(low - 0xDC00)))
        else { throw fault(.malformed) }
        return scalar
    }

    private mutating func scanHex() throws(JSONFault) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = current.hexDigitValue else { throw fault(.malformed) }
            value = value << 4 | UInt16(digit)
            index += 1
        }
        return value
    }

    private static func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
        var codec = UTF8()
        var units = bytes.makeIterator()
        while true {
            switch codec.decode(&units) {
            case .scalarValue: continue
            case .emptyInput: return true
            case .error: return false
            }
        }
    }

    // MARK: Skipping

    /// Reads any value and drops it.
    package mutating func skip() throws(JSONFault) {
        skipBlanks()
        switch current {
        case .quote: _ = try scanString()
        case .braceOpen:
            try open(.braceOpen)
            var isFirst = true
            while try hasNext(before: .braceClose, isFirst: isFirst) {
                isFirst = false
                _ = try scanKey()
                try expect(.colon)
                try skip()
            }
        case .bracketOpen: try array(max: .max) { reader throws(JSONFault) in try reader.skip() }
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
        case UInt8(ascii: "n"): _ = try null()
        default: try skipNumber()
        }
    }

    private mutating func skipNumber() throws(JSONFault) {
        if current == .minus { index += 1 }
        let isZero = current == .zero
        let length = skipDigits()
        guard length == 1 || (length > 1 && !isZero) else { throw fault(.malformed) }
        if current == .dot {
            index += 1
            guard skipDigits() > 0 else { throw fault(.malformed) }
        }
        if current | 0x20 == UInt8(ascii: "e") {
            index += 1
            if current == .minus || current == UInt8(ascii: "+") { index += 1 }
            guard skipDigits() > 0 else { throw fault(.malformed) }
        }
    }

    private mutating func skipDigits() -> Int {
        let start = index
        while current &- .zero < 10 { index += 1 }
        return index - start
    }

    // MARK: Bytes

    /// The byte to read next, or 0 at the end: NUL is legal nowhere in JSON, so the two needn't be told apart.
    private var current: UInt8 {
        @inline(__always) get { index < bytes.count ? bytes[index] : 0 }
    }

    @inline(__always)
    private mutating func skipBlanks() {
        while true {
            switch current {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    /// What is there can begin a value of another type, or no value at all.
    private func mismatch() -> JSONFault {
        switch current {
        case .quote, .braceOpen, .bracketOpen, .minus, .zero...UInt8(ascii: "9"), UInt8(ascii: "t"),
            UInt8(ascii: "f"), UInt8(ascii: "n"):
            fault(.wrongType)
        default: fault(.malformed)
        }
    }
}

extension UInt8 {
    fileprivate static let quote = UInt8(ascii: "\"")
    fileprivate static let backslash = UInt8(ascii: "\\")
    fileprivate static let comma = UInt8(ascii: ",")
    fileprivate static let colon = UInt8(ascii: ":")
    fileprivate static let braceOpen = UInt8(ascii: "{")
    fileprivate static let braceClose = UInt8(ascii: "}")
    fileprivate static let bracketOpen = UInt8(ascii: "[")
    fileprivate static let bracketClose = UInt8(ascii: "]")
    fileprivate static let minus = UInt8(ascii: "-")
    fileprivate static let dot = UInt8(ascii: ".")
    fileprivate static let zero = UInt8(ascii: "0")
}

extension Unicode.Scalar {
    /// Leaves out what can't be seen or changes how its neighbours are seen.
    var isAcceptableInIdentifier: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
        default: true
        }
    }
}
