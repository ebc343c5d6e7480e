import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoRedis

/// What servers send is read whole, in pieces, and never more than is allowed.
@Suite struct RESPParserTests {
    private static func read(
        _ text: String,
        pieces: Int = .max,
        limits: RESPParser.Limits = RESPParser.Limits()
    ) throws(RESPFault) -> [RESPValue] {
        var parser = RESPParser(limits)
        var values: [RESPValue] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            parser.append(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            while let value = try parser.next() { values.append(value) }
        }
        return values
    }

    private static let samples: [(text: String, values: [RESPValue])] = [
        ("+OK\r\n", [.text("OK")]),
        ("+\r\n", [.text("")]),
        ("-MOVED 1 a:2\r\n:1\r\n", [.error("MOVED 1 a:2"), .integer(1)]),
        (":9223372036854775807\r\n", [.integer(.max)]),
        (":-9223372036854775808\r\n", [.integer(.min)]),
        ("$5\r\na\r\nb\r\r\n", [.text("a\r\nb\r")]),
        ("$0\r\n\r\n$-1\r\n*-1\r\n_\r\n", [.text(""), .null, .null, .null]),
        ("*0\r\n*2\r\n*1\r\n:1\r\n$1\r\na\r\n", [.list([]), .list([.list([.integer(1)]), .text("a")])]),
        ("%1\r\n+a\r\n~1\r\n#t\r\n#f\r\n", [.map([.text("a"), .list([.boolean(true)])]), .boolean(false)]),
        (",1.5\r\n(123456789012345678901234567890\r\n", [.text("1.5"), .text("123456789012345678901234567890")]),
        ("!8\r\nERR a\r\nb\r\n=7\r\ntxt:a\r\n\r\n", [.error("ERR a\r\nb"), .text("a\r\n")]),
        (">2\r\n+a\r\n+b\r\n+c\r\n", [.push([.text("a"), .text("b")]), .text("c")]),
        ("|1\r\n+ttl\r\n:3\r\n*2\r\n|0\r\n:1\r\n:2\r\n", [.list([.integer(1), .integer(2)])]),
    ]

    @Test(arguments: samples.indices, [1, 2, 3, .max])
    func answersAreReadHoweverTheyCome(index: Int, pieces: Int) throws {
        let (text, values) = Self.samples[index]
        #expect(try Self.read(text, pieces: pieces) == values, "\(text)")
    }

    @Test(arguments: [
        "x\r\n", "\r\n", "+a\rb", ":\r\n", ":-\r\n", ":1a\r\n", ":9223372036854775808\r\n", ":+1\r\n", "#x\r\n",
        "#\r\n",
        "_a\r\n", "$-2\r\n", "$1\r\nab\r\n", "$a\r\n", "$99999999999\r\n", "!-1\r\n", "=3\r\nabc\r\n", "=4\r\nabcd\r\n",
        "*-2\r\n", "~-1\r\n", "%-1\r\n", "*99999999\r\n", "%9223372036854775807\r\n", "*?\r\n", "$?\r\n",
    ])
    func whatIsNoAnswerIsRefused(text: String) {
        #expect(throws: RESPFault.self) { try Self.read(text) }
        #expect(throws: RESPFault.self) { try Self.read(text, pieces: 1) }
        // Nothing can be read behind it.
        var parser = RESPParser()
        parser.append(Array(text.utf8))
        #expect(throws: RESPFault.self) { while try parser.next() != nil {} }
        parser.append(Array("+OK\r\n".utf8))
        #expect(throws: RESPFault.self) { try parser.next() }
    }

    @Test func moreThanIsAllowedIsRefused() throws {
        var limits = RESPParser.Limits()
        limits.lineBytesMax = 10
        limits.textBytesMax = 20
        limits.answerBytesMax = 60
        limits.valuesMax = 6
        limits.depthMax = 2
        let allowed = [
            "+123456789\r\n", "$20\r\n12345678901234567890\r\n", "*1\r\n*1\r\n*0\r\n",
            "*2\r\n*2\r\n:1\r\n:2\r\n*2\r\n:3\r\n:4\r\n",
            "*2\r\n$16\r\n1234567890123456\r\n$16\r\n1234567890123456\r\n",
        ]
        for text in allowed {
            // Each answer is measured for itself.
            #expect(try Self.read(text + text, limits: limits).count == 2, "\(text)")
        }
        let tooMuch = [
            "+1234567890\r\n", "+12345678901", "$21\r\n", "*1\r\n*1\r\n*1\r\n", "*7\r\n",
            "*3\r\n*2\r\n:1\r\n:2\r\n*2\r\n",
            "%4\r\n", "*3\r\n$16\r\n1234567890123456\r\n$16\r\n1234567890123456\r\n$16\r\n1234567890123456\r\n",
        ]
        for text in tooMuch {
            #expect(throws: RESPFault.self, "\(text)") { try Self.read(text, limits: limits) }
        }
    }

    /// However often it's torn, nothing is looked at twice: a large answer in small pieces takes no longer.
    @Test func aLargeAnswerInPiecesIsOneValue() throws {
        let text = "*2\r\n$1000000\r\n" + String(repeating: "a", count: 1_000_000) + "\r\n:1\r\n"
        let values = try Self.read(text, pieces: 10_000)
        #expect(values == [.list([.text(String(repeating: "a", count: 1_000_000)), .integer(1)])])
    }

    @Test(arguments: 0..<50 as Range<UInt64>) func whatIsWrittenIsRead(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        func value(_ depth: Int) -> RESPValue {
            let elements = (0..<random.next(below: 4)).map { _ in depth < 4 ? value(depth + 1) : .null }
            switch random.next(below: 8) {
            case 0: return .null
            case 1: return .integer(Int64(truncatingIfNeeded: random.next()))
            case 2: return .boolean(random.next(below: 2) == 0)
            case 3: return .text((0..<random.next(below: 9)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            case 4: return .error("ERR \(random.next())")
            case 5: return .map(elements + elements)
            case 6: return .push(elements)
            default: return .list(elements)
            }
        }
        for _ in 0..<40 {
            let value = value(0)
            var parser = RESPParser()
            parser.append(value.bytes)
            #expect(try parser.next() == value)
            #expect(!parser.isInTheMiddle)
        }
    }
}
