import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoFuzzing
import Testing

/// No input crashes the reader, and none gives half a campaign (CF-5).
@Suite struct CampaignFileGarbageTests {
    private static func shippedBytes() throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(filePath: CampaignFileShippedTests.path)))
    }

    /// Whatever was accepted must hold together; whatever was refused must say where.
    @discardableResult
    private func check(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) -> CampaignReading {
        #expect(throws: Never.self, sourceLocation: sourceLocation) { try FuzzTarget.campaign.check(bytes) }
        return CampaignFile.load(bytes: bytes, name: "f.yaml").reading
    }

    /// A file that was cut off is refused, or at the least it isn't clean: something that was planned isn't given.
    @Test func truncatedFilesAreNeverClean() throws {
        let bytes = try Self.shippedBytes()
        for end in stride(from: 0, to: bytes.count - 1, by: 97) {
            if case .loaded(_, let warnings) = check(Array(bytes[..<end])) {
                #expect(!warnings.isEmpty, "cut at byte \(end)")
            }
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func randomBytesAreRefused(seed: UInt64) {
        var random = Seeded(state: seed)
        let alphabet = Array("[]{}:,-?&*!|>'\"%@`#~ \n\n\t\r\\0aé\u{85}<=_.${}".utf8)
        for _ in 0..<25 {
            let count = Int.random(in: 0...400, using: &random)
            let bytes = (0..<count).map { _ in
                seed % 4 == 0 ? UInt8.random(in: 0...255, using: &random) : alphabet.randomElement(using: &random) ?? 0
            }
            if case .loaded = check(bytes) { Issue.record("accepted: \(bytes)") }
        }
    }

    /// A few bytes of the valid file are changed, removed or doubled; it may stay valid, but never half so.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func mutatedFilesHoldTogetherOrAreRefused(seed: UInt64) {
        var random = Seeded(state: seed)
        let valid = Array(CampaignFileTable.valid.utf8)
        let scalars = [
            "", "~", "null", "0", "-1", "1e3", "1.5", "99999999999999999999", "true", "\"", "'", "[", "{", "- ", ": ",
            "\n", "&a ", "*a", "!!int ", "${personID}", "\u{0}", "\u{FEFF}", "\u{202E}", "rain", "2022-13-01T00:00:00Z",
        ]
        for _ in 0..<25 {
            var bytes = valid
            for _ in 0...Int.random(in: 0...2, using: &random) {
                let start = Int.random(in: 0..<bytes.count, using: &random)
                let end = min(bytes.count, start + Int.random(in: 0...12, using: &random))
                let insert = Array((scalars.randomElement(using: &random) ?? "").utf8)
                if Bool.random(using: &random) { bytes.removeSubrange(start..<end) }
                bytes.insert(contentsOf: insert, at: start)
            }
            check(bytes)
        }
    }

    /// Each scalar of the valid file in turn becomes each of these; only harmless changes may be accepted.
    @Test(arguments: ["~", "-5", "1.0", "[]", "{}", "\"\"", "[[]]", "yes", "18446744073709551616", "\"\\0\"", "x y"])
    func mutatedScalarsHoldTogetherOrAreRefused(scalar: String) {
        let lines = CampaignFileTable.valid.split(separator: "\n").map(String.init)
        for (index, line) in lines.enumerated() {
            guard let colon = line.firstRange(of: ": ") else { continue }
            var changed = lines
            changed[index] = line[..<colon.upperBound] + scalar
            check(Array(changed.joined(separator: "\n").utf8))
        }
    }

    @Test func bombsAreRefusedAtOnce() {
        let level = "abcdefgh".map(String.init)
        var laughs = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for (lower, upper) in zip(level, level.dropFirst()) {
            laughs += "\(upper): &\(upper) [\((0..<9).map { _ in "*\(lower)" }.joined(separator: ", "))]\n"
        }
        check(Array(laughs.utf8))
        check(Array("? &a [&b [x, x], *b, *b]\n: 1\n? *a\n: 2\n".utf8))
        for deep in ["[", "{a: ", "- ", "? ", "[{a: "] {
            check(Array(String(repeating: deep, count: 20_000).utf8))
            check(Array(String(repeating: deep, count: 900).utf8))
        }
        check(Array((String(repeating: "[", count: 990) + String(repeating: "]", count: 990)).utf8))
        check((0..<2000).flatMap { Array((String(repeating: " ", count: $0) + "a:\n").utf8) })
    }

    @Test func sizeIsLimited() {
        let large = [UInt8](repeating: UInt8(ascii: "#"), count: CampaignFile.byteCountMax + 1)
        #expect(
            CampaignFile.load(bytes: large, name: "f.yaml").rendered() == """
                f.yaml:1:1: error: the file is larger than 4194304 bytes
                f.yaml: refused: 1 error
                """
        )
        check(Array(large.dropLast()))
        check(Array("key: ".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20))
    }

    @Test func bytesThatAreNotTextAreRefused() {
        #expect(
            CampaignFile.load(bytes: Array("key: a\n".utf8) + [0xC3, 0x28], name: "f.yaml").rendered() == """
                f.yaml:2:1: error: the line is not UTF-8 text
                f.yaml: refused: 1 error
                """
        )
        for text in ["", "\n", "# nothing\n", "---\n", "~", "[]", "{}", "\u{FEFF}", "a"] {
            if case .loaded = check(Array(text.utf8)) { Issue.record("accepted: \(text)") }
        }
    }

    @Test func filesThatCannotBeReadAreFaults() {
        #expect(throws: CampaignFile.Unreadable.self) { try CampaignFile.load(path: "/nowhere/at-all.yaml") }
        #expect(throws: CampaignFile.Unreadable.self) { try CampaignFile.load(path: "/") }
    }
}

/// A seeded generator: the same seed, the same test.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let word = ((state >> 18) ^ state) &* 0x9E37_79B9_7F4A_7C15
        return word ^ (word >> 32)
    }
}
