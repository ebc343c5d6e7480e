package import HongbaoCore

/// What budgets and inventories look like, and bringing them to what the campaign files say (BU-1, BU-3, BU-6).
package struct Budgets: Sendable {
    private let shards: Shards
    /// Where this engine's leases are drawn on.
    private let store: any Store
    private let isHome: Bool
    private let campaigns: Campaigns
    private let kinds: PoolKinds
    private let clock: WallClock

    /// - Parameter mint: the engine's, whose leases are beside its log.
    package init(
        _ shards: Shards,
        mint: MintID = .first,
        campaigns: Campaigns,
        kinds: PoolKinds,
        clock: WallClock
    ) {
        self.shards = shards
        store = shards.store(of: mint)
        isHome = shards.isHome(mint)
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
        let find: @Sendable (any StoreSnapshot) throws(StoreError) -> (Budget, [Lease])? = {
            (snapshot) throws(StoreError) in try snapshot.budgets().first { $0.0.pool == pool }
        }
        guard let (budget, all) = try await shards.home.read(find) else { return nil }
        var leases = all.filter { shards.isHome($0.id.mint) }
        for index in shards.stores.indices.dropFirst() {
            // How much of it is issued is known beside the log.
            let own = try await shards.stores[index].read(find)?.1 ?? []
            leases += all.filter { shards.index(of: $0.id.mint) == index }.map { lease in
                lease.having(issued: own.first { $0.id == lease.id }?.issued ?? .zero)
            }
        }
        return BudgetView(budget, leases: leases, at: clock.now())
    }

    /// Moves money between the treasury and the scenes until every budget is what its file says; all in one
    /// transaction, or nothing. Repeating it is harmless.
    ///
    /// - Returns: the pools that can't be what their file says, and why; then nothing is changed.
    package func fund(_ campaigns: CampaignSet) async throws(StoreError) -> [PoolID: FundingRefusal] {
        let fundings = campaigns.fundings
        let refused = try await fund(fundings)
        if refused.isEmpty { try await match() }
        if refused.isEmpty { _ = try await kinds.kinds(of: Set(fundings.map(\.pool))) }
        return refused
    }

    /// The same at a start, where pools that can't be funded keep what they have, and the others get theirs.
    package func fundAsFarAsPossible() async throws(StoreError) -> [PoolID: FundingRefusal] {
        var kept: [PoolID: FundingRefusal] = [:]
        while true {
            let refused = try await fund(campaigns.current.fundings.filter { kept[$0.pool] == nil })
            if refused.isEmpty {
                try await match()
                try await kinds.learn()
                return kept
            }
            kept.merge(refused) { _, new in new }
        }
    }

    /// How often others may come in between.
    private static let attemptsMax = 10

    private func fund(_ fundings: [Funding]) async throws(StoreError) -> [PoolID: FundingRefusal] {
        try await fund(fundings, in: shards.home)
    }

    /// Brings the budgets beside the engine's log to what they are at home: what is given of them is drawn on leases
    /// that home has allotted, so the whole may be in each database.
    private func match() async throws(StoreError) {
        guard !isHome else { return }
        let budgets = try await shards.home.read { (snapshot) throws(StoreError) in try snapshot.budgets().map(\.0) }
        let fundings = budgets.map { Funding(pool: $0.pool, kind: $0.kind, total: $0.total) }
        let refused = try await fund(fundings, in: store)
        guard refused.isEmpty else {
            throw StoreError(.corrupt, "a database has leased more of \(refused.count) budgets than the home has")
        }
    }

    private func fund(
        _ fundings: [Funding],
        in store: any Store
    ) async throws(StoreError) -> [PoolID: FundingRefusal] {
        for _ in 0..<Self.attemptsMax {
            let fundings = try await revised(fundings, in: store)
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
    private func revised(_ fundings: [Funding], in store: any Store) async throws(StoreError) -> [Funding] {
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
