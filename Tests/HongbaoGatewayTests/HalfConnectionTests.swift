import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import NIOCore
import NIOPosix
import Testing

/// Clients that send slowly, stop in the middle, or hang up.
@Suite(.timeLimit(.minutes(15))) struct HalfConnectionTests {
    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private static func connect(_ caller: Caller) async throws -> Connection {
        let port = try #require(caller.client.port)
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Connection(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true)
                    )
                }
            }
    }

    private static let body = grantJSON()
    private static let head =
        "POST /v1/grants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(GatewayRig.grantKey)\r\n"
        + "Content-Type: application/json\r\n"
    private static let whole = head + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n" + body

    private static func rig() throws -> GatewayRig {
        var rig = try GatewayRig()
        // For a server that doesn't notice; it's long compared with what the test takes.
        rig.configuration.idleTimeout = .seconds(5)
        return rig
    }

    /// What is cut off is refused or not answered, never done.
    @Test(arguments: [
        "", "POST", "POST /v1/grants HT", "POST /v1/grants HTTP/1.1\r\nHost: x\r\nAuthor",
        head + "Content-Length: \(body.utf8.count)\r\n", head + "Content-Length: \(body.utf8.count)\r\n\r\n",
        String(whole.dropLast(40)), String(whole.dropLast()),
        head + "Transfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n" + body,
        head + "Transfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n" + body + "\r\n0",
        head + "Content-Length: \(body.utf8.count + 1)\r\n\r\n" + body,
    ])
    func whatIsCutOffIsNotDone(_ text: String) async throws {
        try await Self.rig().run(.live) { caller in
            let answer = try await Self.connect(caller).executeThenClose { inbound, outbound in
                if !text.isEmpty { try await outbound.write(ByteBuffer(string: text)) }
                outbound.finish()
                return try await Self.rest(inbound)
            }
            #expect(!answer.contains(" 200 "), "\(answer)")
            #expect(caller.engine.granting.orderCount == 0)
            let alive = try await Self.ask(caller, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(alive.hasPrefix("HTTP/1.1 200 "), "\(alive)")
        }
    }

    /// Who hangs up after a whole request may not get an answer, but can ask again.
    @Test func hangingUpAfterTheRequestIsHarmless() async throws {
        try await Self.rig().run(.live) { caller in
            let answer = try await Self.connect(caller).executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: Self.whole))
                outbound.finish()
                return try await Self.rest(inbound)
            }
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
            let again = try await Self.ask(caller, Self.whole)
            #expect(again.hasPrefix("HTTP/1.1 200 "), "\(again)")
            #expect(caller.engine.granting.orderCount == 1)
        }
    }

    @Test func oneByteAtATimeIsFine() async throws {
        try await Self.rig().run(.live) { caller in
            let answer = try await Self.connect(caller).executeThenClose { inbound, outbound in
                for byte in Self.whole.utf8 { try await outbound.write(ByteBuffer(bytes: [byte])) }
                return try await Self.rest(inbound)
            }
            #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer)")
            #expect(caller.engine.granting.orderCount == 1)
        }
    }

    /// Two hundred who don't go on keep nobody else from being served.
    @Test func thoseWhoDoNotGoOnKeepNobodyWaiting() async throws {
        // Nobody is closed while the others still connect, however busy the machine is.
        try await GatewayRig().run(.live) { caller in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let begun = AsyncStream<Void>.makeStream()
                for number in 0..<200 {
                    let text = Self.whole.prefix(1 + number * (Self.whole.count - 2) / 200)
                    let connection = try await Self.connect(caller)
                    group.addTask {
                        try await connection.executeThenClose { inbound, outbound in
                            try await outbound.write(ByteBuffer(string: String(text)))
                            begun.continuation.yield()
                            // Until the test has seen what it wants.
                            for try await _ in inbound {}
                        }
                    }
                }
                var count = 0
                for await _ in begun.stream {
                    count += 1
                    if count == 200 { break }
                }
                for person in 1...20 {
                    let json = grantJSON(person: #""\#(person)""#)
                    let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                    #expect(answer.status == .ok)
                }
                #expect(caller.engine.granting.orderCount == 20)
                group.cancelAll()
                // They end as cancelled, or because the server closes them.
                while let ended = await group.nextResult() { _ = ended }
            }
            #expect(caller.engine.granting.orderCount == 20)
        }
    }

    /// The answer to a request, by a connection of its own: the client's may have been idle for too long by now.
    private static func ask(_ caller: Caller, _ text: String) async throws -> String {
        try await connect(caller).executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text))
            return try await rest(inbound)
        }
    }

    private static func rest(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async throws -> String {
        var text = ""
        do {
            for try await bytes in inbound { text += String(buffer: bytes) }
        } catch is IOError {
            // Reset by the server: there's no more to read.
        }
        return text
    }
}
