import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Synchronization

/// Claims of shares in process, each durable when it's answered: everybody at one packet, and spread over many. Lucky
/// shares of packets that their senders paid for.
struct ClaimsBench: Sendable {
    let bench: Bench

    private static let book = BookID(campaign: 9_999, phase: .live)
    private static let callers = 1_000
    private static let packetCount = 10_000

    func run() async throws -> [Figure] {
        let one = Figure(name: "one packet, one by one", unit: "claims/s")
        let hot = Figure(name: "one packet, 1,000 waiting", unit: "claims/s", goal: 50_000, baseline: one.name)
        let single = Figure(name: "10,000 packets, one by one", unit: "claims/s")
        let spread = Figure(name: "10,000 packets", unit: "claims/s", goal: 20_000, baseline: single.name)
        let bench = bench
        let keyring = Keyring()
        return try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder, keyring: keyring) { engine in
                let claiming = Claiming(store: engine.store, clock: engine.clock, vault: SeedVault(keyring))
                let sender = Sender(engine)
                let many = try await sender.send(Self.packetCount, count: 1_000)
                return try await bench.measure([
                    Measurement(hot) {
                        let packet = try await sender.send(count: Split.countMax)
                        return try await Self.claim([packet], engine.packets, sender, bench)
                    },
                    Measurement(one) {
                        let packet = try await sender.send(count: Split.countMax)
                        return try await Self.oneByOne([packet], claiming, sender, bench)
                    },
                    Measurement(spread) { try await Self.claim(many, engine.packets, sender, bench) },
                    Measurement(single) { try await Self.oneByOne(many, claiming, sender, bench) },
                ])
            }
        }
    }

    /// Callers who each ask, wait for the answer, and come back as somebody else.
    private static func claim(
        _ packets: [RedPacketID],
        _ useCase: Packets,
        _ sender: Sender,
        _ bench: Bench
    ) async throws -> Sample {
        try await bench.rate(callers: callers) {
            let person = sender.nextPerson()
            let packet = packets[Int(person.rawValue) % packets.count]
            let answer = await useCase.claim(packet, by: person)
            guard case .decided(.claimed) = answer else { throw BenchFault("a claim was answered \(answer)") }
            return 1
        }
    }

    /// The same rules and rows, each claim in a transaction of its own, and the next one only when it's on the disk: as
    /// with a lock on the packet's row that is held across the commit.
    private static func oneByOne(
        _ packets: [RedPacketID],
        _ claiming: Claiming,
        _ sender: Sender,
        _ bench: Bench
    ) async throws -> Sample {
        var known: [RedPacketID: PacketFacts] = [:]
        let watch = Stopwatch()
        let end = ContinuousClock.now + .seconds(bench.seconds)
        var count = 0
        while ContinuousClock.now < end {
            let person = sender.nextPerson()
            let packet = packets[Int(person.rawValue) % packets.count]
            var facts = known[packet]
            if facts == nil { facts = try await claiming.facts(of: packet) }
            guard let facts else { throw BenchFault("a packet vanished") }
            let (outcomes, now) = try await claiming.carryOut(facts, [Claimant(person)])
            guard case .claimed = outcomes.first else { throw BenchFault("a claim was answered \(outcomes)") }
            known[packet] = now
            count += 1
        }
        return watch.sample(count)
    }

    /// Sends packets and pays for them; hands out persons.
    private final class Sender: Sendable {
        private let engine: Engine
        private let turns = Turns()

        init(_ engine: Engine) { self.engine = engine }

        func nextPerson() -> PersonID { PersonID(UInt64(turns.take() + 1)) }

        func send(count: Int) async throws -> RedPacketID {
            let number = nextPerson()
            guard let amount = Amount(fen: Int64(188 * count)), let split = Split(.lucky, amount: amount, count: count),
                let key = SendKey(sender: number, book: ClaimsBench.book, id: "bench"),
                let cover = RedPacket.Cover(greeting: "恭喜发财")
            else { throw BenchFault("no such packet") }
            let draft = RedPacketDraft(key: key, kind: .c2c, split: split, scope: .everyone, cover: cover)
            guard case .sent(let packet) = await engine.packets.send(draft) else {
                throw BenchFault("a packet wasn't sent")
            }
            return try await Till(engine.store, engine.clock).pay(for: packet).id
        }

        func send(_ packetCount: Int, count: Int) async throws -> [RedPacketID] {
            try await withThrowingTaskGroup(of: [RedPacketID].self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        var ids: [RedPacketID] = []
                        for _ in 0..<packetCount / 100 { ids.append(try await self.send(count: count)) }
                        return ids
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
        }
    }
}
