package import HongbaoCore

/// An order to give a person one coupon or pendant, as its downstream sees it.
package struct RewardOrder: Hashable, Sendable {
    /// The idempotency key downstream: the order number of the grant. The same order gives one reward.
    package let order: String
    package let person: PersonID
    /// What is given; unique over all campaigns and phases.
    package let template: TemplateID

    package init(order: String, person: PersonID, template: TemplateID) {
        self.order = order
        self.person = person
        self.template = template
    }
}

/// What a downstream says of one order.
package enum RewardReport: Hashable, Sendable {
    /// The person has it, now or from an earlier call.
    case granted
    /// It has the order and hasn't finished it.
    case processing
    /// It has never seen this order.
    case unknownOrder
    case failed(RewardFault)
}

/// The one error model of all downstreams (GR-4).
package struct RewardFault: Error, Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// It did not happen, and may work later: too many requests, a platform that is down for a while.
        case retryable
        /// It did not happen and won't until a person has changed something.
        case final
        /// It may or may not have happened: ask by order number.
        case unknown
    }

    package let kind: Kind
    /// Stable, for metrics, alarms and documents: lower case, digits and underscores.
    package let code: String

    package init(_ kind: Kind, _ code: String) {
        self.kind = kind
        self.code = code
    }
}

/// A system that gives one kind of reward to people: a coupon platform, the pendants' service (GR-8).
///
/// Neither method throws: what can't be reached is a report like any other, one for each order asked.
package protocol RewardChannel: Sendable {
    func give(_ orders: [RewardOrder]) async -> [RewardReport]
    func query(_ orders: [String]) async -> [RewardReport]
}
