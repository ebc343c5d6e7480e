import HongbaoCore
import Testing

/// What of the campaigns in force may change while the platform runs (CF-5, CF-6, M14), and that each problem says
/// where it is.
@Suite struct CampaignReloadTests {
    /// What a campaign is made of, as far as the tests change it.
    struct Draft {
        var key = "sample"
        var number = CampaignSamples.number
        var title = "Sample"
        var apps = [("douyin", 1), ("toutiao", 5)] as [(String, UInt16)]
        var phases = [PhaseKind.rollout, .live]
        var window = 0..<100 as Range<Int64>
        var admission = Admission.everyone
        var withdrawal: WithdrawalGate?
        var scenes = [SceneDraft()]
    }

    struct SceneDraft {
        var key = "rain"
        var number: UInt16 = 1
        var kind = RewardKind.cash
        var rewardIDs = [("cash", 1), ("cash-big", 2)] as [(String, UInt16)]
        var windows: [Window] = []
        var apps: Set<AppID>?
        var bill = "Rain"
        var rains = 1...20 as ClosedRange<UInt16>
        var cap: Int64 = 200
        var budget: Int64 = 1_000
        var posting = PostingMode.async
    }

    private static func campaign(_ draft: Draft) throws -> Campaign {
        let phases = try draft.phases.enumerated().map { index, kind in
            let book = BookID(campaign: draft.number, phase: kind)
            let from = draft.window.lowerBound + Int64(index) * 1_000
            return Phase(
                kind: kind,
                book: book,
                window: try CampaignSamples.window(from, from + Int64(draft.window.count)),
                admission: draft.admission,
                budget: try #require(Amount(fen: 100_000)),
                cap: try #require(Amount(fen: 10_000)),
                rewards: [],
                scenes: draft.scenes.map { scene(of: $0, in: book) },
                withdrawal: draft.withdrawal
            )
        }
        return Campaign(
            key: draft.key,
            number: draft.number,
            title: draft.title,
            apps: draft.apps.map { App(id: AppID($0.1), key: $0.0, name: $0.0, family: "family") },
            phases: phases
        )
    }

    private static func scene(of draft: SceneDraft, in book: BookID) -> Scene {
        Scene(
            id: SceneID(book: book, number: draft.number),
            key: draft.key,
            play: .rain,
            kind: draft.kind,
            rewardIDs: draft.rewardIDs.map { RewardID(key: $0.0, number: $0.1) },
            windows: draft.windows,
            apps: draft.apps,
            billTitle: draft.bill,
            orders: OrderRule(
                rains: NumberRanges(draft.rains),
                awardTypes: NumberRanges(1...1),
                stages: NumberRanges(0...9)
            ),
            cap: draft.kind.carriesAmount ? Amount(fen: draft.cap) : nil,
            budget: draft.kind.carriesAmount ? Amount(fen: draft.budget) : nil,
            posting: draft.posting
        )
    }

    private static func set(_ drafts: [Draft]) throws -> CampaignSet {
        guard case .made(let set) = CampaignSet.make(try drafts.map { try campaign($0) }, version: "test") else {
            throw Unfit()
        }
        return set
    }

    private struct Unfit: Error {}

    /// `campaign:path` of each problem.
    private static func paths(_ old: [Draft], _ new: [Draft]) throws -> [String] {
        try set(old).problems(changingTo: set(new)).map { "\($0.campaign):\($0.path)" }
    }

    private static func paths(_ change: (inout Draft) throws -> Void) throws -> [String] {
        var new = Draft()
        try change(&new)
        return try paths([Draft()], [new])
    }

    @Test func whatIsStillToBeGrantedMayChange() throws {
        let gate = WithdrawalGate(window: try CampaignSamples.window(1, 2), admission: .listed([PersonID(1)]))
        let window = try CampaignSamples.window(3, 5)
        let changes: [(String, (inout Draft) -> Void)] = [
            ("nothing", { _ in }),
            ("title", { $0.title = "Other" }),
            ("an app comes", { $0.apps.append(("xigua", 9)) }),
            ("order of apps", { $0.apps.reverse() }),
            ("windows", { $0.window = 50..<90 }),
            ("a phase comes", { $0.phases.append(.internalTest) }),
            ("admission", { $0.admission = .percentage(basisPoints: 5, listed: []) }),
            ("withdrawal gate", { $0.withdrawal = gate }),
            ("a scene comes", { $0.scenes.append(SceneDraft(key: "more", number: 2)) }),
            ("bill", { $0.scenes[0].bill = "Other" }),
            ("scene's windows", { $0.scenes[0].windows = [window] }),
            ("scene's apps", { $0.scenes[0].apps = [AppID(5)] }),
            ("rounds", { $0.scenes[0].rains = 2...3 }),
            ("cap", { $0.scenes[0].cap = 5 }),
            ("budget up", { $0.scenes[0].budget = 5_000 }),
            ("budget down: the books decide", { $0.scenes[0].budget = 500 }),
            ("posting", { $0.scenes[0].posting = .sync }),
            ("a reward ID comes", { $0.scenes[0].rewardIDs.append(("cash-huge", 3)) }),
        ]
        for (what, change) in changes { #expect(try Self.paths(change) == [], "\(what)") }
        var other = Draft(key: "other", number: 10)
        other.scenes[0].key = "other"
        #expect(try Self.paths([Draft()], [Draft(), other]) == [])
        #expect(try Self.paths([], [Draft()]) == [])
    }

    @Test func whatWasIssuedKeepsItsMeaning() throws {
        let rain = "phases.live.scenes.rain"
        let changes: [([String], (inout Draft) -> Void)] = [
            (["number"], { $0.number = 10 }),
            (["apps.toutiao"], { $0.apps.removeLast() }),
            (["apps.toutiao.number"], { $0.apps[1].1 = 6 }),
            (["apps.douyin", "apps.toutiao.number"], { $0.apps = [("toutiao", 1)] }),
            (["phases.rollout"], { $0.phases = [.live] }),
            ([rain], { $0.scenes[0].key = "shower" }),
            (["\(rain).number"], { $0.scenes[0].number = 2 }),
            (["\(rain).gives"], { $0.scenes[0].kind = .subsidy }),
            (["\(rain).gives"], { $0.scenes[0].kind = .tea }),
            (["\(rain).gives"], { $0.scenes[0].rewardIDs[0].1 = 7 }),
            (["\(rain).gives"], { $0.scenes[0].rewardIDs.removeLast() }),
            (["\(rain).gives"], { $0.scenes[0].rewardIDs[1].1 = 7 }),
            (["\(rain).gives"], { $0.scenes[0].rewardIDs.reverse() }),
        ]
        for (expected, change) in changes {
            var old = Draft(phases: [.live])
            if expected == ["phases.rollout"] { old.phases = [.rollout, .live] }
            var new = old
            change(&new)
            #expect(try Self.paths([old], [new]).filter { $0.hasPrefix("sample:") } == expected.map { "sample:\($0)" })
        }
    }

    /// What gives subsidies has issued something, too.
    @Test func subsidyScenesStay() throws {
        var old = Draft(phases: [.live])
        old.scenes.append(SceneDraft(key: "subsidy", number: 2, kind: .subsidy))
        let path = "sample:phases.live.scenes.subsidy"
        #expect(try Self.paths([old], [Draft(phases: [.live])]) == [path])
        var new = old
        new.scenes[1].budget = 5
        #expect(try Self.paths([old], [new]) == [])
        new.scenes[1].kind = .cash
        #expect(try Self.paths([old], [new]) == ["\(path).gives"])
        new.scenes[1] = SceneDraft(key: "subsidy", number: 7, kind: .subsidy)
        #expect(try Self.paths([old], [new]) == ["\(path).number"])
    }

    @Test func campaignsKeepTheirNumbers() throws {
        #expect(try Self.paths([Draft()], []) == ["sample:"])
        let heir = Draft(key: "heir")
        #expect(try Self.paths([Draft()], [heir]) == ["sample:", "heir:number"])
        let moved = Draft(number: 10)
        #expect(try Self.paths([Draft()], [moved, heir]) == ["sample:number", "heir:number"])
    }

    /// Scenes of coupons have a past as those of money have.
    @Test func whatGivesCouponsStays() throws {
        var old = Draft()
        old.scenes.append(SceneDraft(key: "tea", number: 2, kind: .tea))
        let scenes = ["rollout", "live"].map { "sample:phases.\($0).scenes.tea" }
        #expect(try Self.paths([old], [Draft()]) == scenes)
        var new = Draft()
        new.scenes.append(SceneDraft(key: "tea", number: 3, kind: .film))
        #expect(try Self.paths([old], [new]) == scenes.flatMap { ["\($0).number", "\($0).gives"] })
        // What it gives may change: the log says what each grant gave.
        new.scenes[1] = SceneDraft(key: "tea", number: 2, kind: .tea, rewardIDs: [("tea-cup", 9)])
        #expect(try Self.paths([old], [new]) == [])
    }
}
