import HongbaoCore
import HongbaoEngine

extension Hongbao {
    /// What a person has in a campaign, in the phase that is shown now: one reading of the wallet.
    ///
    /// What was granted is in it at once, posted or not.
    ///
    /// - Throws: ``HongbaoError/Code/campaignUnknown``; ``HongbaoError/Code/notInPhase`` before any phase has begun;
    ///   ``HongbaoError/Code/unavailable`` when the ledger doesn't answer in time: no sum is better than a wrong one.
    public func summary(of person: Person, in campaign: String) async throws(HongbaoError) -> PersonSummary {
        try requireOpen()
        switch await engine.wallets.read(person: person.id, campaign: campaign) {
        case .campaignUnknown: throw HongbaoError(.campaignUnknown, "there is no such campaign")
        case .notInPhase: throw HongbaoError(.notInPhase, "no phase of the campaign has begun")
        case .wallet(let reading):
            guard !reading.missing.contains(.ledger), !reading.missing.contains(.tokens) else {
                throw HongbaoError(.unavailable, "a part of the wallet can't be read now")
            }
            return PersonSummary(
                balance: Money(fen: reading.view.balance),
                income: Money(reading.view.income),
                hasReceived: reading.view.income > .zero
            )
        }
    }

    /// What a person can withdraw. ``summary(of:in:)`` says more in one reading, and what is thrown.
    public func balance(of person: Person, in campaign: String) async throws(HongbaoError) -> Money {
        try await summary(of: person, in: campaign).balance
    }

    /// All cash that came in for a person. ``summary(of:in:)`` says more in one reading, and what is thrown.
    public func income(of person: Person, in campaign: String) async throws(HongbaoError) -> Money {
        try await summary(of: person, in: campaign).income
    }

    /// Whether any cash came in for a person. ``summary(of:in:)`` says more in one reading, and what is thrown.
    public func hasReceived(_ person: Person, in campaign: String) async throws(HongbaoError) -> Bool {
        try await summary(of: person, in: campaign).hasReceived
    }

    /// What is left of a scene's budget in the phase that is shown now.
    ///
    /// - Throws: ``HongbaoError/Code/campaignUnknown``; ``HongbaoError/Code/notInPhase`` before any phase has begun;
    ///   ``HongbaoError/Code/sceneUnknown``; ``HongbaoError/Code/notFound`` when the scene gives no money.
    public func budget(of scene: String, in campaign: String) async throws(HongbaoError) -> SceneBudget {
        try requireOpen()
        guard try phase(of: campaign).scene(scene) != nil else {
            throw HongbaoError(.sceneUnknown, "there is no such scene in the present phase")
        }
        let view = try await HongbaoError.of { () throws(StoreError) in
            try await engine.budgets.view(campaign: campaign, scene: scene)
        }
        guard let view else { throw HongbaoError(.notFound, "the scene has no budget") }
        return SceneBudget(view)
    }

    /// What is left of a coupon or pendant, by the key of its reward ID, in the phase that is shown now.
    ///
    /// - Throws: ``HongbaoError/Code/campaignUnknown``; ``HongbaoError/Code/notInPhase`` before any phase has begun;
    ///   ``HongbaoError/Code/rewardUnknown`` when the phase gives no such coupon or pendant.
    public func inventory(of reward: String, in campaign: String) async throws(HongbaoError) -> RewardInventory {
        try requireOpen()
        _ = try phase(of: campaign)
        let view = try await HongbaoError.of { () throws(StoreError) in
            try await engine.budgets.inventory(campaign: campaign, reward: reward)
        }
        guard let view else { throw HongbaoError(.rewardUnknown, "the phase gives no such coupon or pendant") }
        return RewardInventory(view)
    }

    /// What a campaign has given so far, as of the last interval. Answers from memory and waits for nobody.
    ///
    /// - Throws: ``HongbaoError/Code/campaignUnknown``; ``HongbaoError/Code/notInPhase`` before any phase has begun.
    public func grandTotal(of campaign: String) throws(HongbaoError) -> GrandTotal {
        try requireOpen()
        switch engine.totals.read(campaign: campaign) {
        case .campaignUnknown: throw HongbaoError(.campaignUnknown, "there is no such campaign")
        case .notInPhase: throw HongbaoError(.notInPhase, "no phase of the campaign has begun")
        case .unavailable: throw HongbaoError(.unavailable, "the total isn't known yet")
        case .total(_, let reading):
            return GrandTotal(
                amount: Money(reading.tally.amount),
                count: reading.tally.count,
                atMilliseconds: reading.at.milliseconds
            )
        }
    }

    /// The phase that is shown now.
    func phase(of campaign: String) throws(HongbaoError) -> Phase {
        guard let found = engine.campaigns.current.campaign(campaign) else {
            throw HongbaoError(.campaignUnknown, "there is no such campaign")
        }
        guard let phase = found.phaseShown(at: engine.clock.now()) else {
            throw HongbaoError(.notInPhase, "no phase of the campaign has begun")
        }
        return phase
    }
}
