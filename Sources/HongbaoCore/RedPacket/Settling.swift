/// What a packet waits for after `Books.advance`.
package enum PacketNeed: Hashable, Sendable {
    case unknown
    /// Nothing until it's paid: whoever looks after payments decides.
    case payment(RedPacket)
    /// Nothing before that time.
    case time(Timestamp)
    /// The refund channel must be asked to give `unclaimed` back, or about it.
    case refund(RedPacket)
    /// Transfers to those who claimed. The last one closes it.
    case transfers
    /// Nothing: it's closed or abandoned.
    case nothing(RedPacket)
}

extension Footprint {
    /// The rows that transfers of these claims touch.
    package init(settling claims: [Claim]) {
        self.init()
        var accounts = Set<AccountID>()
        var packets = Set<RedPacketID>()
        for claim in claims {
            accounts.insert(.escrow(of: claim.key.packet, in: claim.book))
            accounts.insert(claim.account)
            packets.insert(claim.key.packet)
        }
        self.accounts = Array(accounts)
        self.packets = Array(packets)
        self.claims = claims.map(\.key)
        transfers = claims.map(\.transferID)
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
        }
        accounts += refunds
    }
}

extension Books {
    /// Applies what is known of a claim's transfer. What stays inside is `paid` by whoever carries it out. Repeating a
    /// report changes nothing.
    package mutating func settle(
        _ key: ClaimKey,
        by report: PayoutReport,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard var claim = claim(key), var packet = packet(key.packet) else { return .notFound }
        switch (claim.state, report) {
        case (_, .paid(let amount)) where amount != claim.share: return .contradiction
        case (.done, .failed): return .contradiction
        case (.done, _): return .alreadyFinal
        case (.pending, .paid):
            precondition(ledger.post(claim.transfer(at: now)) == .posted)  // The escrow holds what was promised.
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

    /// Applies what is known of a packet's refund (RP-4, M7: one refund, and nothing after it).
    package mutating func refund(
        _ id: RedPacketID,
        by report: PayoutReport,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard let packet = packet(id), packet.state == .closing || packet.state == .closed,
            packet.unclaimed > .zero
        else { return .notFound }
        switch (packet.refunded > .zero, report) {
        case (_, .paid(let amount)) where amount != packet.unclaimed: return .contradiction
        case (true, .failed): return .contradiction
        case (true, _): return .alreadyFinal
        case (false, .paid):
            put(giveBack(packet, now: now))
            return .settled
        case (false, .processing), (false, .unknownOrder), (false, .unreachable), (false, .failed):
            _ = keepAsking(id, now: now, retryAfterSeconds: retryAfterSeconds)
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
        var packet = old
        packet.refunded = old.unclaimed
        packet.closeWhenSettled(at: now)
        return packet
    }

    /// Takes all the steps towards its end that need nobody outside, and says what it waits for then. To be called
    /// when the packet is due, by `nextCheckAt`; each call that leaves it waiting for the outside counts as an attempt.
    ///
    /// A packet whose sender never went to the cashier is abandoned.
    ///
    /// - Parameter retryAfterSeconds: when to look again at what needs others.
    package mutating func advance(_ id: RedPacketID, now: Timestamp, retryAfterSeconds: Int64) -> PacketNeed {
        guard let old = packet(id) else { return .unknown }
        var packet = old
        if packet.state == .created, now >= packet.nextCheckAt { packet.go(to: .abandoned, nextCheckAt: now) }
        if packet.state == .published, let end = packet.expiresAt, now >= end {
            packet.go(to: .expired, nextCheckAt: now)
        }
        if packet.state == .exhausted || packet.state == .expired { packet.go(to: .closing, nextCheckAt: now) }
        if packet.state == .closing {
            let isDue = packet.unclaimed > .zero && packet.refunded == .zero
            if isDue, !packet.kind.source.isOutside {
                packet = giveBack(packet, now: now)
            } else {
                packet.closeWhenSettled(at: now)
            }
        }
        if packet.state == .closing || packet.state == .paying {
            packet.attempts &+= 1
            packet.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
        }
        if packet != old { put(packet) }
        return packet.need
    }
}

extension RedPacket {
    fileprivate mutating func closeWhenSettled(at now: Timestamp) {
        guard state == .closing, isSettled else { return }
        go(to: .closed, nextCheckAt: now)
        closedAt = now
    }

    fileprivate var need: PacketNeed {
        switch state {
        case .created, .paying: .payment(self)
        case .published: .time(nextCheckAt)
        case .exhausted, .expired: preconditionFailure("a packet that is over begins to close at once")
        case .closing: refunded == unclaimed ? .transfers : .refund(self)
        case .closed, .abandoned: .nothing(self)
        }
    }
}
