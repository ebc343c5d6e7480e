/// Resolves requests against the campaigns: names to numbers, time to phase (CF-3), order number made and checked
/// (GR-2).
///
/// It remembers the last campaign, scene and app, since a batch nearly always names the same.
package struct GrantRules: Sendable {
    /// How far a caller's clock may run ahead of ours.
    package static let openedAtLeadSeconds: Int64 = 300

    private let campaigns: CampaignSet
    private let now: Timestamp
    private let draws: Draws
    private var context: Context?
    private var lastApp: (campaign: String, key: String, id: AppID)?

    /// A class, so that a request costs one reference count and not one for each array of the tree.
    private final class Context: Sendable {
        let campaign: Campaign
        let phase: Phase
        let scene: Scene
        let isPhaseOpen: Bool
        let isSceneOpen: Bool
        let firstReward: RewardID
        /// Of each of the scene's reward IDs, what is tried when it's meant.
        let rungs: [[UInt16]]

        init(_ campaign: Campaign, _ phase: Phase, _ scene: Scene, now: Timestamp) {
            self.campaign = campaign
            self.phase = phase
            self.scene = scene
            isPhaseOpen = campaign.phase(at: now)?.book == phase.book
            isSceneOpen = scene.isOpen(at: now)
            firstReward = scene.rewardIDs[0]
            rungs = scene.kind.carriesAmount ? [] : scene.rewardIDs.map { scene.rungs(for: $0.number) }
        }
    }

    package enum Resolution: Hashable, Sendable {
        case draft(GrantDraft)
        case refused(GrantRefusal)
    }

    package init(campaigns: CampaignSet, draws: Draws, now: Timestamp) {
        self.campaigns = campaigns
        self.draws = draws
        self.now = now
    }

    /// - Parameter recipient: who it is that has the name in the request, if that's another one (ID-3).
    package mutating func resolve(_ request: GrantRequest, for recipient: PersonID? = nil) -> Resolution {
        let recipient = recipient ?? request.person
        if let refusal = enter(request) { return .refused(refusal) }
        guard let context else { preconditionFailure("entered without a context") }
        guard let app = app(request.app, in: context) else { return .refused(.appUnknown) }
        guard let reward = reward(request.rewardID, in: context) else { return .refused(.rewardUnknown) }
        guard request.person.rawValue > 0 else { return .refused(.orderPartInvalid) }
        // A round may be taken away by a reload after the first answer, which a repeat gets all the same.
        let isTaken = context.scene.orders.takes(
            rain: request.rain,
            awardType: request.awardType,
            stage: request.stage
        )
        let order = OrderNumber(
            person: request.person,
            scene: context.scene.id,
            rain: request.rain,
            awardType: request.awardType,
            stage: request.stage
        )
        if let expected = request.order, expected != order, !Mutant.isOn(.ignoresExpectedOrder) {
            return .refused(isTaken ? .personMismatch : .orderPartInvalid)
        }
        guard let amount = amount(request.amount, context.scene.kind) else {
            return .refused(isTaken ? .amountInvalid : .orderPartInvalid)
        }
        let openedAt = request.openedAt ?? now
        guard openedAt.milliseconds >= 0 else { return .refused(isTaken ? .openedAtInvalid : .orderPartInvalid) }
        // A clock may be set back after the first answer, which a repeat gets all the same.
        let isAhead = openedAt > now.advanced(bySeconds: Self.openedAtLeadSeconds)
        let refusal = isAhead ? .openedAtInvalid : refusalIfNew(recipient, app, context)
        // Drawn for the number that it's given under, when it's new.
        let (gift, rewardID) = gift(reward, order.given(to: recipient), context)
        return .draft(
            GrantDraft(
                order: order,
                amount: amount,
                app: app,
                openedAt: openedAt,
                gift: gift,
                rewardID: rewardID,
                posting: context.scene.posting,
                refusalIfNew: isTaken ? refusal : .orderPartInvalid,
                cap: context.scene.cap ?? .zero,
                recipient: recipient
            )
        )
    }

    /// Makes `context` that of the request's campaign and scene.
    private mutating func enter(_ request: GrantRequest) -> GrantRefusal? {
        if let context, context.scene.key == request.scene, context.campaign.key == request.campaign { return nil }
        guard let campaign = campaigns.campaign(request.campaign) else { return .campaignUnknown }
        // A replay after the end is still answered, so the phase that is over counts until the next begins.
        guard let shown = campaign.phaseShown(at: now) else { return .notInPhase }
        let phase = Mutant.isOn(.grantsInFirstPhase) ? campaign.phases[0] : shown
        guard let scene = phase.scene(request.scene) else { return .sceneUnknown }
        context = Context(campaign, phase, scene, now: now)
        return nil
    }

    private mutating func app(_ key: String, in context: Context) -> AppID? {
        if let lastApp, lastApp.key == key, lastApp.campaign == context.campaign.key { return lastApp.id }
        guard let app = context.campaign.app(key) else { return nil }
        lastApp = (context.campaign.key, key, app.id)
        return app.id
    }

    /// The place of the reward ID that the caller names; 0 when it names none.
    private func reward(_ key: String?, in context: Context) -> (place: Int, isNamed: Bool)? {
        guard let key else { return (0, false) }
        if key == context.firstReward.key { return (0, true) }
        return context.scene.rewardIDs.firstIndex { $0.key == key }.map { ($0, true) }
    }

    private func gift(
        _ reward: (place: Int, isNamed: Bool),
        _ order: OrderNumber,
        _ context: Context
    ) -> (GrantDraft.Gift, rewardID: String?) {
        let scene = context.scene
        let id = scene.rewardIDs[reward.place]
        if scene.kind.carriesAmount { return (.money(reward: reward.place == 0 ? 0 : id.number), id.key) }
        let isBlessed = scene.fallback.blessing != nil
        if reward.isNamed || scene.draw.isEmpty {
            return (.pieces(rungs: context.rungs[reward.place], isNamed: reward.isNamed, isBlessed: isBlessed), id.key)
        }
        guard let drawn = draws.drawn(by: order, of: scene.draw) else {
            return (.pieces(rungs: [], isNamed: false, isBlessed: isBlessed), nil)
        }
        let place = scene.rewardIDs.firstIndex(of: drawn) ?? 0
        return (.pieces(rungs: context.rungs[place], isNamed: false, isBlessed: isBlessed), drawn.key)
    }

    private func amount(_ fen: Int64?, _ kind: RewardKind) -> Amount? {
        guard kind.carriesAmount else { return fen == nil ? .zero : nil }
        guard let fen, fen > 0, fen < OrderTable.amountMax else { return nil }
        return Amount(fen: fen)
    }

    private func refusalIfNew(_ person: PersonID, _ app: AppID, _ context: Context) -> GrantRefusal? {
        guard context.isPhaseOpen || Mutant.isOn(.grantsAfterTheEnd),
            context.isSceneOpen, context.scene.isPlayed(in: app),
            context.phase.verdict(on: person).isAdmitted
        else { return .notInPhase }
        return nil
    }
}
