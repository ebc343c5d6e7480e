/// The identity of a transfer, 128 bits: the order number of a grant, or a serial number in the range that no order
/// number can have (scene number 0).
package struct TransferID: Hashable, Comparable, Sendable {
    package let bits: UInt128

    @inlinable
    package init(bits: UInt128) { self.bits = bits }

    @inlinable
    package init(_ order: OrderNumber) { bits = order.bits }

    /// A transfer that isn't a grant: withdrawals of a person, and what a merge moves from them, up to `serialMax`, or
    /// (person 0) fundings by the platform.
    package init(person: PersonID, book: BookID, serial: UInt32) {
        bits = UInt128(person.rawValue) << 64 | UInt128(book.rawValue) << 48 | UInt128(serial)
    }

    /// The last serial number of a person's withdrawals; those above belong to red packets.
    package static let serialMax = UInt32.max >> 1

    /// What a transfer of a red packet is for.
    package enum PacketPart: Hashable, Sendable {
        /// The share at a position, on its way to who claimed it.
        case claim(position: Int)
        /// What has come in: a payment or a subsidy.
        case payment
        /// What nobody claimed, on its way back.
        case refund

        fileprivate init?(serial: UInt32) {
            guard serial > TransferID.serialMax else { return nil }
            switch serial {
            case .max: self = .payment
            case .max - 1: self = .refund
            default: self = .claim(position: Int(serial - TransferID.serialMax - 1))
            }
        }

        fileprivate var serial: UInt32 {
            switch self {
            case .payment: .max
            case .refund: .max - 1
            case .claim(let position): TransferID.serialMax + 1 + UInt32(position)
            }
        }
    }

    /// A transfer of a red packet. The packet takes the place of the person.
    package init(packet: RedPacketID, book: BookID, _ part: PacketPart) {
        precondition(packet.rawValue > 0)
        self.init(person: PersonID(packet.rawValue), book: book, serial: part.serial)
    }

    @inlinable
    package var high: UInt64 { UInt64(truncatingIfNeeded: bits >> 64) }
    @inlinable
    package var low: UInt64 { UInt64(truncatingIfNeeded: bits) }
    package var book: BookID { BookID(UInt16(truncatingIfNeeded: low >> 48)) }
    package var person: PersonID { PersonID(high) }

    /// The grant that this transfer posts; `nil` for any other transfer.
    package var order: OrderNumber? {
        let order = OrderNumber(bits: bits)
        return order.scene.number == 0 ? nil : order
    }

    /// Whether this may be a transfer that a person's own account has begun: a withdrawal, or a move after a merge.
    package var isOwn: Bool { high > 0 && order == nil && packet == nil }

    /// The red packet that this transfer belongs to, and what it's for; `nil` for grants, withdrawals and fundings.
    package var packet: (id: RedPacketID, part: PacketPart)? {
        guard high > 0, UInt16(truncatingIfNeeded: low >> 32) == 0 else { return nil }
        return PacketPart(serial: UInt32(truncatingIfNeeded: low)).map { (RedPacketID(high), $0) }
    }

    @inlinable
    package static func < (a: TransferID, b: TransferID) -> Bool { a.bits < b.bits }
}

/// A movement of money between two accounts of one book. Immutable: a correction is another transfer (LG-1).
package struct Transfer: Hashable, Sendable {
    package let id: TransferID
    package let debit: AccountID
    package let credit: AccountID
    package let amount: Amount
    /// When it happened for the person: a grant's opening time. Statements are sorted by it.
    package let at: Timestamp
    /// When it entered the ledger.
    package let postedAt: Timestamp
    /// The app in which it was earned, for display only (ID-5); zero when there is none.
    package let app: AppID

    package init(
        id: TransferID,
        debit: AccountID,
        credit: AccountID,
        amount: Amount,
        at: Timestamp,
        postedAt: Timestamp,
        app: AppID = AppID(0)
    ) {
        self.id = id
        self.debit = debit
        self.credit = credit
        self.amount = amount
        self.at = at
        self.postedAt = postedAt
        self.app = app
    }

    /// Whether two transfers move the same money between the same accounts; when they did so doesn't matter.
    package func movesTheSame(as other: Transfer) -> Bool {
        id == other.id && debit == other.debit && credit == other.credit && amount == other.amount
    }
}

/// The first half of a two-phase transfer (LG-3): the money is set aside, then posted or voided, once.
package struct Hold: Hashable, Sendable {
    package enum State: UInt8, Hashable, Sendable { case pending = 1, posted = 2, voided = 3 }

    package let id: TransferID
    package let debit: AccountID
    package let credit: AccountID
    package let amount: Amount
    package let at: Timestamp
    package internal(set) var state: State

    package init(
        id: TransferID,
        debit: AccountID,
        credit: AccountID,
        amount: Amount,
        at: Timestamp,
        state: State = .pending
    ) {
        self.id = id
        self.debit = debit
        self.credit = credit
        self.amount = amount
        self.at = at
        self.state = state
    }
}

/// What became of a transfer, in order of precedence: when several apply, the first is given.
package enum TransferOutcome: Hashable, Sendable {
    case posted
    /// The same transfer was posted before; nothing moved now (LG-2).
    case alreadyPosted
    /// The ID was used before for another transfer. Somebody upstream has a bug: raise an alarm.
    case idReusedForAnotherTransfer
    case amountIsZero
    case accountsAreTheSame
    /// The two accounts, or the ID, are of different books (M13).
    case booksDiffer
    case insufficientFunds
    case balanceWouldOverflow
}

/// What became of a hold, or of its second half.
package enum HoldOutcome: Hashable, Sendable {
    case done
    case alreadyDone
    /// No such hold, or it went the other way before.
    case refused
    case insufficientFunds
}
