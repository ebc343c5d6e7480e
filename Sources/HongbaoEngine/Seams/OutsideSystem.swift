package import HongbaoCore

/// The systems outside that move money for us (AS-1). The raw value names each in addresses and metrics.
package enum OutsideSystem: String, Hashable, Sendable, CaseIterable {
    /// The cashier: takes what senders pay for red packets.
    case payments
    /// Pays out what people withdraw.
    case payouts
    /// Brings claimed shares to people's change.
    case transfers
    /// Gives back what was paid at the cashier.
    case refunds
}

/// What a sender is to pay at the cashier.
package struct PaymentOrder: Hashable, Sendable {
    /// The idempotency key at the cashier: the same order is paid at most once.
    package let order: String
    package let person: PersonID
    package let amount: Amount
    /// Until when it can be paid.
    package let closesAt: Timestamp

    package init(order: String, person: PersonID, amount: Amount, closesAt: Timestamp) {
        self.order = order
        self.person = person
        self.amount = amount
        self.closesAt = closesAt
    }
}

/// The outside system that takes payments: external, slow and unreliable (RP-2).
///
/// As with `PayoutChannel`, no method throws, and reports come one for each order asked. Of a payment, `.paid` has the
/// amount that was really paid, `.processing` says that it can still be paid, and `.failed` that it never was and never
/// will be.
package protocol Cashier: Sendable {
    /// Makes an order that can be paid; the same one again has the same answer.
    ///
    /// - Returns: the address of the page where the sender pays; `nil` when the cashier can't be reached.
    func open(_ order: PaymentOrder) async -> String?
    func query(_ orders: [String]) async -> [PayoutReport]
    /// Lets no payment come any more. `.paid` when one has come before.
    func cancel(_ orders: [String]) async -> [PayoutReport]
}
