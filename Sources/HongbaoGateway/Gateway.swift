package import Hummingbird
import HummingbirdCore
package import Logging
import NIOCore

/// The HTTP server: everything between a socket and a use case.
package enum Gateway {
    package static func make(
        _ configuration: GatewayConfiguration,
        _ services: GatewayServices,
        logger: Logger,
        onServerRunning: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) throws(GatewayFault) -> some ApplicationProtocol {
        try configuration.checkLimits()
        let responder = try responder(configuration, services)
        var http = HTTP1Channel.Configuration(idleTimeout: .nanoseconds(configuration.idleTimeout.inNanoseconds))
        http.httpDecoder = HTTP1Channel.Configuration.DecoderConfiguration(
            maxHeaderFieldSize: configuration.headerBytesMax,
            maxHeaderListSize: configuration.headerBytesMax,
            maxHeaderFieldCount: 100
        )
        return Application(
            responder: responder,
            server: .http1(configuration: http),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: nil,
                backlog: 1024,
                availableConnectionsDelegate: .maximum(configuration.connectionsMax, logger: logger)
            ),
            onServerRunning: { channel in await onServerRunning(channel.localAddress?.port ?? 0) },
            logger: logger
        )
    }

    /// Method and path of every route, as in the OpenAPI document.
    package static func routeList(
        _ configuration: GatewayConfiguration,
        _ services: GatewayServices
    ) throws(GatewayFault) -> [(method: String, path: String)] {
        try routes(configuration, services).map { ($0.method.rawValue, $0.path) }
    }

    static func routes(
        _ configuration: GatewayConfiguration,
        _ services: GatewayServices
    ) throws(GatewayFault) -> [Route] {
        try responder(configuration, services).table.routes
    }

    private static func responder(
        _ configuration: GatewayConfiguration,
        _ services: GatewayServices
    ) throws(GatewayFault) -> GatewayResponder {
        let registry = services.metrics
        RouteMetrics.describe(in: registry)
        registry.gauge("hongbao_build_info", [("version", configuration.version)]).set(Int64(1))
        let forwarder = Forwarder(configuration, registry)
        var routes = GrantRoutes(
            services: services,
            batchMax: configuration.batchMax,
            metrics: GrantMetrics(registry),
            forwarder: forwarder
        ).routes
        routes += ServiceReadRoutes(services: services).routes
        routes += WalletRoutes(services: services).routes
        routes += RewardRoutes(services: services).routes
        routes += SubsidyRoutes(services: services).routes
        routes += WithdrawalRoutes(services: services).routes
        routes +=
            RedPacketRoutes(
                packets: services.packets,
                person: services.identities.person,
                campaigns: services.campaigns,
                limits: configuration.redPackets,
                takesPayments: configuration.takesPayments
            ).routes
        routes +=
            TotalRoutes(
                total: services.total,
                limits: configuration.totals,
                streams: InFlight(
                    max: configuration.totals.streamsMax,
                    gauge: registry.gauge("hongbao_total_streams")
                )
            ).routes
        routes += AccountRoutes(identities: services.identities, campaigns: services.campaigns).routes
        routes += OperationsRoutes(services: services, version: configuration.version).routes
        routes += CallbackRoutes(services: services, secrets: configuration.callbackSecrets).routes
        routes += RewardCallbackRoutes(services: services, secrets: configuration.rewardCallbackSecrets).routes
        routes += PageRoutes().routes
        var issuers = configuration.issuers
        if let demo = configuration.demo {
            let accounts = try DemoAccounts(demo)
            issuers.append(accounts.publicIssuer)
            routes += DemoRoutes(services: services, accounts: accounts).routes
        }
        return GatewayResponder(
            table: RouteTable(routes),
            metrics: routes.map { RouteMetrics(registry, method: $0.method.rawValue, path: $0.path) },
            otherMetrics: RouteMetrics(registry, method: "_OTHER", path: "_other"),
            inFlight: InFlight(
                max: configuration.inFlightMax,
                gauge: registry.gauge("http_server_active_requests")
            ),
            serviceKeys: ServiceKeys(configuration.serviceKeys),
            people: try JWTVerifier(issuers),
            person: services.identities.person,
            place: services.place,
            forwarder: forwarder,
            bodies: BodyReading(bytesMax: configuration.bodyBytesMax, timeout: configuration.requestTimeout),
            requestIDs: RequestIDs(salt: .random(in: 0...UInt64.max)),
            now: services.now
        )
    }
}

extension Duration {
    fileprivate var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : nanoseconds + attoseconds / 1_000_000_000
    }
}
