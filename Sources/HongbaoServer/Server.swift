import AsyncHTTPClient
import Crypto
import Foundation
package import HongbaoCore
package import HongbaoEngine
import HongbaoGateway
package import HongbaoSQLite
import Hummingbird
package import Logging
import Metrics
import ServiceLifecycle
import UnixSignals

/// Why the server could not start, for the person who started it.
package struct StartFault: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The composition root: opens the store, recovers the engine, and serves until told to stop.
package enum Server {
    /// Returns after a graceful shutdown (SIGTERM or SIGINT).
    ///
    /// - Parameter onReady: called once with the port, when requests are being answered.
    package static func run(
        _ configuration: ServerConfiguration,
        logger: Logger,
        onReady: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) async throws {
        let registry = PrometheusRegistry()
        for (name, help) in MetricHelp.texts { registry.describe(name, help) }
        MetricsSystem.bootstrap(registry)
        // Before anything that takes time: a hang-up must not end a server that is starting.
        let hangUps = await UnixSignalsSequence(trapping: .sighup)
        let loading = CampaignLoading(configuration, now: WallClock.system.now())
        let campaigns = try loadCampaigns(loading, logger)
        let hotStates = try HotStates(configuration)
        if let (main, backup) = configuration.hotStates.map({ ("\($0.main)", "\($0.backup)") }) {
            logger.info("running totals in Redis", metadata: ["main": "\(main)", "backup": "\(backup)"])
        }
        if let address = configuration.hotTokens {
            logger.info("tokens for query nodes in Redis", metadata: ["servers": "\(address)"])
        }
        let (opened, keyring) = try await open(configuration, logger)
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .init(for: configuration))
        let forwarding = configuration.cluster.map { _ in
            HTTPClient(eventLoopGroupProvider: .singleton, configuration: Forwarder.clientConfiguration)
        }
        let webhook = configuration.webhook.map {
            AlarmWebhook($0, client: client, metrics: registry, logger: logger)
        }
        do {
            let channels = Channels(configuration, client: client, logger: logger)
            let alarms = Alarms(logger: logger) { webhook?.raise($0, $1) }
            let totals = hotStates.totals
            let tokens = hotStates.tokens(keyring)
            let posting = try NodePosting(configuration.cluster, logger)
            let (engines, services) = try await engines(
                configuration.cluster,
                opened.shards,
                campaigns,
                logger
            ) { (seat, campaigns) throws(StoreError) in
                var own = configuration.engine
                own.seat = seat
                own.poster.duty = posting.duty
                return try await Engine.start(
                    shards: opened.shards,
                    campaigns: campaigns,
                    keyring: keyring,
                    channels: channels,
                    seed: .random(in: 0...UInt64.max),
                    configuration: own,
                    hotTotals: totals,
                    hotTokens: tokens,
                    hints: posting.hints,
                    alarms: alarms,
                    logger: logger
                )
            }
            let reloads = CampaignReloads(loading, engines, hangUps: hangUps, logger: logger)
            // The chat is told of alarms before all else begins and after all else has ended.
            let worker = posting.worker(opened.shards, keyring, engines, configuration, alarms, logger)
            let query = QueryNode(configuration, opened.shards, tokens, keyring, engines, alarms, logger)
            let before: [(any Service)?] = [webhook, posting.hints, worker, query]
            let reconciler = configuration.reconcile.map {
                Reconciler(
                    opened.shards,
                    keyring: keyring,
                    configuration: $0,
                    seed: .random(in: 0...UInt64.max),
                    alarms: alarms,
                    logger: logger
                )
            }
            let after: [(any Service)?] = [reloads, reconciler]
            let background = before.compactMap(\.self) + services + after.compactMap(\.self)
            var gateway = configuration.gateway
            gateway.forwarding = forwarding
            var checks = [
                Readiness.Check("log") { engines.all.allSatisfy(\.granting.isAccepting) },
                Readiness.Check("cluster") { engines.isInTouch },
            ]
            if let worker { checks.append(Readiness.Check("posting") { worker.isInTouch }) }
            if let query { checks.append(Readiness.Check("query") { query.isInTouch }) }
            let readiness = Readiness(checks: checks)
            var offered = GatewayServices(engines, readiness: readiness, metrics: registry)
            if let query { offered.show(by: query, engines) }
            try await serve(offered, background, gateway, configuration, keyring, logger, onReady)
            await posting.close()
        } catch {
            await hotStates.close()
            try await client.shutdown()
            try await forwarding?.shutdown()
            throw error
        }
        await hotStates.close()
        try await client.shutdown()
        try await forwarding?.shutdown()
        try await opened.close()
        logger.info("stopped")
    }

    /// The store that the settings name, and its keyring.
    private static func open(
        _ configuration: ServerConfiguration,
        _ logger: Logger
    ) async throws -> (OpenedStore, Keyring) {
        let opened = try await OpenedStore.open(configuration)
        do {
            for (index, address) in ([configuration.store].compactMap(\.self) + configuration.shards).enumerated() {
                logger.info("the books", metadata: ["store": "\(address)", "database": "\(index + 1)"])
            }
            for warning in opened.warnings { logger.warning("the store", metadata: ["problem": "\(warning)"]) }
            return (opened, try await DataFolder(configuration.dataFolder).loadKeyring(of: opened.shards.home))
        } catch {
            try await opened.close()
            throw error
        }
    }

    /// One engine for all people, or a node that starts some when it has found its place among others; and what runs.
    private static func engines(
        _ cluster: ClusterSettings?,
        _ shards: Shards,
        _ campaigns: CampaignSet,
        _ logger: Logger,
        start: @escaping @Sendable (Seat, CampaignSet) async throws(StoreError) -> Engine
    ) async throws -> (Engines, [any Service]) {
        guard let cluster else {
            let engine = try await start(.alone, campaigns)
            let (orders, backlog) = (engine.granting.orderCount, engine.granting.backlog)
            logger.info("recovered", metadata: ["orders": "\(orders)", "backlog": "\(backlog)"])
            return (Engines(engine), engine.services)
        }
        if cluster.takesMints, !cluster.posts {
            logger.notice("this node doesn't post what it accepts: some node must have the role async")
        }
        let engines = Engines(on: shards, campaigns: campaigns, clock: .system)
        let node = ClusterNode(
            cluster.node,
            shards: shards,
            engines: engines,
            clock: .system,
            logger: logger,
            start: start
        )
        return (engines, [node])
    }

    private static func serve(
        _ services: GatewayServices,
        _ background: [any Service],
        _ gateway: GatewayConfiguration,
        _ configuration: ServerConfiguration,
        _ keyring: Keyring,
        _ logger: Logger,
        _ onReady: @escaping @Sendable (_ port: Int) async -> Void
    ) async throws {
        var services = services
        if configuration.outside[.payouts] == nil {
            let request = services.requestWithdrawal
            // Nobody could pay it out. What was accepted before is still answered.
            services.requestWithdrawal = { key, amount, now, _ in await request(key, amount, now, false) }
        }
        var gateway = gateway
        gateway.callbackSecrets = configuration.outside.mapValues { Array($0.secret.utf8) }
        gateway.rewardCallbackSecrets = configuration.rewards.mapValues { Array($0.address.secret.utf8) }
        // What is paid must be able to reach somebody.
        gateway.takesPayments = [.payments, .transfers, .refunds].allSatisfy { configuration.outside[$0] != nil }
        if configuration.isDemo {
            gateway.demo = DemoConfiguration(seed: keyring.jwtSeed.withUnsafeBytes { Array($0) })
        }
        let host = gateway.host
        let application = try Gateway.make(gateway, services, logger: logger) { port in
            logger.info("serving", metadata: ["address": "http://\(host):\(port)"])
            await onReady(port)
        }
        // Shutdown goes from the last to the first: unready, then no more requests, no more reloads, then the log, then
        // the poster.
        let group = ServiceGroup(
            configuration: .init(
                services: background.map { .init(service: $0) } + [
                    .init(service: application),
                    .init(service: Drain(readiness: services.readiness, seconds: configuration.unreadySeconds)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: logger
            )
            .with(maximumSeconds: configuration.shutdownSeconds)
        )
        try await group.run()
    }

    // MARK: What it stands on

    package static func loadCampaigns(_ loading: CampaignLoading, _ logger: Logger) throws -> CampaignSet {
        let loaded: CampaignLoading.Loaded
        do throws(CampaignLoading.Refusal) {
            loaded = try loading.load()
        } catch {
            throw StartFault(error.description)
        }
        for warning in loaded.warnings { logger.warning("campaign file", metadata: ["problem": "\(warning)"]) }
        if loaded.campaigns.campaigns.isEmpty { logger.warning("no campaign is loaded: every grant will be refused") }
        return loaded.campaigns
    }

    package static func openStore(_ folder: String, access: SQLiteStore.Access = .readWrite) throws -> SQLiteStore {
        try DataFolder(folder).openStore(access)
    }

    package static func loadKeyring(folder: String, isNew: Bool) throws -> Keyring {
        try DataFolder(folder).loadKeyring(isNew: isNew)
    }
}

extension CampaignLoading {
    package init(_ configuration: ServerConfiguration, now: Timestamp) {
        self.init(
            files: configuration.campaignFiles,
            folder: configuration.campaignFolder,
            isRehearsal: configuration.isRehearsal,
            now: now
        )
    }
}

/// Makes the process unready before anything else stops, and gives load balancers the time to see it.
private struct Drain: Service {
    let readiness: Readiness
    let seconds: Int

    func run() async throws {
        await withGracefulShutdownHandler {
            await cancelWhenGracefulShutdown { await Doorbell().wait() }
        } onGracefulShutdown: {
            readiness.startDraining()
        }
        do {
            try await Task.sleep(for: .seconds(seconds))
        } catch {
            // The whole shutdown has taken too long.
            return
        }
    }
}

extension ServiceGroupConfiguration {
    fileprivate func with(maximumSeconds seconds: Int) -> Self {
        var copy = self
        copy.maximumGracefulShutdownDuration = .seconds(seconds)
        return copy
    }
}
