/// What an account is for, and so whether it may be overdrawn.
package enum AccountKind: UInt8, Hashable, Sendable, CaseIterable {
    /// Where a campaign's money comes from.
    case treasury = 1
    /// What a scene may still give away. Owner: the scene's number.
    case budget = 2
    /// What a person has. Owner: the person's ID.
    case person = 3
    /// What the payout channel has paid out. It only ever receives.
    case payouts = 4
    /// What a red packet still holds. Owner: the packet's ID.
    case escrow = 5
    /// Where payments for red packets come from, outside: its debits are what people have paid.
    case cashier = 6
    /// What the outside transfer channel has moved to people's change. It only ever receives.
    case change = 7
    /// What has gone back to payments, outside. It only ever receives.
    case refunds = 8
    /// What a person may send red packets with, and can't withdraw. Owner: the person's ID.
    case subsidies = 9

    /// M2: a person's two accounts, an escrow's and a budget's are never negative. Only sources of money are overdrawn.
    package var mayBeOverdrawn: Bool { self == .treasury || self == .cashier }
}

package struct AccountID: Hashable, Comparable, Sendable {
    package let book: BookID
    package let kind: AccountKind
    package let owner: UInt64

    @inlinable
    package init(book: BookID, kind: AccountKind, owner: UInt64) {
        self.book = book
        self.kind = kind
        self.owner = owner
    }

    package static func treasury(of book: BookID) -> Self { Self(book: book, kind: .treasury, owner: 0) }
    /// What has come from the other databases of a cluster, less what went to them: over all of them it's what is on
    /// its way. It may be overdrawn as a treasury may, and so it's kept as one.
    package static func elsewhere(of book: BookID) -> Self { Self(book: book, kind: .treasury, owner: 1) }
    package var isElsewhere: Bool { kind == .treasury && owner == 1 }
    package static func payouts(of book: BookID) -> Self { Self(book: book, kind: .payouts, owner: 0) }
    package static func budget(of scene: SceneID) -> Self {
        Self(book: scene.book, kind: .budget, owner: UInt64(scene.number))
    }
    package static func person(_ person: PersonID, in book: BookID) -> Self {
        Self(book: book, kind: .person, owner: person.rawValue)
    }
    package static func subsidies(of person: PersonID, in book: BookID) -> Self {
        Self(book: book, kind: .subsidies, owner: person.rawValue)
    }
    package static func escrow(of packet: RedPacketID, in book: BookID) -> Self {
        Self(book: book, kind: .escrow, owner: packet.rawValue)
    }
    package static func cashier(of book: BookID) -> Self { Self(book: book, kind: .cashier, owner: 0) }
    package static func change(of book: BookID) -> Self { Self(book: book, kind: .change, owner: 0) }
    package static func refunds(of book: BookID) -> Self { Self(book: book, kind: .refunds, owner: 0) }

    /// Book and kind in one number, in the order of `<`.
    @usableFromInline
    var prefix: UInt32 { UInt32(book.rawValue) << 8 | UInt32(kind.rawValue) }

    @inlinable
    package static func < (a: Self, b: Self) -> Bool {
        a.prefix == b.prefix ? a.owner < b.owner : a.prefix < b.prefix
    }

    @inlinable
    package static func == (a: Self, b: Self) -> Bool { a.owner == b.owner && a.prefix == b.prefix }

    /// Two words instead of three fields: a batch hashes each of its accounts several times.
    @inlinable
    package func hash(into hasher: inout Hasher) {
        hasher.combine(prefix)
        hasher.combine(owner)
    }
}

/// One side of the books. Debits and credits are kept as running sums, never as a difference, so that the history
/// can be checked against them (M2, LG-1).
package struct Account: Hashable, Sendable {
    package let id: AccountID
    package internal(set) var debits: Amount
    package internal(set) var credits: Amount
    /// Held by two-phase transfers that are neither posted nor voided (LG-3).
    package internal(set) var held: Amount
    /// How many two-phase transfers and moves after a merge this account has started: the next one's serial number.
    package internal(set) var holdsStarted: UInt32

    package init(id: AccountID) {
        self.init(id: id, debits: .zero, credits: .zero, held: .zero, holdsStarted: 0)
    }

    /// For stores, which read back what they were given.
    package init(id: AccountID, debits: Amount, credits: Amount, held: Amount, holdsStarted: UInt32) {
        self.id = id
        self.debits = debits
        self.credits = credits
        self.held = held
        self.holdsStarted = holdsStarted
    }

    /// What can be spent now, in fen: credits − debits − held. Negative only for the treasury.
    package var available: Int64 { credits.fen - debits.fen - held.fen }

    func canDebit(_ amount: Amount) -> Bool {
        if Mutant.isOn(.overdraws) { return true }
        if Mutant.isOn(.overdrawsByOne) { return id.kind.mayBeOverdrawn || available + 1 >= amount.fen }
        if Mutant.isOn(.spendsHeldMoney) { return id.kind.mayBeOverdrawn || available + held.fen >= amount.fen }
        if Mutant.isOn(.movesHeldMoney), id.kind == .person { return available + held.fen >= amount.fen }
        return id.kind.mayBeOverdrawn || available >= amount.fen
    }
}
