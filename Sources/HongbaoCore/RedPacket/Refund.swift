/// An order to give money back that came in over the cashier, and the promise of it (RP-4, M15).
///
/// Of a packet at most one refund is pending or done: what was paid for it is either in its escrow, of which the
/// unclaimed rest goes back, or was never taken, and all of it goes back. One that is refused for good is followed by
/// another one under the next number.
package struct Refund: Hashable, Sendable {
    /// The raw values are stored.
    package enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        /// Nobody claimed it in time.
        case unclaimed = 1
        /// The sender paid another amount than the packet's.
        case wrongAmount = 2
        /// The payment came after the packet was given up.
        case latePayment = 3
    }

    /// Only goes forward (M10). The raw values are stored.
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        case pending = 1
        case done = 2
        case failed = 3
    }

    package let packet: RedPacketID
    /// From 1, without gap.
    package let number: UInt32
    package let book: BookID
    /// Who gets it: the packet's sender.
    package let person: PersonID
    package let amount: Amount
    package let reason: Reason
    package let createdAt: Timestamp
    package internal(set) var state: State
    /// How often the refund channel has been asked, for this refund and those that it stands for.
    package internal(set) var attempts: UInt32
    /// When to ask it next; meaningless once final.
    package internal(set) var nextCheckAt: Timestamp
    package internal(set) var finalAt: Timestamp?

    package init(
        packet: RedPacketID,
        number: UInt32,
        book: BookID,
        person: PersonID,
        amount: Amount,
        reason: Reason,
        createdAt: Timestamp,
        state: State = .pending,
        attempts: UInt32 = 0,
        nextCheckAt: Timestamp,
        finalAt: Timestamp? = nil
    ) {
        self.packet = packet
        self.number = number
        self.book = book
        self.person = person
        self.amount = amount
        self.reason = reason
        self.createdAt = createdAt
        self.state = state
        self.attempts = attempts
        self.nextCheckAt = nextCheckAt
        self.finalAt = finalAt
    }

    /// The order number that the refund channel knows it by.
    package var refundOrder: String { "r_\(packet.rawValue)_\(number)" }
    /// The payment that it gives back, all or in part.
    package var paymentOrder: String { RedPacket.paymentOrder(of: packet) }
    /// The same for all refunds of a packet, so that money goes back once (M7).
    package var transferID: TransferID { TransferID(packet: packet, book: book, .refund) }

    /// What moves the money: out of the escrow, or straight from where the payment came in.
    package func transfer(at now: Timestamp) -> Transfer {
        Transfer(
            id: transferID,
            debit: reason == .unclaimed ? .escrow(of: packet, in: book) : .cashier(of: book),
            credit: .refunds(of: book),
            amount: amount,
            at: now,
            postedAt: now
        )
    }
}

extension Refund: OutsideOrder {
    /// The packet's: of its refunds at most one is open.
    package var id: RedPacketID { packet }
    package var order: String { refundOrder }
    package var isOpen: Bool { state == .pending }
    package var isDone: Bool { state == .done }
    package var summary: String { "book \(book.rawValue), refund \(number), \(reason), \(state)" }

    package static func id(of order: String) -> RedPacketID? {
        guard let parts = orderParts(order, "r", count: 2), let packet = UInt64(canonicalDecimal: parts[0]), packet > 0,
            let number = UInt32(canonicalDecimal: parts[1]), number > 0
        else { return nil }
        return RedPacketID(packet)
    }

    package static func footprint(of refunds: [Refund]) -> Footprint {
        var footprint = Footprint(posting: refunds.map { $0.transfer(at: $0.createdAt) })
        footprint.packets = refunds.map(\.packet)
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

    package func present(in books: Books) -> Refund? { books.refunds(of: packet).last }
}

extension Books {
    /// Promises to give money back that came in for a packet, in the transaction that decides it (M15).
    mutating func promiseRefund(of packet: RedPacket, _ amount: Amount, _ reason: Refund.Reason, now: Timestamp) {
        add(
            Refund(
                packet: packet.id,
                number: UInt32(refunds(of: packet.id).count) + 1,
                book: packet.key.book,
                person: packet.key.sender,
                amount: amount,
                reason: reason,
                createdAt: now,
                nextCheckAt: now
            )
        )
    }

    /// Applies what the refund channel says. One that it refuses for good is followed by the next one.
    mutating func settle(
        _ refund: Refund,
        by report: PayoutReport,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard var refund = refunds(of: refund.packet).first(where: { $0.number == refund.number }),
            let packet = packet(refund.packet)
        else { return .notFound }
        let next = now.advanced(bySeconds: retryAfterSeconds)
        switch (refund.state, report) {
        case (_, .paid(let amount)) where amount != refund.amount: return .contradiction
        case (.done, .failed), (.failed, .paid): return .contradiction
        case (.done, _), (.failed, _): return .alreadyFinal
        case (.pending, .paid):
            // The escrow holds what was promised; a payment can be too large for the sums of the books.
            guard ledger.post(refund.transfer(at: now)) == .posted else { return .contradiction }
            refund.state = .done
            refund.finalAt = now
            put(refund)
            if refund.reason == .unclaimed { put(packet.refunded(refund.amount, now: now)) }
            return .settled
        case (.pending, .failed) where refund.number < .max:
            refund.state = .failed
            refund.finalAt = now
            put(refund)
            add(refund.successor(now: now, nextCheckAt: next))
            return .renewed
        case (.pending, .processing), (.pending, .unknownOrder), (.pending, .unreachable), (.pending, .failed):
            refund.attempts &+= 1
            refund.nextCheckAt = next
            put(refund)
            return .waiting
        }
    }
}

extension Refund {
    fileprivate func successor(now: Timestamp, nextCheckAt: Timestamp) -> Refund {
        Refund(
            packet: packet,
            number: number + 1,
            book: book,
            person: person,
            amount: amount,
            reason: reason,
            createdAt: now,
            attempts: attempts &+ 1,
            nextCheckAt: nextCheckAt
        )
    }
}
