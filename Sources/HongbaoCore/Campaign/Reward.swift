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

    /// What a grant's sum in fen is to its person; `nil` when grants of this kind carry none.
    package var money: MoneyKind? {
        switch self {
        case .cash: .cash
        case .subsidy: .subsidy
        case .commercialAds, .ecommerce, .payment, .consumerFinance, .insurance, .creditCard, .tea, .film, .douPlus,
            .culturalGoods, .pendant:
            nil
        }
    }

    /// Whether a grant of this kind carries a sum in fen, and so needs a cap and a budget.
    package var carriesAmount: Bool { money != nil }

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
    /// 1…65535, unique in its phase.
    package let number: UInt16

    package init(key: String, number: UInt16) {
        precondition(number > 0)
        self.key = key
        self.number = number
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
