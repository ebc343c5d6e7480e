import HongbaoRedis
import HongbaoTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// The real server with running totals in two real Redis (CT-3, DP-2).
@Suite(.timeLimit(.minutes(15))) struct RedisTotalTests {
    private static let path = "/v1/totals/\(KillTest.campaign)"

    private static func start(
        _ folder: TemporaryFolder,
        _ main: RedisProcess,
        _ backup: RedisProcess,
        _ more: [String: String] = [:]
    ) async throws -> LiveServer {
        let environment = [
            "HONGBAO_TOTALS_MAIN_URL": "redis://:main@127.0.0.1:\(main.port)",
            "HONGBAO_TOTALS_BACKUP_URL": "redis://127.0.0.1:\(backup.port)",
            "HONGBAO_TOTALS_INTERVAL_MILLISECONDS": "200", "HONGBAO_SHUTDOWN_UNREADY_SECONDS": "0",
        ]
        return try await LiveServer.start(
            data: folder.file("data"),
            log: folder.file("log"),
            environment: environment.merging(more) { _, new in new }
        )
    }

    /// The sums of all books that a Redis has.
    private static func sum(_ port: Int, password: String?) async throws -> Int64 {
        var address = RedisAddress(ServerAddress(host: "127.0.0.1", port: port))
        address.credentials = password.map { RedisAddress.Credentials(password: $0) }
        let node = try RedisNode(address)
        let deadline = NIODeadline.now() + .seconds(10)
        let keys = try await node.call(RedisCommand(["KEYS", "hongbao:total:*"], isIdempotent: true), by: deadline)
        var sum: Int64 = 0
        for key in keys.elements ?? [] {
            let command = RedisCommand(["HGET", key.string ?? "", "amount"], isIdempotent: true)
            sum += try await node.call(command, by: deadline).integer ?? 0
        }
        await node.close()
        return sum
    }

    /// `nil` as long as neither Redis has been heard of.
    private static func shown(_ server: LiveServer) async throws -> Int64? {
        let answer = try await server.send(.GET, path)
        return answer.status == 503 ? nil : try answer.number("amount")
    }

    @Test func bothHaveTheTotalAndEachAloneIsEnough() async throws {
        let folder = try TemporaryFolder()
        let main = try await RedisProcess([("requirepass", "main")])
        let backup = try await RedisProcess()
        let server = try await Self.start(folder, main, backup)
        #expect(try await server.grant(person: "1", amount: 123).status == 200)
        try await BuiltProgram.until("it's flushed") { try await Self.shown(server) == 123 }
        try await BuiltProgram.until("both have it") {
            let sums = (try await Self.sum(main.port, password: "main"), try await Self.sum(backup.port, password: nil))
            return sums == (123, 123)
        }
        // The main one is lost: grants go on, what is shown stands still, and all of it is back when it is.
        try await main.kill()
        #expect(try await server.grant(person: "2", amount: 400).status == 200)
        try await BuiltProgram.until("the backup has it") { try await Self.sum(backup.port, password: nil) == 523 }
        #expect(try await Self.shown(server) == 123)
        try await main.start()
        try await BuiltProgram.until("it's shown") { try await Self.shown(server) == 523 }
        #expect(try await Self.sum(main.port, password: "main") == 523)
        try await server.stop()

        // A start without the main one shows what the backup says, when it's told to.
        try await main.kill()
        let again = try await Self.start(folder, main, backup, ["HONGBAO_TOTALS_READ_BACKUP": "true"])
        try await BuiltProgram.until("it's read") { try await Self.shown(again) == 523 }
        try await again.stop()
    }
}
