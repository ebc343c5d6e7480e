import HongbaoCore

/// An amount of money, in fen (0.01 yuan).
public struct Money: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The amount, in fen.
    public let fen: Int64

    /// An amount of so many fen.
    public init(fen: Int64) { self.fen = fen }

    init(_ amount: Amount) { fen = amount.fen }

    /// No money.
    public static let zero = Money(fen: 0)

    /// Whether the first is less money.
    public static func < (a: Money, b: Money) -> Bool { a.fen < b.fen }

    /// The amount in yuan with two decimals, such as `12.30`.
    public var description: String {
        let (yuan, rest) = fen.magnitude.quotientAndRemainder(dividingBy: 100)
        return "\(fen < 0 ? "-" : "")\(yuan).\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// One human, across all apps, by the number that the account centre has given them. Zero is nobody.
public struct Person: RawRepresentable, Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// The number.
    public let rawValue: UInt64

    /// The person with this number.
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The person with this number.
    public init(integerLiteral number: UInt64) { rawValue = number }

    /// The number, in decimal.
    public var description: String { "\(rawValue)" }

    var id: PersonID { PersonID(rawValue) }
}

/// What is to be granted: one reward for one person, in one scene and round.
///
/// Campaign, scene, rain, award type, stage and person together are the order number. The same order is granted once:
/// repeating a request, in this process or after a restart, gives the first answer again.
public struct GrantRequest: Hashable, Sendable {
    /// The campaign's key.
    public var campaign: String
    /// The scene's key.
    public var scene: String
    /// Which round of the scene.
    public var rain: UInt16
    /// Which award of the round.
    public var awardType: UInt8
    /// Which step of the award.
    public var stage: UInt8
    /// Who gets it.
    public var person: Person
    /// The key of the app that the person is using.
    public var app: String
    /// How much, for cash and subsidies; `nil` for coupons and pendants.
    public var amount: Money?
    /// The reward's key, where the scene gives several.
    public var rewardID: String?
    /// When the person opened it, in UTC milliseconds; when it's `nil`, the time of the request. At most 300 seconds
    /// ahead of the clock.
    public var openedAtMilliseconds: Int64?

    /// A request for `amount` in the first round.
    public init(
        campaign: String,
        scene: String,
        rain: UInt16 = 1,
        awardType: UInt8 = 1,
        stage: UInt8 = 0,
        person: Person,
        app: String,
        amount: Money?
    ) {
        self.campaign = campaign
        self.scene = scene
        self.rain = rain
        self.awardType = awardType
        self.stage = stage
        self.person = person
        self.app = app
        self.amount = amount
    }

    var forEngine: HongbaoCore.GrantRequest {
        HongbaoCore.GrantRequest(
            campaign: campaign,
            scene: scene,
            rain: RainID(rain),
            awardType: awardType,
            stage: stage,
            person: person.id,
            app: app,
            amount: amount?.fen,
            rewardID: rewardID,
            openedAt: openedAtMilliseconds.map { Timestamp(milliseconds: $0) }
        )
    }
}

/// What was granted, and is durable.
public struct Grant: Hashable, Sendable {
    /// How far it has come.
    public enum Status: String, Hashable, Sendable {
        /// It's accepted, and will be posted to the ledger.
        case processing
        /// It's in the ledger.
        case credited
    }

    /// What somebody gets where nothing is left of what was meant.
    public enum Fallback: Hashable, Sendable {
        /// Another reward of the scene.
        case backup
        /// A few kind words.
        case blessing(String)
    }

    /// The order number.
    public let order: String
    /// How far it had come when it was first answered.
    public let status: Status
    /// How much was granted.
    public let amount: Money
    /// The key of what was given; `nil` when it was only a blessing.
    public let rewardID: String?
    /// What was given instead of what was meant; `nil` when it's just that.
    public let fallback: Fallback?
    /// The signed token for the person's client to keep. As a text, the HTTP API writes it in base64url.
    public let token: [UInt8]
    /// Whether it had been granted before, so that this request has changed nothing.
    public let isReplay: Bool

    init(_ granted: Granted) {
        order = "\(granted.order)"
        status = Status(granted.status)
        amount = Money(granted.amount)
        rewardID = granted.rewardID
        fallback = granted.fallback.map { Fallback($0) }
        token = granted.token
        isReplay = granted.isReplay
    }
}

extension Grant.Fallback {
    init(_ fallback: GivenFallback) {
        switch fallback {
        case .backup: self = .backup
        case .blessing(let text): self = .blessing(text)
        }
    }
}

extension Grant.Status {
    init(_ status: GrantStatus) {
        switch status {
        case .processing: self = .processing
        case .credited: self = .credited
        }
    }
}

/// What became of an order.
public struct OrderStatus: Hashable, Sendable {
    /// How far it has come by now.
    public let status: Grant.Status
    /// How much was granted.
    public let amount: Money
    /// When the person opened it, in UTC milliseconds.
    public let openedAtMilliseconds: Int64
    /// When it came into the ledger, in UTC milliseconds; `nil` while it hasn't.
    public let postedAtMilliseconds: Int64?

    init(_ view: GrantView) {
        status = Grant.Status(view.status)
        amount = Money(view.amount)
        openedAtMilliseconds = view.openedAt.milliseconds
        postedAtMilliseconds = view.postedAt?.milliseconds
    }
}

/// A person's sums in a campaign.
public struct PersonSummary: Hashable, Sendable {
    /// What can be withdrawn, posted or not.
    public let balance: Money
    /// All cash that came in, whether it was withdrawn since or not.
    public let income: Money
    /// Whether any cash came in.
    public let hasReceived: Bool
}

/// What is left of a scene's budget. Issued, leased and available are always the whole budget.
public struct SceneBudget: Hashable, Sendable {
    /// What the campaign file says.
    public let budget: Money
    /// What was granted.
    public let issued: Money
    /// What this process has set aside for grants to come.
    public let leased: Money
    /// What nobody has a claim on.
    public let available: Money

    init(_ view: BudgetView) {
        budget = Money(view.total)
        issued = Money(view.issued)
        leased = Money(view.leased)
        available = Money(view.available)
    }
}

/// What is left of a coupon or a pendant, in pieces. Consumed, leased and available are always the whole inventory.
public struct RewardInventory: Hashable, Sendable {
    /// How many there are in all; `nil` when the campaign file sets no bound.
    public let total: Int64?
    /// How many were given.
    public let consumed: Int64
    /// How many this process, or one before it, has set aside for grants to come.
    public let leased: Int64
    /// How many of those are in leases that have expired; they come back with the next lease.
    public let stranded: Int64
    /// How many nobody has a claim on; `nil` when there is no bound.
    public let available: Int64?

    init(_ view: BudgetView) {
        total = view.isUnlimited ? nil : view.total.fen
        consumed = view.issued.fen
        leased = view.leased.fen
        stranded = view.stranded.fen
        available = view.isUnlimited ? nil : view.available.fen
    }
}

/// What a campaign has given so far, in the phase that is shown now. Within a phase it never goes back.
public struct GrandTotal: Hashable, Sendable {
    /// All money that was granted, posted or not: cash and subsidies.
    public let amount: Money
    /// How many grants that were.
    public let count: Int64
    /// As of when, in UTC milliseconds.
    public let atMilliseconds: Int64
}
