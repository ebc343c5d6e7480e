import HongbaoCore
import HongbaoEngine
import Logging
import ServiceLifecycle
import Synchronization

/// One life of the server: the real engine on a connection of its own. A kill stops it wherever it stands.
final class SimulatedProcess: Sendable {
    /// An engine has many parts: copying it for each call would take longer than some of the calls.
    private final class Running: Sendable {
        let engine: Engine

        init(_ engine: Engine) { self.engine = engine }
    }

    private struct State {
        var running: Running?
        var isReady = false
        /// When it was asked to end.
        var askedToEndAt: Duration?
        var services: ServiceGroup?
        var revoked: Set<MintEpoch> = []
        var nextCall: UInt64 = 0
        /// How to tell a caller that no answer will come.
        var hangUps: [UInt64: @Sendable () -> Void] = [:]
        var tasks: [UInt64: Task<Void, Never>] = [:]
        /// What its screens showed last.
        var shown: [BookID: Tally] = [:]
    }

    private let world: World
    private let life = Life()
    private let state = Mutex(State())

    init(_ world: World) { self.world = world }

    /// The engine, once it has started.
    var engine: Engine? { state.withLock { $0.running }?.engine }
    var isAlive: Bool { life.isAlive }
    /// Whether `engine` is there, without copying it.
    var isReady: Bool { state.withLock { $0.isReady } }
    /// The epochs that were revoked when it started.
    var revoked: Set<MintEpoch> { state.withLock { $0.revoked } }
    /// When it was asked to end, unless it has ended.
    var askedToEndAt: Duration? { state.withLock { $0.askedToEndAt } }

    /// - Parameters:
    ///   - campaigns: what the campaign file says when it's read.
    ///   - revoking: an epoch that somebody revokes before.
    func start(
        _ store: SimulatedStore,
        _ outside: SimulatedOutside,
        _ setup: Setup,
        _ thief: Thief,
        _ hot: SimulatedHotStates,
        campaigns: @escaping @Sendable () -> CampaignSet,
        seed: UInt64,
        revoking: MintEpoch?
    ) {
        let connection = StoreConnection(base: store, world: world, life: life, thief: thief)
        let channels = outside.channels(life)
        let hotTotals = hot.pair(world, life)
        let world = world
        let clock = WallClock(timer: world.clock) { world.now }
        var configuration = setup.configuration
        configuration.packets.draws = Self.draws(world)
        configuration.identities.draw = { PersonID(UInt64(world.draw(Client.people) + 1)) }
        let engineConfiguration = configuration
        let task = Task(executorPreference: world.scheduler) {
            if let revoking { await self.revoke(revoking, in: connection) }
            self.state.withLock { $0.revoked = world.revoked }
            while self.isAlive {
                do throws(StoreError) {
                    let engine = try await Engine.start(
                        shards: Shards(connection),
                        campaigns: campaigns(),
                        keyring: setup.keyring,
                        channels: channels,
                        clock: clock,
                        seed: seed,
                        signatures: setup.signatures,
                        configuration: engineConfiguration,
                        hotTotals: hotTotals,
                        logger: Logger(label: "simulated") { _ in SwiftLogNoOpLogHandler() }
                    )
                    guard self.isAlive else { return }
                    self.state.withLock { state in
                        state.running = Running(engine)
                        state.isReady = true
                    }
                    outside.tell { engine.callback($0, order: $1) }
                    await self.serve(engine)
                    return self.kill()
                } catch {
                    if error.code == .corrupt { world.auditor.violation("start: \(error.message)") }
                    await world.pause(milliseconds: 10)
                }
            }
        }
        state.withLock { $0.tasks[0] = task }
    }

    private static func draws(_ world: World) -> Packets.Draws {
        Packets.Draws(
            id: { RedPacketID(UInt64(world.draw(1 << 40)) + 1) },
            seed: {
                guard let seed = SplitSeed((0..<SplitSeed.size).map { _ in UInt8(world.draw(256)) }) else {
                    preconditionFailure("a seed of another size")
                }
                return seed
            }
        )
    }

    private func revoke(_ epoch: MintEpoch, in store: StoreConnection) async {
        world.suspect(epoch)
        while isAlive {
            do throws(StoreError) {
                try await store.transact(Footprint()) { $0.revoke(epoch) }
                return world.revoke(epoch)
            } catch {
                await world.pause(milliseconds: 10)
            }
        }
    }

    private func serve(_ engine: Engine) async {
        // As in the server: the last is asked to end first, and each has ended before the next is asked.
        let group = ServiceGroup(
            configuration: .init(
                services: (engine.services + [Door(process: self)]).map { .init(service: $0) },
                logger: Logger(label: "simulated") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        state.withLock { $0.services = group }
        do {
            try await group.run()
        } catch {
            // One that was taken over ends by itself.
            if isAlive, !engine.granting.isFenced { world.auditor.violation("a service ended: \(error)") }
        }
    }

    /// Asks it to end as SIGTERM does: no new calls, answers to those under way, then the log, then the poster.
    func shutDown() {
        let services = state.withLock { state in
            guard let services = state.services, state.askedToEndAt == nil else { return nil as ServiceGroup? }
            state.askedToEndAt = world.scheduler.now
            return services
        }
        guard let services else { return }
        Task(executorPreference: world.scheduler) { await services.triggerGracefulShutdown() }
    }

    /// What stands for the gateway.
    private struct Door: Service {
        let process: SimulatedProcess

        func run() async throws {
            let end = Doorbell()
            await withGracefulShutdownHandler {
                await end.wait()
            } onGracefulShutdown: {
                end.ring()
            }
            process.state.withLock { $0.isReady = false }
            // Cancelled when another service has failed: then nobody waits for answers.
            while !Task.isCancelled, process.state.withLock({ !$0.hangUps.isEmpty }) {
                await process.world.pause(milliseconds: 20)
            }
        }
    }

    /// Runs a call as a request from outside; `nil` when the process isn't there, or dies before it has answered.
    func call<Answer: Sendable>(_ body: @escaping @Sendable (Engine) async -> Answer) async -> Answer? {
        guard isReady, let running = state.withLock({ $0.running }) else {
            await world.pause(milliseconds: 5)
            return nil
        }
        return await withCheckedContinuation { caller in
            let id = state.withLock { state in
                state.nextCall += 1
                state.hangUps[state.nextCall] = { caller.resume(returning: nil) }
                return state.nextCall
            }
            let task = Task(executorPreference: world.scheduler) {
                let answer = await body(running.engine)
                let isWaiting = self.state.withLock { state in
                    state.tasks[id] = nil
                    return state.hangUps.removeValue(forKey: id) != nil
                }
                if isWaiting { caller.resume(returning: answer) }
            }
            state.withLock { state in
                if state.hangUps[id] != nil { state.tasks[id] = task }
            }
        }
    }

    /// Looks at its running total, as a screen does.
    ///
    /// - Parameter isCurrent: whether it's the process that gets requests now.
    func lookAtTotal(isCurrent: Bool) {
        guard isReady, let running = state.withLock({ $0.running }),
            case .total(let phase, let reading) = running.engine.totals.read(campaign: Setup.campaign)
        else { return }
        let book = BookID(campaign: Setup.number, phase: phase)
        let before = state.withLock { $0.shown.updateValue(reading.tally, forKey: book) }
        // What is lost or slow may be shown any time later.
        let isReliable = world.faults.lostTotals == 0 && world.faults.slowTotals == 0
        world.auditor.showed(
            reading.tally,
            in: book,
            before: before,
            isCurrent: isCurrent,
            at: world.scheduler.now,
            lateness: isReliable ? Setup.totalsLateness : nil
        )
    }

    /// Whether it shows all that is given, and no more.
    func showsExactly(_ sum: TotalBooks.Sum, in book: BookID) -> Bool {
        guard let running = state.withLock({ $0.running }) else { return false }
        return running.engine.totals.total(of: book).reading.map { TotalBooks.Sum($0.tally) == sum } ?? false
    }

    /// The operator's switch between the hot states.
    func setReadsBackup(_ readsBackup: Bool) {
        state.withLock { $0.running }?.engine.totals.setReadsBackup(readsBackup)
    }

    /// Ends it at once: what it still tries reaches nobody.
    func kill() {
        life.end()
        let (hangUps, tasks) = state.withLock { state in
            defer {
                state.hangUps = [:]
                state.tasks = [:]
                state.running = nil
                state.isReady = false
                state.askedToEndAt = nil
                state.services = nil
            }
            return (state.hangUps, state.tasks)
        }
        for (_, hangUp) in hangUps.sorted(by: { $0.key < $1.key }) { hangUp() }
        for (_, task) in tasks.sorted(by: { $0.key < $1.key }) { task.cancel() }
    }
}
