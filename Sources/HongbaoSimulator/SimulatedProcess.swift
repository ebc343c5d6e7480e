import HongbaoCore
import HongbaoEngine
import Logging
import ServiceLifecycle
import Synchronization

/// One life of the server: the real engine on a connection of its own. A kill stops it wherever it stands.
final class SimulatedProcess: Sendable {
    private struct State {
        var engine: Engine?
        var isReady = false
        var nextCall: UInt64 = 0
        /// How to tell a caller that no answer will come.
        var hangUps: [UInt64: @Sendable () -> Void] = [:]
        var tasks: [UInt64: Task<Void, Never>] = [:]
    }

    private let world: World
    private let life = Life()
    private let state = Mutex(State())

    init(_ world: World) { self.world = world }

    /// The engine, once it has started.
    var engine: Engine? { state.withLock { $0.engine } }
    var isAlive: Bool { life.isAlive }
    /// Whether `engine` is there, without copying it.
    var isReady: Bool { state.withLock { $0.isReady } }

    func start(_ store: SimulatedStore, _ channel: SimulatedChannel, _ setup: Setup, _ thief: Thief, seed: UInt64) {
        let connection = StoreConnection(base: store, world: world, life: life, thief: thief)
        let payouts = ChannelConnection(base: channel, world: world, life: life)
        let world = world
        let clock = WallClock(timer: world.clock) { world.now }
        let task = Task(executorPreference: world.scheduler) {
            while self.isAlive {
                do throws(StoreError) {
                    let engine = try await Engine.start(
                        store: connection,
                        campaigns: setup.campaigns,
                        keyring: setup.keyring,
                        channel: payouts,
                        clock: clock,
                        seed: seed,
                        signatures: setup.signatures,
                        configuration: setup.configuration,
                        logger: Logger(label: "simulated") { _ in SwiftLogNoOpLogHandler() }
                    )
                    guard self.isAlive else { return }
                    self.state.withLock { state in
                        state.engine = engine
                        state.isReady = true
                    }
                    channel.tell { engine.payouts.callback(order: $0) }
                    return await self.serve(engine)
                } catch {
                    if error.code == .corrupt { world.auditor.violation("start: \(error.message)") }
                    await world.pause(milliseconds: 10)
                }
            }
        }
        state.withLock { $0.tasks[0] = task }
    }

    private func serve(_ engine: Engine) async {
        await withTaskGroup(of: Void.self) { group in
            for service in engine.services {
                group.addTask {
                    do {
                        try await service.run()
                    } catch {
                        if self.isAlive { self.world.auditor.violation("a service ended: \(error)") }
                    }
                }
            }
        }
    }

    /// Runs a call as a request from outside; `nil` when the process isn't there, or dies before it has answered.
    func call<Answer: Sendable>(_ body: @escaping @Sendable (Engine) async -> Answer) async -> Answer? {
        guard isAlive, let engine else {
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
                let answer = await body(engine)
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

    /// Ends it at once: what it still tries reaches nobody.
    func kill() {
        life.end()
        let (hangUps, tasks) = state.withLock { state in
            defer {
                state.hangUps = [:]
                state.tasks = [:]
                state.engine = nil
                state.isReady = false
            }
            return (state.hangUps, state.tasks)
        }
        for (_, hangUp) in hangUps.sorted(by: { $0.key < $1.key }) { hangUp() }
        for (_, task) in tasks.sorted(by: { $0.key < $1.key }) { task.cancel() }
    }
}
