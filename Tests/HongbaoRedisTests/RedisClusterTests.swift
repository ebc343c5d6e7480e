import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import NIOCore
import Testing

@testable import HongbaoRedis

/// A real cluster of three masters, whose slots move.
@Suite(.timeLimit(.minutes(10))) struct RedisClusterTests {
    @Test func keysGoToTheirNodes() async throws {
        let three = try await ClusterOfThree.start()
        let cluster = try RedisCluster(three.address)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<300 {
                group.addTask {
                    let key = "key \(number)"
                    _ = try await cluster.call("SET", key, "\(number)", key: key)
                    #expect(try await cluster.call("GET", key, key: key) == .text("\(number)"))
                }
            }
            try await group.waitForAll()
        }
        var counts: [Int64] = []
        for node in three.nodes { counts.append(try await node.call("DBSIZE").integer ?? 0) }
        #expect(counts.allSatisfy { $0 > 50 } && counts.reduce(0, +) == 300)
        #expect(cluster.table.nodes.count == 3)
        // The same tag is the same node, so a script may use both.
        let script = RedisScript("return redis.call('GET', KEYS[1])", isIdempotent: true)
        _ = try await cluster.call("SET", "{a}1", "b", key: "{a}1")
        #expect(try await cluster.run(script, key: "{a}1", [], by: .soon()) == .text("b"))
        // What has no key goes anywhere.
        #expect(try await cluster.call("PING") == .text("PONG"))
        await cluster.close()
        await three.close()
        #expect(await cluster.fault("PING")?.kind == .unreachable)
    }

    /// While a slot moves, keys that have gone are asked for at the new node; afterwards all are.
    @Test func aSlotThatMovesIsFollowed() async throws {
        let three = try await ClusterOfThree.start()
        let cluster = try RedisCluster(three.address)
        let (old, new) = ("{tag}old", "{tag}new")
        let (from, to) = (three.index(of: old), (three.index(of: old) + 1) % 3)
        let slot = "\(KeySlot(old).number)"
        _ = try await cluster.call("SET", old, "1", key: old)
        let (fromID, toID) = (try await three.id(from), try await three.id(to))
        _ = try await three.nodes[to].call("CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
        _ = try await three.nodes[from].call("CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
        // The old node has this one still, and the other is made at the new one.
        #expect(try await cluster.call("INCR", old, key: old) == .integer(2))
        #expect(await three.nodes[from].fault("INCR", new)?.kind == .refused(code: "ASK"))
        #expect(try await cluster.call("INCR", new, key: new) == .integer(1))
        #expect(try await cluster.call("INCR", new, key: new) == .integer(2))
        let migrate = ["MIGRATE", "127.0.0.1", "\(three.servers[to].port)", old, "0", "5000"]
        _ = try await three.nodes[from].call(RedisCommand(migrate, isIdempotent: false), by: .soon())
        #expect(try await cluster.call("INCR", old, key: old) == .integer(3))
        let before = cluster.table
        #expect(before[KeySlot(old)] == three.servers[from].address, "asking once changes no table")
        for index in [to, from, 3 - from - to] {
            _ = try await three.nodes[index].call("CLUSTER", "SETSLOT", slot, "NODE", toID)
        }
        #expect(await three.nodes[from].fault("INCR", new)?.kind == .refused(code: "MOVED"))
        #expect(try await cluster.call("INCR", new, key: new) == .integer(3))
        #expect(try await cluster.call("INCR", old, key: old) == .integer(4))
        #expect(cluster.table[KeySlot(old)] == three.servers[to].address)
        await cluster.close()
        await three.close()
    }

    /// Slots move to and fro under load: no command is lost, and none runs twice.
    @Test func slotsMoveUnderLoad() async throws {
        let three = try await ClusterOfThree.start()
        let cluster = try RedisCluster(three.address)
        let keys = (0..<4).map { "{load}\($0)" }
        let over = Count()
        let counts = try await withThrowingTaskGroup(of: Int64.self) { group in
            for index in 0..<8 {
                group.addTask {
                    var count: Int64 = 0
                    while over.now == 0 {
                        _ = try await cluster.call("INCR", keys[index % 4], key: keys[index % 4], by: .soon(60_000))
                        count += 1
                    }
                    return count
                }
            }
            var place = three.index(of: keys[0])
            for _ in 0..<6 {
                let next = (place + 1) % 3
                try await three.move(KeySlot(keys[0]), keys: keys, from: place, to: next)
                place = next
            }
            over.add()
            return try await group.reduce(into: [Int64]()) { $0.append($1) }
        }
        var sum: Int64 = 0
        for key in keys { sum += try await cluster.call("GET", key, key: key).integer ?? 0 }
        #expect(counts.reduce(0, +) == sum && sum > 100)
        await cluster.close()
        await three.close()
    }

    /// A node that is gone is missed by its own keys only; when it's back, so are they.
    @Test func aLostNodeIsMissedByItsKeysOnly() async throws {
        let three = try await ClusterOfThree.start()
        let cluster = try RedisCluster(three.address)
        let keys = (0..<30).map { "key \($0)" }
        for key in keys { _ = try await cluster.call("SET", key, "1", key: key) }
        let lost = 1
        try await three.servers[lost].kill()
        for key in keys {
            do {
                _ = try await cluster.call("GET", key, key: key, by: .soon(2000))
                #expect(three.index(of: key) != lost)
            } catch {
                #expect(three.index(of: key) == lost, "\(error)")
                #expect((error as? RedisFault)?.kind == .unreachable, "\(error)")
            }
        }
        try await three.servers[lost].start()
        try await three.untilSound(three.nodes[lost])
        for key in keys {
            var answer: RESPValue?
            while answer == nil {
                do {
                    answer = try await cluster.call("GET", key, key: key)
                } catch {
                    #expect((error as? RedisFault)?.canBeTriedAgain == true, "\(error)")
                }
            }
            #expect(answer == (three.index(of: key) == lost ? .null : .text("1")))
        }
        await cluster.close()
        await three.close()
    }

    /// The least that the access lists have to grant, also while a slot moves (docs/operations.md says the same).
    @Test func aUserWithNoOtherRightsIsEnough() async throws {
        let three = try await ClusterOfThree.start()
        let rights = [
            "~hongbao:*", "+ping", "+eval", "+evalsha", "+hget", "+hset", "+hincrby", "+hmget", "+hgetall",
            "+cluster|slots", "+asking",
        ]
        let words = ["ACL", "SETUSER", "hongbao", "reset", "on", ">secret"] + rights
        for node in three.nodes { _ = try await node.call(RedisCommand(words, isIdempotent: true), by: .soon()) }
        var address = three.address
        address.credentials = RedisAddress.Credentials(user: "hongbao", password: "secret")
        let totals = try RedisTotals(address, timeout: .seconds(10))
        var parts: [TotalPart] = []
        for campaign in 1...9 as ClosedRange<UInt16> {
            let tally = try #require(Tally(amount: .one, count: 1))
            parts.append(TotalPart(book: BookID(campaign: campaign, phase: .live), mint: MintID(1), tally: tally))
        }
        #expect(try await totals.raise(parts).count == 9)
        // One of them is on its way to another node, which doesn't know the script yet.
        let moving = parts[0].book
        let key = "hongbao:total:\(moving.rawValue)"
        let (from, to) = (three.index(of: key), (three.index(of: key) + 1) % 3)
        let slot = "\(KeySlot(key).number)"
        _ = try await three.nodes[to].call("SCRIPT", "FLUSH")
        _ = try await three.nodes[to].call("CLUSTER", "SETSLOT", slot, "IMPORTING", try await three.id(from))
        _ = try await three.nodes[from].call("CLUSTER", "SETSLOT", slot, "MIGRATING", try await three.id(to))
        _ = try await three.nodes[from].call("MIGRATE", "127.0.0.1", "\(three.servers[to].port)", key, "0", "5000")
        let more = try #require(Tally(amount: .one, count: 2))
        let sums = try await totals.raise([TotalPart(book: moving, mint: MintID(2), tally: more)])
        #expect(sums[moving]?.count == 3 && sums[moving]?.amount.fen == 2)
        await totals.close()
        await three.close()
    }

    /// One that answers is enough to begin with.
    @Test func anySeedIsEnough() async throws {
        let three = try await ClusterOfThree.start()
        var address = three.address
        let nobody = ServerAddress(host: "127.0.0.1", port: try freePort())
        address.servers = [nobody, three.servers[2].address]
        let cluster = try RedisCluster(address)
        for number in 0..<20 {
            #expect(try await cluster.call("INCR", "key \(number)", key: "key \(number)") == .integer(1))
        }
        await cluster.close()
        await three.close()
    }

    /// Two nodes that each say that the other has it: after some tries, that's the answer.
    @Test func redirectsAreBounded() async throws {
        let three = try await ClusterOfThree.start()
        let cluster = try RedisCluster(three.address)
        let (from, to) = (three.index(of: "a"), (three.index(of: "a") + 1) % 3)
        let slot = "\(KeySlot("a").number)"
        _ = try await three.nodes[from].call("CLUSTER", "SETSLOT", slot, "NODE", try await three.id(to))
        let fault = await cluster.keyedFault("INCR", "a")
        #expect(fault?.kind == .refused(code: "MOVED"))
        await cluster.close()
        await three.close()
    }

    /// A cluster that isn't one yet refuses, and may be asked again.
    @Test func aClusterThatIsDownMayBeAskedAgain() async throws {
        let server = try await RedisTrio.server()
        var address = RedisAddress(server.address)
        address.isCluster = true
        let cluster = try RedisCluster(address)
        let fault = await cluster.keyedFault("INCR", "a")
        #expect(fault?.kind == .refused(code: "CLUSTERDOWN") && fault?.canBeTriedAgain == true)
        await cluster.close()
    }
}

extension RedisCluster {
    /// What a command on a key fails with.
    fileprivate func keyedFault(_ name: String, _ key: String) async -> RedisFault? {
        do throws(RedisFault) {
            _ = try await call(RedisCommand([name, key], key: key, isIdempotent: false), by: .soon())
            return nil
        } catch {
            return error
        }
    }
}

extension ClusterOfThree {
    /// Moves a slot as operators do, key by key.
    fileprivate func move(_ slot: KeySlot, keys: [String], from: Int, to: Int) async throws {
        let number = "\(slot.number)"
        let (fromID, toID) = (try await id(from), try await id(to))
        _ = try await nodes[to].call("CLUSTER", "SETSLOT", number, "IMPORTING", fromID)
        _ = try await nodes[from].call("CLUSTER", "SETSLOT", number, "MIGRATING", toID)
        for key in keys {
            let migrate = ["MIGRATE", "127.0.0.1", "\(servers[to].port)", key, "0", "5000"]
            _ = try await nodes[from].call(RedisCommand(migrate, isIdempotent: false), by: .soon())
        }
        for index in [to, from, 3 - from - to] {
            _ = try await nodes[index].call("CLUSTER", "SETSLOT", number, "NODE", toID)
        }
    }
}
