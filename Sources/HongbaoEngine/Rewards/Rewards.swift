package import HongbaoCore

/// A coupon or pendant as its owner sees it (TK-6: whether it's posted doesn't show).
package struct ShownReward: Hashable, Sendable {
    package enum State: String, Hashable, Sendable {
        /// On its way from its downstream.
        case processing
        case ready
        case used
        /// Its downstream won't give it.
        case failed
    }

    package let order: OrderNumber
    package let kind: RewardKind
    package let template: TemplateID
    /// The key of its reward ID.
    package let rewardID: String
    package let at: Timestamp
    package let app: AppID
    package let state: State
    package let usedAt: Timestamp?
}

/// What people do with coupons and pendants (WL-1).
package struct Rewards: Sendable {
    private let shards: Shards
    private let store: any Store
    private let aliases: KnownAliases
    private let campaigns: Campaigns
    private let tokens: TokenLists
    private let poster: Poster
    private let clock: WallClock
    /// Is told of a reward that its owner wants to use before its downstream has given it.
    private let awaited: @Sendable (OrderNumber) -> Void

    package init(
        _ shards: Shards,
        mint: MintID,
        aliases: KnownAliases,
        campaigns: Campaigns,
        tokens: TokenLists,
        poster: Poster,
        clock: WallClock,
        awaited: @escaping @Sendable (OrderNumber) -> Void
    ) {
        self.shards = shards
        store = shards.store(of: mint)
        self.aliases = aliases
        self.campaigns = campaigns
        self.tokens = tokens
        self.poster = poster
        self.clock = clock
        self.awaited = awaited
    }

    /// Uses a coupon or puts a pendant on, once; from whichever app the person is in (ID-1).
    ///
    /// What isn't posted yet is posted first, and then is still to be given by its downstream: `notGivenYet`.
    package func redeem(_ order: OrderNumber) async throws(StoreError) -> RedeemOutcome {
        var footprint = Footprint()
        footprint.rewards = [order]
        let now = clock.now()
        let (outcome, isRepeated) = try await place(of: order).transactOnceMore(footprint) {
            $0.redeem(order, now: now)
        }
        switch outcome {
        // Its first outcome was lost on the way.
        case .alreadyRedeemed(let reward) where isRepeated: return .redeemed(reward)
        case .notFound:
            let open = tokens.unposted(of: order.person, in: order.book).first { $0.order == order && $0.given > 0 }
            guard let open else { return .notFound }
            try await poster.postFirst([open])
            return .notGivenYet
        case .notGivenYet:
            awaited(order)
            return outcome
        case .redeemed, .alreadyRedeemed, .refused: return outcome
        }
    }

    /// The database that has this reward, or will have it.
    private func place(of order: OrderNumber) async throws(StoreError) -> any Store {
        let places = shards.isOne ? [] : shards.indices(of: aliases.all(order.person))
        guard places.count > 1 else { return store }
        let found = try await shards.first(of: places) { (snapshot) throws(StoreError) in
            let rewards = try snapshot.rewards([order])
            return !rewards.isEmpty
        }
        return found.map { shards.stores[$0] } ?? store
    }

    /// Whose coupons are these: as shown to their owner.
    package func shown(_ reward: GivenReward) -> ShownReward { ShownReward(reward, in: campaigns.current) }
}

extension ShownReward {
    init(_ reward: GivenReward, in campaigns: CampaignSet) {
        self.init(
            order: reward.id,
            kind: reward.kind,
            template: reward.template,
            rewardID: campaigns.rewardID(of: reward.template),
            at: reward.at,
            app: reward.app,
            state: State(reward.state),
            usedAt: reward.redeemedAt
        )
    }

    /// Each order once: what is posted, and what is granted and isn't posted yet. The newest first.
    static func merged(
        _ posted: [GivenReward],
        _ open: [OpenGrant],
        _ kinds: [PoolID: RewardKind],
        _ campaigns: CampaignSet
    ) -> [Self] {
        var shown = posted.map { ShownReward($0, in: campaigns) }
        var seen = Set(posted.map(\.id))
        for grant in open where grant.given > 0 {
            guard seen.insert(grant.order).inserted || Mutant.isOn(.listsPostedRewards),
                let reward = ShownReward(grant, kinds: kinds, in: campaigns)
            else { continue }
            shown.append(reward)
        }
        return shown.sorted { ($0.at, $0.order) > ($1.at, $1.order) }
    }

    /// One that is granted and not posted yet.
    init?(_ open: OpenGrant, kinds: [PoolID: RewardKind], in campaigns: CampaignSet) {
        guard let pool = open.pool, let template = pool.template, let kind = kinds[pool] else { return nil }
        self.init(
            order: open.order,
            kind: kind,
            template: template,
            rewardID: campaigns.rewardID(of: template),
            at: open.openedAt,
            app: open.app,
            state: .processing,
            usedAt: nil
        )
    }
}

extension ShownReward.State {
    fileprivate init(_ state: GivenReward.State) {
        self =
            switch state {
            case .promised: .processing
            case .given: .ready
            case .redeemed: .used
            case .refused: .failed
            }
    }
}

extension CampaignSet {
    /// The key of a template's reward ID; its number where no file says it.
    package func rewardID(of template: TemplateID) -> String {
        phase(template.book)?.rewardID(template.number)?.id.key ?? "\(template.number)"
    }
}

extension Draws {
    init(_ keyring: Keyring) { self.init(seed: keyring.drawSeed) }
}
