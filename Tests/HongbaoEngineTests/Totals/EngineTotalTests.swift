import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// The running total of a real engine on a real store: what was accepted, no more and no less (CT-1, M12).
@Suite(.timeLimit(.minutes(15))) struct EngineTotalTests {
    private static let requests = (1...300).map { GrantRequest.forTests(person: $0, amount: Int64(99 + $0)) }
    private static let sum: Int64 = (1...300).reduce(0) { $0 + 99 + $1 }

    private static func shown(_ engine: Engine) throws -> Tally {
        guard case .total(.live, let reading) = engine.totals.read(campaign: "test") else {
            throw StoreError(.unavailable, "no total is shown")
        }
        return reading.tally
    }

    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    /// Repeats and conflicts count nothing; posting changes nothing; a restart makes the same again from the log.
    @Test func whatIsAcceptedCountsOnce() async throws {
        let rig = try EngineRig([.forTests(subsidies: 1_000_000)])
        try await rig.run { engine in
            #expect(try Self.shown(engine) == .zero)
            _ = await engine.granting.grant(Self.requests)
            await engine.totals.flush()
            #expect(try Self.shown(engine) == Self.tally(Self.sum, 300))
            _ = await engine.granting.grant(Self.requests)
            var others = Self.requests
            for index in others.indices { others[index].amount = 5 }
            _ = await engine.granting.grant(others)
            try await engine.drain()
            await engine.totals.flush()
            #expect(try Self.shown(engine) == Self.tally(Self.sum, 300))
            // Subsidies are money given, too.
            _ = await engine.granting.grant([.forTests(person: 1, amount: 1_000, scene: "rain-subsidy")])
            await engine.totals.flush()
            #expect(try Self.shown(engine) == Self.tally(Self.sum + 1_000, 301))
            let cash = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            let subsidies = try #require(try await engine.budgets.view(campaign: "test", scene: "rain-subsidy"))
            #expect(cash.issued.fen + subsidies.issued.fen == Self.sum + 1_000)
        }
        try await rig.run { engine in
            let again = try Self.shown(engine)
            #expect(try again == Self.tally(Self.sum + 1_000, 301))
            _ = await engine.granting.grant([.forTests(person: 301, amount: 7)])
            await engine.totals.flush()
            #expect(try Self.shown(engine) == Self.tally(Self.sum + 1_007, 302))
        }
    }

    /// What never became durable isn't counted; what did, though its answer was lost, is, and once (GR-3, GR-5).
    @Test(arguments: [FaultyStore<SQLiteStore>.Fault.before, .after, .lost])
    func aFailedAppendCountsWhatIsInTheLog(fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig()
        rig.wrap = { FaultyStore($0, script: [.append: [0: fault]]) }
        let first = try await rig.run { engine in
            _ = await engine.granting.grant(Self.requests)
            await engine.totals.flush()
            let first = try Self.shown(engine)
            let budget = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            #expect(first.amount == budget.issued)
            _ = await engine.granting.grant(Self.requests)
            await engine.totals.flush()
            #expect(try Self.shown(engine) == Self.tally(Self.sum, 300))
            return first
        }
        #expect((first.count > 0) == (fault == .after))
        rig.wrap = { $0 }
        let again = try await rig.run { engine in try Self.shown(engine) }
        #expect(try again == Self.tally(Self.sum, 300))
    }

    /// After kill -9 no screen shows less than before: only what is durable was ever shown.
    @Test func aKilledProcessComesBackWithNoLess() async throws {
        let rig = try EngineRig()
        let before = try await rig.runUntilKilled { engine in
            _ = await engine.granting.grant(Self.requests)
            await engine.totals.flush()
            return try Self.shown(engine)
        }
        #expect(before == (try Self.tally(Self.sum, 300)))
        let again = try await rig.run { engine in try Self.shown(engine) }
        #expect(again == before)
    }

    /// Without anybody asking for it, by the service alone.
    @Test func flushesComeByThemselves() async throws {
        var rig = try EngineRig()
        rig.configuration.totals.interval = .milliseconds(1)
        rig.configuration.totals.flushesPerMending = 3
        try await rig.run { engine in
            _ = await engine.granting.grant(Self.requests)
            var shown = Tally.zero
            while shown.count < 300 {
                let now = try Self.shown(engine)
                #expect(now.raised(to: shown) == now)
                shown = now
                try await Task.sleep(for: .milliseconds(1))
            }
            #expect(shown == (try Self.tally(Self.sum, 300)))
        }
    }

    /// Phases share nothing, and neither do their totals (CF-4).
    @Test func anotherCampaignHasATotalOfItsOwn() async throws {
        let rig = try EngineRig([.forTests(), .forTests(key: "other", number: 8)])
        try await rig.run { engine in
            _ = await engine.granting.grant([
                .forTests(person: 1, amount: 10), .forTests(person: 1, amount: 20, campaign: "other"),
                .forTests(person: 2, amount: 30),
            ])
            await engine.totals.flush()
            let shown = try Self.shown(engine)
            #expect(try shown == Self.tally(40, 2))
            guard case .total(_, let other) = engine.totals.read(campaign: "other") else {
                Issue.record("no total")
                return
            }
            #expect(other.tally == (try Self.tally(20, 1)))
        }
    }
}
