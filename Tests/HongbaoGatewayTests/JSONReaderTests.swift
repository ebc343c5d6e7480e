import HongbaoCore
import NIOCore
import Testing

@testable import HongbaoGateway

private enum PersonField: String, CaseIterable { case person, name, amount, isNew, tags }
private let personFields = JSONFields<PersonField>()

private struct Sample: Equatable {
    var person: UInt64?
    var name: String?
    var amount: Int64?
    var isNew: Bool?
    var tags: [String] = []
}

private func read(_ bytes: [UInt8], unknown: JSONReader.UnknownFields = .refused) throws(JSONFault) -> Sample {
    var sample = Sample()
    var reader = JSONReader(bytes)
    try reader.object(personFields, unknown: unknown) { (reader, field) throws(JSONFault) in
        switch field {
        case .person: sample.person = try reader.decimal(UInt64.self)
        case .name: sample.name = try reader.identifier()
        case .amount: sample.amount = try reader.integer()
        case .isNew: sample.isNew = try reader.bool()
        case .tags:
            try reader.array(max: 3) { reader throws(JSONFault) in
                sample.tags.append(try reader.string(length: 0...9))
            }
        }
    }
    try reader.finish()
    return sample
}

private func fault(_ text: String) -> JSONFault.Reason? { fault(Array(text.utf8)) }

private func fault(_ bytes: [UInt8]) -> JSONFault.Reason? {
    do throws(JSONFault) {
        _ = try read(bytes)
        return nil
    } catch { return error.reason }
}

@Suite struct JSONReaderTests {
    static let whole =
        #" {"person":"18446744073709551615", "name":"春节 rain","amount":-12,"isNew":true,"#
        + #""tags":["a","\u4f60\ud83d\ude00\n"]} "#

    @Test func readsWhatIsDue() throws {
        let sample = try read(Array(Self.whole.utf8))
        #expect(
            sample == Sample(person: .max, name: "春节 rain", amount: -12, isNew: true, tags: ["a", "你😀\n"])
        )
        #expect(try read(Array(#"{"t\u0061gs":[],"person":"0"}"#.utf8)) == Sample(person: 0))
        var reader = JSONReader(ByteBuffer(string: "null"))
        #expect(try reader.null())
        try reader.finish()
    }

    /// Every prefix of a document is refused, and none traps.
    @Test func truncationAtEveryByte() {
        let bytes = Array(Self.whole.utf8.dropLast())
        for length in 0..<bytes.count { #expect(fault(Array(bytes.prefix(length))) == .malformed, "\(length)") }
    }

    @Test(arguments: [
        ("0", 0), ("1", 1), ("-1", -1), ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
    ])
    func integersAreExact(text: String, value: Int64) throws {
        #expect(try read(Array(#"{"amount":\#(text)}"#.utf8)).amount == value)
    }

    @Test(arguments: [
        ("-0", JSONFault.Reason.notAnInteger), ("1e2", .notAnInteger), ("1E2", .notAnInteger), ("100.0", .notAnInteger),
        ("100.00000000000000001", .notAnInteger), ("01", .malformed), ("-01", .malformed), ("00", .malformed),
        ("-", .malformed), ("+1", .malformed), (".5", .malformed), ("0x10", .malformed), ("1_000", .malformed),
        ("Infinity", .malformed), ("NaN", .malformed), ("9223372036854775808", .outOfRange),
        ("-9223372036854775809", .outOfRange), ("18446744073709551616", .outOfRange),
        ("1000000000000000000000000", .outOfRange), ("\"1\"", .wrongType), ("true", .wrongType), ("null", .wrongType),
        ("{}", .wrongType), ("[1]", .wrongType), ("", .malformed), ("1 2", .malformed),
    ])
    func numbersThatAreNot(text: String, reason: JSONFault.Reason) {
        #expect(fault(#"{"amount":\#(text)}"#) == reason, "\(text)")
    }

    @Test func megabytesOfDigits() {
        #expect(fault(#"{"amount":"# + String(repeating: "1", count: 4_000_000) + "}") == .outOfRange)
        #expect(fault(#"{"amount":"# + String(repeating: "0", count: 4_000_000) + "}") == .malformed)
        #expect(fault(#"{"person":""# + String(repeating: "9", count: 4_000_000) + "\"}") == .outOfRange)
    }

    @Test(arguments: [
        (#"{"amount":1,"amount":1}"#, JSONFault.Reason.duplicateField),
        (#"{"amount":1,"\u0061mount":2}"#, .duplicateField),
        (#"{"amount":1,"am\u006Funt":2}"#, .duplicateField),
        (#"{"amount":1,"Amount":2}"#, .unknownField), (#"{"":1}"#, .unknownField), (#"{"amoun":1}"#, .unknownField),
        (#"{"amount\u0000":1}"#, .unknownField), (#"{"金额":1}"#, .unknownField),
        (#"{"aVeryLongKeyThatDoesNotFit":1}"#, .unknownField),
        (#"{"amount":1}{"amount":1}"#, .malformed), (#"{"amount":1},"#, .malformed), (#"{"amount":1}]"#, .malformed),
        (#"{"amount":1,}"#, .malformed), (#"{,"amount":1}"#, .malformed), (#"{"amount" 1}"#, .malformed),
        (#"{"amount":1 "isNew":true}"#, .malformed), (#"{'amount':1}"#, .malformed), (#"{amount:1}"#, .malformed),
        (#"{"tags":["a",]}"#, .malformed), (#"{"tags":[,"a"]}"#, .malformed), (#"{"tags":["a" "b"]}"#, .malformed),
        (#"{"tags":["a","b","c","d"]}"#, .wrongLength), (#"{"tags":["0123456789"]}"#, .wrongLength),
        (#"{"tags":["a"}"#, .malformed), (#"{"isNew":tru}"#, .malformed), (#"{"isNew":truex}"#, .malformed),
        (#"{"isNew":True}"#, .malformed), (#"{"isNew":1}"#, .wrongType), (#"[]"#, .wrongType), (#"1"#, .wrongType),
        ("", .malformed), (" \n\t\r", .malformed), ("\u{FEFF}{}", .malformed), ("{}\0", .malformed),
        ("\0{}", .malformed),
        (#"{}/**/"#, .malformed), ("{}\u{A0}", .malformed), (#"{"person":"01"}"#, .outOfRange),
        (#"{"person":"18446744073709551616"}"#, .outOfRange), (#"{"person":"-1"}"#, .outOfRange),
        (#"{"person":""}"#, .outOfRange), (#"{"person":"١"}"#, .outOfRange), (#"{"person":"\u0031"}"#, .outOfRange),
        (#"{"person":1}"#, .wrongType), (#"{"name":""}"#, .wrongLength),
        (#"{"tags":["\ud800"]}"#, .malformed), (#"{"tags":["\udc00"]}"#, .malformed),
        (#"{"tags":["\ud800\u0041"]}"#, .malformed), (#"{"tags":["\ud800x"]}"#, .malformed),
        (#"{"tags":["\ud800\n"]}"#, .malformed), (#"{"tags":["\x41"]}"#, .malformed),
        (#"{"tags":["\u12g4"]}"#, .malformed),
        (#"{"tags":["\U0041"]}"#, .malformed), ("{\"tags\":[\"\u{1}\"]}", .malformed),
        ("{\"tags\":[\"\n\"]}", .malformed),
        ("{\"tags\":[\"\0\"]}", .malformed), ("{\"amo\nunt\":1}", .malformed),
    ])
    func refuses(text: String, reason: JSONFault.Reason) { #expect(fault(text) == reason, "\(text)") }

    @Test(arguments: [
        "\u{7F}", "\\u0000", "\\n", "\\u202E", "\u{202E}", "\u{2066}", "\u{200F}", "\u{61C}", "\u{200B}", "\u{200D}",
        "\u{FEFF}", "\u{2028}", "\u{85}", "\u{E0041}", "\u{E000}", "\u{10FFFF}",
    ])
    func identifiersHoldNothingInvisible(text: String) {
        #expect(fault(#"{"name":"a\#(text)b"}"#) == .unacceptableCharacter, "\(text.unicodeScalars)")
    }

    @Test func bytesThatAreNotUTF8() {
        let bad: [[UInt8]] = [
            [0xFF], [0x80], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE4, 0xBD],
            [0xF0, 0x80, 0x80, 0x80],
        ]
        for bytes in bad {
            #expect(fault(Array(#"{"tags":[""#.utf8) + bytes + Array(#""]}"#.utf8)) == .malformed, "\(bytes)")
            #expect(fault(Array("{\"".utf8) + bytes + Array(#"":1}"#.utf8)) == .malformed, "\(bytes)")
        }
        #expect(fault("{\"amount\":1}".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }) == .malformed)
        #expect(fault("{\"amount\":1}".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }) == .malformed)
        #expect(fault([0xEF, 0xBB, 0xBF] + Array("{}".utf8)) == .malformed)
        #expect(fault([0xFE, 0xFF, 0, 0x7B, 0, 0x7D]) == .malformed)
    }

    @Test func depthIsBounded() throws {
        for bracket in ["[", #"{"a":"#] {
            let deep = Array(String(repeating: bracket, count: 100_000).utf8)
            var reader = JSONReader(deep)
            #expect(throws: JSONFault.self) { try reader.skip() }
        }
        var reader = JSONReader(Array("[[[]]]".utf8), depthMax: 3)
        try reader.skip()
        try reader.finish()
        var tooDeep = JSONReader(Array("[[[[]]]]".utf8), depthMax: 3)
        #expect(throws: JSONFault(.tooDeep, offset: 4)) { try tooDeep.skip() }
    }

    @Test func unknownFieldsCanBeSkipped() throws {
        let text = #"{"iss":{"a":[1.5e-3,-0,"\u0041",null,{"b":false}]},"amount":7,"exp":1}"#
        #expect(try read(Array(text.utf8), unknown: .skipped) == Sample(amount: 7))
        for bad in ["1.", "1e", "--1", "01", "nul", "[1", #"{"a"}"#, "\"\\q\""] {
            #expect(throws: JSONFault.self, "\(bad)") { try read(Array(#"{"x":\#(bad)}"#.utf8), unknown: .skipped) }
        }
    }

    @Test func faultsNameTheField() {
        for (text, field) in [
            (#"{"amount":1.5}"#, "amount"), (#"{"tags":[1]}"#, "tags"), (#"{"colour":1}"#, "colour"),
            (#"{"amount":1,"amount":2}"#, "amount"), (#"{"\u0062":1}"#, nil), (#"{"b b":1}"#, nil),
        ] {
            #expect { try read(Array(text.utf8)) } throws: { ($0 as? JSONFault)?.field == field }
        }
    }

    /// Random damage to a good document gives a fault or a reading, never a trap.
    @Test(arguments: 0..<40)
    func damagedDocuments(seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let spice = Array(#"{}[]",:\u0019-.eE"#.utf8) + [0, 0x7F, 0x80, 0xC3, 0xED, 0xFF]
        for _ in 0..<500 {
            var bytes = Array(Self.whole.utf8)
            for _ in 0...next(4) {
                let place = next(bytes.count)
                switch next(3) {
                case 0: bytes[place] = spice[next(spice.count)]
                case 1: bytes.insert(spice[next(spice.count)], at: place)
                default: bytes.remove(at: place)
                }
            }
            let reason = fault(bytes)
            var skipper = JSONReader(bytes)
            let skipped = Result { try skipper.skip() }
            // What reads as a sample is JSON for the skipper, too.
            if reason == nil, case .failure = skipped { Issue.record("seed \(seed): \(bytes)") }
        }
    }
}

@Suite struct JSONWriterTests {
    @Test func writesWhatTheReaderReads() throws {
        var json = JSONWriter()
        json.object {
            $0.field("person", decimal: .max)
            $0.field("name", "春节 \"rain\"")
            $0.field("amount", Int64.min)
            $0.field("isNew", false)
            $0.key("tags")
            $0.array {
                $0.value("")
                $0.value("\u{1}\n\\")
            }
        }
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"person":"18446744073709551615","name":"春节 \"rain\"","amount":-9223372036854775808,"#
                + #""isNew":false,"tags":["","\u0001\n\\"]}"#
        )
        let sample = try read(json.bytes)
        #expect(
            sample
                == Sample(person: .max, name: "春节 \"rain\"", amount: .min, isNew: false, tags: ["", "\u{1}\n\\"])
        )
    }

    @Test func commasStandBetweenValues() {
        var json = JSONWriter()
        json.array {
            $0.object { _ in }
            $0.array { _ in }
            $0.value(0)
            $0.null()
            $0.value(decimal: 0)
            $0.value(ascii: "ab".utf8)
            $0.value(json: "[1]".utf8)
        }
        #expect(String(buffer: json.buffer) == #"[{},[],0,null,"0","ab",[1]]"#)
    }
}
