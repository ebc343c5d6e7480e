import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Coupons from the grant over their downstream to their use (GR-4, GR-6, GR-8, WL-1, ID-1).
@Suite(.timeLimit(.minutes(15))) struct RewardsTests {
    private static func states(_ engine: Engine, _ person: UInt64) async throws -> [String] {
        try await RewardRig.wallet(engine, person).rewards.map { "\($0.rewardID) \($0.state)" }
    }

    /// Shown from the first moment, given behind it, used once from another app.
    @Test func grantedShownAndUsed() async throws {
        let bench = try RewardRig()
        try await bench.rig.run { engine in
            let granted = try await RewardRig.grant(engine, [RewardRig.request(1, app: "douyin")])[0]
            #expect(granted.status == .processing && granted.rewardID == "tea-coupon" && granted.fallback == nil)
            #expect(try await Self.states(engine, 1).count == 1)
            try await eventually { try await Self.states(engine, 1) == ["tea-coupon ready"] }
            let reading = try await RewardRig.wallet(engine, 1)
            #expect(reading.view.balance == 0 && reading.view.income == .zero && reading.rewards[0].app == AppID(1))
            #expect(try await engine.granting.find(granted.order)?.status == .credited)
            guard case .redeemed = try await engine.rewards.redeem(granted.order) else { throw Unexpected("not used") }
            guard case .alreadyRedeemed = try await engine.rewards.redeem(granted.order) else {
                throw Unexpected("used twice")
            }
            #expect(try await Self.states(engine, 1) == ["tea-coupon used"])
            #expect(try await engine.rewards.redeem(OrderNumber(bits: 5)) == .notFound)
            // A repeat is answered as at first (M14).
            let again = try await RewardRig.grant(engine, [RewardRig.request(1, app: "toutiao")])[0]
            #expect(again.isReplay && again.status == .processing && again.token == granted.token)
        }
        #expect(bench.downstream.given.count == 1)
        try await bench.expectSound()
    }

    /// GR-4, GR-6: requests and answers get lost, orders are refused twice each; all are given in the end, once.
    @Test func aBadDownstreamGivesEachOnce() async throws {
        var habits = TestDownstream.Habits()
        habits.losesRequest = 3
        habits.losesReply = 4
        habits.refusals = 2
        let bench = try RewardRig(TestCoupons(), habits)
        try await bench.rig.run { engine in
            let granted = try await RewardRig.grant(engine, (1...200).map { RewardRig.request($0) })
            try await eventually { bench.downstream.given.count == 200 }
            try await eventually {
                try await engine.store.read { (snapshot) throws(StoreError) in
                    try snapshot.rewards(granted.map(\.order)).allSatisfy { $0.state == .given }
                }
            }
        }
        #expect(bench.downstream.contradictions == 0)
        try await bench.expectSound()
    }

    /// What was promised before a kill is given after it, also when the downstream was away all the time before.
    @Test func promisesSurviveAKill() async throws {
        var habits = TestDownstream.Habits()
        habits.hangs = true
        let bench = try RewardRig(TestCoupons(), habits)
        let granted = try await bench.rig.runUntilKilled { engine in
            let granted = try await RewardRig.grant(engine, (1...50).map { RewardRig.request($0) })
            try await engine.drain()
            #expect(try await engine.rewards.redeem(granted[0].order) == .notGivenYet)
            #expect(try await Self.states(engine, 1) == ["tea-coupon processing"])
            return granted
        }
        #expect(bench.downstream.given.isEmpty)
        bench.downstream.change { $0.hangs = false }
        // What was asked for in vain is due again.
        bench.rig.clock.advance(seconds: 10)
        try await bench.rig.run { engine in
            try await eventually { bench.downstream.given.count == 50 }
            try await eventually { try await Self.states(engine, 1) == ["tea-coupon ready"] }
            guard case .redeemed = try await engine.rewards.redeem(granted[0].order) else { throw Unexpected("unused") }
        }
        try await bench.expectSound()
    }

    /// CF-2: where a scene isn't retried, what its downstream refuses is given up, and somebody is told.
    @Test func withoutRetriesARefusalIsTheEnd() async throws {
        var coupons = TestCoupons()
        coupons.isRetried = false
        var habits = TestDownstream.Habits()
        habits.refusals = 1
        let bench = try RewardRig(coupons, habits)
        try await bench.rig.run { engine in
            let granted = try await RewardRig.grant(engine, [RewardRig.request(1)])[0]
            try await eventually { try await Self.states(engine, 1) == ["tea-coupon failed"] }
            #expect(try await engine.rewards.redeem(granted.order) == .refused)
            #expect(engine.alarms.count(.orderRefused) == 1)
        }
        #expect(bench.downstream.given.isEmpty)
        try await bench.expectSound()
    }

    /// GR-8: what would be asked for again in an hour is asked for at once when its owner wants to use it.
    @Test func whoWantsToUseItHastensIt() async throws {
        var habits = TestDownstream.Habits()
        habits.refusals = 1
        var bench = try RewardRig(TestCoupons(), habits)
        bench.rig.configuration.outside.rewards.backoffLongestMilliseconds = 3_600_000
        try await bench.rig.run { engine in
            let granted = try await RewardRig.grant(engine, [RewardRig.request(1)])[0]
            try await eventually { engine.alarms.count(.orderRefused) == 1 }
            #expect(try await engine.rewards.redeem(granted.order) == .notGivenYet)
            try await eventually { try await Self.states(engine, 1) == ["tea-coupon ready"] }
        }
        #expect(bench.downstream.given.count == 1)
        try await bench.expectSound()
    }

    /// GR-8: a downstream that hangs keeps neither cash nor another kind waiting.
    @Test func aHungDownstreamDelaysNobodyElse() async throws {
        var habits = TestDownstream.Habits()
        habits.hangs = true
        let bench = try RewardRig(TestCoupons(), habits)
        try await bench.rig.run { engine in
            _ = try await RewardRig.grant(engine, (1...500).map { RewardRig.request($0) })
            let cash = await engine.granting.grant((1...500).map { .forTests(person: $0) })
            #expect(cash.allSatisfy { $0.granted != nil })
            try await engine.drain()
            #expect(try await RewardRig.wallet(engine, 7).view.balance == 100)
            bench.downstream.change { $0.hangs = false }
            try await eventually { bench.downstream.given.count == 500 }
        }
        try await bench.expectSound()
    }

    /// TK-4: the token that a client kept shows its coupon when the server's list is lost, and posts it.
    @Test func clientTokensShowCoupons() async throws {
        let bench = try RewardRig()
        try await bench.rig.runByHand { engine in
            let granted = try await RewardRig.grant(engine, [RewardRig.request(1)])[0]
            engine.tokens.removeAll()
            #expect(try await RewardRig.wallet(engine, 1).rewards.isEmpty)
            let answer = await engine.wallets.read(person: PersonID(1), campaign: "test", tokens: [granted.token])
            guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
            #expect(reading.rewards.map(\.rewardID) == ["tea-coupon"] && reading.rejectedTokens.isEmpty)
            let posted = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.rewards([granted.order])
            }
            #expect(posted.map(\.state) == [.promised])
        }
        try await bench.expectSound()
    }
}
