/// What became of a request to send a packet, in order of precedence.
package enum SendOutcome: Hashable, Sendable {
    /// The same key came before with the same content (M14).
    case replayed(RedPacket)
    /// The same key came before with other content.
    case conflict
    /// Another packet has this ID: draw another one.
    case idTaken
    case created(RedPacket)
}

/// What became of a step of a packet's life.
package enum PacketStep: Hashable, Sendable {
    case unknown
    /// It was taken before; as the packet stands now.
    case alreadyDone(RedPacket)
    /// Its state has no such step.
    case illegal(RedPacket.State)
    case done(RedPacket)
}

/// What became of the money for a packet, in order of precedence.
package enum PublishOutcome: Hashable, Sendable {
    case unknown
    /// By the same transfer, before.
    case alreadyPublished(RedPacket)
    /// Its state doesn't wait for money: abandoned, or published by another transfer.
    case illegal(RedPacket.State)
    /// It doesn't pay for this packet: another amount, source or person (SU-5).
    case fundingMismatch
    /// There is no such subsidy, or it isn't in the ledger yet.
    case fundingUnknown
    /// It has paid for something else (SU-4).
    case fundingUsed
    case insufficientFunds
    case published(RedPacket)
}

extension Footprint {
    /// The rows that sending touches.
    package init(sending key: SendKey, as id: RedPacketID) {
        self.init()
        packets = [id]
        sends = [key]
    }

    /// The rows that a step without money touches.
    package init(packet id: RedPacketID) {
        self.init()
        packets = [id]
    }

    /// The rows that publishing by this transfer touches.
    package init(publishing id: RedPacketID, by funding: Transfer) {
        self.init(posting: [funding])
        packets = [id]
    }

    /// The rows that making a packet and paying for it with this subsidy touches.
    package init(sending packet: RedPacket, by subsidy: OrderNumber, at now: Timestamp) {
        self.init(publishing: packet.id, by: packet.payment(at: now))
        sends = [packet.key]
        subsidies = [subsidy]
    }
}

extension Books {
    /// Makes a packet that nobody has paid for yet (RP-2).
    ///
    /// - Parameters:
    ///   - id: drawn by chance, so that nobody guesses it.
    ///   - nextCheckAt: when to look whether it was paid.
    package mutating func send(
        _ draft: RedPacketDraft,
        as id: RedPacketID,
        seal: RedPacket.Seal,
        now: Timestamp,
        nextCheckAt: Timestamp
    ) -> SendOutcome {
        if let earlier = packet(draft.key) { return earlier.draft == draft ? .replayed(earlier) : .conflict }
        guard packet(id) == nil else { return .idTaken }
        let packet = RedPacket(id: id, draft, seal: seal, createdAt: now, nextCheckAt: nextCheckAt)
        put(packet)
        return .created(packet)
    }

    /// Notes that the cashier is going to be asked for a payment: from now on there may be one.
    package mutating func startPaying(_ id: RedPacketID, nextCheckAt: Timestamp) -> PacketStep {
        guard let packet = packet(id) else { return .unknown }
        guard packet.kind.source.isOutside else { return .illegal(packet.state) }
        return step(packet, to: .paying, nextCheckAt: nextCheckAt)
    }

    /// Gives up a packet that nobody has paid for. Whoever calls this for one that is `paying` knows from the cashier
    /// that no payment can come any more.
    package mutating func abandon(_ id: RedPacketID, now: Timestamp) -> PacketStep {
        guard let packet = packet(id) else { return .unknown }
        return step(packet, to: .abandoned, nextCheckAt: now)
    }

    private mutating func step(_ old: RedPacket, to state: RedPacket.State, nextCheckAt: Timestamp) -> PacketStep {
        if old.state == state { return .alreadyDone(old) }
        guard old.state.next.contains(state) else { return .illegal(old.state) }
        var packet = old
        packet.go(to: state, nextCheckAt: nextCheckAt)
        put(packet)
        return .done(packet)
    }

    /// Moves a payment into escrow and opens the packet for claims (RP-2; M7: nothing before payment).
    package mutating func publish(
        _ id: RedPacketID,
        by funding: Transfer,
        now: Timestamp,
        lifeSeconds: Int64 = RedPacket.lifeSeconds
    ) -> PublishOutcome {
        guard let packet = packet(id) else { return .unknown }
        if packet.funding == funding.id { return .alreadyPublished(packet) }
        guard packet.kind.source == .payment, packet.state == .paying else { return .illegal(packet.state) }
        guard funding.movesTheSame(as: packet.payment(at: now)) else { return .fundingMismatch }
        return open(packet, by: funding, fundedBy: funding.id, now: now, lifeSeconds: lifeSeconds)
    }

    /// Uses a subsidy up for the packet and opens it for claims, both or neither (RP-2, SU-4, SU-5).
    package mutating func publish(
        _ id: RedPacketID,
        by order: OrderNumber,
        now: Timestamp,
        lifeSeconds: Int64 = RedPacket.lifeSeconds
    ) -> PublishOutcome {
        guard let packet = packet(id) else { return .unknown }
        if packet.subsidy == order { return .alreadyPublished(packet) }
        guard packet.kind.source == .subsidy, packet.state == .created else { return .illegal(packet.state) }
        let isOwn = order.person == packet.key.sender || Mutant.isOn(.takesOthersSubsidies)
        guard isOwn, order.book == packet.key.book else { return .fundingMismatch }
        guard var subsidy = subsidy(order) else { return .fundingUnknown }
        guard subsidy.amount == packet.split.amount else { return .fundingMismatch }
        guard !subsidy.isUsed || Mutant.isOn(.usesSubsidiesAgain) else { return .fundingUsed }
        let outcome = open(
            packet,
            by: packet.payment(at: now),
            fundedBy: TransferID(order),
            now: now,
            lifeSeconds: lifeSeconds
        )
        guard case .published = outcome, !Mutant.isOn(.leavesSubsidiesUnused) else { return outcome }
        subsidy.packet = id
        put(subsidy)
        return outcome
    }

    private mutating func open(
        _ old: RedPacket,
        by transfer: Transfer,
        fundedBy funding: TransferID,
        now: Timestamp,
        lifeSeconds: Int64
    ) -> PublishOutcome {
        switch ledger.post(transfer) {
        case .posted: break
        case .alreadyPosted, .idReusedForAnotherTransfer: return .fundingUsed
        case .insufficientFunds, .balanceWouldOverflow: return .insufficientFunds
        case .amountIsZero, .accountsAreTheSame, .booksDiffer: return .fundingMismatch
        }
        let end = now.advanced(bySeconds: lifeSeconds)
        var packet = old
        packet.go(to: .published, nextCheckAt: end)
        packet.funding = funding
        packet.publishedAt = now
        packet.expiresAt = end
        put(packet)
        return .published(packet)
    }
}
