import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoRedis
import Logging

extension RedisAddress {
    /// Of the hot state of tokens; `nil` when there is none.
    init?(tokensOf settings: Settings, cluster: ClusterSettings?) throws(ServerConfiguration.Invalid) {
        let key = "hot-tokens.url"
        guard let address = try HotStateAddresses.address(key, settings) else {
            if cluster?.shows == true {
                throw ServerConfiguration.Invalid(key: key, reason: "is needed when roles has query")
            }
            return nil
        }
        guard cluster != nil else {
            throw ServerConfiguration.Invalid(key: key, reason: "is for a node of a cluster: cluster.address is needed")
        }
        self = address
    }
}

extension QueryNode {
    /// `nil` when showing wallets isn't this node's part.
    convenience init?(
        _ configuration: ServerConfiguration,
        _ shards: Shards,
        _ hot: RedisTokens?,
        _ keyring: Keyring,
        _ engines: Engines,
        _ alarms: Alarms,
        _ logger: Logger
    ) {
        guard let cluster = configuration.cluster, cluster.shows, let hot else { return nil }
        var own = Configuration()
        own.silence = cluster.silence
        own.walletDeadline = configuration.engine.walletDeadline
        self.init(
            shards,
            hot: hot,
            keyring: keyring,
            campaigns: { engines.campaigns },
            configuration: own,
            alarms: alarms,
            logger: logger
        )
    }
}

extension GatewayServices {
    /// Shows the wallets of people whom no engine of this process decides for, instead of asking other nodes.
    mutating func show(by node: QueryNode, _ engines: Engines) {
        let (place, wallet, person) = (place, wallet, identities.person)
        self.place = { concern in
            if case .wallet = concern { return .here }
            return place?(concern) ?? .here
        }
        self.wallet = { (name, campaign, tokens) throws(StoreError) in
            // Whoever decides knows what was accepted a moment ago.
            if engines.engine(of: .wallet(name)) != nil { return try await wallet(name, campaign, tokens) }
            return try await node.read(person: name, campaign: campaign, tokens: tokens)
        }
        identities.person = { node.aliases.person(person($0)) }
    }
}
