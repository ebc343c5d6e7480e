import Foundation
import GRDB
import HongbaoTesting
import Testing

@testable import hongbao_dev

/// A server that audits itself while it serves (RC-5).
@Suite(.timeLimit(.minutes(15))) struct ReconcileTests {
    private static func metric(_ server: LiveServer, _ name: String) async throws -> Double {
        try await server.caller(try LiveServer.book()).metric(name)
    }

    /// What somebody changes in the books by hand is an alarm within a round; nothing was before.
    @Test func aServerFindsWhatIsBroken() async throws {
        let folder = try TemporaryFolder()
        let (data, log) = (folder.file("data"), folder.file("log"))
        let every = ["HONGBAO_RECONCILE_EVERY": "1s"]
        let server = try await LiveServer.start(data: data, log: log, environment: every)
        let (person, _) = try await server.logIn("audited")
        #expect(try await server.grant(person: person).status == 200)
        try await server.drain()
        let clean = #"hongbao_reconcile_rounds_total{outcome="clean"}"#
        let before = try await Self.metric(server, clean)
        try await BuiltProgram.until("clean audits") { try await Self.metric(server, clean) >= before + 2 }
        #expect(try await Self.metric(server, #"hongbao_reconcile_rounds_total{outcome="breach"}"#) == 0)
        #expect(try await Self.metric(server, "hongbao_reconcile_clean_age_seconds") < 60)
        let books = try DatabaseQueue(path: "\(data)/hongbao.sqlite")
        try await books.write { try $0.execute(sql: "UPDATE account SET credits = credits + 1 WHERE kind = 3") }
        try books.close()
        try await BuiltProgram.until("an audit that finds it") {
            try await Self.metric(server, "hongbao_reconcile_breaches") > 0
        }
        #expect(try await Self.metric(server, #"hongbao_alarms_total{kind="audit_breach"}"#) > 0)
        try await server.stop()
        let text = try String(contentsOfFile: log, encoding: .utf8)
        #expect(text.contains("audit_breach") && text.contains("balances are the sums of their entries"))
        #expect(!text.contains(person))
    }

    @Test(
        arguments: [
            ("HONGBAO_RECONCILE_EVERY", "often"), ("HONGBAO_RECONCILE_EVERY", "10"), ("HONGBAO_RECONCILE_EVERY", "0s"),
            ("HONGBAO_RECONCILE_EVERY", "9223372036854775807h"), ("HONGBAO_RECONCILE_ROWS_PER_SECOND", "4999"),
            ("HONGBAO_ROLES", "reconcile"), ("HONGBAO_ROLES", "reconciler"),
        ]
    )
    func whatCannotBeSetIsRefused(name: String, value: String) async throws {
        let folder = try TemporaryFolder()
        let (code, output, errors) = try await BuiltProgram.run(
            "hongbao",
            ["serve", "--port", "0", "--data", folder.file("data")],
            environment: [name: value],
            folder: BuiltProgram.package
        )
        #expect(code == 2 && output == "", "\(code) \(errors)")
    }
}
