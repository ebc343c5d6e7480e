/// A request that makes sense: its names resolved, its order number made.
package struct GrantDraft: Hashable, Sendable {
    package let order: OrderNumber
    package let amount: Amount
    package let app: AppID
    package let openedAt: Timestamp
    /// The number of the reward ID, or 0 for the first of its scene, which is nearly always meant.
    package let reward: UInt16
    package let rewardID: String
    package let posting: PostingMode
    /// Why this can't be granted if it wasn't before. A replay is answered all the same (GR-3: "spread over days").
    package let refusalIfNew: GrantRefusal?
    package let cap: Amount
}

/// Resolves requests against the campaigns: names to numbers, time to phase (CF-3), order number made and checked
/// (GR-2).
///
/// It remembers the last campaign, scene and app, since a batch nearly always names the same.
package struct GrantRules: Sendable {
    /// How far a caller's clock may run ahead of ours.
    package static let openedAtLeadSeconds: Int64 = 300

    private let campaigns: CampaignSet
    private let now: Timestamp
    private var context: Context?
    private var lastApp: (campaign: String, key: String, id: AppID)?

    private struct Context: Sendable {
        let campaign: Campaign
        let phase: Phase
        let isPhaseOpen: Bool
        let sceneKey: String
        let scene: Scene
        let isSceneOpen: Bool
    }

    package enum Resolution: Hashable, Sendable {
        case draft(GrantDraft)
        case refused(GrantRefusal)
    }

    package init(campaigns: CampaignSet, now: Timestamp) {
        self.campaigns = campaigns
        self.now = now
    }

    package mutating func resolve(_ request: GrantRequest) -> Resolution {
        if let refusal = enter(request) { return .refused(refusal) }
        guard let context else { preconditionFailure("entered without a context") }
        let scene = context.scene
        guard let app = app(request.app, in: context.campaign) else { return .refused(.appUnknown) }
        guard let reward = reward(request.rewardID, in: scene) else { return .refused(.rewardUnknown) }
        guard request.person.rawValue > 0,
            scene.orders.takes(rain: request.rain, awardType: request.awardType, stage: request.stage)
        else { return .refused(.orderPartInvalid) }
        let order = OrderNumber(
            person: request.person,
            scene: scene.id,
            rain: request.rain,
            awardType: request.awardType,
            stage: request.stage
        )
        if let expected = request.order, expected != order { return .refused(.personMismatch) }
        guard let amount = amount(request.amount, in: scene) else { return .refused(.amountInvalid) }
        let openedAt = request.openedAt ?? now
        guard openedAt.milliseconds >= 0, openedAt <= now.advanced(bySeconds: Self.openedAtLeadSeconds) else {
            return .refused(.openedAtInvalid)
        }
        return .draft(
            GrantDraft(
                order: order,
                amount: amount,
                app: app,
                openedAt: openedAt,
                reward: reward.number,
                rewardID: reward.key,
                posting: scene.posting,
                refusalIfNew: refusalIfNew(request.person, app, context),
                cap: scene.cap ?? .zero
            )
        )
    }

    /// Makes `context` that of the request's campaign and scene.
    private mutating func enter(_ request: GrantRequest) -> GrantRefusal? {
        if let context, context.campaign.key == request.campaign, context.sceneKey == request.scene { return nil }
        guard let campaign = campaigns.campaign(request.campaign) else { return .campaignUnknown }
        // A replay after the end is still answered, so the phase that is over counts until the next begins.
        guard let phase = campaign.phaseShown(at: now) else { return .notInPhase }
        guard let scene = phase.scene(request.scene) else { return .sceneUnknown }
        context = Context(
            campaign: campaign,
            phase: phase,
            isPhaseOpen: campaign.phase(at: now)?.book == phase.book,
            sceneKey: request.scene,
            scene: scene,
            isSceneOpen: scene.isOpen(at: now)
        )
        return nil
    }

    private mutating func app(_ key: String, in campaign: Campaign) -> AppID? {
        if let lastApp, lastApp.key == key, lastApp.campaign == campaign.key { return lastApp.id }
        guard let app = campaign.app(key) else { return nil }
        lastApp = (campaign.key, key, app.id)
        return app.id
    }

    private func reward(_ key: String?, in scene: Scene) -> (number: UInt16, key: String)? {
        let first = scene.rewardIDs[0]
        guard let key, key != first.key else { return (0, first.key) }
        return scene.rewardIDs.first { $0.key == key }.map { ($0.number, $0.key) }
    }

    private func amount(_ fen: Int64?, in scene: Scene) -> Amount? {
        guard scene.kind.carriesAmount else { return fen == nil ? .zero : nil }
        guard let fen, fen > 0, fen < OrderTable.amountMax else { return nil }
        return Amount(fen: fen)
    }

    private func refusalIfNew(_ person: PersonID, _ app: AppID, _ context: Context) -> GrantRefusal? {
        guard context.isPhaseOpen, context.isSceneOpen, context.scene.isPlayed(in: app),
            context.phase.verdict(on: person).isAdmitted
        else { return .notInPhase }
        return context.scene.kind == .cash ? nil : .switchedOff
    }
}
