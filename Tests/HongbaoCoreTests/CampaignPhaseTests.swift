import HongbaoCore
import Testing

/// Which phase an instant belongs to (CF-3, CF-4), and what a preview says of it (CF-7).
@Suite struct CampaignPhaseTests {
    @Test(arguments: 0..<200 as Range<UInt64>)
    func phasesAgreeWithANaiveScan(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var ends: Set<Int64> = []
        while ends.count < 6 { ends.insert(.random(in: -40...40, using: &random)) }
        let sorted = ends.sorted()
        var windows: [(PhaseKind, Int64, Int64)] = []
        for (index, kind) in PhaseKind.allCases.shuffled(using: &random).enumerated() where index < 1 + seed % 3 {
            // Every third campaign has phases that touch.
            let from = seed % 3 == 0 && index > 0 ? sorted[2 * index - 1] : sorted[2 * index]
            windows.append((kind, from, sorted[2 * index + 1]))
        }
        let phases = try windows.map {
            try CampaignSamples.phase($0.0, CampaignSamples.window($0.1, $0.2))
        }
        let campaign = CampaignSamples.campaign(phases.shuffled(using: &random))
        for instant in Int64(-42)...42 {
            let active = windows.filter { $0.1 <= instant && instant < $0.2 }.map(\.0)
            #expect(active.count <= 1)
            #expect(campaign.phase(at: Timestamp(milliseconds: instant))?.kind == active.first)
            let ended = windows.filter { $0.2 <= instant }.max { $0.2 < $1.2 }?.0
            #expect(campaign.phaseShown(at: Timestamp(milliseconds: instant))?.kind == active.first ?? ended)
        }
    }

    @Test func scenesAreFoundByKeyAndID() throws {
        let scenes = try (1...50).map { try CampaignSamples.scene("scene-\($0)", UInt16($0), in: .live) }
        let phase = try CampaignSamples.phase(.live, CampaignSamples.window(0, 10), scenes: scenes)
        for (index, scene) in scenes.enumerated() {
            #expect(phase.scene(scene.key) == scene)
            #expect(phase.scene(scene.id) == scene)
            #expect(phase.sceneIndex(scene.key) == index)
        }
        #expect(phase.scene("scene-51") == nil)
        let elsewhere = SceneID(book: BookID(campaign: CampaignSamples.number, phase: .rollout), number: 1)
        #expect(phase.scene(elsewhere) == nil)
    }

    @Test func orderRulesTakeTheirRangesOnly() {
        let rule = OrderRule(
            rains: NumberRanges(1...20),
            awardTypes: NumberRanges(1...1, [3...3]),
            stages: NumberRanges(0...9)
        )
        #expect(rule.takes(rain: RainID(1), awardType: 1, stage: 0))
        #expect(rule.takes(rain: RainID(20), awardType: 3, stage: 9))
        #expect(!rule.takes(rain: RainID(0), awardType: 1, stage: 0))
        #expect(!rule.takes(rain: RainID(21), awardType: 1, stage: 0))
        #expect(!rule.takes(rain: RainID(1), awardType: 2, stage: 0))
        #expect(!rule.takes(rain: RainID(1), awardType: 1, stage: 10))
        #expect(rule.awardTypes.description == "1, 3")
        #expect(rule.rains.description == "1-20")
    }

    @Test func previewIsExactToTheMillisecond() throws {
        let show = try CampaignSamples.scene("show", 2, in: .live, windows: [CampaignSamples.window(100, 200)])
        let rain = try CampaignSamples.scene("rain", 1, in: .live)
        let live = try CampaignSamples.phase(
            .live,
            CampaignSamples.window(50, 300),
            scenes: [rain, show],
            withdrawal: WithdrawalGate(window: CampaignSamples.window(150, 400), admission: .everyone)
        )
        let campaign = CampaignSamples.campaign([live])
        let person = PersonID(1)
        func states(_ at: Int64) -> [String] {
            let preview = campaign.preview(at: Timestamp(milliseconds: at), person: person)
            return preview.scenes.map { "\($0.state)" } + ["\(preview.withdrawal)"]
        }
        func text(_ at: Int64) -> String { Timestamp(milliseconds: at).iso8601() }

        #expect(states(49) == ["closed: there is no gate"])
        let before = "closed: opens \(text(150))"
        #expect(states(50) == ["open until \(text(300))", "closed (opens \(text(100)))", before])
        #expect(states(99) == ["open until \(text(300))", "closed (opens \(text(100)))", before])
        #expect(states(100) == ["open until \(text(300))", "open until \(text(200))", before])
        #expect(states(149).last == before)
        #expect(states(150).last == "open: admitted, as everyone is")
        #expect(states(199)[1] == "open until \(text(200))")
        #expect(states(200)[1] == "closed (ended \(text(200)))")
        #expect(states(299).count == 3)
        #expect(states(300) == ["open: admitted, as everyone is"])
        #expect(states(399) == ["open: admitted, as everyone is"])
        #expect(states(400) == ["closed: ended \(text(400))"])
    }

    @Test func previewSaysWhyAPersonIsNotAdmitted() throws {
        let phase = try CampaignSamples.phase(
            .internalTest,
            CampaignSamples.window(0, 100),
            admission: .listed([PersonID(7)])
        )
        let campaign = CampaignSamples.campaign([phase])
        let stranger = campaign.preview(at: Timestamp(milliseconds: 1), person: PersonID(8))
        #expect(stranger.admission == .notListed)
        #expect(stranger.scenes.map(\.state) == [.personNotAdmitted])
        let tester = campaign.preview(at: Timestamp(milliseconds: 1), person: PersonID(7))
        #expect(tester.admission == .listed)
        #expect(tester.scenes.map(\.state.isOpen) == [true])
        let anyone = campaign.preview(at: Timestamp(milliseconds: 1), person: nil)
        #expect(anyone.admission == nil)
        #expect(anyone.scenes.map(\.state.isOpen) == [true])
        #expect(campaign.preview(at: Timestamp(milliseconds: 100), person: nil).phaseShown == .internalTest)
    }

    @Test func setsRefuseTheSameKeyOrNumberTwice() throws {
        let phase = try CampaignSamples.phase(.live, CampaignSamples.window(0, 10))
        let a = CampaignSamples.campaign([phase], key: "a")
        let b = CampaignSamples.campaign([phase], key: "b")
        #expect(CampaignSet.make([a, a], version: "1") == .keyGivenTwice("a"))
        #expect(CampaignSet.make([b, a], version: "1") == .numberGivenTwice(9, keys: ["a", "b"]))
        guard case .made(let set) = CampaignSet.make([a], version: "1") else {
            Issue.record("one campaign is refused")
            return
        }
        #expect(set.campaign("a") == a)
        #expect(set.campaign("b") == nil)
        #expect(set.phase(phase.book) == phase)
        #expect(set.scene(phase.scenes[0].id) == phase.scenes[0])
        #expect(set.phase(BookID(campaign: 10, phase: .live)) == nil)
        #expect(CampaignSet.empty.campaign("a") == nil)
    }

    @Test func rehearsalOpensTheLivePhaseAndKeepsTheRest() throws {
        let windows = try [CampaignSamples.window(60, 70)]
        let live = try CampaignSamples.phase(
            .live,
            CampaignSamples.window(50, 300),
            scenes: [CampaignSamples.scene("rain", 1, in: .live, windows: windows)],
            withdrawal: WithdrawalGate(window: CampaignSamples.window(100, 200), admission: .everyone)
        )
        let campaign = CampaignSamples.campaign([
            live,
            try CampaignSamples.phase(.rollout, CampaignSamples.window(10, 50)),
            try CampaignSamples.phase(.internalTest, CampaignSamples.window(320, 330)),
        ])
        let start = Timestamp(milliseconds: 1_800_000_000_000)
        let rehearsed = try #require(campaign.rehearsed(startingAt: start))
        let week: Int64 = 7 * 86_400_000
        #expect(rehearsed.phases.map(\.kind) == [.rollout, .live, .internalTest])
        #expect(rehearsed.phase(.rollout)?.window.to == start)
        #expect(rehearsed.phase(.live)?.book == live.book)
        #expect(rehearsed.phase(.internalTest)?.window.from == start.advanced(bySeconds: 7 * 86_400 + 0).plus(20))
        for instant in [start, start.plus(week - 1)] {
            let preview = rehearsed.preview(at: instant, person: PersonID(1))
            #expect(preview.phase == .live)
            #expect(preview.scenes.map(\.state.isOpen) == [true])
            #expect(preview.withdrawal == .forPerson(.open(.everyone)))
        }
        #expect(rehearsed.phase(at: start.plus(-1))?.kind == .rollout)
        #expect(rehearsed.phase(at: start.plus(week)) == nil)
        let withoutLive = CampaignSamples.campaign([
            try CampaignSamples.phase(.rollout, CampaignSamples.window(10, 50))
        ])
        #expect(withoutLive.rehearsed(startingAt: start) == nil)
        #expect(campaign.rehearsed(startingAt: Timestamp(milliseconds: .max)) == nil)
        #expect(campaign.rehearsed(startingAt: Timestamp(milliseconds: .min)) == nil)
    }
}

extension Timestamp {
    fileprivate func plus(_ milliseconds: Int64) -> Timestamp {
        Timestamp(milliseconds: self.milliseconds + milliseconds)
    }
}

/// A seeded generator: the same seed, the same test.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
