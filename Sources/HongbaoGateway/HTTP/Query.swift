import HTTPTypes
import HongbaoCore

/// The parameters behind the question mark, as strict as bodies are: unknown and repeated ones are refused.
struct Query: Sendable {
    private let values: [(name: String, value: String)]

    init(_ head: HTTPRequest, allowed: [String]) throws(Problem) {
        guard let path = head.path, let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) else {
            values = []
            return
        }
        var values: [(name: String, value: String)] = []
        let text = path.utf8[path.utf8.index(after: mark)...]
        for pair in text.split(separator: UInt8(ascii: "&")) {
            let sign = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = Self.decode(pair[..<sign]), let value = Self.decode(pair[sign...].dropFirst()) else {
                throw Problem(.malformed, detail: "The query isn't UTF-8 in percent encoding.")
            }
            guard allowed.contains(name) else {
                throw Problem(.unknownField, param: Name.isValid(name.utf8) ? name : nil)
            }
            guard !values.contains(where: { $0.name == name }) else {
                throw Problem(.malformed, param: name, detail: "The parameter is there twice.")
            }
            values.append((name, value))
        }
        self.values = values
    }

    subscript(name: String) -> String? { values.first { $0.name == name }?.value }

    /// The key of something that is configured.
    func name(_ name: String) throws(Problem) -> String? {
        guard let value = self[name] else { return nil }
        guard Name.isValid(value.utf8) else {
            throw Problem(.malformed, param: name, detail: "1 to 64 of A-Z, a-z, 0-9, dot, dash, underscore.")
        }
        return value
    }

    func requiredName(_ name: String) throws(Problem) -> String {
        guard let value = try self.name(name) else {
            throw Problem(.malformed, param: name, detail: "The parameter is missing.")
        }
        return value
    }

    func integer(_ name: String, in range: ClosedRange<UInt32>) throws(Problem) -> Int? {
        guard let value = self[name] else { return nil }
        guard let number = UInt32(canonicalDecimal: value.utf8), range.contains(number) else {
            throw Problem(.malformed, param: name, detail: "An integer from \(range.lowerBound) to \(range.upperBound).")
        }
        return Int(number)
    }

    private static func decode(_ text: some Collection<UInt8>) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text.makeIterator()
        while let byte = rest.next() {
            if byte == UInt8(ascii: "+") {
                bytes.append(UInt8(ascii: " "))
            } else if byte == UInt8(ascii: "%") {
                guard let high = rest.next()?.hexDigitValue, let low = rest.next()?.hexDigitValue else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
