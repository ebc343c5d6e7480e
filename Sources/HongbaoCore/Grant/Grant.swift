/// What a caller asks for: one reward for one person in one scene and round (GR-1). Names are as the caller gave them.
package struct GrantRequest: Hashable, Sendable {
    package var campaign: String
    package var scene: String
    package var rain: RainID
    package var awardType: UInt8
    package var stage: UInt8
    package var person: PersonID
    package var app: String
    /// In fen. Needed for cash and subsidies.
    package var amount: Int64?
    package var rewardID: String?
    /// When the person opened it; the time of the request when absent.
    package var openedAt: Timestamp?
    /// The order number that the caller expects, to be checked against the one that the request makes.
    package var order: OrderNumber?

    package init(
        campaign: String,
        scene: String,
        rain: RainID,
        awardType: UInt8,
        stage: UInt8,
        person: PersonID,
        app: String,
        amount: Int64? = nil,
        rewardID: String? = nil,
        openedAt: Timestamp? = nil,
        order: OrderNumber? = nil
    ) {
        self.campaign = campaign
        self.scene = scene
        self.rain = rain
        self.awardType = awardType
        self.stage = stage
        self.person = person
        self.app = app
        self.amount = amount
        self.rewardID = rewardID
        self.openedAt = openedAt
        self.order = order
    }
}

/// The two states that a person can see (GR-6). The raw values are on the wire and in tokens.
package enum GrantStatus: UInt8, Hashable, Sendable, CaseIterable {
    case processing = 2
    case credited = 8
}

/// Why a grant was refused. A refusal changes nothing.
///
/// Cases are in order of precedence: when several apply, the first is given. Up to `openedAtInvalid` the request is
/// wrong in itself; then a replay is answered as it was at first; what follows is only asked of new grants, and so are
/// `notInPhase` for a phase that is over, `orderPartInvalid` for a round that a scene doesn't take (any more) and
/// `openedAtInvalid` for a time ahead of the clock.
package enum GrantRefusal: UInt8, Hashable, Sendable, CaseIterable {
    case campaignUnknown = 1
    /// No phase is open at the time of the request, or it doesn't admit the person, or the scene isn't being played.
    case notInPhase = 2
    case sceneUnknown = 3
    case appUnknown = 4
    case rewardUnknown = 5
    /// Rain, award type or stage outside what the scene's order rule allows.
    case orderPartInvalid = 6
    /// The person or the parts inside the given order number aren't those of the request.
    case personMismatch = 7
    case amountInvalid = 8
    /// Before the epoch, or later than the clock allows (`GrantRules.openedAtLeadSeconds`).
    case openedAtInvalid = 14
    /// The same order number came before with another amount or reward (GR-3). An alarm.
    case orderConflict = 9
    /// The kind of reward isn't issued by this server yet, or was switched off.
    case switchedOff = 10
    /// Above the scene's cap (BU-2). An alarm.
    case overCap = 11
    case budgetExhausted = 12
    /// Nothing is left of the template, nor of the scene's backups, and there is no blessing (BU-4).
    case inventoryExhausted = 15
    /// What may be given in this slice of time is given: come back in the next one.
    case quotaExhausted = 16
    /// The backlog or the queue of undurable grants has reached its bound: come back later.
    case overloaded = 13
}

/// A grant that is durable, as it was first answered (M14).
package struct Granted: Hashable, Sendable {
    package let order: OrderNumber
    package let status: GrantStatus
    package let amount: Amount
    /// What was given; `nil` is a blessing.
    package let rewardID: String?
    /// What was given in the place of what was meant, or of nothing (BU-4).
    package let fallback: GivenFallback?
    /// The full token, for the person's client to keep (TK-4).
    package let token: [UInt8]
    package let isReplay: Bool

    package init(
        order: OrderNumber,
        status: GrantStatus,
        amount: Amount,
        rewardID: String?,
        fallback: GivenFallback? = nil,
        token: [UInt8],
        isReplay: Bool
    ) {
        self.order = order
        self.status = status
        self.amount = amount
        self.rewardID = rewardID
        self.fallback = fallback
        self.token = token
        self.isReplay = isReplay
    }
}

/// What somebody got instead of what was meant.
package enum GivenFallback: Hashable, Sendable {
    /// Another template of the scene.
    case backup
    /// A few kind words.
    case blessing(String)
}

/// What is known of one order (GR-4: the outcome of an unknown request can be asked by order number).
package struct GrantView: Hashable, Sendable {
    package let order: OrderNumber
    package let status: GrantStatus
    package let amount: Amount
    package let openedAt: Timestamp
    package let postedAt: Timestamp?

    package init(order: OrderNumber, status: GrantStatus, amount: Amount, openedAt: Timestamp, postedAt: Timestamp?) {
        self.order = order
        self.status = status
        self.amount = amount
        self.openedAt = openedAt
        self.postedAt = postedAt
    }
}
