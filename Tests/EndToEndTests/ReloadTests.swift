import Foundation
import Glibc
import HongbaoTesting
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// SIGHUP to the real server: what is valid and fits is put in force as a whole, anything else changes nothing (CF-5,
/// CF-6).
@Suite(.timeLimit(.minutes(15))) struct ReloadTests {
    /// A server with a campaign file of its own, and what its operator sees.
    private struct Operated {
        let server: LiveServer
        let file: String
        let log: String

        func write(_ text: String) throws { try text.write(toFile: file, atomically: true, encoding: .utf8) }

        /// Which campaigns are in force, as `/v1/version` says.
        func version() async throws -> String { try await server.send(.GET, "/v1/version").string("campaigns") }

        func metric(_ name: String) async throws -> String? {
            let text = try await server.send(.GET, "/metrics").text
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name) ") }
            return line.map { String($0.dropFirst(name.count + 1)) }
        }

        /// Sends the signal, and waits until a reading with this result is counted once more.
        func reload(_ result: String) async throws {
            let name = #"hongbao_config_reloads_total{result="\#(result)"}"#
            let before = try await metric(name)
            server.program.kill(SIGHUP)
            try await BuiltProgram.until("a reload is \(result)", seconds: 180) { try await metric(name) != before }
        }

        func logged() throws -> String { try String(contentsOfFile: log, encoding: .utf8) }
    }

    @Test func aHangUpReloadsTheCampaigns() async throws {
        let folder = try TemporaryFolder()
        let original = try String(contentsOfFile: LiveServer.campaignFile, encoding: .utf8)
        let file = folder.file("campaign.yaml")
        try original.write(toFile: file, atomically: true, encoding: .utf8)
        let server = try await LiveServer.start(
            data: folder.file("data"),
            log: folder.file("log"),
            arguments: ["--campaign", file]
        )
        let operated = Operated(server: server, file: file, log: folder.file("log"))
        let (person, jwt) = try await server.logIn("reload")
        #expect(try await server.grant(person: person).status == 200)
        let first = try await operated.version()
        #expect(try await operated.metric("hongbao_config_last_reload_successful") == "1")

        // Good: the whole file comes into force, and a rehearsal goes on as it began.
        let other = original.replacing("title: 2022 春节活动", with: "title: Another title")
        #expect(other != original)
        try operated.write(other)
        try await operated.reload("applied")
        let second = try await operated.version()
        #expect(second != first)
        let notice = try operated.logged().split(separator: "\n").first { $0.contains(#""campaigns reloaded""#) }
        #expect(notice?.contains(first) == true && notice?.contains(second) == true)
        #expect(try await server.grant(person: person, rain: 2).status == 200)

        // Not valid: every problem is named with its place.
        try operated.write(other.replacing("\nnumber: 1\n", with: "\nnumber: one\ncolour: red\n"))
        try await operated.reload("refused")
        #expect(try await operated.metric("hongbao_config_last_reload_successful") == "0")
        #expect(try await operated.version() == second)
        let lines = other.split(separator: "\n", omittingEmptySubsequences: false)
        let line = 2 + (try #require(lines.firstIndex(of: "number: 1")))
        #expect(try operated.logged().contains("\(file):\(line - 1):9: error: "))
        #expect(try operated.logged().contains("\(file):\(line):1: error: "))

        // Valid, and doesn't fit what was issued.
        try operated.write(other.replacing("\nnumber: 1\n", with: "\nnumber: 2\n"))
        try await operated.reload("refused")
        #expect(try await operated.version() == second)
        #expect(try operated.logged().contains("\(file):\(line - 1):9: error: the campaign's number is 1 and"))

        // Gone.
        try FileManager.default.removeItem(atPath: file)
        try await operated.reload("refused")
        #expect(try await operated.version() == second)
        #expect(try await server.grant(person: person).string("order").isEmpty == false)

        // Taken back: the same as at the start.
        try operated.write(original)
        try await operated.reload("applied")
        #expect(try await operated.version() == first)
        #expect(try await operated.metric("hongbao_config_last_reload_successful") == "1")
        let now = Date().timeIntervalSince1970
        let at = try #require(Double(try await operated.metric("hongbao_config_last_reload_timestamp_seconds") ?? ""))
        #expect(abs(now - at) < 3_600)
        #expect(try await server.grant(person: person, rain: 3).status == 200)
        #expect(try await server.balance(jwt) == 300)
        try await server.drain()
        try await server.stop()
        let audit = try await BuiltProgram.run("hongbao", ["audit", "--data", folder.file("data")])
        #expect(audit.code == 0, "\(audit.output)\(audit.errors)")
    }
}
