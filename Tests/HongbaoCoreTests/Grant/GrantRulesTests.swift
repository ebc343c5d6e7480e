import HongbaoCore
import HongbaoTesting
import Testing

/// How requests are resolved (CF-3, GR-2), by precedence, and that a batch remembers nothing it shouldn't.
@Suite struct GrantRulesTests {
    private static let now = Timestamp(milliseconds: 1_643_630_400_000)

    private static func resolve(_ requests: [GrantRequest], _ campaigns: [Campaign], at now: Timestamp = now)
        -> [GrantRules.Resolution]
    {
        var rules = GrantRules(campaigns: .forTests(campaigns), draws: .forTests, now: now)
        return requests.map { rules.resolve($0) }
    }

    private static func refusal(_ resolution: GrantRules.Resolution?) -> GrantRefusal? {
        if case .refused(let refusal) = resolution { refusal } else { nil }
    }

    private static func draft(_ resolution: GrantRules.Resolution?) -> GrantDraft? {
        if case .draft(let draft) = resolution { draft } else { nil }
    }

    /// Everything is wrong with the first request; each next one has one thing less wrong, so each refusal shows in
    /// turn.
    @Test func refusalsByPrecedence() throws {
        var request = GrantRequest.forTests(
            person: 0,
            rain: 1001,
            amount: -1,
            scene: "snow",
            campaign: "none",
            app: "wechat",
            rewardID: "gold",
            openedAt: -1
        )
        request.order = OrderNumber(bits: 5)
        let mendings: [(GrantRefusal, (inout GrantRequest) -> Void)] = [
            (.campaignUnknown, { $0.campaign = "test" }),
            (.sceneUnknown, { $0.scene = "rain" }),
            (.appUnknown, { $0.app = "douyin" }),
            (.rewardUnknown, { $0.rewardID = "cash-big" }),
            (.orderPartInvalid, { $0.person = PersonID(1) }),
            (.orderPartInvalid, { $0.rain = RainID(1) }),
            (.personMismatch, { $0.order = nil }),
            (.amountInvalid, { $0.amount = 5 }),
            (.openedAtInvalid, { $0.openedAt = nil }),
        ]
        for (expected, mend) in mendings {
            #expect(Self.refusal(Self.resolve([request], [.forTests()]).first) == expected)
            mend(&request)
        }
        let draft = try #require(Self.draft(Self.resolve([request], [.forTests()]).first))
        #expect(draft.refusalIfNew == nil && draft.gift == .money(reward: 3) && draft.rewardID == "cash-big")
        #expect(draft.openedAt == Self.now && draft.amount.fen == 5 && draft.app == AppID(1))
        #expect(draft.order.description == "1_2031617_1_1_0")
        // Before any phase the scene isn't asked for.
        request.scene = "snow"
        let early = Self.resolve([request], [.forTests(window: 5..<9)], at: Timestamp(milliseconds: 4))
        #expect(Self.refusal(early.first) == .notInPhase)
    }

    /// What is only asked of new grants.
    @Test func whatIsOnlyAskedOfNewGrants() {
        let window = 0..<Self.now.milliseconds
        let request = GrantRequest.forTests(person: 1)
        func refusalIfNew(_ campaign: Campaign, _ request: GrantRequest = request) -> GrantRefusal? {
            Self.draft(Self.resolve([request], [campaign]).first)?.refusalIfNew
        }
        #expect(refusalIfNew(.forTests(window: window)) == .notInPhase)
        #expect(refusalIfNew(.forTests(admission: .listed([PersonID(2)]))) == .notInPhase)
        #expect(refusalIfNew(.forTests(admission: .listed([PersonID(1)]))) == nil)
        #expect(refusalIfNew(.forTests(), .forTests(person: 1, amount: nil, scene: "tea")) == nil)
        // A round that a reload has taken away was perhaps granted before.
        #expect(refusalIfNew(.forTests(), .forTests(person: 1, rain: 1001)) == .orderPartInvalid)
    }

    @Test(
        arguments: [
            (1, true), (OrderTable.amountMax - 1, true), (OrderTable.amountMax, false), (0, false), (-1, false),
            (.max, false), (.min, false),
        ] as [(Int64, Bool)]
    )
    func amounts(fen: Int64, isGood: Bool) {
        let resolution = Self.resolve([.forTests(person: 1, amount: fen)], [.forTests()]).first
        #expect((Self.draft(resolution)?.amount.fen == fen) == isGood)
        #expect((Self.refusal(resolution) == .amountInvalid) == !isGood)
    }

    @Test(
        arguments: [
            (0, true), (1_643_630_400_000, true), (1_643_630_700_000, true), (1_643_630_700_001, false), (-1, false),
            (.max, false), (.min, false),
        ] as [(Int64, Bool)]
    )
    func openingTimes(milliseconds: Int64, isGood: Bool) {
        let resolution = Self.resolve([.forTests(person: 1, openedAt: milliseconds)], [.forTests()]).first
        // Ahead of the clock is only asked of new grants: a repeat may come after the clock was set back.
        let refusal = Self.refusal(resolution) ?? Self.draft(resolution)?.refusalIfNew
        #expect((Self.draft(resolution)?.openedAt.milliseconds == milliseconds) == (milliseconds >= 0))
        #expect(refusal == (isGood ? nil : .openedAtInvalid))
    }

    /// The rules remember campaign, scene and app of the request before. Whatever came before, the answer is the same.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func aBatchResolvesAsItsRequestsAlone(seed: UInt64) {
        var random = Seeded(seed: seed)
        // The second has another number, so the same names mean other orders; the third is over; the fourth lacks an
        // app.
        let second = Campaign.forTests(key: "second", number: 8, cap: 7, posting: .sync)
        let third = Campaign.forTests(key: "third", number: 9, window: 0..<1000)
        let base = Campaign.forTests(key: "fourth", number: 10)
        let fourth = Campaign(
            key: base.key,
            number: base.number,
            title: base.title,
            apps: [App(id: AppID(77), key: "douyin", name: "other", family: "other")],
            phases: base.phases
        )
        let campaigns = [.forTests(), second, third, fourth]
        let requests = (0..<60).map { _ in
            GrantRequest.forTests(
                person: .random(in: 0...3, using: &random),
                rain: .random(in: 999...1001, using: &random),
                amount: [nil, 5, 0].randomElement(using: &random) ?? nil,
                scene: ["rain", "tea", "snow"].randomElement(using: &random) ?? "",
                campaign: ["test", "second", "third", "fourth", "none"].randomElement(using: &random) ?? "",
                app: ["douyin", "toutiao", "wechat"].randomElement(using: &random) ?? "",
                rewardID: [nil, "cash", "cash-big", "tea-coupon"].randomElement(using: &random) ?? nil
            )
        }
        let together = Self.resolve(requests, campaigns)
        for (request, resolution) in zip(requests, together) {
            #expect(Self.resolve([request], campaigns) == [resolution])
        }
    }
}
