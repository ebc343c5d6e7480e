import Foundation
import HongbaoTesting
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// The whole of /metrics after real requests, read by the rules of the text format 0.0.4. `scripts/test` holds it
/// against promtool as well.
@Suite(.timeLimit(.minutes(15))) struct MetricsTests {
    @Test func everyLineIsWhatPrometheusReads() async throws {
        let folder = try TemporaryFolder()
        let server = try await LiveServer.start(data: folder.file("data"), log: folder.file("log"))
        let (person, jwt) = try await server.logIn("metrics")
        #expect(try await server.grant(person: person).status == 200)
        #expect(try await server.grant(person: person).status == 200)
        #expect(try await server.grant(person: person, amount: 101).status == 409)
        #expect(try await server.balance(jwt) == 100)
        #expect(try await server.send(.GET, "/nothing-here").status == 404)
        let answer = try await server.send(.GET, "/metrics")
        #expect(answer.headers.first(name: "Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
        var text = MetricsText()
        for line in answer.text.split(separator: "\n", omittingEmptySubsequences: false) { text.read(String(line)) }
        #expect(answer.text.hasSuffix("\n"))
        #expect(text.problems == [])
        #expect(text.values[#"hongbao_grants_total{outcome="accepted"}"#] == 1)
        #expect(text.values[#"hongbao_grants_total{outcome="replayed"}"#] == 1)
        // M-labels: a person is nowhere in it.
        #expect(!answer.text.contains(person))
        try await server.stop()
    }
}

/// A strict reader of the text format.
private struct MetricsText {
    private(set) var problems: [String] = []
    private(set) var values: [String: Double] = [:]
    private var types: [String: String] = [:]
    private var helped = Set<String>()

    mutating func read(_ line: String) {
        if line.isEmpty { return }
        if let match = line.wholeMatch(of: /# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)/) {
            let (_, kind, name, rest) = match.output
            if kind == "HELP" {
                if !helped.insert(String(name)).inserted { problems.append("a second HELP: \(line)") }
            } else {
                if types.updateValue(String(rest), forKey: String(name)) != nil {
                    problems.append("a second TYPE: \(line)")
                }
                if !["counter", "gauge", "histogram"].contains(rest) { problems.append("unknown type: \(line)") }
            }
            return
        }
        guard
            let match = line.wholeMatch(
                of:
                    #/
                    ([a-zA-Z_:][a-zA-Z0-9_:]*)
                    (\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"
                        (?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\})?
                    \ (\S+)
                    /#
            ), let value = Double(match.3 == "+Inf" ? "inf" : String(match.3))
        else {
            problems.append("not a sample: \(line)")
            return
        }
        let name = String(match.1)
        var family = name
        for suffix in ["_bucket", "_sum", "_count"] where name.hasSuffix(suffix) {
            let base = String(name.dropLast(suffix.count))
            if types[base] == "histogram" { family = base }
        }
        switch types[family] {
        case nil: problems.append("no TYPE before \(line)")
        case "counter" where !name.hasSuffix("_total"): problems.append("a counter is named …_total: \(line)")
        case "counter" where value < 0: problems.append("negative: \(line)")
        default: break
        }
        if !helped.contains(family) { problems.append("no HELP before \(line)") }
        if values.updateValue(value, forKey: name + (match.2.map(String.init) ?? "")) != nil {
            problems.append("a second value: \(line)")
        }
    }
}
