/// A phase of a campaign (CF-4). It has books, budgets, rewards and scenes of its own and shares nothing.
package struct Phase: Hashable, Sendable {
    package let kind: PhaseKind
    package let book: BookID
    package let window: Window
    package let admission: Admission
    /// All the cash that it may give (BU-1). Zero when none of its scenes gives cash.
    package let budget: Amount
    /// The largest single cash grant in any of its scenes (BU-2). Zero when none of its scenes gives cash.
    package let cap: Amount
    package let rewards: [Reward]
    /// In the order of the file.
    package let scenes: [Scene]
    /// `nil`: nobody can withdraw from this phase.
    package let withdrawal: WithdrawalGate?
    private let indexByKey: [String: Int]
    private let indexByID: [SceneID: Int]

    package init(
        kind: PhaseKind,
        book: BookID,
        window: Window,
        admission: Admission,
        budget: Amount,
        cap: Amount,
        rewards: [Reward],
        scenes: [Scene],
        withdrawal: WithdrawalGate?
    ) {
        precondition(book.phase == kind)
        self.kind = kind
        self.book = book
        self.window = window
        self.admission = admission
        self.budget = budget
        self.cap = cap
        self.rewards = rewards
        self.scenes = scenes
        self.withdrawal = withdrawal
        var indexByKey: [String: Int] = [:]
        var indexByID: [SceneID: Int] = [:]
        for (index, scene) in scenes.enumerated() {
            precondition(scene.id.book == book)  // M13
            precondition(indexByKey.updateValue(index, forKey: scene.key) == nil)
            precondition(indexByID.updateValue(index, forKey: scene.id) == nil)
        }
        self.indexByKey = indexByKey
        self.indexByID = indexByID
    }

    /// The index in `scenes` of the scene with that key, for callers that read single fields without a copy.
    package func sceneIndex(_ key: String) -> Int? { indexByKey[key] }

    package func scene(_ key: String) -> Scene? { indexByKey[key].map { scenes[$0] } }

    package func scene(_ id: SceneID) -> Scene? { indexByID[id].map { scenes[$0] } }

    /// The reward ID with that number.
    package func rewardID(_ number: UInt16) -> (id: RewardID, kind: RewardKind)? {
        for reward in rewards {
            if let id = reward.ids.first(where: { $0.number == number }) { return (id, reward.kind) }
        }
        return nil
    }

    package func rewardID(_ key: String) -> (id: RewardID, kind: RewardKind)? {
        for reward in rewards {
            if let id = reward.ids.first(where: { $0.key == key }) { return (id, reward.kind) }
        }
        return nil
    }

    var fundings: [Funding] {
        let budgets = scenes.compactMap { scene in
            scene.budget.map { Funding(pool: PoolID(scene.id), kind: scene.kind, total: $0, quota: scene.quota) }
        }
        let inventories = rewards.filter { !$0.kind.carriesAmount }.flatMap { reward in
            reward.ids.map { id in
                Funding(
                    pool: PoolID(TemplateID(book: book, number: id.number)),
                    kind: reward.kind,
                    total: id.inventory?.pieces ?? Inventory.unlimited,
                    reserve: id.inventory?.reserve ?? .zero,
                    quota: id.inventory?.quota
                )
            }
        }
        return budgets + inventories
    }

    /// Whether the person may take part. Time isn't asked here.
    package func verdict(on person: PersonID) -> Admission.Verdict {
        admission.verdict(on: person, in: Lottery(campaign: book.campaignNumber, purpose: .admission))
    }

    /// Whether the person may withdraw from this phase at that instant; `nil` when nobody ever may.
    package func withdrawalState(for person: PersonID, at instant: Timestamp) -> WithdrawalGate.State? {
        withdrawal?.state(
            for: person,
            at: instant,
            in: Lottery(campaign: book.campaignNumber, purpose: .withdrawal)
        )
    }
}

extension PhaseKind {
    /// Its name in campaign files and on the wire.
    package var name: String {
        switch self {
        case .internalTest: "internalTest"
        case .rollout: "rollout"
        case .live: "live"
        }
    }

    package init?(name: String) {
        guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = kind
    }
}
