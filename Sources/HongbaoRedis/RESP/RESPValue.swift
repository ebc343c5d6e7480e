/// What a Redis server answers, in RESP2 or RESP3.
package enum RESPValue: Hashable, Sendable {
    case null
    case integer(Int64)
    case boolean(Bool)
    /// Strings of every kind, and numbers that aren't whole, as the server wrote them.
    case text([UInt8])
    /// The server's refusal, beginning with its code.
    case error(String)
    /// Arrays and sets.
    case list([RESPValue])
    /// Keys and values by turns.
    case map([RESPValue])
    /// What nobody asked for.
    case push([RESPValue])

    package static func text(_ text: String) -> RESPValue { .text(Array(text.utf8)) }

    /// `nil` for what isn't a string, or isn't UTF-8.
    package var string: String? {
        guard case .text(let bytes) = self else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    /// An integer, also one that is written as a string, as scripts and hashes answer them.
    package var integer: Int64? {
        switch self {
        case .integer(let number): number
        case .text(let bytes): Int64(decimal: bytes)
        default: nil
        }
    }

    /// The elements of a list, or the keys and values of a map by turns, as RESP2 writes maps.
    package var elements: [RESPValue]? {
        switch self {
        case .list(let elements), .map(let elements): elements
        default: nil
        }
    }

    /// The bytes that a server would send for it. Reading them gives the same value.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(to: &bytes)
        return bytes
    }

    private func write(to bytes: inout [UInt8]) {
        func block(_ kind: Character, _ content: some Collection<UInt8>) {
            bytes += Array("\(kind)\(content.count)\r\n".utf8) + content + Array("\r\n".utf8)
        }
        func all(_ kind: Character, _ count: Int, _ elements: [RESPValue]) {
            bytes += Array("\(kind)\(count)\r\n".utf8)
            for element in elements { element.write(to: &bytes) }
        }
        switch self {
        case .null: bytes += Array("_\r\n".utf8)
        case .integer(let number): bytes += Array(":\(number)\r\n".utf8)
        case .boolean(let isTrue): bytes += Array(isTrue ? "#t\r\n".utf8 : "#f\r\n".utf8)
        case .text(let text): block("$", text)
        case .error(let text): block("!", text.utf8)
        case .list(let elements): all("*", elements.count, elements)
        case .map(let elements): all("%", elements.count / 2, elements)
        case .push(let elements): all(">", elements.count, elements)
        }
    }
}

extension Int64 {
    /// Digits in ASCII, perhaps behind a minus sign, and nothing else.
    init?(decimal bytes: some Collection<UInt8>) {
        let isNegative = bytes.first == UInt8(ascii: "-")
        let digits = bytes.dropFirst(isNegative ? 1 : 0)
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let number = Int64(digit - UInt8(ascii: "0"))
            let (tenfold, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tenfold.addingReportingOverflow(isNegative ? -number : number)
            guard !tooLarge, !overflow else { return nil }
            value = sum
        }
        self = value
    }
}
