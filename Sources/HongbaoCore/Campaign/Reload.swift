/// Something that keeps new campaign files from taking the place of those in force.
package struct ReloadProblem: Hashable, Sendable {
    /// The key of the campaign that it's about.
    package let campaign: String
    /// The keys from the root of the campaign's file, as in `CampaignProblem`. What has disappeared is named, too.
    package let path: String
    package let message: String
    /// What to do about it.
    package let hint: String?

    package init(campaign: String, path: String, message: String, hint: String? = nil) {
        self.campaign = campaign
        self.path = path
        self.message = message
        self.hint = hint
    }
}

extension CampaignSet {
    /// Why these campaigns can't be replaced by `next` while the platform runs; empty when they can (CF-5, CF-6).
    ///
    /// Campaigns, phases, scenes, apps and reward IDs may come, and all that only concerns what is still to be granted
    /// may change. What order numbers, tokens and the ledger name must stay what it is: otherwise a repeat would get
    /// another answer (M14), and what is booked would mean something else. Whether a budget can be lowered is for the
    /// books to say.
    package func problems(changingTo next: CampaignSet) -> [ReloadProblem] {
        var comparison = Comparison()
        for old in campaigns { comparison.compare(old, next.campaign(old.key)) }
        for new in next.campaigns {
            guard let owner = campaign(BookID(campaign: new.number, phase: .live)), owner.key != new.key else {
                continue
            }
            comparison.campaign = new.key
            comparison.refuse("number", "the number \(new.number) is that of the campaign \(owner.key.shown)")
        }
        return comparison.problems
    }
}

/// Compares what is in force with what is to come, and notes what must not have changed.
private struct Comparison {
    var problems: [ReloadProblem] = []
    var campaign = ""

    private static let gone = "can't be taken away: what it has issued must keep its meaning"

    mutating func refuse(_ path: String, _ message: String, hint: String? = nil) {
        problems.append(ReloadProblem(campaign: campaign, path: path, message: message, hint: hint))
    }

    mutating func compare(_ old: Campaign, _ new: Campaign?) {
        campaign = old.key
        guard let new else {
            let hint = "let its phases end, and keep its file"
            return refuse("", "the campaign \(old.key.shown) \(Self.gone)", hint: hint)
        }
        guard new.number == old.number else {
            return refuse("number", "the campaign's number is \(old.number) and can't become \(new.number)")
        }
        for app in old.apps { compare(app, new.app(app.key)) }
        for phase in old.phases { compare(phase, new.phase(phase.kind)) }
    }

    private mutating func compare(_ old: App, _ new: App?) {
        let path = "apps.\(old.key)"
        guard let new else {
            return refuse(path, "the app \(old.key.shown) \(Self.gone)", hint: "leave it out of the scenes' apps")
        }
        if new.id != old.id {
            refuse("\(path).number", "the app's number is \(old.id.rawValue) and can't become \(new.id.rawValue)")
        }
    }

    private mutating func compare(_ old: Phase, _ new: Phase?) {
        let path = "phases.\(old.kind.name)"
        guard let new else {
            return refuse(path, "the phase \(old.kind.name) \(Self.gone)", hint: "move its end instead")
        }
        for scene in old.scenes { compare(scene, new.scene(scene.key), "\(path).scenes.\(scene.key)") }
        for reward in old.rewards where !reward.kind.carriesAmount {
            for id in reward.ids { compare(id, reward, new.rewardID(id.key), path) }
        }
    }

    /// What a template's number and kind say is in rows and at its downstream.
    private mutating func compare(
        _ old: RewardID,
        _ reward: Reward,
        _ new: (id: RewardID, kind: RewardKind)?,
        _ phase: String
    ) {
        let path = "\(phase).rewards.\(reward.key).ids.\(old.key)"
        guard let new else {
            return refuse(path, "the reward ID \(old.key.shown) \(Self.gone)", hint: "leave it out of the scenes")
        }
        if new.id.number != old.number {
            refuse(path, "the reward ID's number is \(old.number) and can't become \(new.id.number)")
        }
        if new.kind != reward.kind {
            refuse(path, "\(old.key.shown) is \(reward.kind.rawValue) and can't become \(new.kind.rawValue)")
        }
    }

    private mutating func compare(_ old: Scene, _ new: Scene?, _ path: String) {
        guard let new else {
            return refuse(path, "the scene \(old.key.shown) \(Self.gone)", hint: "end it by its windows")
        }
        if new.id != old.id {
            refuse("\(path).number", "the scene's number is \(old.id.number) and can't become \(new.id.number)")
        }
        if new.kind != old.kind {
            refuse("\(path).gives", "the scene gives \(old.kind.rawValue) and can't give \(new.kind.rawValue)")
            return
        }
        guard old.kind.carriesAmount else { return compareBlessing(old, new, path) }
        // Whoever names no reward ID is given the first.
        if let first = old.rewardIDs.first, new.rewardIDs.first != first {
            refuse("\(path).gives", "the scene's first reward ID is \(first.key.shown) and must stay so")
        }
        for id in old.rewardIDs.dropFirst() where !new.rewardIDs.contains(id) {
            refuse("\(path).gives", "the scene gives \(id.key.shown), number \(id.number), and must go on doing so")
        }
    }

    /// The blessing is in answers that a repeat gets again.
    private mutating func compareBlessing(_ old: Scene, _ new: Scene, _ path: String) {
        guard let blessing = old.fallback.blessing, new.fallback.blessing != blessing else { return }
        refuse("\(path).fallback.blessing", "the blessing is in answers already given and must stay as it is")
    }
}
