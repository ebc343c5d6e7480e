import Foundation
import HongbaoTesting
import Testing

/// What a person at a terminal meets: help, exit codes (0 done, 1 a problem, 2 could not run, 64 usage), previews.
@Suite(.timeLimit(.minutes(15))) struct CommandLineTests {
    private static let campaign = "campaigns/spring-festival-2022.yaml"

    @Test(arguments: [
        ("hongbao", "", ["SUBCOMMANDS:", "serve", "demo", "audit", "check-config", "Exit codes"]),
        (
            "hongbao", "serve",
            ["--config", "--data", "--host", "--port", "--roles", "http.port", "HONGBAO_", "SIGTERM"]
        ),
        ("hongbao", "demo", ["--people", "--seconds", "--exit", "Ctrl-C"]),
        ("hongbao", "audit", ["--data", "--config", "--json", "Exit codes"]),
        ("hongbao", "check-config", ["--at", "--person", "2022-01-31T19:30:00.000+08:00"]),
        ("hongbao", "verify-split", ["--commitment", "--seed", "--claim", "--faults-only", "Exit codes"]),
        ("hongbao-dev", "", ["sandbox", "kill-test", "fault-runs", "restart-time"]),
        ("hongbao-dev", "sandbox", ["--delay", "--failures", "--lost-callbacks", "--duplicates"]),
        ("hongbao-dev", "kill-test", ["--kills", "--seed", "Exit codes"]),
        ("hongbao-dev", "fault-runs", ["--only", "--rounds", "failing-writes", "clock", "Exit codes"]),
        ("hongbao-dev", "splits", ["--packets", "--seed", "docs/splits.md"]),
        ("hongbao-dev", "restart-time", ["--orders", "--limit", "Exit codes"]),
    ])
    func helpTellsWhatANewcomerNeeds(program: String, command: String, words: [String]) async throws {
        let arguments = command.isEmpty ? ["--help"] : [command, "--help"]
        let (code, output, errors) = try await BuiltProgram.run(program, arguments)
        #expect(code == 0)
        #expect(errors == "")
        #expect(output.contains("OVERVIEW: ") && output.contains("USAGE: "))
        let flat = output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for word in words { #expect(flat.contains(word), "\(word)") }
        // Each line fits a terminal, but for usage, which is one line; and no line was broken twice.
        for line in output.split(separator: "\n") where !line.hasPrefix("USAGE") {
            #expect(line.count <= 80, "\(line)")
        }
    }

    @Test func versionIsPrinted() async throws {
        let (code, output, _) = try await BuiltProgram.run("hongbao", ["--version"])
        #expect(code == 0)
        #expect(output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil, "\(output)")
    }

    @Test(arguments: [
        "nonsense", "serve --port x", "serve --port 65536", "serve --port -1", "serve --roles postman", "serve extra",
        "audit --nope", "audit --data", "demo --people 0", "demo --seconds 0", "check-config",
        "check-config \(campaign) --at yesterday", "check-config \(campaign) --at 2022-01-31T19:30:00",
        "check-config \(campaign) --person me", "verify-split", "verify-split --seed 00 --packet 7",
        "verify-split --split luckily", "verify-split --claim 1", "verify-split --claim 1=-1", "verify-split --count x",
    ])
    func wrongUsageExitsWith64(arguments: String) async throws {
        let (code, _, errors) = try await BuiltProgram.run("hongbao", arguments.split(separator: " ").map(String.init))
        #expect(code == 64)
        #expect(errors.hasPrefix("Error: "), "\(errors)")
        #expect(errors.contains("Usage: hongbao"), "\(errors)")
    }

    @Test func checkConfigTellsGoodFromBadAndMissing() async throws {
        let good = try await BuiltProgram.run("hongbao", ["check-config", Self.campaign])
        #expect(good.code == 0, "\(good.output)\(good.errors)")
        #expect(good.output.contains("is valid"))

        let folder = try TemporaryFolder()
        let text = try String(contentsOfFile: "\(BuiltProgram.package)/\(Self.campaign)", encoding: .utf8)
        let bad = text.replacing("play: rain\n", with: "play: hail\n")
        try #require(bad != text)
        let path = folder.file("bad.yaml")
        try bad.write(toFile: path, atomically: true, encoding: .utf8)
        let line = try #require(
            bad.split(separator: "\n", omittingEmptySubsequences: false).firstIndex { $0.contains("hail") }
        )
        let refused = try await BuiltProgram.run("hongbao", ["check-config", path])
        #expect(refused.code == 1)
        #expect(refused.output.contains("\(path):\(line + 1):"), "\(refused.output)")
        #expect(refused.output.contains("hail"))

        let missing = try await BuiltProgram.run("hongbao", ["check-config", folder.file("none.yaml")])
        #expect(missing.code == 2)
        #expect(missing.output == "")
        #expect(missing.errors.contains("none.yaml"))
    }

    /// CF-7: to the millisecond, for a person.
    @Test(arguments: [
        ("2022-01-31T19:29:59.999+08:00", "fireworks-cash", "closed (opens 2022-01-31T19:30:00.000+08:00)"),
        ("2022-01-31T19:30:00.000+08:00", "fireworks-cash", "open until 2022-01-31T19:45:00.000+08:00"),
        ("1643628600000", "fireworks-cash", "open until 2022-01-31T19:45:00.000+08:00"),
        ("2022-01-31T19:44:59.999+08:00", "fireworks-cash", "open until 2022-01-31T19:45:00.000+08:00"),
        ("2022-01-31T11:45:00.000Z", "fireworks-cash", "closed"),
    ])
    func previewShowsWhatIsOnAtAnInstant(at: String, scene: String, state: String) async throws {
        let (code, output, _) = try await BuiltProgram.run(
            "hongbao",
            ["check-config", Self.campaign, "--at", at, "--person", "42"]
        )
        #expect(code == 0)
        #expect(output.contains("phase       live"))
        #expect(output.contains("person      42: admitted"))
        let line = try #require(output.split(separator: "\n").first { $0.contains(" \(scene) ") })
        #expect(line.contains(state), "\(line)")
    }

    @Test func demoEndsWithAnAuditThatHolds() async throws {
        let (code, output, errors) = try await BuiltProgram.run(
            "hongbao",
            ["demo", "--exit", "--people", "60", "--seconds", "2", "--rate", "500", "--port", "0"]
        )
        #expect(code == 0, "\(output)\(errors)")
        for words in [
            "every invariant holds", "everything holds", "all 60 show what was granted", "accepted", "withdrew",
        ] {
            #expect(output.contains(words), "\(words)")
        }
    }
}
