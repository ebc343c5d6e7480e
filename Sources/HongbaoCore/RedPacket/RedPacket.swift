/// What a sender calls a packet: the client chooses `id`, which is the idempotency key for that person and book.
package struct SendKey: Hashable, Sendable {
    package let sender: PersonID
    package let book: BookID
    package let id: String

    /// `nil` unless `id` has 1 to 64 of `[A-Za-z0-9_-]`.
    package init?(sender: PersonID, book: BookID, id: String) {
        guard WithdrawalKey(person: sender, book: book, id: id) != nil else { return nil }
        self.sender = sender
        self.book = book
        self.id = id
    }
}

/// Money that a sender offers to the first `split.count` people who claim a share (红包).
///
/// It is held in an account of its own, the escrow, from publishing until all of it is with those who claimed it or
/// back where it came from. The row of the packet is also the promise to bring it to its end (M15): its payment is the
/// cashier's order `paymentOrder`. What goes back to a payment has rows of its own (`Refund`).
package struct RedPacket: Hashable, Sendable {
    /// Only goes forward, along `next` (RP-5, M10). The raw values are stored.
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        /// Nobody has paid anything.
        case created = 1
        /// The cashier has been asked for a payment and may have taken it.
        case paying = 2
        /// The money is in escrow and can be claimed.
        case published = 3
        /// All shares are claimed.
        case exhausted = 4
        /// The time is over, and shares are left.
        case expired = 5
        /// What is left has been promised back to where it came from.
        case closing = 6
        /// Everything is where it belongs.
        case closed = 7
        /// Never paid, and never will be.
        case abandoned = 8

        package var next: [State] {
            switch self {
            case .created: [.paying, .published, .abandoned]
            case .paying: [.published, .abandoned]
            case .published: [.exhausted, .expired]
            case .exhausted, .expired: [.closing]
            case .closing: [.closed]
            case .closed, .abandoned: []
            }
        }

        package var isFinal: Bool { next.isEmpty }
        /// Whether no share can be claimed any more though it was published: then the seed is no secret any longer.
        package var isOver: Bool { self == .exhausted || self == .expired || self == .closing || self == .closed }
        package var isFunded: Bool { self == .published || isOver }
    }

    /// What binds the shares, and the secret from which they follow, as the engine has sealed it.
    package struct Seal: Hashable, Sendable {
        package let commitment: [UInt8]
        package let sealedSeed: [UInt8]

        package init(commitment: [UInt8], sealedSeed: [UInt8]) {
            self.commitment = commitment
            self.sealedSeed = sealedSeed
        }
    }

    /// What people see on the packet.
    package struct Cover: Hashable, Sendable {
        package static let bytesMax = 512
        package let greeting: String
        /// The video that it came with, as the app names it; empty without one.
        package let video: String

        /// `nil` when a text has more than 512 bytes.
        package init?(greeting: String = "", video: String = "") {
            guard max(greeting.utf8.count, video.utf8.count) <= Self.bytesMax else { return nil }
            self.greeting = greeting
            self.video = video
        }
    }

    /// How long a packet can be claimed, in seconds (RP-4).
    package static let lifeSeconds: Int64 = 24 * 60 * 60

    package let id: RedPacketID
    package let key: SendKey
    package let kind: RedPacketKind
    package let split: Split
    package let scope: RecipientScope
    package let seal: Seal
    package let cover: Cover
    package let createdAt: Timestamp
    package internal(set) var state: State = .created
    /// What has paid for it: the transfer of its payment, or the order number of a subsidy.
    package internal(set) var funding: TransferID?
    package internal(set) var publishedAt: Timestamp?
    package internal(set) var expiresAt: Timestamp?
    package internal(set) var closedAt: Timestamp?
    package internal(set) var claimed: Amount = .zero
    package internal(set) var claimedCount = 0
    /// The first of the largest shares claimed so far (RP-3).
    package internal(set) var luckiest: Best?
    /// What has left the escrow for those who claimed it.
    package internal(set) var transferred: Amount = .zero
    /// What has left it for where it came from: nothing, or all that nobody claimed (M7).
    package internal(set) var refunded: Amount = .zero
    /// How often the cashier has been asked in the present state.
    package internal(set) var attempts: UInt32 = 0
    /// When to look at it next; meaningless once final.
    package internal(set) var nextCheckAt: Timestamp

    package struct Best: Hashable, Sendable {
        package let position: Int
        package let share: Amount

        package init(position: Int, share: Amount) {
            self.position = position
            self.share = share
        }
    }

    /// What changes in the life of a packet, for stores, which read back what they were given.
    package struct Progress: Hashable, Sendable {
        package var state: State
        package var funding: TransferID?
        package var publishedAt: Timestamp?
        package var expiresAt: Timestamp?
        package var closedAt: Timestamp?
        package var claimed: Amount
        package var claimedCount: Int
        package var luckiest: Best?
        package var transferred: Amount
        package var refunded: Amount
        package var attempts: UInt32
        package var nextCheckAt: Timestamp

        package init(
            state: State,
            funding: TransferID?,
            publishedAt: Timestamp?,
            expiresAt: Timestamp?,
            closedAt: Timestamp?,
            claimed: Amount,
            claimedCount: Int,
            luckiest: Best?,
            transferred: Amount,
            refunded: Amount,
            attempts: UInt32,
            nextCheckAt: Timestamp
        ) {
            self.state = state
            self.funding = funding
            self.publishedAt = publishedAt
            self.expiresAt = expiresAt
            self.closedAt = closedAt
            self.claimed = claimed
            self.claimedCount = claimedCount
            self.luckiest = luckiest
            self.transferred = transferred
            self.refunded = refunded
            self.attempts = attempts
            self.nextCheckAt = nextCheckAt
        }
    }

    package init(id: RedPacketID, _ draft: RedPacketDraft, seal: Seal, createdAt: Timestamp, nextCheckAt: Timestamp) {
        precondition(id.rawValue > 0)
        self.id = id
        key = draft.key
        kind = draft.kind
        split = draft.split
        scope = draft.scope
        cover = draft.cover
        self.seal = seal
        self.createdAt = createdAt
        self.nextCheckAt = nextCheckAt
    }

    /// For stores.
    package init(id: RedPacketID, _ draft: RedPacketDraft, seal: Seal, createdAt: Timestamp, _ progress: Progress) {
        self.init(id: id, draft, seal: seal, createdAt: createdAt, nextCheckAt: progress.nextCheckAt)
        state = progress.state
        funding = progress.funding
        publishedAt = progress.publishedAt
        expiresAt = progress.expiresAt
        closedAt = progress.closedAt
        claimed = progress.claimed
        claimedCount = progress.claimedCount
        luckiest = progress.luckiest
        transferred = progress.transferred
        refunded = progress.refunded
        attempts = progress.attempts
    }

    package var sharesLeft: Int { split.count - claimedCount }
    /// How many were left when the share at a position had been claimed.
    package func sharesLeft(after position: Int) -> Int { split.count - position - 1 }
    /// What nobody has claimed, in escrow or already given back.
    package var unclaimed: Amount { split.amount.subtracting(claimed) ?? .zero }
    package var escrow: AccountID { .escrow(of: id, in: key.book) }
    package var refundID: TransferID { TransferID(packet: id, book: key.book, .refund) }
    /// Where the unclaimed rest goes; `nil` before it's published.
    package var refundAccount: AccountID? { funding.flatMap { kind.source.refundAccount(of: $0) } }
    /// M8: all that was sent has been transferred or refunded.
    package var isSettled: Bool { transferred == claimed && refunded == unclaimed }

    /// The order number that the cashier knows it by.
    package var paymentOrder: String { Self.paymentOrder(of: id) }
    package static func paymentOrder(of id: RedPacketID) -> String { "p_\(id.rawValue)" }

    /// What a sender asks for.
    package var draft: RedPacketDraft {
        RedPacketDraft(key: key, kind: kind, split: split, scope: scope, cover: cover)
    }

    /// The subsidy that has paid for it; `nil` when it was a payment, or nothing yet.
    package var subsidy: OrderNumber? { funding?.order }

    /// The transfer by which its money comes into escrow, all of it, from where its kind says. Its ID names the packet,
    /// so a packet is paid for once.
    package func payment(at now: Timestamp) -> Transfer {
        Transfer(
            id: TransferID(packet: id, book: key.book, .payment),
            debit: kind.source.account(of: key),
            credit: escrow,
            amount: split.amount,
            at: now,
            postedAt: now
        )
    }
}

/// What a sender asks for, whole.
package struct RedPacketDraft: Hashable, Sendable {
    package let key: SendKey
    package let kind: RedPacketKind
    package let split: Split
    package let scope: RecipientScope
    package let cover: RedPacket.Cover

    package init(
        key: SendKey,
        kind: RedPacketKind,
        split: Split,
        scope: RecipientScope,
        cover: RedPacket.Cover
    ) {
        self.key = key
        self.kind = kind
        self.split = split
        self.scope = scope
        self.cover = cover
    }
}
