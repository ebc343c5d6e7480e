/// What the cashier is asked to take from a packet's sender (RP-2). The packet's row is the promise to find out whether
/// it did (M15).
package struct Payment: Hashable, Sendable {
    package struct Terms: Hashable, Sendable {
        /// How long after it was made a packet can be paid for.
        package let payWithinSeconds: Int64
        /// How long a packet can be claimed.
        package let lifeSeconds: Int64

        package init(payWithinSeconds: Int64, lifeSeconds: Int64) {
            self.payWithinSeconds = payWithinSeconds
            self.lifeSeconds = lifeSeconds
        }
    }

    package let packet: RedPacket
    package let terms: Terms

    package init(_ packet: RedPacket, _ terms: Terms) {
        self.packet = packet
        self.terms = terms
    }

    /// Until when it can be paid. After that the cashier is told to let no payment come any more.
    package var closesAt: Timestamp { packet.createdAt.advanced(bySeconds: terms.payWithinSeconds) }
}

extension Payment: OutsideOrder {
    package var id: RedPacketID { packet.id }
    package var order: String { packet.paymentOrder }
    package var amount: Amount { packet.split.amount }
    package var createdAt: Timestamp { packet.createdAt }
    package var attempts: UInt32 { packet.attempts }
    package var isOpen: Bool { packet.state == .paying }
    /// A payment may come for a packet that was given up, whatever the cashier has promised.
    package var isWorthAsking: Bool { packet.state == .paying || packet.state == .abandoned }
    package var isDone: Bool { packet.state.isFunded }
    package var summary: String { "book \(packet.key.book.rawValue), packet \(packet.state)" }

    package static func id(of order: String) -> RedPacketID? {
        guard let parts = orderParts(order, "p", count: 1), let packet = UInt64(canonicalDecimal: parts[0]), packet > 0
        else { return nil }
        return RedPacketID(packet)
    }

    package static func footprint(of payments: [Payment]) -> Footprint {
        var footprint = Footprint(posting: payments.map { $0.packet.payment(at: $0.createdAt) })
        footprint.packets = payments.map(\.id)
        footprint.refunds = footprint.packets
        return footprint
    }

    package func apply(
        _ report: PayoutReport,
        to books: inout Books,
        _ now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        books.settle(self, by: report, now: now, retryAfterSeconds: retryAfterSeconds)
    }

    package func present(in books: Books) -> Payment? { books.packet(id).map { Payment($0, terms) } }
}

extension Books {
    /// Applies what the cashier says of a payment: the right amount opens the packet; no payment ends it; any other
    /// payment, or one for a packet that has ended, goes back whole (M7).
    mutating func settle(
        _ payment: Payment,
        by report: PayoutReport,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard let packet = packet(payment.id), packet.kind.source.isOutside, packet.state != .created else {
            return .notFound
        }
        let returned = refunds(of: packet.id).first
        switch (packet.state, report) {
        case (_, .paid(.zero)): return .contradiction
        case (.paying, .paid(let amount)) where amount == packet.split.amount || Mutant.isOn(.takesAnyPayment):
            let transfer = packet.payment(at: now)
            let outcome = publish(packet.id, by: transfer, now: now, lifeSeconds: payment.terms.lifeSeconds)
            guard case .published = outcome else { return .contradiction }
            return .settled
        case (.paying, .paid(let amount)):
            _ = abandon(packet.id, now: now)
            if Mutant.isOn(.keepsWrongPayments) { return .released }
            promiseRefund(of: packet, amount, .wrongAmount, now: now)
            return .returned
        case (.paying, .failed):
            _ = abandon(packet.id, now: now)
            return .released
        case (.paying, .processing) where now < payment.closesAt:
            keepAsking(packet, now: now, retryAfterSeconds: retryAfterSeconds)
            return .inTime
        case (.abandoned, .paid(let amount)):
            if let returned { return returned.amount == amount ? .alreadyFinal : .contradiction }
            if Mutant.isOn(.keepsLatePayments) { return .alreadyFinal }
            promiseRefund(of: packet, amount, .latePayment, now: now)
            return .returned
        case (.abandoned, _) where returned != nil: return .alreadyFinal
        case (.abandoned, .failed), (.abandoned, .unknownOrder): return .alreadyFinal
        case (.paying, _), (.abandoned, _):
            keepAsking(packet, now: now, retryAfterSeconds: retryAfterSeconds)
            return .waiting
        case (_, .failed): return .contradiction
        case (_, .paid(let amount)): return amount == packet.split.amount ? .alreadyFinal : .contradiction
        default: return .alreadyFinal
        }
    }

    private mutating func keepAsking(_ old: RedPacket, now: Timestamp, retryAfterSeconds: Int64) {
        var packet = old
        packet.attempts &+= 1
        packet.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
        put(packet)
    }
}
