package import HongbaoCore

/// An order to pay a person out, as the outside channel sees it.
package struct PayoutOrder: Hashable, Sendable {
    /// The idempotency key at the channel: the same order is paid at most once.
    package let order: String
    package let person: PersonID
    package let amount: Amount

    package init(order: String, person: PersonID, amount: Amount) {
        self.order = order
        self.person = person
        self.amount = amount
    }

    package init(_ withdrawal: Withdrawal) {
        let attempt = Mutant.isOn(.submitsUnderNewNumber) ? "\(withdrawal.attempts)" : ""
        self.init(order: withdrawal.payoutOrder + attempt, person: withdrawal.key.person, amount: withdrawal.amount)
    }
}

/// The outside system that moves withdrawn money to people: external, slow and unreliable (WD-3).
///
/// Neither method throws: a channel that can't be reached is a report (`.unreachable`) like any other, one for each
/// order asked.
package protocol PayoutChannel: Sendable {
    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport]
    func query(_ orders: [String]) async -> [PayoutReport]
}
