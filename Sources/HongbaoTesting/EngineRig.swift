package import HongbaoCore
package import HongbaoEngine
package import HongbaoSQLite
package import Logging
package import ServiceLifecycle

/// A channel that pays everything at once: the outside world on a good day.
package struct InstantChannel: PayoutChannel {
    package init() {}

    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] { orders.map { .paid($0.amount) } }
    package func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .processing } }
}

/// What an engine runs on in a test: a folder with a real SQLite store, a keyring, a clock. It can be started many
/// times.
package struct EngineRig: Sendable {
    package var folder: TemporaryFolder
    package var keyring = Keyring()
    package let clock = TestClock()
    package var campaigns: CampaignSet
    package var configuration = Engine.Configuration.patient
    package var channels = Channels(payouts: InstantChannel())
    /// `nil`: some in memory, new ones at each start.
    package var hotTotals: HotTotalsPair?
    /// Where tokens are put for others; `nil`: nowhere.
    package var hotTokens: (any HotTokens)?
    /// Where others are told to post.
    package var hints: PostingHints?
    /// Wraps the store, to put faults between it and the engine.
    package var wrap: @Sendable (SQLiteStore) -> any Store = { $0 }

    package init(_ campaigns: [Campaign] = [.forTests()]) throws {
        folder = try TemporaryFolder()
        self.campaigns = .forTests(campaigns)
    }

    /// Starts an engine with all its services, runs `body`, and shuts down gracefully.
    package func run<Answer: Sendable>(
        _ body: @escaping @Sendable (Engine) async throws -> Answer
    ) async throws -> Answer {
        try await run({ $0.services }, body)
    }

    /// Like `run`, but nothing is posted and nothing paid out unless `body` does it.
    package func runByHand<Answer: Sendable>(
        _ body: @escaping @Sendable (Engine) async throws -> Answer
    ) async throws -> Answer {
        try await run({ [$0.granting] }, body)
    }

    private func run<Answer: Sendable>(
        _ chosen: (Engine) -> [any Service],
        _ body: @escaping @Sendable (Engine) async throws -> Answer
    ) async throws -> Answer {
        let store = try await SQLiteStore.reopened(folder: folder.path)
        let engine = try await start(wrap(store))
        let answer = try await running(chosen(engine)) { try await body(engine) }
        try await store.close()
        return answer
    }

    /// Like `run`, but in the end everything is dropped where it stands, as when a process is killed: nothing is
    /// drained.
    ///
    /// What the engine still writes after `body` isn't stopped by this; a store that is wrapped to die sees to that.
    package func runUntilKilled<Answer: Sendable>(
        _ body: @escaping @Sendable (Engine) async throws -> Answer
    ) async throws -> Answer {
        let store = try await SQLiteStore.reopened(folder: folder.path)
        let engine = try await start(wrap(store))
        let answer = try await runningUntilKilled(engine.services) { try await body(engine) }
        try await store.close()
        return answer
    }

    /// An engine whose services don't run.
    package func start(_ store: some Store) async throws(StoreError) -> Engine {
        try await start(Shards(store, in: configuration.seat.division))
    }

    /// The same on several stores.
    package func start(_ shards: Shards) async throws(StoreError) -> Engine {
        let clock = clock
        return try await Engine.start(
            shards: shards,
            campaigns: campaigns,
            keyring: keyring,
            channels: channels,
            clock: WallClock { clock.now },
            seed: 42,
            configuration: configuration,
            hotTotals: hotTotals ?? .inMemory,
            hotTokens: hotTokens,
            hints: hints,
            logger: .silent
        )
    }
}

/// Runs services while `body` runs, and then shuts them down gracefully.
package func running<Answer: Sendable>(
    _ services: [any Service],
    _ body: @escaping @Sendable () async throws -> Answer
) async throws -> Answer {
    let services = ServiceGroup(services: services, logger: .silent)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await services.run() }
        do {
            let answer = try await body()
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return answer
        } catch {
            await services.triggerGracefulShutdown()
            throw error
        }
    }
}

/// Runs services while `body` runs, and then drops them where they stand, as when a process is killed.
package func runningUntilKilled<Answer: Sendable>(
    _ services: [any Service],
    _ body: () async throws -> Answer
) async throws -> Answer {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for service in services { group.addTask { try await service.run() } }
        let answer = try await body()
        group.cancelAll()
        while let ended = await group.nextResult() {
            if case .failure(let error) = ended, !(error is CancellationError) { throw error }
        }
        return answer
    }
}

extension Logger {
    /// Says nothing: faults on purpose are no news.
    package static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension Engine.Configuration {
    /// The defaults, with time enough for a machine that is busy with other tests.
    package static var patient: Self {
        var configuration = Self()
        configuration.walletDeadline = .seconds(60)
        return configuration
    }
}

extension Engine {
    /// Waits until everything accepted so far is in the ledger.
    package func drain() async throws {
        while granting.backlog > 0 { try await Task.sleep(for: .milliseconds(1)) }
    }
}

extension GrantRequest {
    /// A grant in the test campaign's rain.
    package static func forTests(
        person: UInt64,
        rain: UInt16 = 1,
        awardType: UInt8 = 1,
        stage: UInt8 = 0,
        amount: Int64? = 100,
        scene: String = "rain",
        campaign: String = "test",
        app: String = "douyin",
        rewardID: String? = nil,
        openedAt: Int64? = nil
    ) -> GrantRequest {
        GrantRequest(
            campaign: campaign,
            scene: scene,
            rain: RainID(rain),
            awardType: awardType,
            stage: stage,
            person: PersonID(person),
            app: app,
            amount: amount,
            rewardID: rewardID,
            openedAt: openedAt.map { Timestamp(milliseconds: $0) }
        )
    }
}
