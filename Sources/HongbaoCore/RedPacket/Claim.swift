package struct ClaimKey: Hashable, Sendable {
    package let packet: RedPacketID
    package let person: PersonID

    package init(packet: RedPacketID, person: PersonID) {
        self.packet = packet
        self.person = person
    }
}

/// A share of a red packet that is somebody's, and the promise to bring it to them (RP-9, M15).
package struct Claim: Hashable, Sendable {
    /// How far its transfer is. Only goes forward (M10). The raw values are stored.
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        case pending = 1
        case done = 2
    }

    package let key: ClaimKey
    package let book: BookID
    package let kind: RedPacketKind
    /// From 0, in the order of claims.
    package let position: Int
    package let share: Amount
    package let at: Timestamp
    package internal(set) var state: State
    /// How often the transfer channel has been asked to pay or asked about it.
    package internal(set) var attempts: UInt32
    /// When to carry its transfer on; meaningless once done.
    package internal(set) var nextCheckAt: Timestamp
    package internal(set) var doneAt: Timestamp?

    package init(
        key: ClaimKey,
        book: BookID,
        kind: RedPacketKind,
        position: Int,
        share: Amount,
        at: Timestamp,
        state: State = .pending,
        attempts: UInt32 = 0,
        nextCheckAt: Timestamp,
        doneAt: Timestamp? = nil
    ) {
        self.key = key
        self.book = book
        self.kind = kind
        self.position = position
        self.share = share
        self.at = at
        self.state = state
        self.attempts = attempts
        self.nextCheckAt = nextCheckAt
        self.doneAt = doneAt
    }

    package var transferID: TransferID { TransferID(packet: key.packet, book: book, .claim(position: position)) }
    /// Where the share goes.
    package var account: AccountID { kind.destination.account(of: key.person, in: book) }
    /// The order number that the transfer channel knows it by.
    package var transferOrder: String { "t_\(key.packet.rawValue)_\(position)" }

    /// What moves the share to whose it is; to the account of the other databases when that person's is there.
    package func transfer(at now: Timestamp, isElsewhere: Bool = false) -> Transfer {
        Transfer(
            id: transferID,
            debit: .escrow(of: key.packet, in: book),
            credit: isElsewhere ? .elsewhere(of: book) : account,
            amount: share,
            at: at,
            postedAt: now
        )
    }

    /// What brings the share into the database of whose it is. It may be there before the share has left the packet's,
    /// since nothing can take it back from them any more (M15).
    package func arrival(at now: Timestamp) -> Transfer {
        Transfer(
            id: transferID,
            debit: .elsewhere(of: book),
            credit: account,
            amount: share,
            at: at,
            postedAt: now
        )
    }
}

/// What became of one request for a share, in order of precedence: when several apply, the first is given.
package enum ClaimOutcome: Hashable, Sendable {
    case unknown
    /// Nobody has paid for it.
    case notPublished
    /// The first answer again (M14), with the shares that were left then.
    case alreadyClaimed(Claim, left: Int)
    case notInScope
    /// All shares are claimed.
    case exhausted
    case expired
    /// A new claim, and how many shares are left after it.
    case claimed(Claim, left: Int)
}

extension Footprint {
    /// The rows that claims of one packet touch. No account is among them: the money moves later (RP-9).
    package init(claiming packet: RedPacketID, by persons: some Sequence<PersonID>) {
        self.init()
        packets = [packet]
        claims = persons.map { ClaimKey(packet: packet, person: $0) }
    }
}

extension Books {
    /// Gives the next shares of a packet to those who may have one, in their order (RP-3, RP-11, M7).
    ///
    /// - Parameter share: what the packet's split gives at a position. Asked once for each new claim.
    package mutating func claim(
        _ id: RedPacketID,
        by claimants: [Claimant],
        now: Timestamp,
        share: (Int) -> Amount
    ) -> [ClaimOutcome] {
        guard var packet = packet(id) else { return claimants.map { _ in .unknown } }
        guard packet.state.isFunded || Mutant.isOn(.claimsUnpaidPackets) else {
            return claimants.map { _ in .notPublished }
        }
        let before = packet.claimedCount
        reserveClaims(min(claimants.count, packet.sharesLeft))
        let outcomes = claimants.map { claimant -> ClaimOutcome in
            let key = ClaimKey(packet: id, person: claimant.person)
            if let earlier = claim(key), !Mutant.isOn(.claimsAgain) {
                return .alreadyClaimed(earlier, left: packet.sharesLeft(after: earlier.position))
            }
            guard packet.scope.admits(claimant) || Mutant.isOn(.ignoresRecipientScope) else { return .notInScope }
            guard packet.sharesLeft > 0 else { return .exhausted }
            let isOpen = packet.state == .published && packet.expiresAt.map { now < $0 } ?? false
            guard isOpen || Mutant.isOn(.claimsAfterTheEnd) || Mutant.isOn(.claimsUnpaidPackets) else {
                return .expired
            }
            let claim = Claim(
                key: key,
                book: packet.key.book,
                kind: packet.kind,
                position: packet.claimedCount,
                share: share(packet.claimedCount),
                at: now,
                nextCheckAt: now
            )
            packet.take(claim)
            add(claim)
            let left = packet.sharesLeft(after: claim.position)
            return .claimed(claim, left: left + (Mutant.isOn(.tellsSharesBefore) ? 1 : 0))
        }
        if packet.claimedCount > before {
            // Due at once, also when the clock was ahead and is set back.
            if packet.sharesLeft == 0 { packet.go(to: .exhausted, nextCheckAt: Timestamp(milliseconds: 0)) }
            put(packet)
        }
        return outcomes
    }
}

extension RedPacket {
    /// M7: never more than was sent, and enough stays for one fen each of the others.
    fileprivate mutating func take(_ claim: Claim) {
        guard claim.share > .zero, let sum = claimed.adding(claim.share), sum <= split.amount else {
            preconditionFailure("a share that the packet hasn't got")
        }
        claimed = sum
        claimedCount += 1
        precondition(unclaimed.fen >= Int64(sharesLeft) && (sharesLeft > 0 || unclaimed == .zero))
        if luckiest.map({ claim.share > $0.share || Mutant.isOn(.marksLastLuckiest) && claim.share == $0.share })
            ?? true
        {
            luckiest = Best(position: claim.position, share: claim.share)
        }
    }

    /// Takes a step of its life; whether it may is the caller's to ask.
    mutating func go(to state: State, nextCheckAt: Timestamp) {
        precondition(self.state.next.contains(state))
        self.state = state
        self.nextCheckAt = nextCheckAt
        attempts = 0
    }
}
