package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle

/// What happens to red packets without anybody asking: shares that stay inside are moved to who claimed them (RP-9),
/// packets whose time is over are closed and given back (RP-4).
///
/// What needs the outside is promised to it in rows. All of it is found in the store, so nothing is lost with a process
/// (M15).
package final class PacketSweeps: Service {
    package struct Configuration: Sendable {
        package var intervalMilliseconds: Int64 = 500
        /// Claims, or packets, in one transaction.
        package var batchMax = 500
        /// When to look again at what waits for others.
        package var retryAfterSeconds: Int64 = 60

        package init() {}
    }

    private let shards: Shards
    /// Which of the databases it sweeps.
    private let own: Int
    private let clock: WallClock
    private let configuration: Configuration
    /// Is told of refunds right after they were promised.
    private let refundPromised: @Sendable (Refund) -> Void
    private let logger: Logger
    private let transfers = Counter(label: "hongbao_share_transfers_total", dimensions: [("to", "wallet")])
    private let closed = Counter(label: "hongbao_packets_closed_total")
    private let faults = Counter(label: "hongbao_packets_store_faults_total")
    private let oldest = Gauge(label: "hongbao_shares_oldest_pending_seconds")

    package init(
        _ shards: Shards,
        at index: Int = 0,
        clock: WallClock,
        configuration: Configuration = Configuration(),
        refundPromised: @escaping @Sendable (Refund) -> Void = { _ in },
        logger: Logger
    ) {
        precondition(configuration.batchMax > 0 && configuration.retryAfterSeconds > 0)
        self.shards = shards
        own = index
        self.clock = clock
        self.configuration = configuration
        self.refundPromised = refundPromised
        self.logger = logger
    }

    /// Runs until graceful shutdown.
    package func run() async throws {
        await cancelOnShutdown {
            while !Task.isCancelled {
                await self.sweep()
                await self.clock.pause(.milliseconds(self.configuration.intervalMilliseconds))
            }
        }
    }

    /// Does all that is due now. A fault is logged, and the next sweep tries again.
    package func sweep() async {
        do throws(StoreError) {
            while try await transferNext() {}
            while try await advanceNext() {}
        } catch {
            faults.increment()
            logger.error("the sweep of red packets failed", metadata: ["error": "\(error)"])
        }
    }

    /// Moves some shares that stay inside to whose they are. Answers whether there may be more.
    ///
    /// They wait for nobody, so all that are pending are due, whatever the clock says.
    package func transferNext() async throws(StoreError) -> Bool {
        let limit = configuration.batchMax
        let always = Timestamp(milliseconds: .min)...Timestamp(milliseconds: .max)
        let kinds = RedPacketKind.allCases.filter { !$0.destination.isOutside }
        let claims = try await shards.stores[own].read { (snapshot) throws(StoreError) in
            var claims: [Claim] = []
            for kind in kinds {
                claims += try snapshot.claims(of: kind, toTransferIn: always, limit: limit - claims.count)
            }
            return claims
        }
        let now = clock.now()
        oldest.record(Double(claims.map { max(0, now.milliseconds - $0.at.milliseconds) }.max() ?? 0) / 1000)
        guard !claims.isEmpty else { return false }
        try await settle(claims, at: own)
        return claims.count == limit
    }

    /// Moves all shares of one person that stay inside into their wallet, and returns when they are there: before a
    /// withdrawal (WD-2).
    package func settle(_ person: PersonID, in book: BookID) async throws(StoreError) {
        // What is in a database that is away comes later.
        for index in shards.stores.indices where index == own || !shards.isAway(index) {
            let claims = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                try snapshot.claims(of: person, in: book)
            }
            let pending = claims.filter { $0.state == .pending && !$0.kind.destination.isOutside }
            for start in stride(from: 0, to: pending.count, by: configuration.batchMax) {
                let end = min(start + configuration.batchMax, pending.count)
                try await settle(Array(pending[start..<end]), at: index)
            }
        }
    }

    /// Settling is idempotent by the claim, so whoever doesn't know what came of it does it once more.
    private func settle(_ claims: [Claim], at index: Int) async throws(StoreError) {
        let now = clock.now()
        let retryAfterSeconds = configuration.retryAfterSeconds
        let shards = shards
        let isElsewhere: @Sendable (Claim) -> Bool = { shards.index(of: $0.key.person) != index }
        let waiting = await bring(claims.filter(isElsewhere), now)
        let footprint = Footprint(settling: claims, isElsewhere: isElsewhere)
        let settled = try await shards.stores[index].transact(footprint) { books in
            claims.count { claim in
                books.settle(
                    claim.key,
                    // What waits for another database goes behind the others.
                    by: waiting.contains(shards.index(of: claim.key.person)) ? .unreachable : .paid(claim.share),
                    isElsewhere: isElsewhere(claim),
                    now: now,
                    retryAfterSeconds: retryAfterSeconds
                ) == .settled
            }
        }
        transfers.increment(by: settled)
    }

    /// Brings shares into the databases of those who claimed them. Each claim is the promise of it, and names the
    /// transfer, so that doing it again moves nothing twice. Answers where it wasn't possible.
    private func bring(_ claims: [Claim], _ now: Timestamp) async -> Set<Int> {
        var waiting: Set<Int> = []
        for (index, claims) in Dictionary(grouping: claims, by: { shards.index(of: $0.key.person) }) {
            do throws(StoreError) {
                try await shards.bring(claims.map { $0.arrival(at: now) }, to: index)
            } catch {
                waiting.insert(index)
                faults.increment()
                let metadata: Logger.Metadata = ["error": "\(error)", "database": "\(index + 1)"]
                logger.error("shares wait for another database", metadata: metadata)
            }
        }
        return waiting
    }

    /// Takes packets that are due as far as they go without the outside. Answers whether there may be more.
    package func advanceNext() async throws(StoreError) -> Bool {
        let limit = configuration.batchMax
        let now = clock.now()
        let store = shards.stores[own]
        let due = try await store.read { (snapshot) throws(StoreError) in
            try snapshot.packets(toCheckIn: Timestamp(milliseconds: .min)...now, limit: limit)
        }
        guard !due.isEmpty else { return false }
        let retryAfterSeconds = configuration.retryAfterSeconds
        let (packets, refunds) = try await store.transact(Footprint(ending: due)) { books in
            let packets = due.map { books.advance($0.id, now: now, retryAfterSeconds: retryAfterSeconds) }
            return (packets, books.newRefunds)
        }
        closed.increment(by: packets.count { $0?.state.isFinal ?? false })
        for refund in refunds { refundPromised(refund) }
        return due.count == limit
    }
}
