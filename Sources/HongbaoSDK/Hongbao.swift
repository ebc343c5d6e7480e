import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import Logging
public import ServiceLifecycle
import Synchronization

/// An embedded Hongbao: campaigns, budgets, the log of grants and the ledger of one data folder, in this process.
///
/// It's a service. Open it, add it to a `ServiceGroup`, and use it from as many tasks as you like while it runs:
///
/// ```swift
/// let hongbao = try await Hongbao.open(HongbaoConfiguration(dataFolder: "data", campaignFiles: ["rain.yaml"]))
/// let group = ServiceGroup(services: [hongbao, application], logger: logger)
/// try await group.run()
/// ```
///
/// ``withRunning(_:_:)`` does this for programs that come to an end by themselves.
///
/// One process at a time has a data folder, be it this library or `hongbao serve`; a second one is refused.
public final class Hongbao: Service {
    private enum State {
        case opened
        case running
        case ended
    }

    let engine: Engine
    private let store: SQLiteStore
    private let services: ServiceGroup
    private let started: Doorbell
    private let state = Mutex(State.opened)

    private init(engine: Engine, store: SQLiteStore, configuration: HongbaoConfiguration) {
        self.engine = engine
        self.store = store
        let started = Doorbell()
        self.started = started
        services = ServiceGroup(
            configuration: .init(
                services: (engine.services + [Beginning(bell: started)]).map { .init(service: $0) },
                logger: configuration.logger
            )
        )
    }

    /// Reads the campaign files, opens the data folder or makes it, and recovers from the log what was accepted.
    ///
    /// This takes as long as the log is: half a second for a million grants. Who opens must ``run()`` or ``close()``.
    ///
    /// - Throws: ``HongbaoError/Code/campaignsInvalid`` with every problem of every file;
    ///   ``HongbaoError/Code/unavailable`` when another process has the folder or the disk fails;
    ///   ``HongbaoError/Code/dataUnusable`` when what is in the folder isn't sound, or its keyring is missing.
    public static func open(_ configuration: HongbaoConfiguration) async throws(HongbaoError) -> Hongbao {
        let clock = WallClock.system
        let loading = CampaignLoading(
            files: configuration.campaignFiles,
            isRehearsal: configuration.rehearses,
            now: clock.now()
        )
        let campaigns: CampaignSet
        do throws(CampaignLoading.Refusal) {
            let loaded = try loading.load()
            for warning in loaded.warnings {
                configuration.logger.warning("campaign file", metadata: ["problem": "\(warning)"])
            }
            campaigns = loaded.campaigns
        } catch {
            throw HongbaoError(.campaignsInvalid, error.description)
        }
        do {
            let (store, keyring) = try await DataFolder(configuration.dataFolder).open()
            do {
                let engine = try await Engine.start(
                    shards: Shards(store),
                    campaigns: campaigns,
                    keyring: keyring,
                    channels: Channels(payouts: ClosedSystem()),
                    clock: clock,
                    seed: .random(in: 0...UInt64.max),
                    configuration: configuration.engine,
                    logger: configuration.logger
                )
                return Hongbao(engine: engine, store: store, configuration: configuration)
            } catch {
                try await store.close()
                throw error
            }
        } catch {
            throw HongbaoError(opening: error)
        }
    }

    /// Runs until graceful shutdown: makes grants durable, posts them to the ledger, and keeps totals up to date.
    ///
    /// In the end everything that was accepted is durable, and the data folder is free for others. It can't be run
    /// again; open another one.
    ///
    /// - Throws: ``HongbaoError/Code/notRunning`` when it was run or closed before; whatever ends a service, such as
    ///   another process that has taken the data folder over.
    public func run() async throws {
        try begin()
        try await serve()
    }

    /// Lets go of the data folder without ever having run. Does nothing once it has been run or closed.
    public func close() async throws(HongbaoError) {
        let isOpen = state.withLock { state in
            guard state == .opened else { return false }
            state = .ended
            return true
        }
        guard isOpen else { return }
        try await HongbaoError.of { () throws(StoreError) in try await store.close() }
    }

    /// Opens a data folder, runs while `body` does, and ends in order, also when `body` throws.
    ///
    /// - Returns: what `body` returns.
    /// - Throws: what ``open(_:)``, `body` or, if neither does, ``run()`` throws.
    public static func withRunning<Answer: Sendable>(
        _ configuration: HongbaoConfiguration,
        _ body: (Hongbao) async throws -> Answer
    ) async throws -> Answer {
        let hongbao = try await open(configuration)
        try hongbao.begin()
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await hongbao.serve() }
            await hongbao.started.wait()
            let answer: Result<Answer, any Error>
            do {
                answer = .success(try await body(hongbao))
            } catch {
                answer = .failure(error)
            }
            await hongbao.services.triggerGracefulShutdown()
            let ending = await tasks.nextResult() ?? .success(())
            let value = try answer.get()
            try ending.get()
            return value
        }
    }

    private func begin() throws(HongbaoError) {
        let isFirst = state.withLock { state in
            guard state == .opened else { return false }
            state = .running
            return true
        }
        if !isFirst { throw HongbaoError(.notRunning, "it was run or closed before") }
    }

    private func serve() async throws {
        let ending: Result<Void, any Error>
        do {
            ending = .success(try await services.run())
        } catch {
            ending = .failure(error)
        }
        state.withLock { $0 = .ended }
        try await store.close()
        try ending.get()
    }

    /// For what needs the services: nobody would ever answer without them.
    func requireRunning() throws(HongbaoError) {
        guard state.withLock({ $0 == .running }) else { throw HongbaoError(.notRunning, "it isn't running") }
    }

    /// For what only reads.
    func requireOpen() throws(HongbaoError) {
        guard state.withLock({ $0 != .ended }) else { throw HongbaoError(.notRunning, "it has ended") }
    }
}

/// Tells that all services have been started; otherwise it waits for the end.
private struct Beginning: Service {
    let bell: Doorbell

    func run() async throws {
        bell.ring()
        let end = Doorbell()
        await withGracefulShutdownHandler {
            await end.wait()
        } onGracefulShutdown: {
            end.ring()
        }
    }
}
