package import HongbaoCore

/// What the budgets look like, and bringing them to what the campaign files say (BU-1, BU-6).
package struct Budgets: Sendable {
    private let store: any Store
    private let campaigns: Campaigns
    private let clock: WallClock

    package init(store: any Store, campaigns: Campaigns, clock: WallClock) {
        self.store = store
        self.campaigns = campaigns
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
    /// - Returns: the scenes whose file says less than what is issued or leased, with that; then nothing is changed.
    package func fund(_ campaigns: CampaignSet) async throws(StoreError) -> [SceneID: Amount] {
        try await fund(campaigns.cashScenes)
    }

    /// The same at a start, where scenes that can't be funded keep the budget they have, and the others get theirs.
    package func fundAsFarAsPossible() async throws(StoreError) -> [SceneID: Amount] {
        var kept: [SceneID: Amount] = [:]
        while true {
            let refused = try await fund(campaigns.current.cashScenes.filter { kept[$0.id] == nil })
            if refused.isEmpty { return kept }
            kept.merge(refused) { _, new in new }
        }
    }

    /// How often others may come in between.
    private static let attemptsMax = 10

    private func fund(_ scenes: [Scene]) async throws(StoreError) -> [SceneID: Amount] {
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
            scene.budget.map {
                Funding(scene: scene.id, total: $0, revision: UInt16(clamping: revisions[scene.id] ?? 0))
            }
        }
    }
}
