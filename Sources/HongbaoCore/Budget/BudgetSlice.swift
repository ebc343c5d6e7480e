/// A lease as its holder uses it in memory: reserve before a grant is durable, commit or release afterwards.
package struct BudgetSlice: Sendable {
    package private(set) var remaining: Amount
    package private(set) var reserved: Amount = .zero

    package init(remaining: Amount) { self.remaining = remaining }

    package mutating func reserve(_ amount: Amount) -> Bool {
        guard let rest = remaining.subtracting(amount), let sum = reserved.adding(amount) else { return false }
        if !Mutant.isOn(.reservesWithoutTaking) { remaining = rest }
        reserved = sum
        return true
    }

    /// The grants are durable: what was reserved is issued.
    package mutating func commit(_ amount: Amount) {
        guard let rest = reserved.subtracting(amount) else { preconditionFailure("committed more than was reserved") }
        reserved = rest
    }

    /// The grants didn't happen: what was reserved can be given again.
    package mutating func release(_ amount: Amount) {
        commit(amount)
        refill(amount)
    }

    package mutating func refill(_ amount: Amount) {
        guard let sum = remaining.adding(amount) else { preconditionFailure("a slice larger than any budget") }
        remaining = sum
    }

    /// Takes everything that isn't reserved out of the slice, to give it back.
    package mutating func drain() -> Amount {
        defer { remaining = .zero }
        return remaining
    }
}
