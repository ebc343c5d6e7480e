import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Crowds at a packet (RP-6, RP-7, RP-8, RP-11, M7).
@Suite(.timeLimit(.minutes(15))) struct ClaimLanesTests {
    /// What a client does: it asks, and when it's told so, again, at most `polls` times.
    private static func ask(_ packets: Packets, _ id: RedPacketID, _ person: UInt64, polls: Int) async -> ClaimAnswer {
        for _ in 0..<polls {
            let answer = await packets.claim(id, by: PersonID(person))
            guard answer == .tryLater else { return answer }
            await Task.yield()
        }
        return .tryLater
    }

    /// Everybody asks of one of these instances; answers what they were told.
    private static func crowd(
        _ instances: [Packets],
        _ id: RedPacketID,
        people: Int,
        polls: Int = .max
    ) async -> [UInt64: ClaimAnswer] {
        await withTaskGroup(of: (UInt64, ClaimAnswer).self) { group in
            for person in 1...UInt64(people) {
                let packets = instances[Int(person) % instances.count]
                group.addTask { (person, await ask(packets, id, person, polls: polls)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private static func expectFair(_ answers: [UInt64: ClaimAnswer], count: Int, fen: Int64) {
        var sum: Int64 = 0
        var positions = Set<Int>()
        for (person, answer) in answers {
            switch answer {
            case .decided(.claimed(let claim, _)):
                #expect(positions.insert(claim.position).inserted && claim.key.person == PersonID(person))
                sum += claim.share.fen
            case .decided(.exhausted): break
            default: Issue.record("\(person) was told \(answer)")
            }
        }
        #expect(positions == Set(0..<count) && sum == fen)
    }

    /// The issue's acceptance: one hot packet, 20,000 people, 1,000 shares.
    @Test(arguments: RedPacketKind.allCases)
    func twentyThousandAtAThousandShares(_ kind: RedPacketKind) async throws {
        try await PacketRig.run { rig in
            let packets = rig.packets()
            let packet = try await rig.open(packets, kind, .of(188_000, 1_000))
            let answers = await Self.crowd([packets], packet.id, people: 20_000)
            Self.expectFair(answers, count: 1_000, fen: 188_000)
            try await rig.expectClaims(of: packet.id, count: 1_000, fen: 188_000)
            let after = try await rig.packet(packet.id)
            #expect(after.state == .exhausted)
            #expect(packets.lanes.counts.lanes == 0)
        }
    }

    /// RP-8: two instances at work on one packet as if each were alone, and without any memory between claims.
    @Test func twoInstancesWithBrokenRouting() async throws {
        try await PacketRig.run { rig in
            var configuration = Packets.Configuration()
            configuration.lanes.idleMax = 0
            configuration.lanes.batchMax = 7
            let instances = [rig.packets(configuration), rig.packets(), rig.packets(configuration)]
            let packet = try await rig.open(instances[0], .c2c, .of(50_001, 500))
            let answers = await Self.crowd(instances, packet.id, people: 5_000)
            Self.expectFair(answers, count: 500, fen: 50_001)
            try await rig.expectClaims(of: packet.id, count: 500, fen: 50_001)
        }
    }

    /// A store that fails and loses answers: who is told `unavailable` asks again, and nobody gets two shares.
    @Test(arguments: 0..<5 as Range<UInt64>)
    func faultsLoseNothing(seed: UInt64) async throws {
        try await PacketRig.run { rig in
            let open = rig.packets()
            let packet = try await rig.open(open, .c2c, .of(3_000, 100))
            let faulty = FaultyStore(rig.store, seed: seed, oneIn: 3)
            var configuration = Packets.Configuration()
            configuration.lanes.batchMax = 5
            let instances = [rig.packets(on: faulty, configuration), rig.packets(on: faulty, configuration)]
            let claims = await withTaskGroup(of: (UInt64, Claim?).self) { group in
                for person in 1...300 as ClosedRange<UInt64> {
                    group.addTask {
                        while true {
                            switch await instances[Int(person) % 2].claim(packet.id, by: PersonID(person)) {
                            case .decided(.claimed(let claim, _)), .decided(.alreadyClaimed(let claim, _)):
                                return (person, claim)
                            case .decided: return (person, nil)
                            case .tryLater, .unavailable: await Task.yield()
                            }
                        }
                    }
                }
                return await group.reduce(into: [Claim]()) { if let claim = $1.1 { $0.append(claim) } }
            }
            #expect(claims.count == 100 && claims.reduce(0) { $0 + $1.share.fen } == 3_000)
            try await rig.expectClaims(of: packet.id, count: 100, fen: 3_000)
        }
    }

    /// RP-7: while the store hangs, no more are let in than half as many again as there are shares.
    @Test func theGateHolds() async throws {
        try await PacketRig.run { rig in
            let store = FaultyStore(rig.store, script: [:])
            let packets = rig.packets(on: store)
            let packet = try await rig.open(rig.packets(), .c2c, .of(1_000, 10))
            // Known from now on.
            guard case .decided(.claimed) = await packets.claim(packet.id, by: PersonID(1)) else {
                throw Unexpected("no share")
            }
            store.hold()
            await withTaskGroup(of: ClaimAnswer.self) { group in
                for person in 2...60 as ClosedRange<UInt64> {
                    group.addTask { await packets.claim(packet.id, by: PersonID(person)) }
                }
                var turnedAway = 0
                // 9 left: 14 get in, and hear nothing as long as the store hangs.
                while turnedAway < 45, let answer = await group.next() {
                    #expect(answer == .tryLater)
                    turnedAway += 1
                }
                store.letGo()
                var claimed = 0
                for await answer in group {
                    switch answer {
                    case .decided(.claimed): claimed += 1
                    case .decided(.exhausted): break
                    default: Issue.record("\(answer)")
                    }
                }
                #expect(claimed == 9)
            }
        }
    }

    /// A cancelled caller is answered at once, unless its claim is under way; the others aren't harmed.
    @Test func cancellingHarmsNobodyElse() async throws {
        try await PacketRig.run { rig in
            let store = FaultyStore(rig.store, script: [:])
            let packets = rig.packets(on: store)
            let packet = try await rig.open(rig.packets(), .c2c, .of(1_000, 100))
            store.hold()
            await withTaskGroup(of: ClaimAnswer.self) { group in
                group.addTask { await packets.claim(packet.id, by: PersonID(1)) }
                while store.heldCount == 0 { await Task.yield() }
                let impatient = await withTaskGroup(of: ClaimAnswer.self) { inner in
                    for person in 2...30 as ClosedRange<UInt64> {
                        inner.addTask { await packets.claim(packet.id, by: PersonID(person)) }
                    }
                    inner.cancelAll()
                    return await inner.reduce(into: []) { $0.append($1) }
                }
                #expect(impatient == Array(repeating: .tryLater, count: 29))
                group.addTask { await packets.claim(packet.id, by: PersonID(40)) }
                store.letGo()
                for await answer in group {
                    guard case .decided(.claimed) = answer else {
                        Issue.record("\(answer)")
                        continue
                    }
                }
            }
            #expect(try await rig.packet(packet.id).claimedCount == 2)
        }
    }

    /// Idle packets are forgotten, and nothing with them.
    @Test func manyPacketsPassThroughALittleMemory() async throws {
        try await PacketRig.run { rig in
            var configuration = Packets.Configuration()
            configuration.lanes.idleMax = 8
            let packets = rig.packets(configuration)
            var ids: [RedPacketID] = []
            for number in 0..<40 {
                ids.append(try await rig.open(packets, .c2c, .of(300, 3), id: "p\(number)").id)
            }
            for person in 1...4 as ClosedRange<UInt64> {
                for id in ids {
                    let answer = await packets.claim(id, by: PersonID(person))
                    guard case .decided(let outcome) = answer else { throw Unexpected("\(answer)") }
                    if person == 4 { #expect(outcome == .exhausted) }
                }
                let counts = packets.lanes.counts
                #expect(counts.lanes == 0 && counts.idle <= 8)
            }
            for id in ids { try await rig.expectClaims(of: id, count: 3, fen: 300) }
        }
    }

    /// What can only be refused writes nothing: no transaction, whoever asks.
    @Test func refusalsAreReads() async throws {
        try await PacketRig.run { rig in
            let packet = try await rig.open(rig.packets(), .c2c, .of(2, 2))
            let readOnly = FaultyStore(rig.store) { call, _ in call == .transact ? .before : nil }
            for person: UInt64 in [1, 2] { _ = await rig.packets().claim(packet.id, by: PersonID(person)) }
            let packets = rig.packets(on: readOnly)
            #expect(await packets.claim(packet.id, by: PersonID(3)) == .decided(.exhausted))
            guard case .decided(.alreadyClaimed(let claim, left: 0)) = await packets.claim(packet.id, by: PersonID(2))
            else { throw Unexpected("not the first answer") }
            #expect(claim.position == 1)
            #expect(await packets.claim(RedPacketID(5), by: PersonID(3)) == .decided(.unknown))
        }
    }

    /// RP-11: what persons are to the sender is asked for a batch at a time; without an answer nothing is decided.
    @Test func followersOnly() async throws {
        try await PacketRig.run { rig in
            var configuration = Packets.Configuration()
            configuration.relate = { sender, persons in
                #expect(sender == PersonID(9))
                return persons.map { $0.rawValue.isMultiple(of: 2) ? .follower : [] }
            }
            let packet = try await rig.open(rig.packets(), .c2c, .of(20, 20), scope: .followers)
            let packets = rig.packets(configuration)
            let answers = await Self.crowd([packets], packet.id, people: 30)
            for (person, answer) in answers {
                if person.isMultiple(of: 2) {
                    guard case .decided(.claimed) = answer else { throw Unexpected("\(answer)") }
                } else {
                    #expect(answer == .decided(.notInScope))
                }
            }
            configuration.relate = { _, _ in nil }
            guard case .unavailable = await rig.packets(configuration).claim(packet.id, by: PersonID(50)) else {
                throw Unexpected("decided without knowing")
            }
        }
    }
}
