import HongbaoCore
import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoEngine
@testable import HongbaoRedis

/// Running totals over real servers and a network that fails (CT-2, CT-3).
@Suite(.timeLimit(.minutes(10))) struct RedisTotalsTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    /// Pauses so short that a test needn't wait for them.
    private static func totals(_ server: ServerAddress, timeout: Duration = .seconds(10)) throws -> RedisTotals {
        var settings = RedisSettings()
        settings.firstPause = .milliseconds(1)
        settings.pauseMax = .milliseconds(2)
        return RedisTotals(try RedisNode(RedisAddress(server), settings: settings), timeout: timeout)
    }

    private static func sum(_ totals: RedisTotals) async throws -> Tally {
        try await totals.parts(of: [book]).reduce(.zero) { sum, part in try #require(sum.adding(part.tally)) }
    }

    private static func shared(_ mint: UInt32, _ main: RedisTotals, _ backup: RedisTotals) -> SharedTotals {
        SharedTotals(
            mint: MintID(mint),
            campaigns: Campaigns(.forTests([.forTests()])),
            hot: HotTotalsPair(main: main, backup: backup),
            logger: .silent
        )
    }

    /// Killed and back with nothing, the next flush brings what this node has given, and no screen goes back meanwhile.
    @Test func aServerThatLostEverythingGetsItBack() async throws {
        let (main, backup) = (try await RedisProcess(), try await RedisProcess())
        let (toMain, toBackup) = (try Self.totals(main.address), try Self.totals(backup.address))
        let node = Self.shared(1, toMain, toBackup)
        func shown() -> Tally? { node.total(of: Self.book).reading?.tally }
        node.total(of: Self.book).add(try Self.tally(100, 1))
        await node.flush()
        #expect(try shown() == Self.tally(100, 1))
        try await main.kill()
        node.total(of: Self.book).add(try Self.tally(50, 1))
        await node.flush()
        #expect(try shown() == Self.tally(100, 1), "the main one is gone")
        #expect(try await Self.sum(toBackup) == Self.tally(150, 2))
        node.setReadsBackup(true)
        await node.flush()
        #expect(try shown() == Self.tally(150, 2))
        try await main.start()
        node.setReadsBackup(false)
        // It isn't asked again in the middle of a pause.
        while try await Self.sumIfReached(toMain) == nil {}
        #expect(try await Self.sum(toMain) == .zero)
        #expect(try shown() == Self.tally(150, 2))
        await node.flush()
        #expect(try await Self.sum(toMain) == Self.tally(150, 2))
        #expect(try shown() == Self.tally(150, 2))
        await toMain.close()
        await toBackup.close()
    }

    private static func sumIfReached(_ totals: RedisTotals) async throws -> Tally? {
        do {
            return try await sum(totals)
        } catch {
            #expect(error is HotTotalsFault)
            return nil
        }
    }

    /// Cut in the middle of its answer, the script has run; it's sent again, and nothing counts twice.
    @Test(arguments: [1, 5, 12, 20]) func aCutAnswerCountsOnce(bytes: Int) async throws {
        let server = try await RedisProcess()
        let link = try await FaultyLink(to: server.address)
        let totals = try Self.totals(link.address)
        let part = TotalPart(book: Self.book, mint: MintID(1), tally: try Self.tally(12_345, 6))
        _ = try await totals.raise([part])
        link.set(.cutAfter(bytes))
        let more = TotalPart(book: Self.book, mint: MintID(2), tally: try Self.tally(1, 1))
        #expect(try await totals.raise([more]) == [Self.book: Self.tally(12_346, 7)])
        #expect(link.connectionCount == 2)
        await totals.close()
    }

    @Test func whatIsNoTotalIsAFault() async throws {
        let server = try await RedisProcess()
        let node = try RedisNode(RedisAddress(server.address))
        let totals = try Self.totals(server.address)
        let part = TotalPart(book: Self.book, mint: MintID(1), tally: try Self.tally(5, 1))
        _ = try await totals.raise([part])
        let key = "hongbao:total:\(Self.book.rawValue)"
        #expect(try await node.call("HGET", key, "amount") == .text("5"))
        for (field, value) in [("amount:1", "x"), ("count:1", "-1"), ("amount:x", "1"), ("amount:9", "1")] {
            _ = try await node.call("HSET", key, field, value)
            await #expect(throws: HotTotalsFault.self, "\(field)") { try await totals.parts(of: [Self.book]) }
            _ = try await node.call("DEL", key)
            _ = try await totals.raise([part])
        }
        _ = try await node.call("HSET", key, "amount", "-7")
        await #expect(throws: HotTotalsFault.self) { try await totals.raise([part]) }
        _ = try await node.call("SET", key, "not a hash")
        await #expect(throws: HotTotalsFault.self) { try await totals.raise([part]) }
        await #expect(throws: HotTotalsFault.self) { try await totals.parts(of: [Self.book]) }
        await totals.close()
        await node.close()
    }

    /// Nobody waits for a hot state longer than its share of the interval.
    @Test func aServerThatHangsIsNotWaitedFor() async throws {
        let server = try await RedisProcess()
        let totals = try Self.totals(server.address, timeout: .milliseconds(100))
        let part = TotalPart(book: Self.book, mint: MintID(1), tally: try Self.tally(5, 1))
        while try await Self.sumIfReached(totals) == nil {}
        server.stop()
        let start = NIODeadline.now()
        await #expect(throws: HotTotalsFault.self) { try await totals.raise([part]) }
        #expect(NIODeadline.now() - start < .seconds(3))
        server.goOn()
        while try await Self.sumIfReached(totals) == nil {}
        await totals.close()
    }

    /// The least that the server's access list has to grant (docs/operations.md says the same).
    @Test func aUserWithNoOtherRightsIsEnough() async throws {
        let server = try await RedisProcess()
        let node = try RedisNode(RedisAddress(server.address))
        let rights = ["~hongbao:*", "+ping", "+eval", "+evalsha", "+hget", "+hset", "+hincrby", "+hmget", "+hgetall"]
        let words = ["ACL", "SETUSER", "hongbao", "reset", "on", ">secret"] + rights
        _ = try await node.call(RedisCommand(words, isIdempotent: true), by: .soon())
        let address = try #require(RedisAddress("redis://hongbao:secret@127.0.0.1:\(server.port)"))
        let totals = try RedisTotals(address, timeout: .seconds(10))
        let part = TotalPart(book: Self.book, mint: MintID(1), tally: try Self.tally(5, 1))
        #expect(try await totals.raise([part]) == [Self.book: Self.tally(5, 1)])
        #expect(try await totals.parts(of: [Self.book]) == [part])
        await totals.close()
        await node.close()
    }

    private static func shown(_ engine: Engine) throws -> Tally {
        guard case .total(.live, let reading) = engine.totals.read(campaign: "test") else {
            throw HotTotalsFault("no total is shown")
        }
        return reading.tally
    }

    /// Two engines with books of their own over one pair of servers come to one total (CT-1).
    @Test func twoEnginesComeToOneTotal() async throws {
        let (main, backup) = (try await RedisProcess(), try await RedisProcess())
        let pair = HotTotalsPair(main: try Self.totals(main.address), backup: try Self.totals(backup.address))
        var rigs = [try EngineRig(), try EngineRig()]
        for index in rigs.indices {
            rigs[index].hotTotals = pair
            rigs[index].configuration.seat.mint = MintID(UInt32(index + 1))
        }
        let (first, second) = (rigs[0], rigs[1])
        try await first.run { (one) async throws in
            try await second.run { (other) async throws in
                _ = await one.granting.grant((1...50).map { .forTests(person: $0, amount: 10) })
                _ = await other.granting.grant((51...80).map { .forTests(person: $0, amount: 7) })
                for engine in [one, other, one] { await engine.totals.flush() }
                #expect(try Self.shown(one) == Self.tally(500 + 210, 80))
                #expect(try Self.shown(other) == Self.tally(500 + 210, 80))
            }
        }
        // One starts again: what the other gave is still counted.
        try await first.run { (one) async throws in
            #expect(try Self.shown(one) == Self.tally(500 + 210, 80))
        }
    }
}
