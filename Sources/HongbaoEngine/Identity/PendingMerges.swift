import HongbaoCore
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Makes merges where several engines grant, each to its own part of the people (ID-3, DP-3).
///
/// Engines talk to each other by rows alone. Each looks for merges that are pending, gives neither person anything new
/// from then on, and acknowledges; the one that decides for the source lays its orders open first. The last
/// acknowledgement makes the merge, and each engine goes by it when it finds it no longer pending. An engine that
/// starts reads all that there is, in its own epoch, so an acknowledgement binds whoever takes a mint over, too.
package final class PendingMerges: Service {
    package struct Configuration: Sendable {
        package var intervalMilliseconds: Int64 = 200
        /// How long whoever causes a merge waits for all mints.
        package var waitMilliseconds: Int64 = 5_000

        package init() {}
    }

    private let store: any Store
    private let clock: WallClock
    private let granting: Granting
    private let poster: Poster
    private let tokens: TokenLists
    private let sweeps: MergeSweeps
    private let learnEpochs: @Sendable () async throws(StoreError) -> Void
    private let configuration: Configuration
    private let logger: Logger
    private let work = Doorbell()
    /// Those whose persons are in doubt here, by source.
    private let doubted: Mutex<[PersonID: PendingMerge]>
    private let pending = Gauge(label: "hongbao_pending_merges")

    private var aliases: KnownAliases { sweeps.aliases }

    /// - Parameters:
    ///   - doubted: those that were pending when the engine started, whose persons are in doubt.
    ///   - learnEpochs: makes batches of all mints readable that are in the log by now.
    init(
        store: any Store,
        clock: WallClock,
        granting: Granting,
        poster: Poster,
        tokens: TokenLists,
        sweeps: MergeSweeps,
        doubted: [PendingMerge],
        configuration: Configuration,
        logger: Logger,
        learnEpochs: @escaping @Sendable () async throws(StoreError) -> Void
    ) {
        self.store = store
        self.clock = clock
        self.granting = granting
        self.poster = poster
        self.tokens = tokens
        self.sweeps = sweeps
        self.doubted = Mutex(Dictionary(doubted.map { ($0.source, $0) }) { first, _ in first })
        self.configuration = configuration
        self.logger = logger
        self.learnEpochs = learnEpochs
    }

    /// Until graceful shutdown.
    package func run() async throws {
        await cancelOnShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        await self.clock.pause(.milliseconds(self.configuration.intervalMilliseconds))
                        self.work.ring()
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        await self.look()
                        await self.work.wait()
                    }
                }
            }
        }
    }

    /// Waits until a merge that was announced is made, or turns out not to be, and this engine goes by it. Answers
    /// `nil` when it wasn't made.
    ///
    /// - Throws: `unavailable` when it takes long, such as when nobody has one of the mints. It's pending then.
    func outcome(of source: PersonID) async throws(StoreError) -> Merge? {
        let end = clock.uptime() + .milliseconds(configuration.waitMilliseconds)
        while clock.uptime() < end, !Task.isCancelled {
            work.ring()
            await clock.pause(.milliseconds(configuration.intervalMilliseconds / 4))
            let (isPending, merge) = try await store.read { (snapshot) throws(StoreError) in
                (try snapshot.pendingMerges().contains { $0.source == source }, try snapshot.merge(of: source))
            }
            if !isPending, doubted.withLock({ $0[source] == nil }) { return merge }
        }
        throw StoreError(.unavailable, "a merge waits for a mint of the cluster")
    }

    // MARK: Looking

    /// Does all that can be done now. A fault is logged, and the next look tries again.
    private func look() async {
        do throws(StoreError) {
            let found = try await store.read { (snapshot) throws(StoreError) in try snapshot.pendingMerges() }
            pending.record(found.count)
            try await learn(found)
            doubt(found)
            for merge in found where !merge.isAcknowledged(by: granting.mint) { try await acknowledge(merge) }
        } catch {
            logger.warning("pending merges not looked at", metadata: ["error": "\(error)"])
        }
    }

    private func doubt(_ found: [PendingMerge]) {
        doubted.withLock { doubted in
            for merge in found where doubted[merge.source] == nil {
                aliases.doubt(merge.persons)
                doubted[merge.source] = merge
            }
        }
    }

    /// Goes by what has come of those that aren't pending any more.
    private func learn(_ found: [PendingMerge]) async throws(StoreError) {
        let ended = doubted.withLock { doubted in
            doubted.values.filter { merge in
                !found.contains { $0.source == merge.source && $0.target == merge.target }
            }
        }
        guard !ended.isEmpty else { return }
        let made = try await store.read { (snapshot) throws(StoreError) in
            var made: [Merge] = []
            for merge in ended {
                if let merge = try snapshot.merge(of: merge.source) { made.append(merge) }
            }
            return made
        }
        // Before anybody goes by the merges, whoever decides from now on knows the orders of all names.
        var aliases = aliases.current
        for merge in made { aliases.add(merge) }
        let names = made.map(\.source).filter { granting.seat.decides(for: aliases.person($0)) }
        try await adopt(Set(names.flatMap { aliases.all($0).dropLast() }))
        for merge in ended {
            sweeps.settle(merge.persons, made.first { $0.source == merge.source })
            doubted.withLock { $0[merge.source] = nil }
        }
    }

    private func adopt(_ names: Set<PersonID>) async throws(StoreError) {
        guard !names.isEmpty else { return }
        let orders = try await store.read { (snapshot) throws(StoreError) in
            var orders: [MergedOrder] = []
            for name in names { orders += try snapshot.mergedOrders(of: name) }
            return orders
        }
        try await learnEpochs()
        granting.adopt(orders)
    }

    // MARK: Acknowledging

    private func acknowledge(_ merge: PendingMerge) async throws(StoreError) {
        guard !aliases.isUnderWay(merge.persons) else { return }
        let (mint, epoch, now) = (granting.mint, granting.epoch, clock.now())
        let names = aliases.all(merge.source)
        var orders: [MergedOrder] = []
        if granting.seat.decides(for: merge.source) {
            guard let settled = try await settled(names) else { return }
            orders = settled
        }
        let footprint = Footprint(acknowledging: merge, by: mint, names: orders.isEmpty ? [] : names)
        let isOvertaken = try await store.transactOnceMore(footprint) { [orders] books in
            // Whoever took the mint over acknowledges itself.
            guard let known = books.mint(mint)?.epoch, known == epoch else { return true }
            books.acknowledge(merge.source, by: mint, layingOpen: orders, now: now)
            return false
        }.answer
        if isOvertaken { granting.noteOvertaken() }
        work.ring()
    }

    /// All orders of a person who has these names and is in doubt, when nothing of them is on its way any more: what is
    /// only in this process's token lists is posted, since another engine will show the wallet. `nil`: not yet.
    private func settled(_ names: [PersonID]) async throws(StoreError) -> [MergedOrder]? {
        guard let orders = await granting.orders(of: names) else { return nil }
        let books = Set(orders.map(\.order.book))
        let open = names.flatMap { name in books.flatMap { tokens.unposted(of: name, in: $0) } }
        try await poster.postFirst(open)
        return orders
    }
}
