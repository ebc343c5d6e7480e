import HongbaoCore
import HongbaoEngine

/// A campaign file is read whole or refused with places, never half (CF-5).
enum CampaignProperties {
    static func check(_ input: [UInt8]) throws(FuzzBreach) {
        let file = CampaignFile.load(bytes: input, name: "f.yaml")
        try hold(!file.rendered().isEmpty, "nothing is said of the file")
        switch file.reading {
        case .refused(let problems):
            try hold(problems.contains { $0.severity == .error }, "a file was refused without an error")
            let places = problems.map(\.place)
            try hold(places.allSatisfy { $0.line > 0 && $0.column > 0 }, "a problem has no place")
            try hold(places == places.sorted(), "problems aren't in the order of the file")
        case .loaded(let campaign, _):
            try hold(holdsTogether(campaign), "half a campaign was loaded")
            try hold(CampaignFile.load(bytes: input, name: "f.yaml") == file, "read again, the file differs")
        }
    }

    /// Whether budgets, caps, windows and rewards fit into each other.
    private static func holdsTogether(_ campaign: Campaign) -> Bool {
        campaign.phases.allSatisfy { phase in
            let cash = phase.scenes.filter { $0.kind == .cash }
            let sum = cash.reduce(Int128(0)) { $0 + Int128($1.budget?.fen ?? 0) }
            return sum <= Int128(phase.budget.fen) && !phase.scenes.isEmpty
                && cash.allSatisfy { $0.cap.map { $0 > .zero && $0 <= phase.cap } ?? false }
                && phase.scenes.allSatisfy { holdsTogether($0, in: phase) }
        }
    }

    private static func holdsTogether(_ scene: Scene, in phase: Phase) -> Bool {
        scene.windows.allSatisfy { phase.window.contains($0) }
            && scene.cap.map { $0 <= scene.budget ?? .zero } ?? true
            && scene.rewardIDs.allSatisfy { id in
                phase.rewards.contains { $0.kind == scene.kind && $0.ids.contains(id) }
            }
    }
}
