extension Footprint {
    /// The rows that transfers of these claims touch.
    ///
    /// - Parameter isElsewhere: whether what it's for is in another database.
    package init(settling claims: [Claim], isElsewhere: (Claim) -> Bool = { _ in false }) {
        self.init(posting: claims.map { $0.transfer(at: $0.at, isElsewhere: isElsewhere($0)) })
        packets = Array(Set(claims.map(\.key.packet)))
        self.claims = claims.map(\.key)
    }

    /// The rows that the end of these packets touches.
    package init(ending packets: [RedPacket]) {
        self.init()
        self.packets = packets.map(\.id)
        var refunds = Set<AccountID>()
        for packet in packets {
            guard let account = packet.refundAccount else { continue }
            accounts.append(packet.escrow)
            refunds.insert(account)
            transfers.append(packet.refundID)
            self.refunds.append(packet.id)
        }
        accounts += refunds
    }
}

extension Books {
    /// Applies what is known of a claim's transfer. What stays inside is `paid` by whoever carries it out. Repeating a
    /// report changes nothing.
    ///
    /// - Parameter isElsewhere: whether the share has been brought into another database.
    package mutating func settle(
        _ key: ClaimKey,
        by report: PayoutReport,
        isElsewhere: Bool = false,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard var claim = claim(key), var packet = packet(key.packet) else { return .notFound }
        switch (claim.state, report) {
        case (_, .paid(let amount)) where amount != claim.share: return .contradiction
        case (.done, .failed): return .contradiction
        case (.done, _): return .alreadyFinal
        case (.pending, .paid):
            let isPosted =
                Mutant.isOn(.forgetsShareTransfer)
                || ledger.post(claim.transfer(at: now, isElsewhere: isElsewhere)) == .posted
            precondition(isPosted)  // The escrow holds what was promised.
            guard let sum = packet.transferred.adding(claim.share), sum <= packet.claimed else {
                preconditionFailure("more is transferred than was claimed")  // M8
            }
            claim.state = .done
            claim.doneAt = now
            put(claim)
            packet.transferred = sum
            packet.closeWhenSettled(at: now)
            put(packet)
            return .settled
        case (.pending, .processing), (.pending, .unknownOrder), (.pending, .unreachable), (.pending, .failed):
            claim.attempts &+= 1
            claim.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
            put(claim)
            return .waiting
        }
    }

    private mutating func giveBack(_ old: RedPacket, now: Timestamp) -> RedPacket {
        guard let account = old.refundAccount else { preconditionFailure("a refund of what was never paid") }
        let transfer = Transfer(
            id: old.refundID,
            debit: old.escrow,
            credit: account,
            amount: old.unclaimed,
            at: now,
            postedAt: now
        )
        precondition(ledger.post(transfer) == .posted)  // The escrow holds what nobody claimed.
        return old.refunded(old.unclaimed, now: now)
    }

    /// Takes all the steps towards its end that are due and need nobody outside, and promises those that do, in the
    /// same decision (M15). Answers the packet as it stands then; `nil` when there is none.
    ///
    /// A packet whose sender never went to the cashier is abandoned; one that is being paid for is left to the
    /// cashier's word (`Payment`).
    ///
    /// - Parameter retryAfterSeconds: when to look again at what waits for others.
    package mutating func advance(_ id: RedPacketID, now: Timestamp, retryAfterSeconds: Int64) -> RedPacket? {
        guard let old = packet(id) else { return nil }
        var packet = old
        if packet.state == .created, now >= packet.nextCheckAt { packet.go(to: .abandoned, nextCheckAt: now) }
        if packet.state == .published, let end = packet.expiresAt, now >= end, !Mutant.isOn(.neverExpiresPackets) {
            packet.go(to: .expired, nextCheckAt: now)
        }
        if packet.state == .exhausted || packet.state == .expired { packet.go(to: .closing, nextCheckAt: now) }
        if packet.state == .closing {
            let isOwed = packet.unclaimed > .zero && packet.refunded == .zero
            switch (isOwed, packet.kind.source.isOutside) {
            case (true, false): packet = giveBack(packet, now: now)
            case (true, true):
                if refunds(of: id).isEmpty { promiseRefund(of: packet, packet.unclaimed, .unclaimed, now: now) }
            case (false, _): packet.closeWhenSettled(at: now)
            }
        }
        if packet.state == .closing { packet.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds) }
        if packet != old { put(packet) }
        return packet
    }
}

extension RedPacket {
    /// After `amount`, all that nobody claimed, has gone back (RP-4, M7).
    func refunded(_ amount: Amount, now: Timestamp) -> RedPacket {
        precondition(state == .closing && refunded == .zero && amount == unclaimed)
        var packet = self
        packet.refunded = amount
        packet.closeWhenSettled(at: now)
        return packet
    }

    fileprivate mutating func closeWhenSettled(at now: Timestamp) {
        guard state == .closing, isSettled || Mutant.isOn(.closesUnsettledPackets) else { return }
        go(to: .closed, nextCheckAt: now)
        // A decision may wait for the store behind the one that found that the time is over.
        closedAt = unclaimed > .zero ? max(now, expiresAt ?? now) : now
    }
}
