import HongbaoCore
import Testing

/// Small campaigns made in code.
enum CampaignSamples {
    static let number: UInt16 = 9

    static func window(_ from: Int64, _ to: Int64) throws -> Window {
        try #require(Window(from: Timestamp(milliseconds: from), to: Timestamp(milliseconds: to)))
    }

    static func scene(_ key: String, _ number: UInt16, in phase: PhaseKind, windows: [Window] = []) throws -> Scene {
        Scene(
            id: SceneID(book: BookID(campaign: Self.number, phase: phase), number: number),
            key: key,
            play: .rain,
            kind: .cash,
            rewardIDs: [RewardID(key: "cash", number: 1)],
            windows: windows,
            billTitle: "Rain",
            orders: OrderRule(
                rains: NumberRanges(1...20),
                awardTypes: NumberRanges(1...1),
                stages: NumberRanges(0...9)
            ),
            cap: Amount(fen: 200),
            budget: Amount(fen: 1000)
        )
    }

    static func phase(
        _ kind: PhaseKind,
        _ window: Window,
        admission: Admission = .everyone,
        scenes: [Scene]? = nil,
        withdrawal: WithdrawalGate? = nil
    ) throws -> Phase {
        Phase(
            kind: kind,
            book: BookID(campaign: number, phase: kind),
            window: window,
            admission: admission,
            budget: try #require(Amount(fen: 1000)),
            cap: try #require(Amount(fen: 200)),
            rewards: [Reward(key: "cash", kind: .cash, ids: [RewardID(key: "cash", number: 1)])],
            scenes: try scenes ?? [scene("rain", 1, in: kind)],
            withdrawal: withdrawal
        )
    }

    static func campaign(_ phases: [Phase], key: String = "sample") -> Campaign {
        Campaign(
            key: key,
            number: number,
            title: "Sample",
            apps: [App(id: AppID(1), key: "douyin", name: "抖音", family: "douyin")],
            phases: phases
        )
    }
}
