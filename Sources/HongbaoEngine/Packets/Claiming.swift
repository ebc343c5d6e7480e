package import HongbaoCore

/// Carries out claims of one packet in one transaction. Correct for any number of instances at a time, with any facts:
/// the store alone decides (RP-8).
package struct Claiming: Sendable {
    private let shards: Shards
    private let clock: WallClock
    private let vault: SeedVault
    /// Below that many claims at a time, computing the next shares meanwhile doesn't pay.
    private static let aheadMin = 16

    package init(_ shards: Shards, clock: WallClock, vault: SeedVault) {
        self.shards = shards
        self.clock = clock
        self.vault = vault
    }

    /// What there is to know of a packet before it's claimed; `nil` when there is none.
    package func facts(of id: RedPacketID) async throws(StoreError) -> PacketFacts? {
        let packet = try await shards.store(of: id).read { (snapshot) throws(StoreError) in
            try snapshot.packet(id)
        }
        guard let packet else { return nil }
        return PacketFacts(packet: packet, shares: SharesAhead(packet.split, try vault.open(packet).draws))
    }

    /// Answers an outcome for each claimant, and how the packet is now. What can only be refused or repeated is read
    /// and writes nothing.
    package func carryOut(
        _ facts: PacketFacts,
        _ claimants: [Claimant]
    ) async throws(StoreError) -> (outcomes: [ClaimOutcome], facts: PacketFacts) {
        let now = clock.now()
        var facts = facts
        if !facts.mayBeClaimed(at: now), let (outcomes, packet) = try await look(facts.packet.id, claimants, now) {
            facts.packet = packet
            return (outcomes, facts)
        }
        let (id, next) = (facts.packet.id, facts.packet.claimedCount)
        facts.shares.prepare(from: next, count: claimants.count)
        let shares = facts.shares
        let (outcomes, packet): ([ClaimOutcome], RedPacket?)
        if claimants.count < Self.aheadMin {
            (outcomes, packet) = try await give(id, claimants, now, shares)
        } else {
            async let ahead = Self.prepared(shares, from: next + claimants.count, count: claimants.count)
            (outcomes, packet) = try await give(id, claimants, now, shares)
            facts.shares = await ahead
        }
        if let packet { facts.packet = packet }
        return (outcomes, facts)
    }

    /// Claiming is idempotent by the person.
    private func give(
        _ id: RedPacketID,
        _ claimants: [Claimant],
        _ now: Timestamp,
        _ shares: SharesAhead
    ) async throws(StoreError) -> ([ClaimOutcome], RedPacket?) {
        let footprint = Footprint(claiming: id, by: claimants.lazy.map(\.person))
        return try await shards.store(of: id).transactOnceMore(footprint) { books in
            (books.claim(id, by: claimants, now: now, share: shares.share), books.packet(id))
        }.answer
    }

    /// The shares of the next batch, while this one is on its way to the disk.
    @concurrent
    private static func prepared(_ shares: SharesAhead, from position: Int, count: Int) async -> SharesAhead {
        var shares = shares
        shares.prepare(from: position, count: count)
        return shares
    }

    /// Decides on one snapshot; `nil` when a share could be given after all.
    private func look(
        _ id: RedPacketID,
        _ claimants: [Claimant],
        _ now: Timestamp
    ) async throws(StoreError) -> ([ClaimOutcome], RedPacket)? {
        try await shards.store(of: id).read { (snapshot) throws(StoreError) in
            guard let packet = try snapshot.packet(id), !packet.isClaimable(at: now) else { return nil }
            let claims = try snapshot.claims(claimants.map { ClaimKey(packet: id, person: $0.person) })
            var books = Books(packets: [packet], claims: claims)
            let outcomes = books.claim(id, by: claimants, now: now) { _ in
                preconditionFailure("a share of a packet that can't be claimed")
            }
            return (outcomes, packet)
        }
    }
}
