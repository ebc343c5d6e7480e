import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// An engine whose scene `tea` gives coupons, and a downstream that gives them to people.
struct RewardRig: Sendable {
    static let book = BookID(campaign: 7, phase: .live)

    var rig: EngineRig
    let downstream: TestDownstream

    init(_ coupons: TestCoupons = TestCoupons(), _ habits: TestDownstream.Habits = .init()) throws {
        rig = try EngineRig([.forTests(coupons: coupons)])
        downstream = TestDownstream(habits)
        rig.channels.rewards = [.tea: downstream]
        rig.configuration.outside.rewards.backoffFirstMilliseconds = 5
        rig.configuration.outside.rewards.backoffLongestMilliseconds = 50
        rig.configuration.outside.rewards.sweepIntervalSeconds = 1
        rig.configuration.outside.tickInterval = .milliseconds(10)
    }

    static func request(_ person: UInt64, rain: UInt16 = 1, rewardID: String? = nil, app: String = "douyin")
        -> GrantRequest
    {
        .forTests(person: person, rain: rain, amount: nil, scene: "tea", app: app, rewardID: rewardID)
    }

    static func grant(_ engine: Engine, _ requests: [GrantRequest]) async throws -> [Granted] {
        try await engine.granting.grant(requests).map { try #require($0.granted, "\($0)") }
    }

    static func wallet(_ engine: Engine, _ person: UInt64) async throws -> WalletReading {
        let answer = await engine.wallets.read(person: PersonID(person), campaign: "test")
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    static func inventory(_ engine: Engine, _ key: String = "tea-coupon") async throws -> BudgetView {
        let view = try #require(try await engine.budgets.inventory(campaign: "test", reward: key))
        #expect(view.issued.fen + view.leased.fen + view.available.fen == view.total.fen)  // BU-6
        return view
    }

    func expectSound() async throws {
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        let report = try await Audit.run(store, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        try await store.close()
    }
}

/// Asks until it's so.
func eventually(_ isSo: () async throws -> Bool) async throws {
    while try await !isSo() { try await Task.sleep(for: .milliseconds(5)) }
}
