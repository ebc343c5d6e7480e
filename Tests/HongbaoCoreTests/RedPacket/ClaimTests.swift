import HongbaoCore
import HongbaoTesting
import Testing

/// Who gets a share, and who doesn't (RP-3, RP-11, M7).
@Suite struct ClaimTests {
    private static func word(_ outcome: ClaimOutcome) -> String {
        switch outcome {
        case .unknown: "unknown"
        case .notPublished: "notPublished"
        case .alreadyClaimed(let claim, let left): "again \(claim.position) left \(left)"
        case .notInScope: "notInScope"
        case .exhausted: "exhausted"
        case .expired: "expired"
        case .claimed(let claim, let left): "claimed \(claim.position) left \(left)"
        }
    }

    /// One batch with everything in it: the first come get shares in their order, repeats get the first answer.
    @Test func aBatchIsDecidedInItsOrder() throws {
        var world = try PacketWorld(.c2c, .of(300, 3), persons: 10)
        try world.open()
        #expect(
            world.claim([5, 6, 5, 7, 8, 6]).map(Self.word) == [
                "claimed 0 left 2", "claimed 1 left 1", "again 0 left 2", "claimed 2 left 0", "exhausted",
                "again 1 left 1",
            ]
        )
        let packet = try world.packet()
        #expect(packet.state == .exhausted && packet.claimed == packet.split.amount)
        // Exhausted stays exhausted, also after the time is over.
        world.now = world.now.advanced(bySeconds: RedPacket.lifeSeconds)
        #expect(world.claim([9, 7]).map(Self.word) == ["exhausted", "again 2 left 0"])
        let stranger = [Claimant(PersonID(1))]
        let unknown = world.books.claim(RedPacketID(1), by: stranger, now: world.now) { _ in .zero }
        #expect(unknown == [.unknown])
        try world.check()
    }

    @Test func timeEndsClaims() throws {
        var world = try PacketWorld(.b2c, .of(300, 3), persons: 10)
        try world.open()
        let end = try #require(try world.packet().expiresAt)
        world.now = Timestamp(milliseconds: end.milliseconds - 1)
        #expect(world.claim([1]).map(Self.word) == ["claimed 0 left 2"])
        world.now = end
        // Nobody has swept yet, and nothing is given all the same.
        #expect(world.claim([2, 1]).map(Self.word) == ["expired", "again 0 left 2"])
        #expect(try world.packet().state == .published)
        _ = world.books.advance(PacketWorld.id, now: end, retryAfterSeconds: 1)
        // Nothing after the refund (M7), though the clock is set back.
        world.now = Timestamp(milliseconds: end.milliseconds - 1_000)
        #expect(world.claim([2, 1]).map(Self.word) == ["expired", "again 0 left 2"])
        try world.check()
    }

    /// RP-11: scopes. Who isn't in it hears that before anything about shares.
    @Test func scopesAreEnforced() throws {
        let listed = try #require(RecipientScope.list([3, 1, 200, 3].map { PersonID($0) }))
        #expect(listed == .listed([1, 3, 200].map { PersonID($0) }))
        let cases: [(RecipientScope, Claimant.Relation, UInt64, Bool)] = [
            (.everyone, [], 5, true),
            (.followers, [], 5, false), (.followers, .friend, 5, false), (.followers, .follower, 5, true),
            (.friends, .follower, 5, false), (.friends, [.friend, .follower], 5, true),
            (listed, [], 3, true), (listed, [.friend, .follower], 4, false), (listed, [], 200, true),
            (listed, [], 0, false), (listed, [], 201, false),
        ]
        for (scope, relation, person, isIn) in cases {
            var world = try PacketWorld(.c2c, .of(2, 2), persons: 250)
            try world.open(scope: scope)
            let word = Self.word(world.claim([person], relation: relation)[0])
            #expect(word == (isIn ? "claimed 0 left 1" : "notInScope"), "\(scope) \(relation) \(person)")
        }
        #expect(RecipientScope.list([]) == nil)
        #expect(RecipientScope.list([PersonID(0), PersonID(1)]) == nil)
        #expect(RecipientScope.list((1...1_001 as ClosedRange<UInt64>).map { PersonID($0) }) == nil)
    }

    /// RP-3: the first of the largest shares.
    @Test(arguments: 0..<50 as Range<UInt64>)
    func theLuckiestIsTheFirstOfTheLargest(seed: UInt64) throws {
        var world = try PacketWorld(.c2c, .of(20, 10), seed: seed, persons: 20)
        try world.open()
        var shares: [Amount] = []
        for person in 1...10 as ClosedRange<UInt64> {
            guard case .claimed(let claim, _) = world.claim([person])[0] else {
                Issue.record("no share")
                return
            }
            shares.append(claim.share)
            let best = try #require(Split.luckiest(of: shares))
            #expect(try world.packet().luckiest == RedPacket.Best(position: best, share: shares[best]))
        }
    }

    /// M7, M8, M10: whatever happens in whatever order, at every instant, and it comes to its end.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyHistoryKeepsTheInvariants(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let kind = RedPacketKind.allCases[Int.random(in: 0...1, using: &random)]
        let count = Int.random(in: 1...40, using: &random)
        let amount = Int64(count) + Int64.random(in: 0...500, using: &random)
        let splitKind = SplitKind.allCases[Int.random(in: 0...1, using: &random)]
        var world = try PacketWorld(kind, .of(amount, count, splitKind), seed: seed, persons: 64)
        _ = try world.send()
        var state = RedPacket.State.created
        var answers: [UInt64: Claim] = [:]
        for _ in 0..<120 {
            try Self.step(&world, &random, &answers)
            let packet = try world.packet()
            #expect(packet.state.rawValue >= state.rawValue)
            state = packet.state
            try world.check("seed \(seed)")
        }
        if state == .created || state == .paying || state == .abandoned { return }
        // In the end everything is where it belongs.
        world.now = world.now.advanced(bySeconds: 2 * RedPacket.lifeSeconds)
        _ = world.books.advance(PacketWorld.id, now: world.now, retryAfterSeconds: 1)
        if let refund = world.books.refunds(of: PacketWorld.id).last, refund.isOpen {
            #expect(world.report(.paid(refund.amount), on: refund) == .settled)
        }
        for claim in answers.values {
            _ = world.books.settle(claim.key, by: .paid(claim.share), now: world.now, retryAfterSeconds: 1)
        }
        _ = world.books.advance(PacketWorld.id, now: world.now, retryAfterSeconds: 1)
        #expect(try world.packet().state == .closed)
        try world.check("seed \(seed), at the end")
    }

    private static func step(
        _ world: inout PacketWorld,
        _ random: inout Seeded,
        _ answers: inout [UInt64: Claim]
    ) throws {
        let id = PacketWorld.id
        let now = world.now
        switch Int.random(in: 0..<20, using: &random) {
        case 0: _ = world.books.startPaying(id, nextCheckAt: now)
        case 1: _ = try world.publish()
        case 2: if Int.random(in: 0..<20, using: &random) == 0 { _ = world.books.abandon(id, now: now) }
        case 3: world.now = now.advanced(bySeconds: Int64.random(in: -600...20_000, using: &random))
        case 4: _ = world.books.advance(id, now: now, retryAfterSeconds: 1)
        case 5:
            let fen = Int64.random(in: 0...50, using: &random)
            let wrong = try #require(Amount(fen: fen))
            guard let refund = world.books.refunds(of: id).randomElement(using: &random) else { return }
            let reports: [PayoutReport] = [.paid(wrong), .paid(refund.amount), .failed, .failed, .unreachable]
            _ = world.report(reports[Int.random(in: 0..<5, using: &random)], on: refund)
        case 6...12:
            let persons = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                UInt64.random(in: 1...64, using: &random)
            }
            for (person, outcome) in zip(persons, world.claim(persons)) {
                switch outcome {
                case .claimed(let claim, _): #expect(answers.updateValue(claim, forKey: person) == nil)
                case .alreadyClaimed(let claim, _):
                    #expect(answers[person]?.share == claim.share && answers[person]?.position == claim.position)
                default: #expect(answers[person] == nil)
                }
            }
        default:
            guard !answers.isEmpty else { return }
            let claims = answers.values.sorted { $0.position < $1.position }
            let one = claims[Int.random(in: 0..<claims.count, using: &random)]
            let reports: [PayoutReport] = [.paid(claims[0].share), .failed, .unreachable]
            let report = reports[Int.random(in: 0..<3, using: &random)]
            _ = world.books.settle(one.key, by: report, now: now, retryAfterSeconds: 1)
            _ = world.books.settle(one.key, by: .paid(one.share), now: now, retryAfterSeconds: 1)
        }
    }
}
