package import HongbaoCore

/// What the budgets look like, and bringing them to what the campaign files say (BU-1, BU-6).
package struct Budgets: Sendable {
    private let store: any Store
    private let campaigns: Campaigns
    private let money: SceneMoney
    private let clock: WallClock

    package init(store: any Store, campaigns: Campaigns, money: SceneMoney, clock: WallClock) {
        self.store = store
        self.campaigns = campaigns
        self.money = money
        self.clock = clock
    }

    /// The budget of a scene in the phase that is shown now; `nil` when there is no such scene or it has no budget.
    package func view(campaign: String, scene: String) async throws(StoreError) -> BudgetView? {
        guard let id = campaigns.current.campaign(campaign)?.phaseShown(at: clock.now())?.scene(scene)?.id else {
            return nil
        }
        return try await store.read { (snapshot) throws(StoreError) in
            try snapshot.budgets().first { $0.0.scene == id }.map { BudgetView($0.0, leases: $0.1) }
        }
    }

    /// Moves money between the treasury and the scenes until every budget is what its file says; all in one
    /// transaction, or nothing. Repeating it is harmless.
    ///
    /// - Returns: the scenes whose budget can't be what their file says, and why; then nothing is changed.
    package func fund(_ campaigns: CampaignSet) async throws(StoreError) -> [SceneID: FundingRefusal] {
        let scenes = campaigns.fundedScenes
        let refused = try await fund(scenes)
        if refused.isEmpty { _ = try await money.kinds(of: Set(scenes.map(\.id))) }
        return refused
    }

    /// The same at a start, where scenes that can't be funded keep the budget they have, and the others get theirs.
    package func fundAsFarAsPossible() async throws(StoreError) -> [SceneID: FundingRefusal] {
        var kept: [SceneID: FundingRefusal] = [:]
        while true {
            let refused = try await fund(campaigns.current.fundedScenes.filter { kept[$0.id] == nil })
            if refused.isEmpty {
                try await money.learn()
                return kept
            }
            kept.merge(refused) { _, new in new }
        }
    }

    /// How often others may come in between.
    private static let attemptsMax = 10

    private func fund(_ scenes: [Scene]) async throws(StoreError) -> [SceneID: FundingRefusal] {
        for _ in 0..<Self.attemptsMax {
            let fundings = try await fundings(of: scenes)
            let now = clock.now()
            switch try await store.transact(Footprint(funding: fundings), { $0.fund(fundings, now: now) }) {
            case .funded: return [:]
            case .refused(let scenes): return scenes
            case .outdated: continue
            }
        }
        throw StoreError(.unavailable, "another process changes the budgets, too")
    }

    /// What the files say, with how often each budget was changed before.
    private func fundings(of scenes: [Scene]) async throws(StoreError) -> [Funding] {
        let revisions = try await store.read { (snapshot) throws(StoreError) in
            var revisions: [SceneID: Int] = [:]
            for book in Set(scenes.map(\.id.book)) {
                for transfer in try snapshot.transfers(of: PersonID(0), in: book) {
                    let scene = SceneID(book: book, number: UInt16(truncatingIfNeeded: transfer.id.low >> 16))
                    revisions[scene, default: 0] += 1
                }
            }
            return revisions
        }
        return scenes.compactMap { scene in
            guard let kind = scene.kind.money, let total = scene.budget else { return nil }
            let revision = UInt16(clamping: revisions[scene.id] ?? 0)
            return Funding(scene: scene.id, kind: kind, total: total, revision: revision)
        }
    }
}
