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

    private static func problems(of refused: [PoolID: FundingRefusal], in campaigns: CampaignSet) -> [ReloadProblem] {
        refused.sorted { $0.key < $1.key }.compactMap { pool, why in
            guard let campaign = campaigns.campaign(pool.book), let phase = campaign.phase(pool.book),
                let funding = campaigns.fundings.first(where: { $0.pool == pool })
            else { return nil }
            let path = "phases.\(phase.kind.name).\(phase.path(of: pool))"
            let isMoney = pool.scene != nil
            return switch why {
            case .allotted(let allotted):
                ReloadProblem(
                    campaign: campaign.key,
                    path: "\(path).\(isMoney ? "budget" : "inventory")",
                    message: isMoney
                        ? "the budget can't be \(funding.total.fen) fen: \(allotted.fen) fen are issued or leased"
                        : "there can't be \(funding.total.fen): \(allotted.fen) are issued or leased",
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

extension Phase {
    fileprivate func path(of pool: PoolID) -> String {
        if let scene = pool.scene { return "scenes.\(self.scene(scene)?.key ?? "\(scene.number)")" }
        let number = pool.template?.number ?? 0
        let reward = rewards.first { $0.ids.contains { $0.number == number } }
        return "rewards.\(reward?.key ?? "").ids.\(rewardID(number)?.id.key ?? "\(number)")"
    }
}
