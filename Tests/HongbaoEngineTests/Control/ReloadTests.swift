import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Campaigns are put in force while grants go on: budgets first, all of it or nothing (CF-5, CF-6, M6).
@Suite(.timeLimit(.minutes(15))) struct ReloadTests {
    private static func set(_ version: String, _ campaigns: [Campaign]) throws -> CampaignSet {
        guard case .made(let set) = CampaignSet.make(campaigns, version: version) else {
            throw Unexpected("campaigns that don't fit together")
        }
        return set
    }

    private static func answer(_ engine: Engine, _ person: UInt64, campaign: String = "test") async -> GrantAnswer? {
        await engine.granting.grant([.forTests(person: person, campaign: campaign)]).first
    }

    /// Gives 100 fen each to so many people, one after the other.
    private static func give(_ engine: Engine, _ people: ClosedRange<UInt64>, campaign: String = "test") async {
        for person in people {
            let answer = await answer(engine, person, campaign: campaign)
            #expect(answer?.granted?.isReplay == false, "person \(person): \(String(describing: answer))")
        }
    }

    private static func expectClean(_ engine: Engine, _ rig: EngineRig) async throws {
        #expect(engine.granting.isAccepting)
        #expect(engine.alarms.count(.fenced) == 0)
        try await engine.drain()
        let report = try await Audit.run(engine.store, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
    }

    /// BU-6: what a scene's budget looks like now, and that it adds up (M6).
    private static func budget(_ engine: Engine, campaign: String = "test") async throws -> BudgetView {
        let view = try #require(try await engine.budgets.view(campaign: campaign, scene: "rain"))
        #expect(view.issued.fen + view.leased.fen + view.available.fen == view.total.fen)
        return view
    }

    private static func epochs(_ engine: Engine) async throws -> Int {
        try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.epochs().count }
    }

    @Test func aRaisedBudgetIsIssuedAtOnce() async throws {
        let rig = try EngineRig([.forTests(budget: 1_000)])
        let raised = try Self.set("raised", [.forTests(budget: 1_500)])
        try await rig.run { engine in
            await Self.give(engine, 1...10)
            #expect(await Self.answer(engine, 11)?.refusal == .budgetExhausted)
            #expect(await engine.reloads.reload(raised) == .applied(from: "test", to: "raised"))
            #expect(engine.campaigns.current.version == "raised")
            await Self.give(engine, 11...15)
            #expect(await Self.answer(engine, 16)?.refusal == .budgetExhausted)
            #expect(try await Self.budget(engine).issued.fen == 1_500)
            // Again is nothing new.
            #expect(await engine.reloads.reload(raised) == .applied(from: "raised", to: "raised"))
            try await Self.expectClean(engine, rig)
        }
    }

    /// Less than what is issued and leased is refused, and nothing else of that file comes into force either.
    @Test func aBudgetIsLoweredToWhatIsStillThere() async throws {
        let rig = try EngineRig([.forTests(budget: 10_000), .forTests(key: "other", number: 9, budget: 1_000)])
        @Sendable func lowered(_ fen: Int64) throws -> CampaignSet {
            let other = Campaign.forTests(key: "other", number: 9, budget: 5_000)
            return try Self.set("\(fen)", [.forTests(budget: fen, cap: 50), other])
        }
        try await rig.run { [rig] engine in
            await Self.give(engine, 1...20)
            let before = try await Self.budget(engine)
            let least = before.issued.fen + before.leased.fen
            #expect(before.issued.fen == 2_000)
            guard case .refused(let problems) = await engine.reloads.reload(try lowered(1_999)) else {
                throw Unexpected("a budget below what is issued")
            }
            #expect(problems.map(\.campaign) == ["test"])
            #expect(problems.map(\.path) == ["phases.live.scenes.rain.budget"])
            #expect(problems.first?.message.contains("\(least) fen are issued or leased") == true)
            #expect(engine.campaigns.current.version == "test")
            #expect(try await Self.budget(engine).total.fen == 10_000)
            #expect(try await Self.budget(engine, campaign: "other").total.fen == 1_000)
            await Self.give(engine, 21...21)

            #expect(await engine.reloads.reload(try lowered(5_000)) == .applied(from: "test", to: "5000"))
            #expect(try await Self.budget(engine).total.fen == 5_000)
            #expect(try await Self.budget(engine, campaign: "other").total.fen == 5_000)
            #expect(await Self.answer(engine, 22)?.refusal == .overCap)
            // M14: what was granted under the old cap is still answered.
            #expect(await Self.answer(engine, 1)?.granted?.isReplay == true)
            try await Self.expectClean(engine, rig)
        }
    }

    @Test func whatDoesNotFitChangesNothing() async throws {
        let rig = try EngineRig()
        let unfit = try Self.set("unfit", [.forTests(number: 8, budget: 5)])
        try await rig.run { [rig] engine in
            guard case .refused(let problems) = await engine.reloads.reload(unfit) else {
                throw Unexpected("a campaign with another number")
            }
            #expect(problems.map(\.path) == ["number"])
            #expect(engine.campaigns.current.version == "test")
            let books = try await engine.store.read { (snapshot) throws(StoreError) in
                Set(try snapshot.budgets().map(\.0.pool.book.campaignNumber))
            }
            #expect(books == [7])
            await Self.give(engine, 1...3)
            try await Self.expectClean(engine, rig)
        }
    }

    /// A campaign comes, and its leases live in the epoch of all others, also after the next rotation.
    @Test func aNewCampaignIsGrantedAtOnce() async throws {
        var rig = try EngineRig()
        rig.configuration.granting.epochSeconds = 100
        let both = try Self.set("both", [.forTests(), .forTests(key: "other", number: 9)])
        try await rig.run { [rig] engine in
            await Self.give(engine, 1...3)
            #expect(await Self.answer(engine, 1, campaign: "other")?.refusal == .campaignUnknown)
            #expect(await engine.reloads.reload(both) == .applied(from: "test", to: "both"))
            await Self.give(engine, 1...3, campaign: "other")
            rig.clock.advance(byMilliseconds: 95_000)
            await Self.give(engine, 4...6, campaign: "other")
            await Self.give(engine, 4...6)
            #expect(try await Self.epochs(engine) == 2)
            try await Self.expectClean(engine, rig)
        }
        // The next process doesn't know it, and takes its leases over all the same: it may come back.
        try await rig.run { [rig] engine in
            #expect(await Self.answer(engine, 1, campaign: "other")?.refusal == .campaignUnknown)
            #expect(await engine.reloads.reload(both) == .applied(from: "test", to: "both"))
            await Self.give(engine, 7...9, campaign: "other")
            #expect(await Self.answer(engine, 1, campaign: "other")?.granted?.isReplay == true)
            try await Self.expectClean(engine, rig)
        }
    }

    /// The certificate of an epoch bounds what is issued in it (TK-3): beyond the budgets of its begin, another begins.
    @Test func anEpochIssuesNoMoreThanItsCertificateSays() async throws {
        let rig = try EngineRig([.forTests(budget: 1_000)])
        let raised = try Self.set("raised", [.forTests(budget: 10_000)])
        try await rig.run { engine in
            await Self.give(engine, 1...9)
            #expect(await engine.reloads.reload(raised) == .applied(from: "test", to: "raised"))
            #expect(try await Self.epochs(engine) == 1)
            await Self.give(engine, 10...10)
            #expect(try await Self.epochs(engine) == 1)
            await Self.give(engine, 11...100)
            #expect(try await Self.epochs(engine) == 2)
            #expect(await Self.answer(engine, 101)?.refusal == .budgetExhausted)
            try await Self.expectClean(engine, rig)
        }
    }

    /// While no epoch can begin, what the certificate doesn't cover isn't granted, and nothing is lost.
    @Test func withoutARotationNothingBeyondTheCertificateIsGranted() async throws {
        var rig = try EngineRig([.forTests(budget: 1_000)])
        let raised = try Self.set("raised", [.forTests(budget: 10_000)])
        let isFailing = Mutex(false)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in call == .transact && isFailing.withLock { $0 } ? .before : nil }
        }
        try await rig.run { [rig] engine in
            await Self.give(engine, 1...5)
            #expect(await engine.reloads.reload(raised) == .applied(from: "test", to: "raised"))
            // The sixth extends the lease by more than what comes now.
            await Self.give(engine, 6...10)
            isFailing.withLock { $0 = true }
            for _ in 0..<3 {
                guard case .unavailable = await Self.answer(engine, 11) else {
                    throw Unexpected("granted beyond the certificate")
                }
            }
            isFailing.withLock { $0 = false }
            await Self.give(engine, 11...30)
            #expect(try await Self.epochs(engine) == 2)
            try await Self.expectClean(engine, rig)
        }
    }

    /// A fault of the store leaves the old campaigns in force, and asking again puts the new ones there.
    @Test(arguments: [FaultyStore<SQLiteStore>.Fault.before, .after, .lost])
    func aFaultKeepsTheOldCampaigns(fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig([.forTests(budget: 1_000)])
        let raised = try Self.set("raised", [.forTests(budget: 2_000)])
        let isFailing = Mutex(false)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in call == .transact && isFailing.withLock { $0 } ? fault : nil }
        }
        try await rig.run { [rig] engine in
            await Self.give(engine, 1...10)
            isFailing.withLock { $0 = true }
            for _ in 0..<3 {
                guard case .unavailable = await engine.reloads.reload(raised) else {
                    throw Unexpected("reloaded without a store")
                }
                #expect(engine.campaigns.current.version == "test")
            }
            isFailing.withLock { $0 = false }
            #expect(await engine.reloads.reload(raised) == .applied(from: "test", to: "raised"))
            await Self.give(engine, 11...20)
            #expect(try await Self.budget(engine).issued.fen == 2_000)
            let fundings = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.transfers(of: PersonID(0), in: BookID(campaign: 7, phase: .live)).map(\.amount.fen)
            }
            #expect(fundings == [1_000, 1_000])
            try await Self.expectClean(engine, rig)
        }
    }

    @Test func oneReloadAtATime() async throws {
        let rig = try EngineRig()
        let stores = Mutex<FaultyStore<SQLiteStore>?>(nil)
        var held = rig
        held.wrap = { base in
            let store = FaultyStore(base, script: [:])
            stores.withLock { $0 = store }
            return store
        }
        let next = try Self.set("next", [.forTests(cap: 10)])
        try await held.run { engine in
            let store = try #require(stores.withLock { $0 })
            store.hold()
            let outcomes = await withTaskGroup(of: ReloadOutcome.self) { group in
                for _ in 0..<2 { group.addTask { await engine.reloads.reload(next) } }
                var outcomes: [ReloadOutcome] = []
                for await outcome in group {
                    outcomes.append(outcome)
                    store.letGo()
                }
                return outcomes
            }
            #expect(outcomes == [.busy, .applied(from: "test", to: "next")])
        }
    }

    /// A batch that was being decided when campaigns changed, and all after it, under load: each is decided by one
    /// snapshot, and none is lost.
    @Test func grantsGoOnWhileCampaignsChange() async throws {
        let rig = try EngineRig([.forTests(cap: 200)])
        try await rig.run { [rig] engine in
            let granted = try await withThrowingTaskGroup(of: Int.self) { group in
                for lane in 0..<4 as Range<UInt64> {
                    group.addTask {
                        var granted = 0
                        for round in 1...100 as ClosedRange<UInt16> {
                            let requests = (1...10).map {
                                GrantRequest.forTests(person: lane * 10 + $0, rain: round, amount: 150)
                            }
                            let answers = await engine.granting.grant(requests)
                            let count = answers.count { $0.granted != nil }
                            // Half of a batch by one cap and half by another would be two snapshots.
                            #expect(count == 0 || count == 10, "\(count)")
                            granted += count
                        }
                        return granted
                    }
                }
                group.addTask {
                    for version in 1...60 {
                        let cap: Int64 = version % 3 == 0 ? 100 : 200
                        let next = try Self.set("\(version)", [.forTests(cap: cap)])
                        guard case .applied = await engine.reloads.reload(next) else {
                            throw Unexpected("not reloaded")
                        }
                    }
                    return 0
                }
                return try await group.reduce(0, +)
            }
            #expect(granted > 0)
            try await Self.expectClean(engine, rig)
        }
    }
}
