import HongbaoCore
import HongbaoEngine

/// What every simulated installation is: one campaign of two phases, two scenes each, small budgets. In some the second
/// scene gives subsidies.
struct Setup: Sendable {
    static let campaign = "simulated"
    static let number: UInt16 = 9
    static let cap: Int64 = 500
    static let apps = ["douyin", "toutiao"]
    static let scenes = ["rain", "draw"]
    /// The number of the scene that gives subsidies, if any does.
    static let subsidyScene: UInt16 = 2
    /// The scene that gives coupons, if there is one.
    static let couponScene: UInt16 = 3
    static let couponKey = "coupons"
    static let rainMax: UInt16 = 12

    /// What the coupon scene gives: two templates, the second also as a backup.
    struct Coupons: Sendable {
        static let keys = ["tea-a", "tea-b"]
        /// Of each, in their order.
        let pieces: [Int64]
        let reserveBasisPoints: UInt16
        let quota: Quota?
        /// What is given when both are used up, and to those who draw nothing.
        let blessing: String?

        static func number(of key: String) -> UInt16 { key == keys[0] ? 11 : 12 }
        static func key(of number: UInt16) -> String { keys[number == 11 ? 0 : 1] }

        func pieces(of number: UInt16) -> Int64? { number == 11 ? pieces[0] : number == 12 ? pieces[1] : nil }

        /// Rounded up.
        func reserve(of number: UInt16) -> Int64 {
            let product = (pieces(of: number) ?? 0) * Int64(reserveBasisPoints)
            return (product + 9_999) / 10_000
        }

        fileprivate var ids: [RewardID] {
            Self.keys.enumerated().map { place, key in
                RewardID(
                    key: key,
                    number: Self.number(of: key),
                    inventory: Inventory(
                        pieces: Setup.amount(pieces[place]),
                        reserveBasisPoints: reserveBasisPoints,
                        quota: quota
                    )
                )
            }
        }
    }
    /// When the live phase begins, after the start of the world.
    static let switchMilliseconds: Int64 = 2_500
    /// From its begin to the start of the world, and from there to its end.
    static let hoursSinceBegin: Int64 = 24
    static let hoursToEnd: Int64 = 24_000

    /// How long a red packet can be claimed, and how long its sender has to pay for it.
    static let packetLifeSeconds: Int64 = 3
    static let payWithinSeconds: Int64 = 2

    static let totalsInterval = Duration.milliseconds(200)
    /// An interval, a flush that just began before, and the calls of both.
    static let totalsLateness = Duration.milliseconds(1_200)

    /// What persons are to each other, as the app knows it.
    static func relation(of person: PersonID, to sender: PersonID) -> Claimant.Relation {
        var relation: Claimant.Relation = []
        if (person.rawValue + sender.rawValue).isMultiple(of: 2) { relation.insert(.follower) }
        if (person.rawValue + sender.rawValue).isMultiple(of: 3) { relation.insert(.friend) }
        return relation
    }

    /// What the campaign file says at first.
    let first: Terms
    let givesSubsidies: Bool
    /// `nil`: there is no coupon scene.
    let coupons: Coupons?
    /// Whether apps ask the account centre, and people turn out to be one.
    let merges: Bool
    let keyring = Keyring()
    /// Every process verifies the same certificates, which would be half of a simulation's work.
    let signatures = VerifiedSignatures()
    var configuration = Engine.Configuration()

    /// - Parameters:
    ///   - budget: of each scene, in fen.
    ///   - graceSeconds: how long a posted token stays listed.
    ///   - epochSeconds: how long a key epoch lasts.
    ///   - batchMax: grants in a batch.
    ///   - givesSubsidies: whether the second scene does, instead of cash.
    ///   - coupons: what a third scene gives.
    ///   - merges: whether people turn out to be one.
    init(
        budget: Int64,
        graceSeconds: Int64,
        epochSeconds: Int64,
        batchMax: Int,
        givesSubsidies: Bool,
        coupons: Coupons?,
        merges: Bool
    ) {
        self.coupons = coupons
        first = Terms(budget: budget)
        self.givesSubsidies = givesSubsidies
        self.merges = merges
        configuration.merges.intervalMilliseconds = 1_500
        configuration.merges.pageMax = 2
        configuration.granting.limits.backlogMax = 100
        configuration.granting.limits.undurableMax = 10
        configuration.granting.limits.batchSizeMax = batchMax
        configuration.granting.groupBatchesMax = 4
        configuration.granting.recentBatchesMax = 4
        configuration.granting.recoveryPageBatches = 8
        configuration.granting.leaseSeconds = 6
        configuration.granting.epochSeconds = epochSeconds
        configuration.granting.postingFirstMax = 20
        // Its keyring is another one each time.
        configuration.granting.draws = Draws(seed: (UInt64(budget), UInt64(batchMax)))
        configuration.poster.batchesMax = 2
        configuration.poster.quietBatchesMax = 8
        configuration.poster.graceSeconds = graceSeconds
        configuration.totals.interval = Self.totalsInterval
        configuration.totals.flushesPerMending = 3
        configuration.payouts.backoffFirstMilliseconds = 200
        configuration.payouts.backoffLongestMilliseconds = 3_000
        configuration.payouts.sweepIntervalSeconds = 4
        configuration.payouts.batchMax = 4
        configuration.outside.tickInterval = .milliseconds(1_000)
        configuration.outside.payments = configuration.payouts
        configuration.outside.transfers = configuration.payouts
        configuration.outside.refunds = configuration.payouts
        configuration.outside.rewards = configuration.payouts
        configuration.packets.lifeSeconds = Self.packetLifeSeconds
        configuration.packets.payWithinSeconds = Self.payWithinSeconds
        configuration.packets.sweeps.intervalMilliseconds = 2_500
        configuration.packets.sweeps.retryAfterSeconds = 1
        configuration.packets.sweeps.batchMax = 6
        configuration.packets.lanes.waitingMax = 10
        configuration.packets.lanes.batchMax = 4
        configuration.packets.lanes.idleMax = 2
        configuration.packets.relate = { sender, persons in persons.map { Self.relation(of: $0, to: sender) } }
    }

    /// The campaigns of a file that says this.
    func campaigns(_ terms: Terms, flaw: Flaw? = nil) -> CampaignSet {
        let begin = Timestamp(milliseconds: World.start - Self.hoursSinceBegin * 3_600_000)
        let change = Timestamp(milliseconds: World.start + terms.switchMilliseconds)
        let end = Timestamp(milliseconds: World.start + Self.hoursToEnd * 3_600_000)
        guard let before = Window(from: begin, to: change), let live = Window(from: change, to: end),
            let gate = Window(from: begin, to: end)
        else { preconditionFailure("phases that can't be") }
        let number = flaw == .otherNumber ? Self.number + 1 : Self.number
        var phases = [(PhaseKind.rollout, before), (.live, live)]
        if flaw == .phaseGone { phases.removeFirst() }
        let apps = Self.apps.enumerated().map { index, key in
            App(id: AppID(UInt16(index + (flaw == .otherApps ? 2 : 1))), key: key, name: key, family: key)
        }
        let campaign = Campaign(
            key: Self.campaign,
            number: number,
            title: "Simulated",
            apps: apps,
            phases: phases.map { kind, window in
                phase(kind, window, gate, terms, book: BookID(campaign: number, phase: kind), flaw)
            }
        )
        guard case .made(let set) = CampaignSet.make([campaign], version: "\(terms.version)") else {
            preconditionFailure("one campaign doesn't fit itself")
        }
        return set
    }

    private func phase(
        _ kind: PhaseKind,
        _ window: Window,
        _ gate: Window,
        _ terms: Terms,
        book: BookID,
        _ flaw: Flaw?
    ) -> Phase {
        let cash = Reward(key: "cash", kind: .cash, ids: [RewardID(key: "cash", number: 1)])
        let subsidy = Reward(key: "subsidy", kind: .subsidy, ids: [RewardID(key: "subsidy", number: 2)])
        let orders = OrderRule(
            rains: NumberRanges(1...terms.rainMax),
            awardTypes: NumberRanges(1...2),
            stages: NumberRanges(0...1)
        )
        let scenes = Self.scenes.enumerated().map { index, key in
            let id = SceneID(book: book, number: UInt16(index + 1))
            let reward = givesSubsidies && id.number == Self.subsidyScene ? subsidy : cash
            return Scene(
                id: id,
                key: key,
                play: .rain,
                kind: reward.kind,
                rewardIDs: reward.ids,
                billTitle: key,
                orders: orders,
                cap: Self.amount(terms.cap),
                budget: Self.amount(terms.budgets[Terms.place(of: id)]),
                posting: index == 0 || reward.kind == .subsidy ? .async : .sync
            )
        }
        let tea = coupons.map { Reward(key: "tea", kind: .tea, ids: $0.ids) }
        let couponScenes = coupons.map { couponScene($0, in: book, orders) }.map { [$0] } ?? []
        return Phase(
            kind: kind,
            book: book,
            window: window,
            admission: terms.admitted.map { .listed($0) } ?? .everyone,
            budget: Self.amount(scenes.reduce(0) { $0 + ($1.budget?.fen ?? 0) }),
            cap: Self.amount(terms.cap),
            rewards: (givesSubsidies ? [cash, subsidy] : [cash]) + (tea.map { [$0] } ?? []),
            scenes: (flaw == .sceneGone ? Array(scenes.dropLast()) : scenes) + couponScenes,
            withdrawal: WithdrawalGate(window: gate, admission: terms.isWithdrawalOpen ? .everyone : .listed([]))
        )
    }

    private func couponScene(_ coupons: Coupons, in book: BookID, _ orders: OrderRule) -> Scene {
        let ids = coupons.ids
        return Scene(
            id: SceneID(book: book, number: Self.couponScene),
            key: Self.couponKey,
            play: .cardCollection,
            kind: .tea,
            rewardIDs: ids,
            billTitle: Self.couponKey,
            orders: orders,
            fallback: Fallback(backups: [ids[1]], blessing: coupons.blessing),
            draw: [
                DrawShare(id: ids[0], points: coupons.blessing == nil ? 7_000 : 6_000),
                DrawShare(id: ids[1], points: 3_000),
            ],
            isInventoried: true
        )
    }

    fileprivate static func amount(_ fen: Int64) -> Amount {
        guard let amount = Amount(fen: fen) else { preconditionFailure("an amount below zero") }
        return amount
    }
}
