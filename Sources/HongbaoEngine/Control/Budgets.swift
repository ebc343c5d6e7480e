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

    /// Moves money between the treasury and the scenes until every budget is what its file says.
    ///
    /// - Returns: the scenes whose file says less than what is already allotted; they keep the budget they have.
    package func fund() async throws(StoreError) -> [SceneID] {
        var refused: [SceneID] = []
        let now = clock.now()
        for scene in campaigns.current.cashScenes {
            guard let total = scene.budget else { continue }
            let id = scene.id
            let revision = try await store.read { (snapshot) throws(StoreError) in
                try snapshot.transfers(of: PersonID(0), in: id.book)
                    .count { UInt16(truncatingIfNeeded: $0.id.low >> 16) == id.number }
            }
            var footprint = Footprint()
            footprint.budgets = [id]
            footprint.accounts = [.treasury(of: id.book), .budget(of: id)]
            let outcome = try await store.transact(footprint) { books in
                books.fund(id, total: total, revision: UInt16(clamping: revision), now: now)
            }
            switch outcome {
            case .funded, .unchanged: break
            case .belowAllotted, .overflow: refused.append(id)
            }
        }
        return refused
    }
}
