/// Who pays for a red packet, and where its money goes (RP-1). The raw value is stored.
///
/// All that tells one kind from the other is in this file, as data; whoever moves a packet's money asks for it.
package enum RedPacketKind: UInt8, Hashable, Sendable, CaseIterable {
    /// From a person, who pays at the cashier; what is claimed goes straight to the recipient's change.
    case c2c = 1
    /// From a campaign, by a subsidy; what is claimed goes to the recipient's wallet and must be withdrawn.
    case b2c = 2

    /// In the API and in metrics.
    package var name: String {
        switch self {
        case .c2c: "c2c"
        case .b2c: "b2c"
        }
    }

    /// Where a packet's money comes from, and where goes back what nobody claims (RP-4).
    package enum Source: Hashable, Sendable {
        case payment
        /// What a rain has given the sender, and waits in an account of theirs.
        case subsidy

        /// Whether it's another system's money, to be asked for and given back over a channel (AS-1).
        package var isOutside: Bool { self == .payment }
    }

    /// Where a claimed share goes.
    package enum Destination: Hashable, Sendable {
        case change
        case wallet

        /// Whether another system moves the money, so that a transfer waits for what it says.
        package var isOutside: Bool { self == .change }
    }

    package var source: Source {
        switch self {
        case .c2c: .payment
        case .b2c: .subsidy
        }
    }

    package var destination: Destination {
        switch self {
        case .c2c: .change
        case .b2c: .wallet
        }
    }
}

extension RedPacketKind.Source {
    /// Where the money of a packet of this sender comes from.
    func account(of key: SendKey) -> AccountID {
        switch self {
        case .payment: .cashier(of: key.book)
        case .subsidy: .subsidies(of: key.sender, in: key.book)
        }
    }

    /// Where the unclaimed rest goes back to, by what has paid; `nil` when that can't have paid.
    func refundAccount(of funding: TransferID) -> AccountID? {
        switch self {
        case .payment: .refunds(of: funding.book)
        case .subsidy:
            funding.order.map { order in
                Mutant.isOn(.givesRestToSender) ? .person(order.person, in: order.book) : .budget(of: order.scene)
            }
        }
    }
}

extension RedPacketKind.Destination {
    package func account(of person: PersonID, in book: BookID) -> AccountID {
        switch self {
        case .change: .change(of: book)
        case .wallet: .person(person, in: book)
        }
    }
}

/// Who may claim a share (RP-2, RP-11).
package enum RecipientScope: Hashable, Sendable {
    case everyone
    case followers
    case friends
    /// Persons in ascending order, each once; made by `list`.
    case listed([PersonID])

    package static let listedMax = 1_000

    /// `nil` when nobody is listed, more than `listedMax`, or the platform itself.
    package static func list(_ persons: some Sequence<PersonID>) -> RecipientScope? {
        let sorted = Set(persons).sorted()
        guard let first = sorted.first, first.rawValue > 0, sorted.count <= listedMax else { return nil }
        return .listed(sorted)
    }

    func admits(_ claimant: Claimant) -> Bool {
        switch self {
        case .everyone: true
        case .followers: claimant.relation.contains(.follower)
        case .friends: claimant.relation.contains(.friend)
        case .listed(let persons): Self.contains(claimant.person, in: persons)
        }
    }

    private static func contains(_ person: PersonID, in sorted: [PersonID]) -> Bool {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < person { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == person
    }
}

/// A person who asks for a share, and what they are to the sender, as an outside system knows it.
package struct Claimant: Hashable, Sendable {
    package struct Relation: OptionSet, Hashable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let follower = Self(rawValue: 1)
        package static let friend = Self(rawValue: 2)
    }

    package let person: PersonID
    package let relation: Relation

    package init(_ person: PersonID, relation: Relation = []) {
        self.person = person
        self.relation = relation
    }
}
