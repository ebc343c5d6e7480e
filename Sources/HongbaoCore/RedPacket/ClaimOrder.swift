/// What the order number of a claim's transfer names.
package struct ClaimPlace: Hashable, Comparable, Sendable {
    package let packet: RedPacketID
    package let position: Int

    package init(packet: RedPacketID, position: Int) {
        self.packet = packet
        self.position = position
    }

    package static func < (a: Self, b: Self) -> Bool { (a.packet, a.position) < (b.packet, b.position) }
}

/// As an order, a claim is the transfer of its share to somebody's change (RP-9).
extension Claim: OutsideOrder {
    package var id: ClaimPlace { ClaimPlace(packet: key.packet, position: position) }
    package var order: String { transferOrder }
    package var amount: Amount { share }
    package var createdAt: Timestamp { at }
    package var isOpen: Bool { state == .pending && kind.destination.isOutside }
    package var isDone: Bool { state == .done }
    package var summary: String { "book \(book.rawValue), position \(position), \(state)" }

    package static func id(of order: String) -> ClaimPlace? {
        guard let parts = orderParts(order, "t", count: 2), let packet = UInt64(canonicalDecimal: parts[0]), packet > 0,
            let position = UInt32(canonicalDecimal: parts[1]), position < Split.countMax
        else { return nil }
        return ClaimPlace(packet: RedPacketID(packet), position: Int(position))
    }

    package static func footprint(of claims: [Claim]) -> Footprint { Footprint(settling: claims) }

    package func apply(
        _ report: PayoutReport,
        to books: inout Books,
        _ now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        books.settle(key, by: report, now: now, retryAfterSeconds: retryAfterSeconds)
    }

    package func present(in books: Books) -> Claim? { books.claim(key) }
}
