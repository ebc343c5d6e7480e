import Foundation
import HongbaoTesting
import Testing

@testable import hongbao_dev

/// `hongbao promote`, as an operator uses it (DP-1, DP-2).
@Suite(.timeLimit(.minutes(15))) struct PromoteTests {
    private static func run(_ arguments: String...) async throws -> (code: Int32, output: String, errors: String) {
        try await BuiltProgram.run("hongbao", arguments)
    }

    private static func settings(_ text: String, in folder: TemporaryFolder) throws -> String {
        let path = folder.file("node.yaml")
        try Data(text.utf8).write(to: URL(filePath: path))
        return path
    }

    /// What is missing is named, in builds of either kind.
    @Test func whatIsMissingIsNamed() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let alone = try Self.settings("http:\n  port: 8080\n", in: folder)
        let without = try await Self.run("promote", "--data", data, "--config", alone)
        #expect(without.code == 2 && without.errors.contains("store.url: is needed"), "\(without.errors)")
        let url = "store:\n  url: mysql://hongbao@127.0.0.1:1/hongbao\n"
        let undivided = try Self.settings(url, in: folder)
        let second = try await Self.run("promote", "--data", data, "--config", undivided)
        #expect(second.code == 2 && second.errors.contains("cluster.mints: is needed"), "\(second.errors)")
        let whole = try Self.settings(url + "cluster:\n  mints: 4\n", in: folder)
        let third = try await Self.run("promote", "--data", data, "--config", whole)
        #if MySQL
            let words = "there is no data in \(data)"
        #else
            let words = "this build has no MariaDB"
        #endif
        #expect(third.code == 2 && third.errors.contains(words), "\(third.errors)")
        #expect(!FileManager.default.fileExists(atPath: data))
        #expect(try await Self.run("promote", "--config", whole).code == 64)
    }

    #if MySQL
        /// From a pilot that runs to a node of the cluster that answers as the pilot did.
        @Test func pilotBecomesACluster() async throws {
            let folder = try TemporaryFolder()
            let (data, node) = (folder.file("data"), folder.file("node"))
            let database = try await MariaDBServer.started(in: folder.path)
            let settings = try Self.settings(
                """
                store:
                  url: mysql://root@/hongbao?socket=\(database.socket)
                cluster:
                  address: http://127.0.0.1:1
                  mints: 5
                """,
                in: folder
            )
            let pilot = try await LiveServer.start(data: data, log: folder.file("log"))
            var first: [String: String] = [:]
            for person in 1...20 {
                let answer = try await pilot.grant(person: "\(person)")
                #expect(answer.status == 200)
                first["\(person)"] = try answer.string("token")
            }
            let running = try await Self.run("promote", "--data", data, "--config", settings)
            #expect(running.code == 2 && running.errors.contains("is in use by another"), "\(running.errors)")
            try await pilot.stop()
            let promoted = try await Self.run("promote", "--data", data, "--config", settings)
            #expect(promoted.code == 0 && promoted.output.contains("every invariant holds"), "\(promoted)")
            #expect(promoted.errors.contains("transfer: ") && promoted.output.contains("promoted: "))
            let again = try await Self.run("promote", "--data", data, "--config", settings)
            #expect(again.code == 2 && again.errors.contains("promoted into it already"), "\(again.errors)")
            let served = try await Self.run("serve", "--data", data, "--port", "0")
            #expect(served.code == 2 && served.errors.contains("these data were promoted to"), "\(served.errors)")

            try FileManager.default.createDirectory(atPath: node, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: "\(data)/keyring", toPath: "\(node)/keyring")
            try await Self.expectAnswers(first, node, settings, log: folder.file("node-log"))
            let audit = try await Self.run("audit", "--data", node, "--config", settings)
            #expect(audit.code == 0, "\(audit)")
            try await database.stop()
        }

        private static func expectAnswers(
            _ first: [String: String],
            _ data: String,
            _ settings: String,
            log: String
        ) async throws {
            let server = try await LiveServer.start(data: data, log: log, arguments: ["--config", settings])
            for (person, token) in first {
                // Until the node has taken this person's mint.
                try await BuiltProgram.until("person \(person)'s mint") {
                    try await server.grant(person: person).status == 200
                }
                #expect(try await server.grant(person: person).string("token") == token)
                #expect(try await server.grant(person: person, amount: 101).status == 409)
            }
            try await server.stop()
        }
    #endif
}
