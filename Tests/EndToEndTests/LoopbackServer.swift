import Hummingbird
import Logging
import Testing

/// An HTTP server on loopback while `body` runs.
func withLoopbackServer(
    _ router: Router<BasicRequestContext>,
    _ body: @Sendable (_ address: String) async throws -> Void
) async throws {
    let (ports, port) = AsyncStream<Int>.makeStream()
    let server = Application(
        router: router,
        configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
        logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    )
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        defer { group.cancelAll() }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        try await body("http://127.0.0.1:\(port)")
        // NIO ends the process when a connection arrives just as its server stops: what clients have given up on must
        // have come and gone.
        try await Task.sleep(for: .milliseconds(300))
    }
}
