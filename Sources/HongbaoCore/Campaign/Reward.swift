/// What a reward is made of (CF-9). A new kind is a case here, lines in the campaign file and one adapter.
package enum RewardKind: String, Hashable, Sendable, CaseIterable {
    case cash
    /// A video subsidy: money that can only pay for a red packet (SU-4).
    case subsidy
    // Coupons, by the business that honours them.
    case commercialAds
    case ecommerce
    case payment
    case consumerFinance
    case insurance
    case creditCard
    case tea
    case film
    case douPlus
    case culturalGoods
    /// A decoration of the avatar.
    case pendant

    /// As it's stored; never given to another kind.
    package var number: UInt8 {
        switch self {
        case .cash: 1
        case .subsidy: 2
        case .commercialAds: 3
        case .ecommerce: 4
        case .payment: 5
        case .consumerFinance: 6
        case .insurance: 7
        case .creditCard: 8
        case .tea: 9
        case .film: 10
        case .douPlus: 11
        case .culturalGoods: 12
        case .pendant: 13
        }
    }

    package init?(number: UInt8) {
        guard let kind = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = kind
    }

    /// Those that another system gives to people: coupons and pendants (GR-8).
    package static let downstream = allCases.filter { !$0.carriesAmount }

    /// Where the money of grants goes: theirs to withdraw, or to send one red packet with (SU-4). `nil` for what is no
    /// money.
    package func account(of person: PersonID, in book: BookID) -> AccountID? {
        switch self {
        case .cash: .person(person, in: book)
        case .subsidy: .subsidies(of: person, in: book)
        default: nil
        }
    }

    /// Whether a grant of this kind carries a sum in fen, and so needs a cap and a budget.
    package var carriesAmount: Bool { self == .cash || self == .subsidy }

    package var isCoupon: Bool {
        switch self {
        case .cash, .subsidy, .pendant: false
        case .commercialAds, .ecommerce, .payment, .consumerFinance, .insurance, .creditCard, .tea, .film, .douPlus,
            .culturalGoods:
            true
        }
    }
}

/// One form in which a reward is given: what a grant and a downstream system name it by (CF-1).
package struct RewardID: Hashable, Sendable {
    package let key: String
    /// 1…65534, unique in its phase.
    package let number: UInt16
    /// How many there are (BU-3); `nil` is without bound.
    package let inventory: Inventory?

    package static let numberMax = RewardChoice.blessing - 1

    package init(key: String, number: UInt16, inventory: Inventory? = nil) {
        precondition((1...Self.numberMax).contains(number))
        self.key = key
        self.number = number
        self.inventory = inventory
    }
}

/// How many coupons or pendants of one template there are, and how they may be given out.
package struct Inventory: Hashable, Sendable {
    package let pieces: Amount
    /// The last part in basis points: it isn't issued, the scene's fallbacks are (BU-4).
    package let reserveBasisPoints: UInt16
    package let quota: Quota?

    package static let reserveBasisPointsDefault: UInt16 = 1_000
    package static let piecesMax: Int64 = 1 << 46
    /// The total of a template that nobody bounds.
    package static let unlimited = Amount(fen: piecesMax) ?? .zero

    package init(
        pieces: Amount,
        reserveBasisPoints: UInt16 = Self.reserveBasisPointsDefault,
        quota: Quota? = nil
    ) {
        precondition(pieces.fen < Self.piecesMax && reserveBasisPoints <= Lottery.pointCount)
        self.pieces = pieces
        self.reserveBasisPoints = reserveBasisPoints
        self.quota = quota
    }

    /// In pieces, rounded up.
    package var reserve: Amount {
        let points = Int64(Lottery.pointCount)
        return Amount(fen: (pieces.fen * Int64(reserveBasisPoints) + points - 1) / points) ?? .zero
    }
}

/// Something that a phase of a campaign gives, in one or more forms (CF-1).
package struct Reward: Hashable, Sendable {
    package let key: String
    package let kind: RewardKind
    package let ids: [RewardID]

    package init(key: String, kind: RewardKind, ids: [RewardID]) {
        self.key = key
        self.kind = kind
        self.ids = ids
    }
}
