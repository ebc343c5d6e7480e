/// How a scene is played (CF-8).
package enum Play: String, Hashable, Sendable, CaseIterable {
    case cardCollection
    case rain
    case friendPageRain
    case fireworks
}

/// When a grant of a scene reaches the ledger.
package enum PostingMode: String, Hashable, Sendable, CaseIterable {
    /// A token at once, the ledger later (TK-1).
    case async
    /// The ledger before the answer.
    case sync
}

/// One place in a campaign where one kind of reward is given (CF-2).
package struct Scene: Hashable, Sendable {
    package let id: SceneID
    package let key: String
    package let play: Play
    package let kind: RewardKind
    /// What it gives: one or more forms, all of `kind`. The first is given when the caller names none.
    package let rewardIDs: [RewardID]
    /// When it can be played, in order of time and apart from one another. Empty: as long as its phase.
    package let windows: [Window]
    /// The apps in which it can be played; `nil` is all of them.
    package let apps: Set<AppID>?
    /// The title of its line in the statement.
    package let billTitle: String
    package let orders: OrderRule
    /// The largest single grant (BU-2). There is one exactly when the kind carries an amount.
    package let cap: Amount?
    /// All that it may give (BU-1). There is one exactly when the kind carries an amount.
    package let budget: Amount?
    /// How much of its budget may be leased in a slice of time. Templates have quotas of their own.
    package let quota: Quota?
    /// What it gives when what was meant is used up (BU-4).
    package let fallback: Fallback
    /// What those get who name no reward; empty: always the first.
    package let draw: [DrawShare]
    package let posting: PostingMode
    /// Grants a second that the platform takes in for it, over all nodes; `nil` is without limit.
    package let rateLimit: UInt32?
    /// Whether a grant that a downstream system failed is tried again until it succeeds (GR-6).
    package let isRetried: Bool
    /// Whether what it gives is counted against an inventory (BU-3).
    package let isInventoried: Bool
    package let isReconciled: Bool

    package init(
        id: SceneID,
        key: String,
        play: Play,
        kind: RewardKind,
        rewardIDs: [RewardID],
        windows: [Window] = [],
        apps: Set<AppID>? = nil,
        billTitle: String,
        orders: OrderRule,
        cap: Amount? = nil,
        budget: Amount? = nil,
        quota: Quota? = nil,
        fallback: Fallback = .none,
        draw: [DrawShare] = [],
        posting: PostingMode = .async,
        rateLimit: UInt32? = nil,
        isRetried: Bool = true,
        isInventoried: Bool = false,
        isReconciled: Bool = true
    ) {
        precondition(id.number > 0)
        precondition(!rewardIDs.isEmpty)
        precondition((cap != nil) == kind.carriesAmount && (budget != nil) == kind.carriesAmount)
        self.id = id
        self.key = key
        self.play = play
        self.kind = kind
        self.rewardIDs = rewardIDs
        self.windows = windows
        self.apps = apps
        self.billTitle = billTitle
        self.orders = orders
        self.cap = cap
        self.budget = budget
        self.quota = quota
        self.fallback = fallback
        self.draw = draw
        self.posting = posting
        self.rateLimit = rateLimit
        self.isRetried = isRetried
        self.isInventoried = isInventoried
        self.isReconciled = isReconciled
    }

    /// Whether the scene itself allows play at that instant. The caller has asked for its phase already.
    package func isOpen(at instant: Timestamp) -> Bool {
        windows.isEmpty || windows.contains { $0.contains(instant) }
    }

    /// The templates that are tried in their order when `meant` is to be given.
    func rungs(for meant: UInt16) -> [UInt16] {
        [meant] + fallback.backups.map(\.number).filter { $0 != meant }
    }

    package func isPlayed(in app: AppID) -> Bool {
        guard let apps else { return true }
        return apps.contains(app)
    }
}

/// Which order numbers a scene takes (GR-2): the numbers that its rounds, award types and stages may have.
package struct OrderRule: Hashable, Sendable {
    package let rains: NumberRanges
    package let awardTypes: NumberRanges
    package let stages: NumberRanges

    package init(rains: NumberRanges, awardTypes: NumberRanges, stages: NumberRanges) {
        self.rains = rains
        self.awardTypes = awardTypes
        self.stages = stages
    }

    package func takes(rain: RainID, awardType: UInt8, stage: UInt8) -> Bool {
        rains.contains(rain.rawValue) && awardTypes.contains(UInt16(awardType)) && stages.contains(UInt16(stage))
    }
}

/// A set of small numbers, kept as ranges: `1-20`, or `[1, 2, 7-9]`.
package struct NumberRanges: Hashable, Sendable {
    /// Nearly every rule is a single range, which is tested without touching the array.
    private let first: ClosedRange<UInt16>
    private let others: [ClosedRange<UInt16>]

    package init(_ first: ClosedRange<UInt16>, _ others: [ClosedRange<UInt16>] = []) {
        self.first = first
        self.others = others
    }

    package func contains(_ number: UInt16) -> Bool {
        first.contains(number) || (!others.isEmpty && others.contains { $0.contains(number) })
    }

    package var ranges: [ClosedRange<UInt16>] { [first] + others }

    package var isSingleNumber: Bool { others.isEmpty && first.count == 1 }
}

extension NumberRanges: CustomStringConvertible {
    package var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
    }
}
