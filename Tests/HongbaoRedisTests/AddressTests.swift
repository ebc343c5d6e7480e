import HongbaoTesting
import Testing

@testable import HongbaoRedis

@Suite struct AddressTests {
    @Test(arguments: [
        ("redis://127.0.0.1:7000", "redis://127.0.0.1:7000", false),
        ("redis://localhost", "redis://localhost:6379", false),
        ("redis://localhost/", "redis://localhost:6379", false),
        ("redis://:secret@a:1", "redis://@a:1", false),
        ("redis://hongbao:s%40cre%3At@a:1", "redis://hongbao@a:1", false),
        ("redis://[::1]:7000", "redis://[::1]:7000", false),
        ("redis://[::1]", "redis://[::1]:6379", false),
        ("rediss://a?ca=/etc/ca.pem", "rediss://a:6379", false),
        ("redis-cluster://a:1,b:2,c", "redis-cluster://a:1,b:2,c:6379", true),
        ("rediss-cluster://u:p@a:1,b:2/?certificate=/c.pem&key=/k.pem", "rediss-cluster://u@a:1,b:2", true),
    ])
    func addressesAreRead(text: String, description: String, isCluster: Bool) throws {
        let address = try #require(RedisAddress(text))
        #expect(address.description == description, "without the password")
        #expect(address.isCluster == isCluster)
    }

    @Test(arguments: [
        "", "redis", "redis:", "redis://", "http://a", "Redis://a", "redis://a:0", "redis://a:65536", "redis://a:x",
        "redis://a:+1", "redis://a,b", "redis-cluster://a,", "redis://user@a", "redis://user:@a", "redis://a/3",
        "redis://a?ca=/x", "rediss://a?ca=", "rediss://a?x=/y", "rediss://a?certificate=/c", "rediss://a?",
        "redis://u:%4@a", "redis://u:%zz@a", "redis://u:%ff@a", "redis://[::1", "redis://[::1]x", "redis://a b",
    ])
    func anythingElseIsRefused(text: String) { #expect(RedisAddress(text) == nil) }

    @Test func whatAnAddressSaysCounts() throws {
        let address = try #require(
            RedisAddress("rediss://hongbao:s%40cre%3At@a:1?ca=/ca%20.pem&certificate=/c.pem&key=/k.pem")
        )
        #expect(address.credentials == RedisAddress.Credentials(user: "hongbao", password: "s@cre:t"))
        #expect(address.security?.authorities == "/ca .pem")
        #expect(address.security?.certificate == "/c.pem")
        #expect(address.security?.key == "/k.pem")
        #expect(RedisAddress("redis://:x@a")?.credentials == RedisAddress.Credentials(password: "x"))
    }
}

@Suite struct KeySlotTests {
    /// The first is the check value of the specification's appendix (0x31C3), the others are what
    /// `CLUSTER KEYSLOT` of Redis 7.0.15 says.
    @Test(arguments: [
        ("123456789", 12739), ("", 0), ("foo", 12182), ("hongbao:total:257", 7341), ("{user1000}.following", 3443),
        ("{user1000}.followers", 3443), ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015), ("foo{bar}{zap}", 5061),
        ("foo{", 7673), ("春节", 14404),
    ])
    func keysHaveTheirSlots(key: String, slot: Int) { #expect(KeySlot(key).number == slot, "\(key)") }
}

@Suite struct SlotTableTests {
    private static func range(_ first: Int64, _ last: Int64, _ host: RESPValue, _ port: Int64) -> RESPValue {
        .list([.integer(first), .integer(last), .list([host, .integer(port), .text("id"), .list([])])])
    }

    private static func server(_ host: String, _ port: Int) -> ServerAddress { ServerAddress(host: host, port: port) }

    @Test func theTableIsRead() throws {
        let answer = RESPValue.list([
            Self.range(0, 5000, .text("10.0.0.1"), 7000), Self.range(5001, 9999, .text(""), 7001),
            Self.range(10_001, 16_382, .null, 7002), Self.range(16_383, 16_383, .text("10.0.0.1"), 7000),
        ])
        let table = try #require(SlotTable(answer, askedOf: "me"))
        func owner(_ number: Int) throws -> ServerAddress? { table[try #require(KeySlot(number: number))] }
        #expect(try owner(0) == Self.server("10.0.0.1", 7000))
        #expect(try owner(5000) == Self.server("10.0.0.1", 7000))
        #expect(try owner(5001) == Self.server("me", 7001))
        #expect(try owner(10_000) == nil)
        #expect(try owner(16_382) == Self.server("me", 7002))
        #expect(try owner(16_383) == Self.server("10.0.0.1", 7000))
        #expect(table.nodes.count == 3)
        #expect(SlotTable(.list([]), askedOf: "me") == SlotTable())
    }

    @Test func anythingElseIsNoTable() {
        let host = RESPValue.text("a")
        let wrong: [RESPValue] = [
            .null, .text("OK"), .list([.null]), .list([.list([.integer(0), .integer(1)])]),
            .list([Self.range(-1, 1, host, 1)]), .list([Self.range(0, 16_384, host, 1)]),
            .list([Self.range(2, 1, host, 1)]), .list([Self.range(0, 1, host, 0)]),
            .list([Self.range(0, 1, host, 65_536)]), .list([Self.range(0, .max, host, 1)]),
            .list([.list([.integer(0), .integer(1), .list([host])])]),
            .list((0..<1025 as Range<Int64>).map { Self.range($0, $0, host, $0 + 1) }),
        ]
        for answer in wrong { #expect(SlotTable(answer, askedOf: "me") == nil, "\(answer)") }
    }

    @Test func redirectsAreRead() throws {
        let slot = try #require(KeySlot(number: 3999))
        #expect(Redirect("MOVED 3999 127.0.0.1:6381", from: "me") == .moved(slot, Self.server("127.0.0.1", 6381)))
        #expect(Redirect("MOVED 3999 :6381", from: "me") == .moved(slot, Self.server("me", 6381)))
        #expect(Redirect("ASK 3999 ::1:6381", from: "me") == .ask(Self.server("::1", 6381)))
        let others = [
            "", "MOVED", "MOVED 3999", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED x a:1", "ASK 1 a", "ASK 1 a:",
            "ASK 1 a:0",
            "ASK 1 a:1 b", "ERR 1 a:1", "MOVED 9223372036854775807 a:1",
        ]
        for other in others { #expect(Redirect(other, from: "me") == nil, "\(other)") }
    }
}
