/// What doesn't hold for an input.
package struct FuzzBreach: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

func hold(_ condition: Bool, _ whatDoesNot: @autoclosure () -> String) throws(FuzzBreach) {
    guard condition else { throw FuzzBreach(whatDoesNot()) }
}

/// A reader of input from outside, and what must hold for whatever it is given.
///
/// The same functions run under libFuzzer (`scripts/fuzz`), over the corpus with a seeded mutator in the tests, and for
/// long by `hongbao-dev fuzz`. None may trap, hang or take memory without bound: libFuzzer watches for that.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Grants in JSON.
    case json
    /// Grants in protobuf.
    case protobuf
    /// Tokens from clients, and certificates and payloads.
    case token
    /// The log's records.
    case record
    /// Order numbers.
    case order
    /// Cursors of the statement, and base64url.
    case cursor
    /// Campaign files.
    case campaign
    /// What outside systems and the platform send each other.
    case outside
    /// What a Redis server answers, and addresses of one.
    case resp

    package func check(_ input: [UInt8]) throws(FuzzBreach) {
        switch self {
        case .json: try JSONProperties.check(input)
        case .protobuf: try ProtobufProperties.check(input)
        case .token: try TokenProperties.check(input)
        case .record: try RecordProperties.check(input)
        case .order: try TextProperties.checkOrder(input)
        case .cursor: try TextProperties.checkCursor(input)
        case .campaign: try CampaignProperties.check(input)
        case .outside: try OutsideProperties.check(input)
        case .resp: try RESPProperties.check(input)
        }
    }

    /// No longer inputs are made, in bytes.
    package var lengthMax: Int {
        switch self {
        case .json, .campaign, .outside: 4096
        case .protobuf, .token, .record, .resp: 1024
        case .order, .cursor: 96
        }
    }

    /// Pieces that a mutator gets further with than with bytes.
    package var words: [[UInt8]] {
        switch self {
        case .json:
            Self.words(
                #"""
                { } [ ] : , " \ \u0061 \u0000 \ud800 \udc00 \ud83d\ude00 \u202E \n -0 0 1e2 1E400 100.0 01 -1
                65535 65536 255 256
                9007199254740993 9223372036854775807 9223372036854775808 -9223372036854775808 18446744073709551615
                true false null "42" "0" "test" "campaign" "scene" "rain" "awardType" "stage" "person" "app" "amount"
                "rewardID" "openedAt" "order" "42_1966081_1_1_0" "\u0061mount" "am\u006funt" ４２ 春节
                """#
            ) + [[0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0], [0x20], [0x0A], [0x7F]]
        case .protobuf:
            [
                [0x0A], [0x12], [0x18], [0x20], [0x28], [0x31], [0x3A], [0x40], [0x4A], [0x50], [0x58], [0x0B], [0x0D],
                [0x80, 0], [UInt8](repeating: 0x80, count: 9) + [1], [UInt8](repeating: 0xFF, count: 10),
                [0xFF, 0xFF, 3], [0xFF, 1], [0x80, 2], [0x0A, 4] + "test".utf8, [0x12, 4] + "rain".utf8,
                [0x31, 42, 0, 0, 0, 0, 0, 0, 0], [0x3A, 6] + "douyin".utf8,
                [0x5A, 16] + "42_1966081_1_1_0".utf8, [0x0A, 16] + "42_1966081_1_1_0".utf8, [0x10, 2], [0x10, 8],
                [0x2A, 6] + "backup".utf8, [0x2A, 8] + "blessing".utf8, [0x38, 1], [0x42, 6, 0x2A, 4] + "over".utf8,
            ]
        case .token, .record: [[0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF], [1, 0], [0, 1], [3], [41], [68], [69]]
        case .order:
            Self.words("_ __ 0 00 1 -1 +1 255 256 65535 65536 4294967296 18446744073709551616 ４ １") + [[0], [0x20]]
        case .resp:
            [
                "\r\n", "+", "-", ":", "$", "*", "_", "#", ",", "(", "!", "=", "%", "~", ">", "|", "$-1\r\n", "*-1\r\n",
                "*3\r\n", ":0\r\n", ":16383\r\n", ":7000\r\n", "$9\r\n127.0.0.1\r\n", "$0\r\n\r\n", "%1\r\n", "|1\r\n",
                "-MOVED 1 127.0.0.1:7000\r\n", "-ASK 1 :7000\r\n", "9223372036854775807", "-9223372036854775808",
                "99999999",
                "redis://", "rediss://", "redis-cluster://", "rediss-cluster://", "?ca=", "[::1]", ":65535", "%40",
                "txt:",
            ].map { Array($0.utf8) }
        case .cursor: Self.words("= == A AA - _ + / // AQ ________ %3D")
        case .outside:
            Self.words(
                #"""
                { } [ ] : , " \ \u0061 \u0000 \ud800 \u202E -0 0 1e2 100.0 01 -1 9007199254740991 9007199254740992
                9223372036854775807 9223372036854775808 true null "" "42" "orders" "results" "order" "person" "amount"
                "payment" "closesAt" "state" "url" "processing" "paid" "failed" "unknown" "conflict" "code"
                "StatusCode" "template" "granted" "already_granted" "unknown_order" "retryable" "final" "busy"
                "out_of_stock" "http://a" "https://" "javascript:a" "p_1" "r_1" "w_1_7_1"
                """#
            )
        case .campaign:
            Self.words(
                """
                ~ null [] {} [ ] { } - ? & * &a *a !!int ! | > ' " # % @ ` --- ... << : , true yes 0 -1 1e3 1.5
                0x10 0o7 .inf
                99999999999999999999 18446744073709551616 2022-13-01T00:00:00Z 2022-01-24T00:00:00+08:00
                24:00 ${personID}
                key: number: title: apps: phases: live: from: to: admission: everyone budget: cap: rewards:
                scenes: orders:
                """
            ) + ["\n", "\n  ", "\t", ": ", "\u{FEFF}", "\u{202E}", "\u{85}", "\0"].map { Array($0.utf8) }
        }
    }

    private static func words(_ text: String) -> [[UInt8]] {
        text.split { $0.isWhitespace }.map { Array($0.utf8) }
    }
}
