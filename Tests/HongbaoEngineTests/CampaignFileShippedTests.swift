import Foundation
import HongbaoCore
import HongbaoEngine
import Testing

/// The campaign file that ships with the platform is an example to copy, so it has everything and no fault.
@Suite struct CampaignFileShippedTests {
    static let path = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "campaigns/spring-festival-2022.yaml").path

    private func shipped() throws -> Campaign {
        guard case .loaded(let campaign, let warnings) = try CampaignFile.load(path: Self.path).reading else {
            throw Refused()
        }
        #expect(warnings == [])
        return campaign
    }

    private struct Refused: Error {}

    @Test func loadsWithoutAWarning() throws {
        let file = try CampaignFile.load(path: Self.path)
        #expect(
            file.reading.rendered(file: "f.yaml")
                == "f.yaml: campaign spring-festival-2022, number 1, is valid: 8 apps, "
                + "internalTest with 17 scenes, rollout with 17 scenes, live with 17 scenes"
        )
        // The digest of three letters is in FIPS 180-2.
        #expect(
            CampaignFile.load(text: "abc", name: "f.yaml").digest
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect(file.digest.count == 64)
    }

    /// ID-1, CF-8, CF-9.
    @Test func hasEveryAppPlayAndKind() throws {
        let campaign = try shipped()
        #expect(campaign.apps.map(\.id.rawValue) == Array(1...8))
        #expect(Set(campaign.apps.map(\.family)) == ["douyin", "toutiao"])
        #expect(campaign.phases.map(\.kind) == [.internalTest, .rollout, .live])
        for phase in campaign.phases {
            #expect(Set(phase.scenes.map(\.kind)) == Set(RewardKind.allCases))
            #expect(Set(phase.scenes.map(\.play)) == Set(Play.allCases))
            #expect(phase.scenes.map(\.key) == campaign.phases[0].scenes.map(\.key))
            #expect(Set(phase.scenes.map(\.id.book)) == [phase.book])
        }
    }

    @Test func livePhaseCarriesTheRain() throws {
        let live = try #require(try shipped().phase(.live))
        let rain = try #require(live.scene("rain"))
        #expect(rain.kind == .cash)
        #expect(rain.play == .rain)
        #expect(rain.cap == Amount(fen: 20_000))
        #expect(rain.budget == Amount(fen: 200_000_000_000))
        #expect("\(rain.orders.rains) \(rain.orders.awardTypes) \(rain.orders.stages)" == "1-20 1-2 0-9")
        for key in ["friend-rain", "card-draw-final", "fireworks-cash"] {
            #expect(live.scene(key)?.kind == .cash)
        }
        #expect(live.withdrawal?.admission == .everyone)
    }

    /// CF-7: the fireworks begin at 19:30:00.000 and end before 19:45:00.000.
    @Test(arguments: [
        ("2022-01-31T19:29:59.999+08:00", "closed (opens 2022-01-31T19:30:00.000+08:00)"),
        ("2022-01-31T19:30:00.000+08:00", "open until 2022-01-31T19:45:00.000+08:00"),
        ("2022-01-31T19:44:59.999+08:00", "open until 2022-01-31T19:45:00.000+08:00"),
        ("2022-01-31T19:45:00.000+08:00", "closed (opens 2022-02-01T19:30:00.000+08:00)"),
        ("2022-02-06T19:45:00.000+08:00", "closed (ended 2022-02-06T19:45:00.000+08:00)"),
    ])
    func fireworksAreExactToTheMillisecond(at text: String, state: String) throws {
        let instant = try #require(Timestamp(iso8601: text))
        let preview = try shipped().preview(at: instant, person: PersonID(10_001))
        #expect(preview.scenes.first { $0.key == "fireworks-cash" }.map { "\($0.state)" } == state)
    }

    /// CF-3: phases change at midnight, to the millisecond.
    @Test(arguments: [
        ("2022-01-09T23:59:59.999+08:00", "none none"), ("2022-01-10T00:00:00.000+08:00", "internalTest internalTest"),
        ("2022-01-19T23:59:59.999+08:00", "internalTest internalTest"),
        ("2022-01-20T00:00:00.000+08:00", "rollout rollout"), ("2022-01-23T23:59:59.999+08:00", "rollout rollout"),
        ("2022-01-24T00:00:00.000+08:00", "live live"), ("2022-02-06T23:59:59.999+08:00", "live live"),
        ("2022-02-07T00:00:00.000+08:00", "none live"),
    ])
    func phasesChangeAtMidnight(at text: String, phases: String) throws {
        let preview = try shipped().preview(at: try #require(Timestamp(iso8601: text)), person: nil)
        #expect("\(preview.phase?.name ?? "none") \(preview.phaseShown?.name ?? "none")" == phases)
    }

    @Test func previewIsReadable() throws {
        let instant = try #require(Timestamp(iso8601: "2022-01-31T19:30:00.000+08:00"))
        let lines = try shipped().preview(at: instant, person: PersonID(7)).rendered().split(separator: "\n")
        #expect(lines.count == 22)
        #expect(
            lines.prefix(6).joined(separator: "\n") == """
                campaign    spring-festival-2022
                at          2022-01-31T19:30:00.000+08:00
                phase       live
                person      7: admitted, as everyone is
                withdrawal  open: admitted, as everyone is
                scene       rain                     open until 2022-02-01T00:30:00.000+08:00, cash, cap 200.00 yuan, \
                budget 2000000000.00 yuan
                """
        )
        let after = try shipped().preview(at: instant.advanced(bySeconds: 90 * 86_400), person: nil).rendered()
        #expect(
            after == """
                campaign    spring-festival-2022
                at          2022-05-01T19:30:00.000+08:00
                phase       none: grants answer not_in_phase; the wallet shows live
                withdrawal  closed: 2022-01-24T00:00:00.000+08:00 to 2022-03-07T00:00:00.000+08:00, for everyone
                """
        )
    }

    @Test func canBeRehearsedToday() throws {
        let start = Timestamp(milliseconds: 1_790_000_000_000)
        let campaign = try shipped()
        let rehearsed = try #require(campaign.rehearsed(startingAt: start))
        let preview = rehearsed.preview(at: start, person: PersonID(1))
        #expect(preview.phase == .live)
        #expect(preview.scenes.count == 17)
        #expect(preview.scenes.count { $0.state.isOpen } == 17)
        #expect(preview.withdrawal == .forPerson(.open(.everyone)))
        #expect(rehearsed.phases.map(\.book) == campaign.phases.map(\.book))
        #expect(rehearsed.phases.map(\.budget) == campaign.phases.map(\.budget))
        #expect(rehearsed.preview(at: start.advanced(bySeconds: -1), person: nil).phase == .rollout)
    }
}
