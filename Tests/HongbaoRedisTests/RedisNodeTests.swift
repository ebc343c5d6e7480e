import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoRedis

/// One real server, and a network that fails.
@Suite(.timeLimit(.minutes(5))) struct RedisNodeTests {
    private static func node(_ server: ServerAddress, _ settings: RedisSettings = RedisSettings()) throws -> RedisNode {
        try RedisNode(RedisAddress(server), settings: settings)
    }

    /// Two hundred tasks share one connection, and each gets its own answers.
    @Test func manyCallersShareOneConnection() async throws {
        let server = try await RedisProcess()
        let link = try await FaultyLink(to: server.address)
        let node = try Self.node(link.address)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<200 {
                group.addTask {
                    for turn in 0..<20 {
                        #expect(try await node.call("ECHO", "\(caller) \(turn)") == .text("\(caller) \(turn)"))
                        _ = try await node.call("INCR", "count")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await node.call("GET", "count") == .text("4000"))
        #expect(link.connectionCount == 1)
        await node.close()
        #expect(await node.fault("PING")?.kind == .unreachable)
    }

    @Test func manyCommandsGoAtOnce() async throws {
        let server = try await RedisProcess()
        let node = try Self.node(server.address)
        let commands = (1...500).map { RedisCommand(["INCRBY", "a", "\($0)"], isIdempotent: false) }
        let wrong = RedisCommand(["HGET", "a", "b"], isIdempotent: true)
        let answers = try await node.callAll(commands + [wrong], by: .soon())
        #expect(answers[499] == .integer(125_250))
        guard case .error(let text) = answers[500] else {
            Issue.record("it isn't refused")
            return
        }
        #expect(text.hasPrefix("WRONGTYPE"))
        #expect(try await node.callAll([], by: .soon()).isEmpty)
        #expect(await node.fault("HGET", "a", "b")?.kind == .refused(code: "WRONGTYPE"))
        // Larger than any single read.
        let large = String(repeating: "a", count: 3_000_000)
        _ = try await node.call("SET", "large", large)
        #expect(try await node.call("GET", "large") == .text(large))
        await node.close()
    }

    @Test func scriptsAreKnownByTheirDigest() async throws {
        let server = try await RedisProcess()
        let node = try Self.node(server.address)
        let script = RedisScript("return redis.call('INCRBY', KEYS[1], ARGV[1])", isIdempotent: false)
        #expect(try await node.run(script, key: "a", ["2"], by: .soon()) == .integer(2))
        #expect(try await node.run(script, key: "a", ["3"], by: .soon()) == .integer(5))
        _ = try await node.call("SCRIPT", "FLUSH")
        #expect(try await node.run(script, key: "a", ["4"], by: .soon()) == .integer(9))
        // Its text was sent twice.
        let statistics = try #require(try await node.call("INFO", "commandstats").string)
        #expect(statistics.contains("cmdstat_eval:calls=2,"))
        #expect(statistics.contains("cmdstat_evalsha:calls=3,"))
        await node.close()
    }

    /// What may have run isn't sent again, unless that does no harm.
    @Test func aConnectionCutInAnAnswerLeavesOpenWhatHappened() async throws {
        let server = try await RedisProcess()
        let link = try await FaultyLink(to: server.address)
        let node = try Self.node(link.address)
        _ = try await node.call("SET", "text", String(repeating: "a", count: 100))
        link.set(.cutAfter(50))
        #expect(await node.fault("GET", "text")?.kind == .outcomeUnknown)
        // The new connection's greeting and a byte more.
        link.set(.cutAfter("+PONG\r\n".utf8.count + 1))
        let fault = await node.fault("INCR", "count")
        #expect(fault?.kind == .outcomeUnknown && fault?.canBeTriedAgain == false)
        // It did run, and only once.
        #expect(try await node.call("GET", "count") == .text("1"))
        link.set(.cutAfter(50))
        let again = RedisCommand(["GET", "text"], isIdempotent: true)
        #expect(try await node.call(again, by: .soon()) == .text(String(repeating: "a", count: 100)))
        #expect(link.connectionCount == 4)
        await node.close()
    }

    @Test func aServerThatIsGoneAndComesBackIsFoundAgain() async throws {
        let server = try await RedisProcess()
        var settings = RedisSettings()
        settings.firstPause = .milliseconds(1)
        settings.pauseMax = .milliseconds(5)
        let node = try Self.node(server.address, settings)
        _ = try await node.call("SET", "a", "1")
        try await server.kill()
        // However often it's asked, it says so, and at once.
        for _ in 0..<50 {
            let fault = await node.fault("GET", "a", isIdempotent: true)
            #expect(fault?.kind == .unreachable && fault?.canBeTriedAgain == true)
        }
        try await server.start()
        #expect(await node.untilAnswered("GET", "a") == .null, "it has lost everything")
        await node.close()
    }

    @Test func nobodyWaitsLongerThanHeWants() async throws {
        let server = try await RedisProcess()
        let node = try Self.node(server.address)
        _ = try await node.call("PING")
        server.stop()
        let start = NIODeadline.now()
        #expect(await node.fault("INCR", "a", by: .soon(60))?.kind == .outcomeUnknown)
        let waited = NIODeadline.now() - start
        #expect(waited >= .milliseconds(60) && waited < .seconds(5))
        server.goOn()
        // The answer that nobody waits for any more isn't taken for that of another.
        #expect(try await node.call("ECHO", "b") == .text("b"))
        #expect(try await node.call("GET", "a") == .text("1"))
        await node.close()
    }

    /// Nothing comes through any more, and nobody says so: the connection is made anew.
    @Test func aHungConnectionIsMadeAnew() async throws {
        let server = try await RedisProcess()
        let link = try await FaultyLink(to: server.address)
        var settings = RedisSettings()
        settings.silenceMax = .milliseconds(200)
        settings.connectTimeout = .milliseconds(500)
        let node = try Self.node(link.address, settings)
        _ = await node.untilAnswered("PING")
        link.set(.swallowAnswers)
        #expect(await node.fault("INCR", "a")?.kind == .outcomeUnknown)
        // Nobody greets either.
        #expect(await node.fault("INCR", "a")?.kind == .unreachable)
        link.set(.none)
        #expect(await node.untilAnswered("GET", "a") == .text("1"))
        await node.close()
    }

    @Test func whatIsNotTheProtocolEndsTheConnection() async throws {
        let server = try await RedisProcess()
        let link = try await FaultyLink(to: server.address)
        let node = try Self.node(link.address)
        _ = try await node.call("PING")
        link.set(.answer("HTTP/1.1 400 Bad Request\r\n\r\n"))
        #expect(await node.fault("PING")?.kind == .outcomeUnknown)
        #expect(await node.fault("PING")?.kind == .unreachable)
        link.set(.none)
        while await node.fault("PING") != nil {}
        // More answers than questions.
        link.set(.answer("+a\r\n+b\r\n"))
        #expect(await node.fault("PING") == nil)
        link.set(.none)
        while await node.fault("PING") != nil {}
        #expect(try await node.call("ECHO", "c") == .text("c"))
        await node.close()
    }

    @Test func moreThanIsAllowedIsRefused() async throws {
        let server = try await RedisProcess()
        var settings = RedisSettings()
        settings.callsMax = 10
        let node = try Self.node(server.address, settings)
        _ = try await node.call("PING")
        server.stop()
        let refused = Count()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let kind = await node.fault("INCR", "a", by: .soon(300))?.kind
                    if kind == .full { refused.add() } else { #expect(kind == .outcomeUnknown) }
                }
            }
        }
        #expect(refused.now == 40)
        server.goOn()
        // Those that nobody waits for any more count until they are answered.
        while await node.fault("GET", "a")?.kind == .full {}
        #expect(try await node.call("GET", "a") == .text("10"))
        await node.close()
    }

    @Test func whoIsCancelledWaitsNoLonger() async throws {
        let server = try await RedisProcess()
        let node = try Self.node(server.address)
        _ = try await node.call("PING")
        server.stop()
        let kind = await withTaskGroup(of: RedisFault.Kind?.self) { group in
            group.addTask { await node.fault("INCR", "a", by: .soon(120_000))?.kind }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(kind == .outcomeUnknown || kind == .unsent)
        server.goOn()
        #expect(try await node.call("ECHO", "b") == .text("b"))
        await node.close()
    }
}
