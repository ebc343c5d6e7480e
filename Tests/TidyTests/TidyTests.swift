import Foundation
import Testing

/// Rules of this code base that the compiler can't check. A rule is a line here, so adding one is cheap.
@Suite struct TidyTests {
    private struct Rule {
        let pattern: String
        /// Where it holds: a folder, from the root of the package.
        let under: String
        var except: [String] = []
        let instead: String

        func holds(for path: String) -> Bool { path.hasPrefix(under) && !except.contains(path) }
    }

    /// Patterns are searched for in code: comments and the text of strings are taken out first.
    private static let banned = [
        Rule(
            pattern: #"^\s*(\w+ )?import \w"#,
            under: "Sources/HongbaoCore",
            // See `onlyMutantsImport`.
            except: [mutants],
            instead: "nothing: the core imports nothing"
        ),
        Rule(
            // `async` is a case of the core's `PostingMode` too.
            pattern: #"\basync (let|throws|->|\{)|^(?!\s*case\b).*\basync$|\)\s*async\b|\bawait\b|\bactor \w"#,
            under: "Sources/HongbaoCore",
            instead: "a decision that never suspends"
        ),
        Rule(
            pattern: #"\b(Date\(|ContinuousClock|SuspendingClock|clock_gettime)"#,
            under: "Sources/HongbaoCore",
            instead: "a timestamp handed in"
        ),
        Rule(
            pattern: #"\b(SystemRandomNumberGenerator|randomElement\(\)|shuffled\(\)|Bool\.random\(\)|UUID\()"#,
            under: "Sources/HongbaoCore",
            instead: "a generator handed in"
        ),
        Rule(
            pattern: #"\.random\(in: [^,()]*\)"#,
            under: "Sources/HongbaoCore",
            instead: "a generator handed in"
        ),
        Rule(
            pattern: #"\b(Double|Float|Decimal)\b"#,
            under: "Sources/HongbaoCore",
            instead: "integers, for money and for time"
        ),
        Rule(pattern: #"(^|[^\w.])Task( \{|\()"#, under: "Sources/HongbaoEngine", instead: "a task group or a Service"),
        Rule(pattern: #"\bTask\.detached\b"#, under: "Sources", instead: "a task group or a Service"),
        Rule(pattern: #"@unchecked Sendable"#, under: "Sources", instead: "Mutex or a Sendable value"),
        Rule(pattern: #"nonisolated\(unsafe\)"#, under: "Sources", instead: "Mutex or a Sendable value"),
        Rule(pattern: #"@preconcurrency"#, under: "Sources", instead: "a type that is Sendable"),
        Rule(pattern: #"\btry\?"#, under: "Sources", instead: "a catch that says what happens to the fault"),
        Rule(pattern: #"\btry!"#, under: "Sources", instead: "a catch, or a typed throw"),
        Rule(pattern: #"\bas!"#, under: "Sources", instead: "a conversion that can fail"),
        Rule(pattern: #"\bfatalError\("#, under: "Sources", instead: "precondition or preconditionFailure"),
        Rule(pattern: #"[\w\)\]]!(\.|\)|,|\]|\[|;|:|\s*$|\s+[^=\s])"#, under: "Sources", instead: "guard let"),
        Rule(pattern: #"\bprint\("#, under: "Sources/HongbaoEngine", instead: "a logger handed in"),
        Rule(pattern: #"\bThread\.sleep|\busleep\(|[^.]\bsleep\(\d"#, under: "", instead: "waiting for what happens"),
    ]

    /// What a reading of a running total goes through (decision 0022).
    private static let inlined = ["Shared", "Shown"].map { "Sources/HongbaoEngine/Totals/\($0)Total.swift" }

    /// Only `HongbaoSDK` has a public API.
    private static let confined = [
        "Core", "Engine", "SQLite", "SQL", "MySQL", "NATS", "Gateway", "Redis", "Server", "Simulator", "Testing",
        "Fuzzing",
    ].map { Rule(pattern: #"^\s*public "#, under: "Sources/Hongbao\($0)/", except: inlined, instead: "package") }

    private static let mutants = "Sources/HongbaoCore/Mutant.swift"
    private static let lineCountMax = 600
    private static let lineLengthMax = 120

    private struct File {
        let path: String
        let lines: [Substring]
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All files by hand: nothing generated, nothing built.
    private static func files(ending: [String]) throws -> [File] {
        var files: [File] = []
        let places = [
            "Package.swift", "Sources", "Tests", "Examples", "Benchmarks", "scripts", "docs", "campaigns", "proto",
        ]
        for folder in places {
            let start = root.appending(path: folder).path
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: start, isDirectory: &isFolder) else { continue }
            let below = isFolder.boolValue ? try FileManager.default.subpathsOfDirectory(atPath: start) : []
            for path in isFolder.boolValue ? below.map({ "\(folder)/\($0)" }) : [folder] {
                guard ending.contains(where: path.hasSuffix), !path.contains("/.build/") else { continue }
                guard !path.hasPrefix("Sources/HongbaoProto/") else { continue }
                let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                files.append(File(path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
            }
        }
        return files
    }

    /// A line of Swift without its comment and with its strings emptied; `nil` in the middle of a long string.
    private struct Stripper {
        private var isInLongString = false

        mutating func code(_ line: Substring) -> String {
            let parts = line.components(separatedBy: #"""""#)
            if parts.count > 1 || isInLongString {
                var code = ""
                for (index, part) in parts.enumerated() {
                    if index > 0 { isInLongString.toggle() }
                    if !isInLongString { code += part }
                }
                return code
            }
            var code = ""
            var isInString = false
            var previous: Character?
            for character in line {
                switch (character, previous) {
                case ("\"", let before) where before != "\\":
                    isInString.toggle()
                    code.append(character)
                case ("/", "/") where !isInString: return String(code.dropLast())
                default: if !isInString { code.append(character) }
                }
                previous = character == "\\" && previous == "\\" ? nil : character
            }
            return code
        }
    }

    @Test func sourcesKeepTheRules() throws {
        let files = try Self.files(ending: [".swift"]).filter { !$0.path.hasPrefix("Tests/TidyTests/") }
        #expect(files.count > 100)
        let rules = try (Self.banned + Self.confined).map { ($0, try Regex($0.pattern)) }
        for file in files {
            var stripper = Stripper()
            for (index, line) in file.lines.enumerated() {
                let code = stripper.code(line)
                for (rule, pattern) in rules where rule.holds(for: file.path) && code.contains(pattern) {
                    Issue.record("\(file.path):\(index + 1): \(code.trimming) – write \(rule.instead)")
                }
            }
        }
    }

    /// What is shipped of the core imports nothing at all: the one import is compiled with the mutants only, and they
    /// only in debug builds.
    @Test func onlyMutantsImport() throws {
        let file = try #require(try Self.files(ending: ["Core/Mutant.swift"]).first)
        #expect(file.path == Self.mutants)
        let lines = file.lines.map { String($0).trimming }
        let imports = lines.indices.filter { lines[$0].contains("import ") }
        #expect(imports.map { lines[$0] } == ["import Synchronization"])
        for place in imports { #expect(lines[place - 1] == "#if MUTANTS" && lines[place + 1] == "#endif") }
        let package = try #require(try Self.files(ending: ["Package.swift"]).first)
        let defines = package.lines.filter { $0.contains("MUTANTS") }
        #expect(defines.count == 1)
        #expect(defines[0].contains(#".define("MUTANTS", .when(configuration: .debug))"#))
    }

    @Test func filesAndLinesAreShort() throws {
        for file in try Self.files(ending: [".swift"]) {
            #expect(file.lines.count <= Self.lineCountMax + 1, "\(file.path) has \(file.lines.count) lines")
            for (index, line) in file.lines.enumerated() {
                #expect(line.count <= Self.lineLengthMax, "\(file.path):\(index + 1) has \(line.count) characters")
            }
        }
    }

    @Test func nothingIsLeftForLater() throws {
        let words = ["FIX" + "ME", "TO" + "DO", "XX" + "X", "HA" + "CK"]
        for file in try Self.files(ending: [".swift", ".md", ".yaml", ".proto", ".py", ".js", ".css", ".html"]) {
            for (index, line) in file.lines.enumerated() {
                for word in words where line.contains(word) {
                    Issue.record("\(file.path):\(index + 1) has \(word): do it before the merge")
                }
            }
        }
    }

    /// Each rule finds what it's for, and leaves alone what only looks like it.
    @Test(
        arguments: [
            (#"import Foundation"#, "Sources/HongbaoCore/A.swift", true),
            (#"package import Crypto"#, "Sources/HongbaoCore/A.swift", true),
            (#"import Foundation"#, "Sources/HongbaoEngine/A.swift", false),
            (#"    import Synchronization"#, "Sources/HongbaoCore/A.swift", true),
            (#"    import Synchronization"#, "Sources/HongbaoCore/Mutant.swift", false),
            (#"func a() async {"#, "Sources/HongbaoCore/A.swift", true),
            (#"/// async is a word in a comment"#, "Sources/HongbaoCore/A.swift", false),
            (#"case async"#, "Sources/HongbaoEngine/A.swift", false),
            (#"let a = Int.random(in: 0..<9)"#, "Sources/HongbaoCore/A.swift", true),
            (#"let a = Int.random(in: 0..<9, using: &random)"#, "Sources/HongbaoCore/A.swift", false),
            (#"Task { await a() }"#, "Sources/HongbaoEngine/A.swift", true),
            (#"group.addTask { await a() }"#, "Sources/HongbaoEngine/A.swift", false),
            (#"let a = try? b()"#, "Sources/hongbao/A.swift", true),
            (#"let a = "try? b()""#, "Sources/hongbao/A.swift", false),
            (#"let a = b!"#, "Sources/hongbao/A.swift", true),
            (#"let a = b!.c"#, "Sources/hongbao/A.swift", true),
            (#"let a = b[1]!.c"#, "Sources/hongbao/A.swift", true),
            (#"if a != b, !c { d(!e) }"#, "Sources/hongbao/A.swift", false),
            (#"let a = "hello!""#, "Sources/hongbao/A.swift", false),
            (#"let a = "http://b"; try! c()"#, "Sources/hongbao/A.swift", true),
        ]
    )
    func rulesFindWhatTheyAreFor(line: String, path: String, isFound: Bool) throws {
        var stripper = Stripper()
        let code = stripper.code(line[...])
        let found = try Self.banned.contains { rule in
            let pattern = try Regex(rule.pattern)
            return rule.holds(for: path) && code.contains(pattern)
        }
        #expect(found == isFound, "\(code)")
    }
}

extension String {
    fileprivate var trimming: String { trimmingCharacters(in: .whitespaces) }
}
