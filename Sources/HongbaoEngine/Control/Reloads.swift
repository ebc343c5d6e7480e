package import HongbaoCore
import Synchronization

/// What became of campaigns that were to take the place of those in force.
package enum ReloadOutcome: Hashable, Sendable {
    /// They are in force. Both versions are those of `CampaignSet.version`.
    case applied(from: String, to: String)
    /// They don't fit what was issued. Nothing was changed.
    case refused([ReloadProblem])
    /// The others stay in force. Budgets may be those of the new ones already; asking again is safe.
    case unavailable(StoreError)
    /// Another reload is under way.
    case busy
}

/// Puts other campaigns in force while the platform runs (CF-6).
package final class Reloads: Sendable {
    private let campaigns: Campaigns
    private let budgets: Budgets
    private let granting: Granting
    private let isBusy = Mutex(false)

    init(campaigns: Campaigns, budgets: Budgets, granting: Granting) {
        self.campaigns = campaigns
        self.budgets = budgets
        self.granting = granting
    }

    /// Asks first whether they fit, then funds their budgets, and only then swaps the snapshot: whoever decides by the
    /// new campaigns finds their money there (M6).
    ///
    /// Returns when they are in force, or the reason why not. Waits for the log: `Granting.run` must be running, or
    /// about to.
    package func reload(_ next: CampaignSet) async -> ReloadOutcome {
        let isFirst = isBusy.withLock { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
        guard isFirst else { return .busy }
        defer { isBusy.withLock { $0 = false } }
        let old = campaigns.current
        let problems = old.problems(changingTo: next)
        guard problems.isEmpty || Mutant.isOn(.takesUnfitCampaigns) else { return .refused(problems) }
        if Mutant.isOn(.swapsBeforeFunding) { _ = await granting.change(to: next) }
        do throws(StoreError) {
            let refused = try await budgets.fund(next)
            guard refused.isEmpty else { return .refused(Self.problems(of: refused, in: next)) }
        } catch {
            return .unavailable(error)
        }
        guard await granting.change(to: next) else {
            return .unavailable(StoreError(.unavailable, "the process is coming to its end"))
        }
        return .applied(from: old.version, to: next.version)
    }

    private static func problems(of refused: [SceneID: FundingRefusal], in campaigns: CampaignSet) -> [ReloadProblem] {
        refused.sorted { $0.key < $1.key }.compactMap { id, why in
            guard let campaign = campaigns.campaign(id.book), let phase = campaign.phase(id.book),
                let scene = phase.scene(id), let budget = scene.budget
            else { return nil }
            let path = "phases.\(phase.kind.name).scenes.\(scene.key)"
            return switch why {
            case .allotted(let allotted):
                ReloadProblem(
                    campaign: campaign.key,
                    path: "\(path).budget",
                    message: "the budget can't be \(budget.fen) fen: \(allotted.fen) fen are issued or leased",
                    hint: "leases are given back when the server stops"
                )
            case .gives(let kind):
                ReloadProblem(
                    campaign: campaign.key,
                    path: "\(path).gives",
                    message: "the scene has given \(kind), and must go on doing so",
                    hint: "make another scene, with a number of its own"
                )
            }
        }
    }
}
