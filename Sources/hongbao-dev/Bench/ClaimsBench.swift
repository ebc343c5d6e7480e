import HongbaoCore
import HongbaoEngine

/// Claims of shares in process, each durable when it's answered: everybody at one packet, and spread over many. Lucky
/// shares of packets that their senders paid for, on their way to people's change.
struct ClaimsBench: Sendable {
    let bench: Bench

    private static let callers = 1_000
    private static let packetCount = 10_000

    func run() async throws -> [Figure] {
        let one = Figure(name: "one packet, one by one", unit: "claims/s")
        let hot = Figure(name: "one packet, 1,000 waiting", unit: "claims/s", goal: 50_000, baseline: one.name)
        let paid = Figure(name: "one packet, while transferring", unit: "claims/s", baseline: one.name)
        let single = Figure(name: "10,000 packets, one by one", unit: "claims/s")
        let spread = Figure(name: "10,000 packets", unit: "claims/s", goal: 20_000, baseline: single.name)
        let bench = bench
        let keyring = Keyring()
        return try await bench.withFolder { folder in
            let transfers = BenchTransfers(answers: false)
            return try await bench.withEngine(folder: folder, keyring: keyring, transfers: transfers) { engine in
                // Those that wait are let go before the engine ends, which waits for them.
                defer { transfers.answer() }
                let claiming = Claiming(engine.shards, clock: engine.clock, vault: SeedVault(keyring))
                let source = PacketSource(engine)
                let isSpread = [spread, single].contains { bench.wants($0) }
                let many = isSpread ? try await source.send(Self.packetCount, count: 1_000) : []
                return try await bench.measure([
                    Measurement(hot) {
                        let packet = try await source.send(count: Split.countMax)
                        return try await Self.claim([packet], engine.packets, source, bench)
                    },
                    Measurement(paid) { try await Self.claimWhileTransferring(bench) },
                    Measurement(one) {
                        let packet = try await source.send(count: Split.countMax)
                        return try await Self.oneByOne([packet], claiming, source, bench)
                    },
                    Measurement(spread) { try await Self.claim(many, engine.packets, source, bench) },
                    Measurement(single) { try await Self.oneByOne(many, claiming, source, bench) },
                ])
            }
        }
    }

    /// Callers who each ask, wait for the answer, and come back as somebody else.
    static func claim(
        _ packets: [RedPacketID],
        _ useCase: Packets,
        _ source: PacketSource,
        _ bench: Bench
    ) async throws -> Sample {
        try await bench.rate(callers: callers) {
            let person = source.nextPerson()
            let packet = packets[Int(person.rawValue) % packets.count]
            let answer = await useCase.claim(packet, by: person)
            guard case .decided(.claimed) = answer else { throw BenchFault("a claim was answered \(answer)") }
            return 1
        }
    }

    /// The same with a channel that answers at once. On an engine of its own, so that nothing waits for the channel
    /// when it begins.
    static func claimWhileTransferring(_ bench: Bench) async throws -> Sample {
        try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder, transfers: BenchTransfers(answers: true)) { engine in
                let source = PacketSource(engine)
                let packet = try await source.send(count: Split.countMax)
                return try await claim([packet], engine.packets, source, bench)
            }
        }
    }

    /// The same rules and rows, each claim in a transaction of its own, and the next one only when it's on the disk: as
    /// with a lock on the packet's row that is held across the commit.
    private static func oneByOne(
        _ packets: [RedPacketID],
        _ claiming: Claiming,
        _ source: PacketSource,
        _ bench: Bench
    ) async throws -> Sample {
        var known: [RedPacketID: PacketFacts] = [:]
        let watch = Stopwatch()
        let end = ContinuousClock.now + .seconds(bench.seconds)
        var count = 0
        while ContinuousClock.now < end {
            let person = source.nextPerson()
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
}
