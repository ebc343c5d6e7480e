package import HongbaoCore

/// What budgets and inventories look like, and bringing them to what the campaign files say (BU-1, BU-3, BU-6).
package struct Budgets: Sendable {
    private let store: any Store
    private let campaigns: Campaigns
    private let kinds: PoolKinds
    private let clock: WallClock

    package init(store: any Store, campaigns: Campaigns, kinds: PoolKinds, clock: WallClock) {
        self.store = store
        self.campaigns = campaigns
        self.kinds = kinds
        self.clock = clock
    }

    /// The budget of a scene in the phase that is shown now; `nil` when there is no such scene or it has no budget.
    package func view(campaign: String, scene: String) async throws(StoreError) -> BudgetView? {
        guard let id = campaigns.current.campaign(campaign)?.phaseShown(at: clock.now())?.scene(scene)?.id else {
            return nil
        }
        return try await view(of: PoolID(id))
    }

    /// The inventory of a template in the phase that is shown now (BU-3); `nil` when there is no such coupon or
    /// pendant.
    package func inventory(campaign: String, reward key: String) async throws(StoreError) -> BudgetView? {
        guard let phase = campaigns.current.campaign(campaign)?.phaseShown(at: clock.now()),
            let number = phase.rewardID(key)?.id.number
        else { return nil }
        return try await view(of: PoolID(TemplateID(book: phase.book, number: number)))
    }

    private func view(of pool: PoolID) async throws(StoreError) -> BudgetView? {
        try await store.read { (snapshot) throws(StoreError) in
            try snapshot.budgets().first { $0.0.pool == pool }
        }.map { BudgetView($0.0, leases: $0.1, at: clock.now()) }
    }

    /// Moves money between the treasury and the scenes until every budget is what its file says; all in one
    /// transaction, or nothing. Repeating it is harmless.
    ///
    /// - Returns: the pools that can't be what their file says, and why; then nothing is changed.
    package func fund(_ campaigns: CampaignSet) async throws(StoreError) -> [PoolID: FundingRefusal] {
        let fundings = campaigns.fundings
        let refused = try await fund(fundings)
        if refused.isEmpty { _ = try await kinds.kinds(of: Set(fundings.map(\.pool))) }
        return refused
    }

    /// The same at a start, where pools that can't be funded keep what they have, and the others get theirs.
    package func fundAsFarAsPossible() async throws(StoreError) -> [PoolID: FundingRefusal] {
        var kept: [PoolID: FundingRefusal] = [:]
        while true {
            let refused = try await fund(campaigns.current.fundings.filter { kept[$0.pool] == nil })
            if refused.isEmpty {
                try await kinds.learn()
                return kept
            }
            kept.merge(refused) { _, new in new }
        }
    }

    /// How often others may come in between.
    private static let attemptsMax = 10

    private func fund(_ fundings: [Funding]) async throws(StoreError) -> [PoolID: FundingRefusal] {
        for _ in 0..<Self.attemptsMax {
            let fundings = try await revised(fundings)
            let now = clock.now()
            switch try await store.transact(Footprint(funding: fundings), { $0.fund(fundings, now: now) }) {
            case .funded: return [:]
            case .refused(let pools): return pools
            case .outdated: continue
            }
        }
        throw StoreError(.unavailable, "another process changes the budgets, too")
    }

    /// The same, with how often each budget was changed before.
    private func revised(_ fundings: [Funding]) async throws(StoreError) -> [Funding] {
        let books = Set(fundings.compactMap(\.pool.scene?.book))
        let revisions = try await store.read { (snapshot) throws(StoreError) in
            var revisions: [PoolID: Int] = [:]
            for book in books {
                for transfer in try snapshot.transfers(of: PersonID(0), in: book) {
                    let scene = SceneID(book: book, number: UInt16(truncatingIfNeeded: transfer.id.low >> 16))
                    revisions[PoolID(scene), default: 0] += 1
                }
            }
            return revisions
        }
        return fundings.map { $0.with(revision: UInt16(clamping: revisions[$0.pool] ?? 0)) }
    }
}
