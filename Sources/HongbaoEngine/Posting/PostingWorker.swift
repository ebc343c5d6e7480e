package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Posts the logs of mints that other processes hold: the role `async` of a node (DP-2).
///
/// A queue says where there is something. When it's silent or away, the log itself does: all mints are looked at at an
/// interval. What `PostingTurns` leaves to others is given back and comes again.
package final class PostingWorker: Service {
    package struct Configuration: Sendable {
        package var poster = Poster.Configuration()
        /// How often all mints are looked at.
        package var interval = Duration.milliseconds(250)
        package var patience = Duration.seconds(2)
        /// Logs that are posted at a time.
        package var lanesMax = 4
        package var hintsMax = 64
        /// For so long nobody waits for hints before looking whether the process ends.
        package var hearing = Duration.seconds(1)
        /// How long the queue is left alone after a fault.
        package var pause = Duration.milliseconds(500)
        /// Without a look at the store for so long it isn't ready.
        package var silence = Duration.seconds(10)

        package init() {}
    }

    private struct State {
        var turns: PostingTurns
        /// With the hints that are acknowledged when they're done.
        var waiting: [(mint: MintID, hints: [Delivery])] = []
        var busy: Set<MintID> = []
        var posters: [MintID: Poster] = [:]
        var lookedAt: Duration?
        var oldestToldAt: [Int: Duration] = [:]
    }

    private struct Job: Sendable {
        let mint: MintID
        let poster: Poster
        let hints: [Delivery]
    }

    private let shards: Shards
    private let queue: any WorkQueue
    private let reader: LogReader
    private let kinds: PoolKinds
    private let campaigns: @Sendable () -> CampaignSet
    private let configuration: Configuration
    private let clock: WallClock
    private let alarms: Alarms
    private let logger: Logger
    private let state: Mutex<State>
    private let jobs: AsyncStream<Job>
    private let begin: AsyncStream<Job>.Continuation
    private let done = Counter(label: "hongbao_queue_deliveries_total", dimensions: [("outcome", "done")])
    private let taken = Counter(label: "hongbao_queue_deliveries_total", dimensions: [("outcome", "taken")])
    private let left = Counter(label: "hongbao_queue_deliveries_total", dimensions: [("outcome", "left")])
    private let faults = Counter(label: "hongbao_queue_receive_faults_total")

    /// - Parameters:
    ///   - campaigns: those in force.
    ///   - seed: random, for jitter.
    package init(
        shards: Shards,
        queue: any WorkQueue,
        keyring: Keyring,
        campaigns: @escaping @Sendable () -> CampaignSet,
        configuration: Configuration = Configuration(),
        clock: WallClock = .system,
        seed: UInt64,
        alarms: Alarms,
        logger: Logger
    ) {
        self.shards = shards
        self.queue = queue
        reader = LogReader(wrappingKey: keyring.walletWrapping)
        kinds = PoolKinds(store: shards.home)
        self.campaigns = campaigns
        self.configuration = configuration
        self.clock = clock
        self.alarms = alarms
        self.logger = logger
        state = Mutex(State(turns: PostingTurns(patience: configuration.patience, seed: seed)))
        (jobs, begin) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
    }

    /// Whether it has seen the store of late.
    package var isInTouch: Bool {
        let now = clock.uptime()
        return state.withLock { state in state.lookedAt.map { now - $0 < configuration.silence } ?? false }
    }

    /// Until graceful shutdown; then finishes the transactions that are under way.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            // At each database by itself, so that one that doesn't answer stops nobody but its own.
            for index in shards.stores.indices {
                group.addTask { await cancelOnShutdown { await self.lookAtIntervals(index) } }
            }
            group.addTask { await cancelOnShutdown { await self.hear() } }
            await withGracefulShutdownHandler {
                for await job in jobs { group.addTask { await self.perform(job) } }
            } onGracefulShutdown: {
                self.begin.finish()
            }
        }
    }

    // MARK: What there is to do

    private func lookAtIntervals(_ index: Int) async {
        while !Task.isCancelled {
            do throws(StoreError) {
                let mints = try await look(at: index)
                for mint in mints { line(mint, []) }
            } catch {
                logger.error("this node can't see the logs", metadata: ["error": "\(error)"])
            }
            await clock.pause(configuration.interval)
        }
    }

    private func look(at index: Int) async throws(StoreError) -> [MintID] {
        let now = clock.uptime()
        let tells = state.withLock { state in
            guard state.oldestToldAt[index].map({ now - $0 >= .seconds(1) }) ?? true else { return false }
            state.oldestToldAt[index] = now
            return true
        }
        let records = try await shards.mints(at: index)
        if tells {
            let oldest = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                var oldest: [MintID: Timestamp] = [:]
                for record in records where record.postedSequence < record.lastSequence {
                    let next = try snapshot.batches(of: record.id, after: record.postedSequence, limit: 1).first
                    oldest[record.id] = next?.at
                }
                return oldest
            }
            tellAges(records, oldest)
        }
        return state.withLock { state in
            state.lookedAt = now
            return state.turns.look(at: records, busy: state.busy, now: now)
        }
    }

    private func tellAges(_ records: [MintRecord], _ oldest: [MintID: Timestamp]) {
        let now = clock.now().milliseconds
        for record in records {
            let age = oldest[record.id].map { max(0, now - $0.milliseconds) } ?? 0
            let dimensions = Seat(mint: record.id, in: shards.division).dimensions
            Gauge(label: "hongbao_oldest_unposted_seconds", dimensions: dimensions).record(Double(age) / 1000)
        }
    }

    private func hear() async {
        var isAway = false
        while !Task.isCancelled {
            do {
                let hints = try await queue.receive(upTo: configuration.hintsMax, wait: configuration.hearing)
                if isAway { logger.notice("the queue answers again") }
                isAway = false
                try await take(hints)
            } catch let fault as QueueUnavailable {
                faults.increment()
                if !isAway { logger.warning("no queue; the logs are read", metadata: ["error": "\(fault)"]) }
                isAway = true
                await clock.pause(configuration.pause)
            } catch {
                logger.error("hints of the queue weren't looked at", metadata: ["error": "\(error)"])
                await clock.pause(configuration.pause)
            }
        }
    }

    private func take(_ deliveries: [Delivery]) async throws(StoreError) {
        guard !deliveries.isEmpty else { return }
        let records: [MintRecord]
        do throws(StoreError) {
            var found: [MintRecord] = []
            for index in Set(deliveries.compactMap { PostingHint($0.item) }.map { shards.index(of: $0.mint) }) {
                found += try await shards.mints(at: index)
            }
            records = found
        } catch {
            for delivery in deliveries { queue.giveBack(delivery, after: .seconds(1)) }
            throw error
        }
        let now = clock.uptime()
        for delivery in deliveries {
            guard let hint = PostingHint(delivery.item), let record = records.first(where: { $0.id == hint.mint })
            else {
                queue.acknowledge(delivery)
                continue
            }
            let turn = state.withLock { state in
                let isBusy = state.busy.contains(hint.mint)
                return state.turns.hinted(record, upTo: hint.sequence, isBusy: isBusy, now: now)
            }
            switch turn {
            case .done:
                done.increment()
                queue.acknowledge(delivery)
            case .own:
                taken.increment()
                line(hint.mint, [delivery])
            case .others:
                left.increment()
                queue.giveBack(delivery, after: configuration.interval)
            }
        }
    }

    // MARK: Doing it

    /// Puts a mint in line, unless it's there.
    private func line(_ mint: MintID, _ hints: [Delivery]) {
        state.withLock { state in
            if let index = state.waiting.firstIndex(where: { $0.mint == mint }) {
                state.waiting[index].hints += hints
            } else {
                state.waiting.append((mint, hints))
            }
            beginNext(&state)
        }
    }

    /// One at a time for each mint, and so many at all.
    private func beginNext(_ state: inout State) {
        while state.busy.count < configuration.lanesMax,
            let index = state.waiting.firstIndex(where: { !state.busy.contains($0.mint) })
        {
            let (mint, hints) = state.waiting.remove(at: index)
            state.busy.insert(mint)
            let poster = state.posters[mint] ?? poster(of: mint)
            state.posters[mint] = poster
            begin.yield(Job(mint: mint, poster: poster, hints: hints))
        }
    }

    private func poster(of mint: MintID) -> Poster {
        var configuration = configuration.poster
        configuration.duty = .helps
        if configuration.ratePerSecond > 0 {
            configuration.ratePerSecond = max(1, configuration.ratePerSecond / self.configuration.lanesMax)
        }
        let campaigns = campaigns
        return Poster(
            store: shards.store(of: mint),
            reader: reader,
            tokens: TokenLists(),
            kinds: kinds,
            seat: Seat(mint: mint, in: shards.division),
            isRetried: { campaigns().scene($0)?.isRetried ?? true },
            clock: clock,
            configuration: configuration,
            alarms: alarms,
            logger: logger
        )
    }

    private func perform(_ job: Job) async {
        do throws(StoreError) {
            while try await !job.poster.postNextInTime(), !Task.isShuttingDownGracefully, !Task.isCancelled {}
            let posted = job.poster.postedSequence(of: job.mint)
            for delivery in job.hints {
                let isDone = PostingHint(delivery.item).map { $0.sequence <= posted } ?? true
                if isDone { queue.acknowledge(delivery) } else { queue.giveBack(delivery, after: .zero) }
            }
            finished(job.mint, posted: posted)
        } catch {
            logger.error("posting failed", metadata: ["mint": "\(job.mint.rawValue)", "error": "\(error)"])
            for delivery in job.hints { queue.giveBack(delivery, after: .seconds(1)) }
            // Others' rows were in the way, or the store is: not at once again.
            await clock.pause(configuration.interval)
            finished(job.mint, posted: nil)
        }
    }

    private func finished(_ mint: MintID, posted: UInt64?) {
        let now = clock.uptime()
        state.withLock { state in
            state.busy.remove(mint)
            if let posted { state.turns.posted(mint, upTo: posted, now: now) }
            beginNext(&state)
        }
    }
}
