/// The names that an object may have, prepared so that finding one is a few comparisons of integers.
///
/// Make one per request type, as a `static let`.
package struct JSONFields<Field: CaseIterable & RawRepresentable & Sendable>: Sendable where Field.RawValue == String {
    let fields: [Field]
    let names: [String]
    private let words: [UInt128]

    /// Traps when a name isn't 1 to 15 bytes of ASCII or there are more than 64: names are written by programmers.
    package init(of type: Field.Type = Field.self) {
        fields = Array(Field.allCases)
        names = fields.map(\.rawValue)
        precondition(names.count <= 64)
        words = names.map { name in
            precondition((1...JSONKey.lengthMax).contains(name.utf8.count) && name.utf8.allSatisfy { $0 < 0x80 })
            var key = JSONKey()
            for byte in name.utf8 { key.append(byte) }
            return key.word
        }
    }

    /// Looks where it's likely first: most senders keep to the documented order.
    func position(of key: JSONKey, from hint: Int) -> Int? {
        let word = key.word
        for position in hint..<words.endIndex where words[position] == word { return position }
        for position in 0..<min(hint, words.endIndex) where words[position] == word { return position }
        return nil
    }
}

/// The bytes of a key packed into one integer, with their number; keys that don't fit compare unequal to all that do.
struct JSONKey {
    static let lengthMax = 15

    private var bits: UInt128 = 0
    private(set) var count = 0

    mutating func append(_ byte: UInt8) {
        bits = bits << 8 | UInt128(byte)
        count += 1
    }

    var word: UInt128 {
        count <= Self.lengthMax ? bits | UInt128(truncatingIfNeeded: count) << 120 : .max
    }
}

/// Why a text isn't the JSON that was expected.
package struct JSONFault: Error, Hashable, Sendable {
    package enum Reason: String, Hashable, Sendable, CaseIterable {
        /// Not JSON by RFC 8259: broken grammar, cut off, not UTF-8, or followed by something.
        case malformed
        case tooDeep
        case unknownField
        case duplicateField
        case missingField
        /// JSON, but another kind of value than is due here.
        case wrongType
        /// A number with a fraction, an exponent or a minus before zero, where an integer is due.
        case notAnInteger
        case outOfRange
        /// A string or an array that is too long or too short.
        case wrongLength
        /// A character that an identifier can't have, as a control or a bidirectional one.
        case unacceptableCharacter
    }

    package let reason: Reason
    /// Where in the bytes, from 0.
    package let offset: Int
    /// The innermost field that it's about. A name from outside is given only when it's short, plain ASCII.
    package let field: String?

    package init(_ reason: Reason, offset: Int = 0, field: String? = nil) {
        self.reason = reason
        self.offset = offset
        self.field = field
    }

    /// For fields that must be there and weren't.
    package static func missing(_ field: some RawRepresentable<String>) -> Self {
        Self(.missingField, field: field.rawValue)
    }
}
