import HongbaoCore
import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoEngine
@testable import HongbaoRedis

/// Tokens in real servers that are killed, come back with an older state, or are read by others (TK-5).
@Suite(.timeLimit(.minutes(10))) struct RedisTokensTests {
    private static let vault = TokenVault(Keyring())

    /// Pauses so short that a test needn't wait for them.
    private static func tokens(_ server: RedisProcess, timeout: Duration = .seconds(10)) throws -> RedisTokens {
        var settings = RedisSettings()
        settings.firstPause = .milliseconds(1)
        settings.pauseMax = .milliseconds(2)
        let redis = try RedisNode(RedisAddress(server.address), settings: settings)
        return RedisTokens(redis, vault: vault, terms: .patient, timeout: timeout)
    }

    private static func shown(_ tokens: RedisTokens, _ person: UInt64 = 1) async -> Set<OpenGrant>? {
        let question = TokenQuestion(PersonID(person), in: TokensContractTests.book, mint: .first)
        do throws(HotTokensFault) {
            return Set(try await tokens.tokens(of: [question])[0])
        } catch {
            return nil
        }
    }

    /// Killed and back with nothing, it's as it was as soon as the mirror has looked.
    @Test func aServerThatLostEverythingIsWrittenAnew() async throws {
        let server = try await RedisProcess()
        let hot = try Self.tokens(server)
        let lists = TokenLists()
        let mirror = TokenMirror(lists, to: hot, seat: .alone, epoch: 1, clock: .system, logger: .silent)
        let grants = try (1...200 as ClosedRange<UInt64>).map { try TokensContractTests.grant($0) }
        func payloads(_ grants: [OpenGrant]) -> [GrantPayload] {
            grants.map { GrantPayload(app: $0.app, order: $0.order, amount: $0.amount, openedAt: $0.openedAt) }
        }
        func add(_ grants: [OpenGrant]) { lists.add(payloads(grants), grants.map { _ in .first }) }
        add(Array(grants[..<100]))
        while await !mirror.flush() {}
        #expect(await Self.shown(hot) == [grants[0]])
        try await server.kill()
        add(Array(grants[100...]))
        #expect(await !mirror.flush())
        #expect(await Self.shown(hot) == nil)
        lists.markPosted([grants[0].order], keptUntil: .seconds(60))
        try await server.start()
        while await !mirror.flush() {}
        #expect(await Self.shown(hot) == [])
        for grant in grants[1...] { #expect(await Self.shown(hot, grant.order.person.rawValue) == [grant]) }
        await hot.close()
    }

    /// A server that came back without its last second, or a replica that was behind: the marker and the lists are
    /// those of before, and the next write isn't taken.
    @Test func anOlderStateIsNoticed() async throws {
        let server = try await RedisProcess()
        let node = try RedisNode(RedisAddress(server.address))
        let hot = try Self.tokens(server)
        let part = TokenPart(of: PersonID(1), mint: .first)
        var writer = PartWriter(part)
        let (one, two) = (try TokensContractTests.grant(1), try TokensContractTests.grant(1, 2))
        _ = try await hot.write([writer.anew([one])])
        let marker = "hongbao:tokens:{1.\(part.number)}"
        let before = try await node.call("GET", marker)
        #expect(before == .text("1 1 1 complete"))
        let key = "\(marker):\(Self.vault.list(of: PersonID(1), in: TokensContractTests.book).name.hex)"
        guard case .text(let dump) = try await node.call("DUMP", key) else { throw RedisFault(.unsent, "no dump") }
        _ = try await hot.write([writer.next([two])])
        #expect(await Self.shown(hot) == [one, two])
        // Back to what it was a write ago.
        let restore = ["RESTORE", key, "0"].map { Array($0.utf8) } + [dump, Array("REPLACE".utf8)]
        #expect(try await node.call(RedisCommand(bytes: restore, isIdempotent: true), by: .soon()) == .text("OK"))
        _ = try await node.call("SET", marker, before.string ?? "")
        #expect(await Self.shown(hot) == [one])
        #expect(try await hot.write([writer.next()]) == [.lost])
        _ = try await hot.write([writer.anew([one, two])])
        #expect(await Self.shown(hot) == [one, two])
        // Of no marker but its own form is anything believed.
        for text in ["", "x", "1 2 3", "1 2 3 writing", "1 x 4 complete", "complete"] {
            _ = try await node.call("SET", marker, text)
            #expect(await Self.shown(hot) == nil || text == "1 x 4 complete", "\(text)")
            #expect(try await hot.write([writer.next()]) == [.lost], "\(text)")
        }
        await hot.close()
        await node.close()
    }

    /// Nobody finds a person, an order or an amount, and what was altered or moved isn't believed.
    @Test func othersSeeAndChangeNothing() async throws {
        let server = try await RedisProcess()
        let node = try RedisNode(RedisAddress(server.address))
        let hot = try Self.tokens(server)
        let (person, second) = (UInt64(1_234_567_890_123), UInt64(1_234_567_890_123 + 64))
        var open: [UInt64: (writer: PartWriter, key: String)] = [:]
        for someone in [person, second] {
            let part = TokenPart(of: PersonID(someone), mint: .first)
            var writer = PartWriter(part)
            if TokenPart(of: PersonID(person), mint: .first) == part, let first = open[person] { writer = first.writer }
            let grant = try TokensContractTests.grant(someone, amount: 987_654_321)
            let write = writer.number == 0 ? writer.anew([grant]) : writer.next([grant])
            #expect(try await hot.write([write]) == [.written])
            let name = Self.vault.list(of: PersonID(someone), in: TokensContractTests.book).name.hex
            open[someone] = (writer, "hongbao:tokens:{1.\(part.number)}:\(name)")
        }
        let own = try #require(open[person]?.key)
        let fields = try #require(try await node.call("HGETALL", own).elements)
        let bytes = fields.flatMap(\.bytes) + Array(own.utf8)
        for secret in [person, 987_654_321] {
            let digits = Array("\(secret)".utf8)
            var binary: [UInt8] = []
            binary.append(bigEndian: secret)
            for form in [digits, Array(binary.drop { $0 == 0 }), binary.reversed().filter { $0 != 0 }] {
                #expect(bytes.indices.allSatisfy { !bytes[$0...].starts(with: form) })
            }
        }
        let named = try #require(stride(from: 0, to: 4, by: 2).first { fields[$0] != .text("v") })
        guard case .text(let name) = fields[named], case .text(let value) = fields[named + 1] else {
            throw RedisFault(.unsent, "no token")
        }
        func set(_ key: String, _ name: [UInt8], _ value: [UInt8]) async throws {
            let words = [Array("HSET".utf8), Array(key.utf8), name, value]
            _ = try await node.call(RedisCommand(bytes: words, isIdempotent: true), by: .soon())
        }
        for place in value.indices {
            var altered = value
            altered[place] ^= 1
            try await set(own, name, altered)
            #expect(await Self.shown(hot, person) == nil, "byte \(place)")
        }
        for altered in [[], [0], value + [0], Array(value.dropLast())] {
            try await set(own, name, altered)
            #expect(await Self.shown(hot, person) == nil)
        }
        try await set(own, name, value)
        #expect(await Self.shown(hot, person)?.count == 1)
        // Somebody else's, and one's own twice.
        try await set(try #require(open[second]?.key), name, value)
        #expect(await Self.shown(hot, second) == nil)
        try await set(own, Array("another".utf8), value)
        #expect(await Self.shown(hot, person) == nil)
        await hot.close()
        await node.close()
    }

    /// Another installation's keyring opens nothing.
    @Test func anotherKeyringFindsNothing() async throws {
        let server = try await RedisProcess()
        let hot = try Self.tokens(server)
        var writer = PartWriter(TokenPart(of: PersonID(1), mint: .first))
        _ = try await hot.write([writer.anew([try TokensContractTests.grant(1)])])
        let node = try RedisNode(RedisAddress(server.address))
        let other = RedisTokens(node, vault: TokenVault(Keyring()), timeout: .seconds(10))
        #expect(await Self.shown(other) == [])
        await hot.close()
        await node.close()
    }

    /// A wallet waits for a hot state no longer than it's told to.
    @Test func aServerThatHangsIsNotWaitedFor() async throws {
        let server = try await RedisProcess()
        let hot = try Self.tokens(server, timeout: .milliseconds(100))
        var writer = PartWriter(TokenPart(of: PersonID(1), mint: .first))
        let write = writer.anew([])
        while await Self.shown(hot) == nil {
            do throws(HotTokensFault) { _ = try await hot.write([write]) } catch { continue }
        }
        server.stop()
        let start = NIODeadline.now()
        #expect(await Self.shown(hot) == nil)
        #expect(NIODeadline.now() - start < .seconds(3))
        server.goOn()
        while await Self.shown(hot) == nil {}
        await hot.close()
    }

    /// The least that the server's access list has to grant (docs/cluster.md says the same).
    @Test func aUserWithNoOtherRightsIsEnough() async throws {
        let server = try await RedisProcess()
        let node = try RedisNode(RedisAddress(server.address))
        let commands = [
            "ping", "eval", "evalsha", "get", "set", "del", "hget", "hset", "hdel", "hlen", "hexists", "hgetall",
            "pexpire",
        ]
        let words = ["ACL", "SETUSER", "hongbao", "reset", "on", ">secret", "~hongbao:*"] + commands.map { "+\($0)" }
        _ = try await node.call(RedisCommand(words, isIdempotent: true), by: .soon())
        let address = try #require(RedisAddress("redis://hongbao:secret@127.0.0.1:\(server.port)"))
        let redis = try RedisTokens.redis(address, timeout: .seconds(10))
        let hot = RedisTokens(redis, vault: Self.vault, timeout: .seconds(10))
        var writer = PartWriter(TokenPart(of: PersonID(1), mint: .first))
        let (one, two) = (try TokensContractTests.grant(1), try TokensContractTests.grant(1, 2))
        #expect(try await hot.write([writer.anew([one])]) == [.written])
        #expect(try await hot.write([writer.next([two], removed: [one.order])]) == [.written])
        #expect(try await hot.write([writer.anew([two])]) == [.written])
        #expect(await Self.shown(hot) == [two])
        #expect(try await hot.write([writer.next(removed: [two.order])]) == [.written])
        #expect(await Self.shown(hot) == [])
        await hot.close()
        await node.close()
    }
}
