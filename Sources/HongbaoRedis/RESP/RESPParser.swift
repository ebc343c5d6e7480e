/// Why what a server has sent can't be its answer.
package struct RESPFault: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// Reads a server's answers from a stream of bytes that comes in pieces.
///
/// Total: whatever comes, it answers values or says what is wrong, and keeps no more than its limits allow. Each byte
/// is looked at once, however small the pieces are. Behind a fault nothing can be read any more.
package struct RESPParser: Sendable {
    package struct Limits: Sendable {
        /// Of a line, which is where short strings, numbers and lengths stand.
        package var lineBytesMax = 64 << 10
        /// Of a string that says its length.
        package var textBytesMax = 16 << 20
        /// Of one whole answer.
        package var answerBytesMax = 64 << 20
        /// Values in one whole answer, all levels together.
        package var valuesMax = 1 << 20
        /// Lists within lists.
        package var depthMax = 8

        package init() {}
    }

    /// A list that has begun.
    private struct Frame {
        enum Kind { case list, map, push, attribute }

        let kind: Kind
        var remaining: Int
        var values: [RESPValue] = []

        var whole: RESPValue? {
            switch kind {
            case .list: .list(values)
            case .map: .map(values)
            case .push: .push(values)
            // Says something about the value behind it, which nobody here asks for.
            case .attribute: nil
            }
        }
    }

    private enum Item {
        case value(RESPValue)
        /// Elements follow, or there are none and it is no value.
        case begun
    }

    private let limits: Limits
    private var bytes: [UInt8] = []
    /// Where what hasn't been read begins.
    private var start = 0
    /// No line ends before this.
    private var scanned = 0
    private var stack: [Frame] = []
    private var answerBytes = 0
    private var answerValues = 0
    private var fault: RESPFault?

    package init(_ limits: Limits = Limits()) { self.limits = limits }

    /// What has come and isn't a whole value yet.
    package var isInTheMiddle: Bool { start < bytes.count || !stack.isEmpty }

    package mutating func append(_ piece: some Collection<UInt8>) {
        guard fault == nil else { return }
        if start == bytes.count, bytes.capacity > 1 << 20 {
            bytes = []
        } else {
            bytes.removeFirst(start)
        }
        scanned -= start
        start = 0
        bytes.append(contentsOf: piece)
    }

    /// The next whole value; `nil` when more must come first.
    package mutating func next() throws(RESPFault) -> RESPValue? {
        if let fault { throw fault }
        do throws(RESPFault) {
            while let item = try item() {
                guard case .value(let value) = item, let whole = place(value) else { continue }
                answerBytes = 0
                answerValues = 0
                return whole
            }
            return nil
        } catch {
            fault = error
            bytes = []
            stack = []
            throw error
        }
    }

    /// Puts a value into the list that it belongs to; answers the outermost when that is whole.
    private mutating func place(_ value: RESPValue) -> RESPValue? {
        var value = value
        while let last = stack.indices.last {
            stack[last].values.append(value)
            stack[last].remaining -= 1
            guard stack[last].remaining == 0 else { return nil }
            guard let whole = stack.removeLast().whole else { return nil }
            value = whole
        }
        return value
    }

    // MARK: One item

    private mutating func item() throws(RESPFault) -> Item? {
        guard let end = try lineEnd() else { return nil }
        let line = bytes[start..<end].dropFirst()
        switch Character(UnicodeScalar(bytes[start])) {
        case "+", ",", "(":
            let text = Array(line)
            return try taken(upTo: end + 2, .value(.text(text)))
        case "-":
            let text = String(decoding: line, as: UTF8.self)
            return try taken(upTo: end + 2, .value(.error(text)))
        case ":":
            guard let number = Int64(decimal: line) else { throw RESPFault("a number that isn't one") }
            return try taken(upTo: end + 2, .value(.integer(number)))
        case "#":
            guard line.count == 1, let sign = line.first, sign == UInt8(ascii: "t") || sign == UInt8(ascii: "f") else {
                throw RESPFault("neither true nor false")
            }
            return try taken(upTo: end + 2, .value(.boolean(sign == UInt8(ascii: "t"))))
        case "_":
            guard line.isEmpty else { throw RESPFault("a null with something in it") }
            return try taken(upTo: end + 2, .value(.null))
        case "$", "!", "=": return try block(line, end: end)
        case "*", "~": return try list(.list, line, end: end)
        case ">": return try list(.push, line, end: end)
        case "%": return try list(.map, line, end: end)
        case "|": return try list(.attribute, line, end: end)
        default: throw RESPFault("no kind of value begins like this")
        }
    }

    /// The index of the carriage return that ends the line at `start`.
    private mutating func lineEnd() throws(RESPFault) -> Int? {
        scanned = max(scanned, start)
        guard let end = bytes[scanned...].firstIndex(of: UInt8(ascii: "\r")) else {
            scanned = bytes.count
            guard bytes.count - start <= limits.lineBytesMax else { throw RESPFault("a line too long") }
            return nil
        }
        scanned = end
        guard end - start <= limits.lineBytesMax else { throw RESPFault("a line too long") }
        guard end + 1 < bytes.count else { return nil }
        guard end > start, bytes[end + 1] == UInt8(ascii: "\n") else { throw RESPFault("a line that doesn't end") }
        return end
    }

    private mutating func taken(upTo end: Int, _ item: Item) throws(RESPFault) -> Item {
        answerBytes += end - start
        guard answerBytes <= limits.answerBytesMax else { throw RESPFault("an answer too long") }
        start = end
        return item
    }

    /// A string with its length before it.
    private mutating func block(_ line: ArraySlice<UInt8>, end: Int) throws(RESPFault) -> Item? {
        let kind = bytes[start]
        guard let length = Int64(decimal: line), length <= Int64(limits.textBytesMax) else {
            throw RESPFault("a string too long")
        }
        if length < 0 {
            guard length == -1, kind == UInt8(ascii: "$") else { throw RESPFault("a string shorter than nothing") }
            return try taken(upTo: end + 2, .value(.null))
        }
        let from = end + 2
        let to = from + Int(length)
        guard to + 2 <= bytes.count else { return nil }
        guard bytes[to] == UInt8(ascii: "\r"), bytes[to + 1] == UInt8(ascii: "\n") else {
            throw RESPFault("a string of another length")
        }
        let value: RESPValue
        switch kind {
        case UInt8(ascii: "!"): value = .error(String(decoding: bytes[from..<to], as: UTF8.self))
        case UInt8(ascii: "="):
            // Three letters say what format it has.
            guard length >= 4, bytes[from + 3] == UInt8(ascii: ":") else { throw RESPFault("a text of no format") }
            value = .text(Array(bytes[(from + 4)..<to]))
        default: value = .text(Array(bytes[from..<to]))
        }
        return try taken(upTo: to + 2, .value(value))
    }

    private mutating func list(_ kind: Frame.Kind, _ line: ArraySlice<UInt8>, end: Int) throws(RESPFault) -> Item {
        guard let declared = Int64(decimal: line), declared <= Int64(limits.valuesMax) else {
            throw RESPFault("a list too long")
        }
        if declared < 0 {
            guard declared == -1, case .list = kind, bytes[start] == UInt8(ascii: "*") else {
                throw RESPFault("a list shorter than nothing")
            }
            return try taken(upTo: end + 2, .value(.null))
        }
        var isPaired = false
        if case .map = kind { isPaired = true }
        if case .attribute = kind { isPaired = true }
        let count = isPaired ? Int(declared) * 2 : Int(declared)
        answerValues += count
        guard answerValues <= limits.valuesMax else { throw RESPFault("an answer of too many values") }
        let frame = Frame(kind: kind, remaining: count)
        if count == 0 { return try taken(upTo: end + 2, frame.whole.map { .value($0) } ?? .begun) }
        guard stack.count < limits.depthMax else { throw RESPFault("lists within lists too deep") }
        stack.append(frame)
        return try taken(upTo: end + 2, .begun)
    }
}
