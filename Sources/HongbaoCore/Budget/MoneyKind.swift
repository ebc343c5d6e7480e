/// What the money that a scene gives is to whoever gets it. The raw value is stored.
package enum MoneyKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Theirs: shown as their balance, and theirs to withdraw.
    case cash = 1
    /// To send one red packet with (SU-4), and for nothing else.
    case subsidy = 2

    /// Where grants go.
    package func account(of person: PersonID, in book: BookID) -> AccountID {
        switch self {
        case .cash: .person(person, in: book)
        case .subsidy: .subsidies(of: person, in: book)
        }
    }
}
