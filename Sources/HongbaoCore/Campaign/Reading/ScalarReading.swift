/// The scalars of a campaign file. Each has exactly one way to be written; nothing is converted or guessed.
extension ProblemList {
    /// A whole number within the range: plain digits, without sign, leading zero, fraction, exponent or quotes.
    mutating func number<Value: FixedWidthInteger & UnsignedInteger>(
        _ field: RawField,
        _ range: ClosedRange<Value>
    ) -> Value? {
        guard let digits = digits(field, what: "a whole number") else { return nil }
        guard let value = Value(canonicalDecimal: digits.utf8), range.contains(value) else {
            error(field.spot, "\(digits.shown) is not between \(range.lowerBound) and \(range.upperBound)")
            return nil
        }
        return value
    }

    /// A sum in fen, at least 1.
    mutating func amount(_ field: RawField) -> Amount? {
        guard let digits = digits(field, what: "a whole number of fen") else { return nil }
        guard let value = UInt64(canonicalDecimal: digits.utf8), let fen = Int64(exactly: value),
            let amount = Amount(fen: fen)
        else {
            error(field.spot, "\(digits.shown) fen is more than can be counted")
            return nil
        }
        guard amount > .zero else {
            error(field.spot, "an amount must be at least 1 fen")
            return nil
        }
        return amount
    }

    /// An instant: ISO 8601 with an offset, or a whole number of milliseconds since 1970.
    mutating func instant(_ field: RawField) -> Timestamp? {
        let hint = "write it as 2022-01-31T19:30:00+08:00, with .000 for milliseconds, or in milliseconds since 1970"
        guard case .scalar(let text, let isQuoted) = field.node.content, !text.isEmpty else {
            error(field.spot, "must be an instant, but is \(field.node.content.kind)", hint: hint)
            return nil
        }
        if let instant = Timestamp(iso8601: text) { return instant }
        if !isQuoted, let milliseconds = UInt64(canonicalDecimal: text.utf8), let value = Int64(exactly: milliseconds),
            value <= Timestamp.max.milliseconds
        {
            return Timestamp(milliseconds: value)
        }
        error(field.spot, "\(text.shown) is not an instant", hint: hint)
        return nil
    }

    /// One of the words; no quotes are needed and none are minded.
    mutating func word<Value>(_ field: RawField, _ words: [(String, Value)]) -> Value? {
        let known = words.map(\.0)
        guard case .scalar(let text, _) = field.node.content, !text.isEmpty else {
            error(
                field.spot,
                "must be a word, but is \(field.node.content.kind)",
                hint: "possible here: \(known.joined(separator: ", "))"
            )
            return nil
        }
        guard let value = words.first(where: { $0.0 == text })?.1 else {
            error(field.spot, "\(text.shown) is not possible here", hint: Self.hint(for: text, among: known))
            return nil
        }
        return value
    }

    mutating func flag(_ field: RawField) -> Bool? { word(field, [("on", true), ("off", false)]) }

    /// A key that is defined elsewhere in the file; whether it is, the caller checks.
    mutating func reference(_ field: RawField) -> String? {
        guard case .scalar(let text, _) = field.node.content, !text.isEmpty else {
            error(field.spot, "must be a key, but is \(field.node.content.kind)")
            return nil
        }
        return isKey(text, at: field.spot) ? text : nil
    }

    /// Text for people: 1 to 64 characters on one line. What YAML takes for something else must be in quotes.
    mutating func text(_ field: RawField) -> String? {
        guard case .scalar(let text, let isQuoted) = field.node.content, isQuoted || !text.isEmpty else {
            error(field.spot, "must be text, but is \(field.node.content.kind)")
            return nil
        }
        if !isQuoted, Self.isTakenForSomethingElse(text) {
            error(field.spot, "must be text, but is \(field.node.content.kind)", hint: "put it in quotes to say text")
            return nil
        }
        guard (1...64).contains(text.unicodeScalars.prefix(65).count),
            text.unicodeScalars.allSatisfy(\.isPlainText),
            text.unicodeScalars.contains(where: { !$0.properties.isWhitespace })
        else {
            error(field.spot, "\(text.shown) can't be shown to people", hint: "1 to 64 printable characters, one line")
            return nil
        }
        return text
    }

    /// People's IDs: decimal numbers, in quotes or not, each at most once.
    mutating func people(_ field: RawField) -> Set<PersonID>? {
        guard let fields = list(field) else { return nil }
        var people: Set<PersonID> = []
        for field in fields {
            guard case .scalar(let text, _) = field.node.content, let raw = UInt64(canonicalDecimal: text.utf8), raw > 0
            else {
                error(field.spot, "must be a person's ID, but is \(field.node.content.kind)")
                continue
            }
            if !people.insert(PersonID(raw)).inserted { error(field.spot, "person \(raw) is listed twice") }
        }
        return people
    }

    private static let rangeCountMax = 64

    /// `3`, `1-20`, or a list of such: numbers up to `limit`, none twice.
    mutating func ranges(_ field: RawField, upTo limit: UInt16) -> NumberRanges? {
        let fields: [RawField]
        if case .list = field.node.content { fields = list(field) ?? [] } else { fields = [field] }
        guard (1...Self.rangeCountMax).contains(fields.count) else {
            error(field.spot, "must have 1 to \(Self.rangeCountMax) numbers or ranges, but has \(fields.count)")
            return nil
        }
        var ranges: [ClosedRange<UInt16>] = []
        var isWhole = true
        for field in fields {
            guard let range = range(field, upTo: limit) else {
                isWhole = false
                continue
            }
            if ranges.contains(where: { $0.overlaps(range) }) {
                error(field.spot, "a number of \(field.node.content.kind) is there already")
                isWhole = false
            } else {
                ranges.append(range)
            }
        }
        ranges.sort { $0.lowerBound < $1.lowerBound }
        guard isWhole, let first = ranges.first else { return nil }
        return NumberRanges(first, Array(ranges.dropFirst()))
    }

    private mutating func range(_ field: RawField, upTo limit: UInt16) -> ClosedRange<UInt16>? {
        var ends: [UInt16?] = []
        if case .scalar(let text, isQuoted: false) = field.node.content {
            ends = text.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 2, omittingEmptySubsequences: false)
                .map { UInt16(canonicalDecimal: $0) }
        }
        guard (1...2).contains(ends.count), let end = ends.first, let first = end, let end = ends.last, let last = end
        else {
            error(field.spot, "must be a number or a range, but is \(field.node.content.kind)", hint: "write 3 or 1-20")
            return nil
        }
        guard last <= limit else {
            error(field.spot, "\(last) is more than \(limit), the largest that fits in an order number")
            return nil
        }
        guard first <= last else {
            error(field.spot, "the range \(first)-\(last) is turned around")
            return nil
        }
        return first...last
    }

    private mutating func digits(_ field: RawField, what: String) -> String? {
        guard case .scalar(let text, let isQuoted) = field.node.content, !isQuoted, !text.isEmpty else {
            error(field.spot, "must be \(what), but is \(field.node.content.kind)")
            return nil
        }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            text == "0" || text.utf8.first != UInt8(ascii: "0")
        else {
            let hint = "digits only: no sign, point, exponent or _"
            error(field.spot, "must be \(what), but is \(text.shown)", hint: hint)
            return nil
        }
        return text
    }

    /// Numbers, truth values and nulls of YAML's versions: plain, they aren't text.
    private static func isTakenForSomethingElse(_ text: String) -> Bool {
        switch text.lowercased() {
        case "~", "null", "true", "false", "yes", "no", "on", "off", ".nan", ".inf", "-.inf": return true
        default: break
        }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard text.utf8.contains(where: digits.contains) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case digits, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }
}
