package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// A process of a cluster: takes its share of the mints, runs an engine for each, and tells the others by its beats
/// that it lives (DP-2, DP-3).
package final class ClusterNode: Service {
    package struct Configuration: Sendable {
        /// Where the other nodes reach this one.
        package var address: String
        package var beat: Duration = .seconds(1)
        /// After so long without a beat a node counts as dead, and its mints are taken over.
        package var silence: Duration = .seconds(10)
        /// Without, it only passes requests on.
        package var takesMints = true

        package init(address: String) { self.address = address }
    }

    private struct State {
        var seating: Seating
        /// Of those that it has, or is about to have. `nil` until the engine's services run.
        var running: [MintID: ServiceGroup?] = [:]
        /// Those that end to be handed over, and those that end because they were lost; since when, by `uptime`.
        var ending: [MintID: Duration] = [:]
        var isEnding = false
        /// What each database said when it was last seen.
        var records: [Int: [MintRecord]] = [:]
    }

    private let configuration: Configuration
    private let shards: Shards
    private let engines: Engines
    private let start: @Sendable (Seat, CampaignSet) async throws(StoreError) -> Engine
    private let clock: WallClock
    private let logger: Logger
    private let state: Mutex<State>
    private let held = Gauge(label: "hongbao_mints_held")

    /// - Parameter start: recovers the engine of one mint.
    package init(
        _ configuration: Configuration,
        shards: Shards,
        engines: Engines,
        clock: WallClock,
        logger: Logger,
        start: @escaping @Sendable (Seat, CampaignSet) async throws(StoreError) -> Engine
    ) {
        self.configuration = configuration
        self.shards = shards
        self.engines = engines
        self.start = start
        self.clock = clock
        self.logger = logger
        let seating = Seating(
            configuration.address,
            in: shards.division,
            silence: configuration.silence,
            takesMints: configuration.takesMints
        )
        state = Mutex(State(seating: seating))
    }

    /// Until graceful shutdown, or for as long as it isn't cancelled.
    package func run() async throws {
        let (taken, take) = AsyncStream.makeStream(of: Seat.self)
        await withDiscardingTaskGroup { group in
            group.addTask {
                await self.look { take.yield($0) }
                take.finish()
            }
            for await seat in taken { group.addTask { await self.hold(seat) } }
        }
    }

    /// Until graceful shutdown, and then until the last engine has ended, so that nobody takes over what still works.
    ///
    /// At each database by itself: one that doesn't answer stops nothing but what is done in it.
    private func look(_ take: @escaping @Sendable (Seat) -> Void) async {
        await withDiscardingTaskGroup { group in
            for index in shards.stores.indices { group.addTask { await self.look(at: index, take) } }
        }
    }

    private func look(at index: Int, _ take: @escaping @Sendable (Seat) -> Void) async {
        await cancelOnShutdown {
            while !Task.isCancelled {
                for seat in await self.look(at: index) { take(seat) }
                await self.clock.pause(self.configuration.beat)
            }
        }
        state.withLock { state in
            state.isEnding = true
            for mint in state.running.keys where state.ending[mint] == nil { state.ending[mint] = clock.uptime() }
        }
        // Whoever is cancelled takes none of those any more that were to be taken.
        while !Task.isCancelled, state.withLock({ $0.running.keys.contains { shards.index(of: $0) == index } }) {
            _ = await look(at: index)
            await clock.pause(configuration.beat)
        }
    }

    /// Beats in one of the databases, and does what follows from what it says of its mints. Answers those that are to
    /// be taken.
    private func look(at index: Int) async -> [Seat] {
        let began = clock.uptime()
        do throws(StoreError) {
            try await beat(at: index)
            engines.own(at: index, until: began + configuration.silence)
            let records = try await shards.mints(at: index)
            shards.saw(index)
            let (actions, addresses) = state.withLock { state in
                state.records[index] = records
                let all = state.records.sorted { $0.key < $1.key }.flatMap(\.value)
                let actions = state.seating.look(at: all, held: Set(state.running.keys), now: clock.uptime())
                // What another one said may be old by now.
                return (actions.filter { shards.index(of: $0.mint) == index }, state.seating.addresses)
            }
            engines.note(addresses)
            try await leaveLate(at: index)
            return await perform(actions)
        } catch {
            let metadata: Logger.Metadata = ["error": "\(error)", "database": "\(index + 1)"]
            logger.error("this node can't see the cluster", metadata: metadata)
            return []
        }
    }

    private func beat(at index: Int) async throws(StoreError) {
        let (all, mints) = state.withLock { state in
            (state.running.count, state.running.keys.filter { shards.index(of: $0) == index }.sorted())
        }
        held.record(all)
        guard !mints.isEmpty else { return }
        try await write(mints) { books, address in
            // Which are no longer its own, `Seating` finds out.
            for mint in mints { _ = books.beat(mint, by: address) }
        }
    }

    /// Changes what the rows of these mints, all in one database, say of their holders.
    private func write(
        _ mints: [MintID],
        _ change: @Sendable (inout Books, _ address: String) -> Void
    ) async throws(StoreError) {
        var footprint = Footprint()
        footprint.mints = mints
        let address = configuration.address
        let store = shards.store(of: mints[0])
        _ = try await store.transactOnceMore(footprint) { change(&$0, address) }
    }

    private func perform(_ actions: [Seating.Action]) async -> [Seat] {
        var taking: [Seat] = []
        for action in actions {
            switch action {
            case .take(let mint, let epoch):
                let isNew = state.withLock { state in
                    guard !state.isEnding, state.running[mint] == nil else { return false }
                    state.running[mint] = .some(nil)
                    return true
                }
                let address = configuration.address
                if isNew { taking.append(Seat(mint: mint, in: shards.division, at: address, succeeding: epoch)) }
            case .want(let mint): await want(mint)
            case .handOver(let mint): await end(mint, "handed over")
            case .lost(let mint):
                engines.remove(mint)
                await end(mint, "taken over by another node")
            }
        }
        return taking
    }

    private func want(_ mint: MintID) async {
        do throws(StoreError) {
            try await write([mint]) { $0.want(mint, by: $1) }
        } catch {
            // It looks again.
        }
    }

    /// Lets an engine finish what it has accepted; then `hold` leaves the mint.
    private func end(_ mint: MintID, _ why: String) async {
        let group = state.withLock { state -> ServiceGroup? in
            guard let group = state.running[mint] ?? nil, state.ending[mint] == nil else { return nil }
            state.ending[mint] = clock.uptime()
            return group
        }
        guard let group else { return }
        logger.notice("mint \(why)", metadata: ["mint": "\(mint.rawValue)"])
        await group.triggerGracefulShutdown()
    }

    /// Has a mint, from taking it until it's given up or lost.
    private func hold(_ seat: Seat) async {
        let mint = seat.mint
        do {
            let engine = try await start(seat, engines.campaigns)
            var services = ServiceGroupConfiguration(
                services: engine.services.map { .init(service: $0) },
                logger: logger
            )
            // Whoever waits for this mint doesn't wait for ever; what was accepted is in the log.
            services.maximumGracefulShutdownDuration = configuration.silence
            let group = ServiceGroup(configuration: services)
            logger.notice(
                "mint taken",
                metadata: ["mint": "\(mint.rawValue)", "orders": "\(engine.granting.orderCount)"]
            )
            state.withLock { $0.running[mint] = group }
            engines.add(engine)
            try await group.run()
        } catch let fault as StoreError where fault.code == .fenced {
            // Another node was faster, or has taken over.
            logger.notice("mint not held", metadata: ["mint": "\(mint.rawValue)", "reason": "\(fault.message)"])
        } catch {
            logger.error("mint not held", metadata: ["mint": "\(mint.rawValue)", "error": "\(error)"])
        }
        engines.remove(mint)
        await leave(mint)
        state.withLock { state in
            state.running[mint] = nil
            state.ending[mint] = nil
        }
    }

    /// Leaves mints whose engines should have ended and haven't, as when one waits for another database. What such an
    /// engine still does is done in its epoch, and is refused when somebody has taken the mint.
    private func leaveLate(at index: Int) async throws(StoreError) {
        let before = clock.uptime() - configuration.silence * 2
        let late = state.withLock { state in
            state.ending.filter { $0.value < before && shards.index(of: $0.key) == index }.map(\.key)
        }
        for mint in late {
            engines.remove(mint)
            try await write([mint]) { $0.leave(mint, by: $1) }
        }
    }

    /// Others needn't wait until this node counts as dead. Does nothing when another has the mint.
    private func leave(_ mint: MintID) async {
        let end = clock.uptime() + configuration.silence
        while true {
            do throws(StoreError) {
                return try await write([mint]) { $0.leave(mint, by: $1) }
            } catch {
                guard clock.uptime() < end, !Task.isCancelled else {
                    logger.warning("mint not left", metadata: ["mint": "\(mint.rawValue)", "error": "\(error)"])
                    return
                }
            }
            await clock.pause(configuration.beat)
        }
    }
}
