package import HongbaoCore
package import HongbaoEngine

/// Takes what senders pay for red packets, as the cashier's word does and without a cashier.
package struct Till: Sendable {
    package struct NotPublished: Error {}

    private let store: any Store
    private let clock: WallClock

    package init(_ store: any Store, _ clock: WallClock) {
        self.store = store
        self.clock = clock
    }

    /// Pays for a packet that nobody has paid for, and answers it as it's then: open for claims.
    @discardableResult
    package func pay(for packet: RedPacket) async throws -> RedPacket {
        guard case .done = try await startPaying(packet.id),
            case .published(let published) = try await paid(packet, packet.split.amount)
        else { throw NotPublished() }
        return published
    }

    package func startPaying(_ id: RedPacketID) async throws(StoreError) -> PacketStep {
        let next = clock.now().advanced(bySeconds: 60)
        return try await store.transact(Footprint(packet: id)) { $0.startPaying(id, nextCheckAt: next) }
    }

    /// Moves this amount into escrow and opens the packet, if it's all of it.
    package func paid(_ packet: RedPacket, _ amount: Amount) async throws(StoreError) -> PublishOutcome {
        guard amount == packet.split.amount else { return .fundingMismatch }
        let now = clock.now()
        let transfer = packet.payment(at: now)
        return try await store.transact(Footprint(publishing: packet.id, by: transfer)) { books in
            books.publish(packet.id, by: transfer, now: now)
        }
    }
}
