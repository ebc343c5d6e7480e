#if MySQL
    import Foundation
    import Glibc
    import HongbaoEngine
    import HongbaoTesting
    import NIOHTTP1
    import Testing

    @testable import hongbao_dev

    /// Real processes on a real MariaDB and a real Redis: a node without a mint shows wallets (DP-2, TK-5, TK-6, WL-3).
    @Suite(.timeLimit(.minutes(15))) struct QueryNodeTests {
        private struct Cluster: Sendable {
            let folder: TemporaryFolder
            let database: MariaDBServer
            let redis: RedisProcess
            let keyring = Keyring()

            init() async throws {
                folder = try TemporaryFolder()
                database = try await MariaDBServer.started(in: folder.path)
                redis = try await RedisProcess()
            }

            func start(_ role: String) async throws -> LiveServer {
                let port = try freePort()
                let data = folder.file(role)
                try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
                try keyring.create(path: "\(data)/keyring")
                return try await LiveServer.start(
                    data: data,
                    log: folder.file("\(role).log"),
                    arguments: ["--port", "\(port)"],
                    environment: [
                        "HONGBAO_STORE_URL": "mysql://root@/hongbao?socket=\(database.socket)",
                        "HONGBAO_CLUSTER_ADDRESS": "http://127.0.0.1:\(port)", "HONGBAO_CLUSTER_MINTS": "3",
                        "HONGBAO_CLUSTER_SILENCE_SECONDS": "3", "HONGBAO_ROLES": role,
                        "HONGBAO_HOT_TOKENS_URL": "redis://127.0.0.1:\(redis.port)",
                        "HONGBAO_SHUTDOWN_UNREADY_SECONDS": "0",
                    ]
                )
            }
        }

        private static let path = "/v1/wallet?campaign=\(KillTest.campaign)"

        /// Balance, what of it isn't posted, and whether nothing is missing.
        private static func wallet(_ server: LiveServer, _ jwt: String) async throws -> (Int64, Int64, Bool) {
            let answer = try await server.send(.GET, path, bearer: jwt)
            #expect(answer.status == 200, "\(answer.text)")
            return (try answer.number("balance"), try answer.number("pending"), try answer.number("complete") == 1)
        }

        private static func forwards(_ server: LiveServer) async throws -> Substring? {
            try await server.send(.GET, "/metrics").text.split(separator: "\n")
                .first { $0.hasPrefix(#"hongbao_forwards_total{outcome="answered"}"#) }
        }

        @Test func walletsAreShownBeforeAndAfterPosting() async throws {
            let cluster = try await Cluster()
            let core = try await cluster.start("core")
            try await BuiltProgram.until("it has its mints") { try await core.send(.GET, "/readyz").status == 200 }
            let query = try await cluster.start("query")
            try await BuiltProgram.until("it's ready") { try await query.send(.GET, "/readyz").status == 200 }
            var login: (person: String, jwt: String)?
            try await BuiltProgram.until("somebody can log in") {
                let answer = try await query.send(.POST, "/v1/demo/login", json: #"{"app":"douyin","user":"1"}"#)
                guard answer.status == 200 else { return false }
                login = (try answer.string("person"), try answer.string("jwt"))
                return true
            }
            let (person, jwt) = try #require(login)
            // What isn't a wallet it passes on, as a gateway does.
            try await BuiltProgram.until("it's granted") {
                try await query.grant(person: person, amount: 123).status == 200
            }
            try await BuiltProgram.until("it's shown") { try await Self.wallet(query, jwt) == (123, 123, true) }
            let forwards = try await Self.forwards(query)
            let uri = "/v1/wallet/statement?campaign=\(KillTest.campaign)"
            let statement = try await query.send(.GET, uri, bearer: jwt)
            #expect(statement.status == 200 && statement.text.contains(#""amount":123"#), "\(statement.text)")
            #expect(try await Self.forwards(query) == forwards && forwards != nil)
            try await emptied(cluster, query, jwt)
            try await posted(cluster, query, jwt, person)
            // The node that decided is gone: what is posted is shown all the same.
            core.program.kill(SIGKILL)
            _ = try await core.program.exitCode()
            try await BuiltProgram.until("tokens are missing") { try await Self.wallet(query, jwt) == (130, 0, false) }
            try await query.stop()
            try await cluster.database.stop()
        }

        /// Redis is killed and started with nothing in it.
        private func emptied(_ cluster: Cluster, _ query: LiveServer, _ jwt: String) async throws {
            try await cluster.redis.kill()
            #expect(try await Self.wallet(query, jwt) == (0, 0, false))
            try await cluster.redis.start()
            try await BuiltProgram.until("it's shown again") { try await Self.wallet(query, jwt) == (123, 123, true) }
        }

        private func posted(_ cluster: Cluster, _ query: LiveServer, _ jwt: String, _ person: String) async throws {
            let poster = try await cluster.start("async")
            try await BuiltProgram.until("it's posted") {
                let shown = try await Self.wallet(query, jwt)
                #expect(shown.0 == 123 && shown.2, "\(shown)")
                return shown.1 == 0
            }
            #expect(try await query.grant(person: person, rain: 2, amount: 7).status == 200)
            try await BuiltProgram.until("the next is posted") { try await Self.wallet(query, jwt) == (130, 0, true) }
            try await poster.stop()
        }
    }
#endif
