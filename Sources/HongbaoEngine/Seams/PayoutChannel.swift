package import HongbaoCore

/// An order to give a person money, as the outside channel sees it: a payout, a transfer to their change or a refund.
package struct PayoutOrder: Hashable, Sendable {
    /// The idempotency key at the channel: the same order is paid at most once.
    package let order: String
    package let person: PersonID
    package let amount: Amount
    /// Of a refund: the payment that it gives back, all or in part.
    package let payment: String?

    package init(order: String, person: PersonID, amount: Amount, payment: String? = nil) {
        self.order = order
        self.person = person
        self.amount = amount
        self.payment = payment
    }

    package init(_ withdrawal: Withdrawal) {
        let attempt = Mutant.isOn(.submitsUnderNewNumber) ? "\(withdrawal.attempts)" : ""
        self.init(order: withdrawal.payoutOrder + attempt, person: withdrawal.key.person, amount: withdrawal.amount)
    }
}

/// An outside system that moves money to people: external, slow and unreliable (WD-3, AS-1).
///
/// Neither method throws: a channel that can't be reached is a report (`.unreachable`) like any other, one for each
/// order asked.
package protocol PayoutChannel: Sendable {
    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport]
    func query(_ orders: [String]) async -> [PayoutReport]
}
