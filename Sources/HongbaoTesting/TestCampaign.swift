package import HongbaoCore

extension Campaign {
    /// A campaign for tests: open around `TestClock`'s start, two apps, one cash scene `rain` for everyone.
    ///
    /// - Parameters:
    ///   - budget: of the scene and the phase, in fen.
    ///   - subsidies: with a budget, in fen, there is a third scene, `rain-subsidy`.
    ///   - subsidyKind: what that gives.
    ///   - posting: how the scene posts.
    ///   - quota: of the scene's budget.
    ///   - coupons: what the scene `tea` gives.
    package static func forTests(
        key: String = "test",
        number: UInt16 = 7,
        budget: Int64 = 1_000_000_000_000,
        subsidies: Int64? = nil,
        subsidyKind: RewardKind = .subsidy,
        cap: Int64 = 20_000,
        posting: PostingMode = .async,
        quota: Quota? = nil,
        coupons: TestCoupons = TestCoupons(),
        admission: Admission = .everyone,
        window: Range<Int64> = 0..<(1 << 52)
    ) -> Campaign {
        let book = BookID(campaign: number, phase: .live)
        guard
            let open = Window(
                from: Timestamp(milliseconds: window.lowerBound),
                to: Timestamp(milliseconds: window.upperBound)
            ),
            let budget = Amount(fen: budget),
            let cap = Amount(fen: cap)
        else { preconditionFailure("a test campaign that can't be") }
        let cash = RewardID(key: "cash", number: 1)
        let subsidy = RewardID(key: "video-subsidy", number: 4)
        let rule = OrderRule(
            rains: NumberRanges(1...1000),
            awardTypes: NumberRanges(1...9),
            stages: NumberRanges(0...9)
        )
        let subsidyScene = subsidies.flatMap { Amount(fen: $0) }.map { budget in
            Scene(
                id: SceneID(book: book, number: 3),
                key: "rain-subsidy",
                play: .rain,
                kind: subsidyKind,
                rewardIDs: [subsidy],
                billTitle: "视频补贴",
                orders: rule,
                cap: cap,
                budget: budget,
                posting: posting
            )
        }
        return Campaign(
            key: key,
            number: number,
            title: "Test",
            apps: [
                App(id: AppID(1), key: "douyin", name: "抖音", family: "douyin"),
                App(id: AppID(5), key: "toutiao", name: "头条", family: "toutiao"),
            ],
            phases: [
                Phase(
                    kind: .live,
                    book: book,
                    window: open,
                    admission: admission,
                    budget: budget,
                    cap: cap,
                    rewards: [
                        Reward(key: "cash", kind: .cash, ids: [cash, RewardID(key: "cash-big", number: 3)]),
                        Reward(key: "tea", kind: .tea, ids: coupons.ids + coupons.fallback.backups),
                        Reward(key: "subsidy", kind: subsidyKind, ids: [subsidy]),
                    ],
                    scenes: [
                        Scene(
                            id: SceneID(book: book, number: 1),
                            key: "rain",
                            play: .rain,
                            kind: .cash,
                            rewardIDs: [cash, RewardID(key: "cash-big", number: 3)],
                            billTitle: "红包雨",
                            orders: rule,
                            cap: cap,
                            budget: budget,
                            quota: quota,
                            posting: posting
                        ),
                        Scene(
                            id: SceneID(book: book, number: 2),
                            key: "tea",
                            play: .cardCollection,
                            kind: .tea,
                            rewardIDs: coupons.ids,
                            billTitle: "奶茶券",
                            orders: rule,
                            fallback: coupons.fallback,
                            draw: coupons.draw,
                            isRetried: coupons.isRetried,
                            isInventoried: coupons.ids[0].inventory != nil
                        ),
                    ] + [subsidyScene].compactMap(\.self),
                    withdrawal: WithdrawalGate(window: open, admission: .everyone)
                )
            ]
        )
    }
}

/// What the scene `tea` of a test campaign gives: one coupon without a bound, unless a test says otherwise.
package struct TestCoupons: Sendable {
    package var ids = [RewardID(key: "tea-coupon", number: 2)]
    package var fallback = Fallback.none
    package var draw: [DrawShare] = []
    package var isRetried = true

    package init() {}

    /// So many of one kind, and of a backup.
    package init(
        _ pieces: Int64,
        reserveBasisPoints: UInt16 = 0,
        quota: Quota? = nil,
        backup: Int64? = nil,
        blessing: String? = nil
    ) {
        func inventory(_ pieces: Int64) -> Inventory {
            guard let amount = Amount(fen: pieces) else { preconditionFailure("less than none") }
            return Inventory(pieces: amount, reserveBasisPoints: reserveBasisPoints, quota: quota)
        }
        ids = [RewardID(key: "tea-coupon", number: 2, inventory: inventory(pieces))]
        let backups = backup.map { [RewardID(key: "tea-backup", number: 5, inventory: inventory($0))] } ?? []
        fallback = Fallback(backups: backups, blessing: blessing)
    }
}

extension CampaignSet {
    /// The set of these campaigns, which must fit together.
    package static func forTests(_ campaigns: [Campaign]) -> CampaignSet {
        guard case .made(let set) = CampaignSet.make(campaigns, version: "test") else {
            preconditionFailure("test campaigns that don't fit together")
        }
        return set
    }
}

extension Draws {
    package static let forTests = Draws(seed: (1, 2))
}
