import Glibc
import HongbaoCore
import HongbaoTesting
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// SIGTERM under load: first unready, then no more requests, then the end; nothing acknowledged is lost.
@Suite(.timeLimit(.minutes(15))) struct DrainTests {
    @Test func terminatesGracefullyUnderLoad() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let server = try await LiveServer.start(
            data: data,
            log: folder.file("log"),
            // Long enough to be seen by one who waits for a processor.
            environment: ["HONGBAO_SHUTDOWN_UNREADY_SECONDS": "5"]
        )
        let book = try LiveServer.book()
        let statuses = try await withThrowingTaskGroup(of: [UInt].self) { group in
            for seed in 0..<4 {
                group.addTask {
                    await Self.load(server.caller(book), seed: UInt64(seed))
                    return []
                }
            }
            group.addTask { await Self.watch(server) }
            try await BuiltProgram.until("it's loaded") { book.counts.acknowledged > 500 }
            let began = ContinuousClock.now
            try await server.stop()
            #expect(ContinuousClock.now - began < .seconds(30))
            return try await group.reduce(into: []) { $0 += $1 }
        }
        // Load balancers see it before connections fail: 200s, then 503s, then nothing.
        #expect(statuses.first == 200)
        #expect(statuses.last == 503)
        #expect(statuses == statuses.sorted())
        #expect(Set(statuses) == [200, 503])

        let again = try await LiveServer.start(data: data, log: folder.file("log"))
        try await again.drain()
        try await LiveServer.expectBooked(book, in: data)
        try await again.stop()
    }

    /// Sends until the server is gone.
    private static func load(_ caller: GrantCaller, seed: UInt64) async {
        var random = Seeded(seed: seed)
        do {
            while true { try await caller.send(caller.book.take(20, &random), as: .batches(20)) }
        } catch is Caller.Unanswered {
            return
        } catch {
            caller.book.breach("\(error)")
        }
    }

    /// What a load balancer sees until connections fail.
    private static func watch(_ server: LiveServer) async -> [UInt] {
        var statuses: [UInt] = []
        do {
            while true {
                statuses.append(try await server.send(.GET, "/readyz").status)
                try await Task.sleep(for: .milliseconds(10))
            }
        } catch {
            return statuses
        }
    }
}
