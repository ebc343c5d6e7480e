import AsyncHTTPClient
import HongbaoTesting
import NIOCore
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// A screen that follows the running total of the real server (CT-1).
@Suite(.timeLimit(.minutes(15))) struct TotalStreamTests {
    /// A stream would last for ten minutes: SIGTERM ends it as soon as it's looked after.
    @Test func sigtermEndsOpenStreams() async throws {
        let folder = try TemporaryFolder()
        let server = try await LiveServer.start(
            data: folder.file("data"),
            log: folder.file("log"),
            environment: ["HONGBAO_TOTALS_INTERVAL_MILLISECONDS": "50", "HONGBAO_SHUTDOWN_UNREADY_SECONDS": "0"]
        )
        #expect(try await server.grant(person: "1", amount: 123).status == 200)
        let path = "/v1/totals/\(KillTest.campaign)"
        try await BuiltProgram.until("it's flushed") { try await server.send(.GET, path).number("amount") == 123 }

        let request = HTTPClientRequest(url: "\(server.address)\(path)/stream")
        let response = try await LiveServer.client.execute(request, timeout: .seconds(120))
        #expect(response.status == .ok)
        #expect(response.headers.first(name: "content-type") == "text/event-stream")
        var text = ""
        var body = response.body.makeAsyncIterator()
        while !text.contains(#""amount":123,"#) { text += String(buffer: try #require(await body.next())) }
        // What is granted meanwhile comes by itself.
        #expect(try await server.grant(person: "2", amount: 400).status == 200)
        while !text.contains(#""amount":523,"#) { text += String(buffer: try #require(await body.next())) }

        let began = ContinuousClock.now
        try await server.stop()
        // Far less than the 30 s after which a server ends what hasn't.
        #expect(ContinuousClock.now - began < .seconds(15))
        while let more = try await body.next() { text += String(buffer: more) }
        #expect(text.hasSuffix("\n\n"))

        let again = try await LiveServer.start(data: folder.file("data"), log: folder.file("log"))
        #expect(try await again.send(.GET, path).number("amount") == 523)
        try await again.stop()
    }
}
