import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

/// The asset order layer on a real store: GR-1, GR-3, GR-5, M3, M6, M14.
@Suite struct GrantingTests {
    @Test func aGrantIsAnsweredWithItsOrderAndAToken() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let answers = await engine.granting.grant([.forTests(person: 5, amount: 188)])
            let granted = try #require(answers.first?.granted)
            #expect(granted.order.description == "5_\(UInt32(7 << 2 | 3) << 16 | 1)_1_1_0")
            #expect(granted.status == .processing)
            #expect(granted.amount.fen == 188)
            #expect(granted.rewardID == "cash")
            #expect(!granted.isReplay)
            let verdict = engine.verifier.verify(
                granted.token,
                now: rig.clock.now,
                person: PersonID(5),
                book: BookID(campaign: 7, phase: .live)
            )
            guard case .valid(let token) = verdict else {
                Issue.record("\(verdict)")
                return
            }
            #expect(token.payload?.amount.fen == 188)
        }
    }

    /// GR-3, acceptance 4: one grant, everybody gets the same answer but for `isReplay`.
    @Test func tenThousandConcurrentRepeatsGiveOneGrant() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let answers = await withTaskGroup(of: GrantAnswer?.self) { group in
                for _ in 0..<10_000 {
                    group.addTask { await engine.granting.grant([.forTests(person: 5, amount: 66)]).first }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let granted = answers.compactMap { $0?.granted }
            #expect(granted.count == 10_000)
            #expect(granted.count { !$0.isReplay } == 1)
            #expect(Set(granted.map(\.token)).count == 1)
            #expect(Set(granted.map(\.order)).count == 1)
            let other = await engine.granting.grant([.forTests(person: 5, amount: 67)])
            #expect(other.first?.refusal == .orderConflict)
            #expect(engine.alarms.count(.orderConflict) == 1)
            try await engine.drain()
            let budget = try await engine.budgets.view(campaign: "test", scene: "rain")
            #expect(budget?.issued.fen == 66)
        }
    }

    /// GR-3: "spread over days": the table is rebuilt from the log.
    @Test func repeatsAfterARestartGiveTheFirstAnswer() async throws {
        let rig = try EngineRig()
        let requests = (1...1000).map { GrantRequest.forTests(person: $0, amount: Int64($0)) }
        let first = try await rig.run { engine in await engine.granting.grant(requests) }
        let again = try await rig.run { engine in
            let conflict = await engine.granting.grant([
                .forTests(person: 7, amount: 7, rewardID: "cash-big"), .forTests(person: 7, amount: 8),
            ])
            #expect(conflict.map(\.refusal) == [.orderConflict, .orderConflict])
            return await engine.granting.grant(requests)
        }
        for (earlier, later) in zip(first, again) {
            let earlier = try #require(earlier.granted)
            let later = try #require(later.granted)
            #expect(later.isReplay && !earlier.isReplay)
            #expect(earlier.token == later.token && earlier.order == later.order && earlier.status == later.status)
            #expect(earlier.rewardID == later.rewardID)
        }
    }

    @Test(
        arguments: [
            (GrantRequest.forTests(person: 1, campaign: "other"), GrantRefusal.campaignUnknown),
            (.forTests(person: 1, scene: "snow"), .sceneUnknown),
            (.forTests(person: 1, app: "wechat"), .appUnknown),
            (.forTests(person: 1, rewardID: "gold"), .rewardUnknown),
            (.forTests(person: 1, rain: 1001), .orderPartInvalid),
            (.forTests(person: 0), .orderPartInvalid),
            (.forTests(person: 1, amount: nil), .amountInvalid),
            (.forTests(person: 1, amount: 0), .amountInvalid),
            (.forTests(person: 1, amount: -5), .amountInvalid),
            (.forTests(person: 1, amount: .max), .amountInvalid),
            (.forTests(person: 1, openedAt: -1), .openedAtInvalid),
            (.forTests(person: 1, openedAt: .max), .openedAtInvalid),
            (.forTests(person: 1, amount: 20_001), .overCap),
            (.forTests(person: 1, amount: nil, scene: "tea", rewardID: "cash"), .rewardUnknown),
            (.forTests(person: 1, amount: 5, scene: "tea"), .amountInvalid),
        ]
    )
    func refusals(request: GrantRequest, refusal: GrantRefusal) async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            #expect(await engine.granting.grant([request]).first?.refusal == refusal)
            #expect(engine.granting.orderCount == 0)
        }
    }

    @Test func theOrderNumberOfARequestMustBeItsOwn() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            var request = GrantRequest.forTests(person: 1)
            let order = try #require(await engine.granting.grant([request]).first?.granted?.order)
            request.order = order
            #expect(await engine.granting.grant([request]).first?.granted?.isReplay == true)
            request.person = PersonID(2)
            #expect(await engine.granting.grant([request]).first?.refusal == .personMismatch)
        }
    }

    /// CF-3, CF-4: phases by time; a replay after the end is still answered.
    @Test func outsideItsPhaseOnlyReplaysAreAnswered() async throws {
        let rig = try EngineRig([.forTests(window: 1_643_630_400_000..<1_643_630_401_000)])
        try await rig.run { engine in
            let early = GrantRequest.forTests(person: 1)
            #expect(await engine.granting.grant([early]).first?.granted != nil)
            rig.clock.advance(byMilliseconds: 999)
            #expect(await engine.granting.grant([.forTests(person: 2)]).first?.granted != nil)
            rig.clock.advance(byMilliseconds: 1)
            #expect(await engine.granting.grant([.forTests(person: 3)]).first?.refusal == .notInPhase)
            #expect(await engine.granting.grant([early]).first?.granted?.isReplay == true)
        }
    }

    /// BU-1, M6: at any concurrency exactly the budget is issued.
    @Test(arguments: [1, 16, 1000] as [Int64])
    func theBudgetIsIssuedToTheLastFenAndNotBeyond(leaseDivisor: Int64) async throws {
        var rig = try EngineRig([.forTests(budget: 100_000)])
        rig.configuration.granting.leaseDivisor = leaseDivisor
        try await rig.run { engine in
            let answers = await withTaskGroup(of: [GrantAnswer].self) { group in
                for part in 0..<20 as Range<UInt64> {
                    group.addTask {
                        await engine.granting.grant(
                            (1...100).map { .forTests(person: part * 100 + $0, amount: 70) }
                        )
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            #expect(answers.count { $0.granted != nil } == 100_000 / 70)
            #expect(answers.count { $0.refusal == .budgetExhausted } == 2000 - 100_000 / 70)
            let view = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            #expect(view.issued.fen == 100_000 / 70 * 70)
            #expect(view.issued.fen + view.leased.fen + view.available.fen == view.total.fen)
        }
    }

    /// BU-6: what was leased and not issued comes back on a graceful stop.
    @Test func leasesComeBackOnShutdown() async throws {
        let rig = try EngineRig([.forTests(budget: 100_000)])
        try await rig.run { engine in _ = await engine.granting.grant([.forTests(person: 1, amount: 70)]) }
        try await rig.run { engine in
            let answers = await engine.granting.grant((2...2000).map { .forTests(person: $0, amount: 100) })
            #expect(answers.count { $0.granted != nil } == 999)
        }
    }

    /// TK-1: backpressure when the backlog reaches its bound, and service again when it's drained.
    @Test func aFullBacklogRefusesUntilItDrains() async throws {
        var rig = try EngineRig()
        rig.configuration.granting.limits.backlogMax = 100
        try await rig.run { engine in
            engine.poster.setPaused(true)
            let answers = await engine.granting.grant((1...150).map { .forTests(person: $0) })
            #expect(answers.count { $0.granted != nil } == 100)
            #expect(answers.count { $0.refusal == .overloaded } == 50)
            engine.poster.setPaused(false)
            try await engine.drain()
            #expect(await engine.granting.grant([.forTests(person: 150)]).first?.granted != nil)
        }
    }

    /// TK-8: with the token path off, a grant is in the ledger before it's answered.
    @Test func synchronousScenesPostFirst() async throws {
        let rig = try EngineRig([.forTests(posting: .sync)])
        try await rig.run { engine in
            engine.poster.setPaused(true)
            let answers = await engine.granting.grant((1...50).map { .forTests(person: $0) })
            let granted = answers.compactMap(\.granted)
            #expect(granted.count == 50)
            for grant in granted {
                #expect(grant.status == .credited)
                let view = try #require(try await engine.granting.find(grant.order))
                #expect(view.status == .credited && view.postedAt != nil)
            }
            let again = await engine.granting.grant([.forTests(person: 1)])
            #expect(again.first?.granted?.status == .credited)
        }
    }

    @Test func ordersCanBeAskedFor() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            engine.poster.setPaused(true)
            let order = try #require(await engine.granting.grant([.forTests(person: 1)]).first?.granted?.order)
            #expect(try await engine.granting.find(order)?.status == .processing)
            engine.poster.setPaused(false)
            try await engine.drain()
            #expect(try await engine.granting.find(order)?.status == .credited)
            #expect(try await engine.granting.find(OrderNumber(bits: order.bits + 1)) == nil)
        }
    }
}

extension GrantAnswer {
    var granted: Granted? { if case .granted(let granted) = self { granted } else { nil } }
    var refusal: GrantRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
    var fault: StoreError? { if case .unavailable(let error) = self { error } else { nil } }
}
