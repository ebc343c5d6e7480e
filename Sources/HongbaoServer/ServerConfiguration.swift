package import Configuration
import Foundation
package import HongbaoCore
package import HongbaoEngine
package import HongbaoGateway
package import HongbaoRedis
package import Logging

/// Everything that an operator can set for `hongbao serve`: flags over environment over file over defaults.
package struct ServerConfiguration: Sendable {
    package var gateway = GatewayConfiguration()
    package var engine = Engine.Configuration()
    package var dataFolder = "data"
    /// Where the books are when they aren't in the data folder, in which there is the keyring then.
    package var store: DatabaseAddress?
    /// The other databases of a cluster, in their order.
    package var shards: [DatabaseAddress] = []
    /// Who may switch the store over to another server; `nil`: the store's own user.
    package var switchOver: SwitchOverLogin?
    /// `nil`: a process by itself.
    package var cluster: ClusterSettings?
    /// How everything is audited while it serves; `nil`: it isn't, here.
    package var reconcile: Reconciler.Configuration?
    package var campaignFiles: [String] = []
    /// Where campaign files are when `campaignFiles` names none.
    package var campaignFolder: String?
    /// Plays the campaigns as if their live phase began now.
    package var isRehearsal = false
    package var isDemo = false
    /// Where the systems outside are, and the secrets that we share with them. Without payouts, withdrawals are closed;
    /// without any of the others, sending red packets that are paid for.
    package var outside: [OutsideSystem: OutsideAddress] = [:]
    /// The downstreams that are reached over HTTP. Of other kinds of rewards the books are all there is.
    package var rewards: [RewardKind: DownstreamSettings] = [:]
    /// Where running totals are brought together; `nil`: in this process.
    package var hotStates: HotStateAddresses?
    /// Where nodes put their tokens for those that only show wallets; `nil`: nowhere.
    package var hotTokens: RedisAddress?
    /// Where alarms are told; `nil`: in the log and the metrics only.
    package var webhook: AlarmWebhook.Configuration?
    package var logLevel = Logger.Level.info
    package var shutdownSeconds = 30
    package var unreadySeconds = 1

    /// A setting, by its key, with what is wrong with it.
    package struct Invalid: Error, Hashable, CustomStringConvertible {
        package let key: String
        package let reason: String

        package var description: String { "\(key): \(reason)" }
    }

    package init() {}

    /// All keys but those of downstreams, as they stand in the file; in the environment `HONGBAO_` and capitals, with
    /// `_` for `.` and `-`.
    package static let keys: [(key: String, meaning: String)] =
        [
            ("http.host", "address to listen on (127.0.0.1)"),
            ("http.port", "port to listen on, 0 for any (8080)"),
            ("http.connections-max", "connections at a time (20000)"),
            ("http.in-flight-max", "requests at work at a time, others are shed (8192)"),
            ("http.body-bytes-max", "largest request body (1048576)"),
            ("http.timeout-seconds", "for a request's body, and again for its answer (10)"),
            ("data.folder", "where everything is kept (data)"),
            ("campaigns.files", "campaign files; default: all of campaigns/*.yaml"),
            ("campaigns.rehearse", "play them as if their live phase began now (false)"),
            ("demo.enabled", "the demo's own account centre: anybody may log in as anybody (false)"),
            (
                "demo.relations",
                "who follows whom is made up from people's numbers; else nobody follows anybody (false)"
            ),
            ("service-keys", "list of name:sha256-of-key:scope+scope[:campaign+campaign]"),
            ("issuers", "account centres: list of name:EdDSA|ES256:base64-of-public-key[:audience]"),
            ("channels.url", "base address of all systems outside, for those without one of their own"),
            ("channels.secret", "shared secret that requests and callbacks are signed with, for the same"),
            ("payouts.url", "base address of the payout channel; without one withdrawals are closed"),
            ("payouts.secret", "shared secret with the payout channel"),
            ("payments.url", "base address of the cashier; without one nobody sends packets that are paid for"),
            ("payments.secret", "shared secret with the cashier"),
            ("transfers.url", "base address of what brings shares to people's change; needed for sending, too"),
            ("transfers.secret", "shared secret with it"),
            ("refunds.url", "base address of what gives payments back; needed for sending, too"),
            ("refunds.secret", "shared secret with it"),
            ("alarms.webhook", "address of a Lark bot that tells a chat of alarms; a secret, too"),
            ("alarms.webhook-secret", "secret of a bot that checks signatures"),
            ("alarms.instance", "what the chat knows this server by (host name and data folder)"),
            ("posting.first", "post every grant before it's answered: cuts the token path (false)"),
            ("posting.batches", "batches of the log in one posting transaction while grants come in (24)"),
            ("posting.quiet-batches", "the same when none come in: larger transactions drain faster (256)"),
            ("posting.rate", "postings a second at most, 0 without limit: what the ledger bears (0)"),
            ("limits.backlog-max", "grants accepted and not posted before others are refused (20000000)"),
            ("epochs.seconds", "life of a key epoch (86400)"),
            ("packets.life-seconds", "how long a red packet can be claimed; shorter in rehearsals (86400)"),
            ("totals.interval-milliseconds", "how often running totals are flushed, read back and streamed (1000)"),
            ("totals.main-url", "Redis that keeps running totals, as redis://host:6379; a secret, too (in memory)"),
            ("totals.backup-url", "another Redis that keeps the same; both or neither"),
            ("totals.read-backup", "show what the backup hot state says of running totals (false)"),
            ("hot-tokens.url", "Redis where core nodes put tokens for query nodes; a secret, too (nowhere)"),
            ("log.level", "trace, debug, info, notice, warning, error or critical (info)"),
            ("shutdown.seconds", "how long a graceful shutdown may take (30)"),
            ("shutdown.unready-seconds", "how long /readyz says 503 before requests are turned away (1)"),
        ] + ClusterSettings.keys + QueueSettings.keys + ReconcileSettings.keys

    package init(reader: ConfigReader) throws(Invalid) {
        let settings = Settings(reader: reader)
        gateway.host = settings.string("http.host") ?? gateway.host
        gateway.port = try settings.int("http.port", in: 0...65_535) ?? gateway.port
        gateway.connectionsMax = try settings.int("http.connections-max", in: 1...1_000_000) ?? gateway.connectionsMax
        gateway.inFlightMax = try settings.int("http.in-flight-max", in: 1...1_000_000) ?? gateway.inFlightMax
        gateway.bodyBytesMax = try settings.int("http.body-bytes-max", in: 1024...(64 << 20)) ?? gateway.bodyBytesMax
        if let seconds = try settings.int("http.timeout-seconds", in: 1...3600) {
            gateway.requestTimeout = .seconds(seconds)
        }
        gateway.version = Version.current
        gateway.serviceKeys = try settings.list("service-keys").map { (text) throws(Invalid) in try ServiceKey(text) }
        gateway.issuers = try settings.list("issuers").map { (text) throws(Invalid) in try JWTIssuer(text) }
        dataFolder = settings.string("data.folder") ?? dataFolder
        switchOver = SwitchOverLogin(settings)
        store = try DatabaseAddress(settings)
        cluster = try ClusterSettings(settings, store: store)
        shards = try DatabaseAddress.shards(settings, store: store, cluster: cluster)
        reconcile = try ReconcileSettings.read(settings, cluster?.reconciling ?? .ifAsked)
        campaignFiles = settings.list("campaigns.files")
        isRehearsal = try settings.bool("campaigns.rehearse") ?? false
        isDemo = try settings.bool("demo.enabled") ?? false
        if try settings.bool("demo.relations") ?? false { engine.packets.relate = DemoRelations.relate }
        for system in OutsideSystem.allCases { outside[system] = try OutsideAddress(system, settings) }
        for kind in RewardKind.downstream { rewards[kind] = try DownstreamSettings(kind, settings) }
        engine.outside.rewardsOfKind = rewards.mapValues { $0.limit() }
        if let url = try settings.address("alarms.webhook", isSecret: true) {
            webhook = AlarmWebhook.Configuration(
                url: url,
                secret: settings.string("alarms.webhook-secret", isSecret: true),
                instance: settings.string("alarms.instance") ?? "\(ProcessInfo.processInfo.hostName) \(dataFolder)"
            )
        }
        engine.granting.postsFirst = try settings.bool("posting.first") ?? false
        engine.poster.batchesMax = try settings.int("posting.batches", in: 1...1000) ?? engine.poster.batchesMax
        engine.poster.quietBatchesMax =
            try settings.int("posting.quiet-batches", in: 1...1000) ?? engine.poster.quietBatchesMax
        engine.poster.ratePerSecond =
            try settings.int("posting.rate", in: 0...100_000_000) ?? engine.poster.ratePerSecond
        engine.granting.limits.backlogMax =
            try settings.int("limits.backlog-max", in: 1...1_000_000_000) ?? engine.granting.limits.backlogMax
        if let seconds = try settings.int("epochs.seconds", in: 10...31_536_000) {
            engine.granting.epochSeconds = Int64(seconds)
        }
        if let seconds = try settings.int("packets.life-seconds", in: 1...31_536_000) {
            engine.packets.lifeSeconds = Int64(seconds)
        }
        if let milliseconds = try settings.int("totals.interval-milliseconds", in: 10...60_000) {
            engine.totals.interval = .milliseconds(milliseconds)
            gateway.totals.interval = .milliseconds(milliseconds)
        }
        engine.totals.readsBackup = try settings.bool("totals.read-backup") ?? false
        hotStates = try HotStateAddresses(settings)
        hotTokens = try RedisAddress(tokensOf: settings, cluster: cluster)
        if let text = settings.string("log.level") {
            guard let level = Logger.Level(rawValue: text) else {
                throw Invalid(key: "log.level", reason: "\(text) isn't a level")
            }
            logLevel = level
        }
        shutdownSeconds = try settings.int("shutdown.seconds", in: 1...3600) ?? shutdownSeconds
        unreadySeconds = try settings.int("shutdown.unready-seconds", in: 0...600) ?? unreadySeconds
    }
}

/// Where a system outside is, and the secret that it shares with us.
package struct OutsideAddress: Hashable, Sendable {
    package let url: String
    package let secret: String

    package init(url: String, secret: String) {
        self.url = url
        self.secret = secret
    }

    /// `nil` when nothing says where it is. What is set for all systems counts for those without settings of their own.
    fileprivate init?(_ system: OutsideSystem, _ settings: Settings) throws(ServerConfiguration.Invalid) {
        let ownURL = try settings.address("\(system.rawValue).url")
        let commonURL = try settings.address("channels.url")
        guard let url = ownURL ?? commonURL else { return nil }
        let group = ownURL == nil ? "channels" : system.rawValue
        let ownSecret = settings.string("\(system.rawValue).secret", isSecret: true)
        guard let secret = ownSecret ?? settings.string("channels.secret", isSecret: true), !secret.isEmpty else {
            throw ServerConfiguration.Invalid(key: "\(group).secret", reason: "is needed when \(group).url is set")
        }
        self.url = url
        self.secret = secret
    }
}

/// Reads settings and says which one is wrong, instead of falling back to the default in silence.
struct Settings {
    let reader: ConfigReader

    /// The address of a web server: http or https and a host, without blanks.
    func address(_ key: String, isSecret: Bool = false) throws(ServerConfiguration.Invalid) -> String? {
        guard let text = string(key, isSecret: isSecret) else { return nil }
        guard ["http://", "https://"].contains(where: { text.hasPrefix($0) && text.utf8.count > $0.utf8.count }),
            !text.contains(where: \.isWhitespace)
        else {
            throw ServerConfiguration.Invalid(key: key, reason: "must be like http://127.0.0.1:9600")
        }
        return text
    }

    func string(_ key: String, isSecret: Bool = false) -> String? {
        reader.string(forKey: ConfigKey(stringLiteral: key), isSecret: isSecret)
    }

    func int(_ key: String, in range: ClosedRange<Int>) throws(ServerConfiguration.Invalid) -> Int? {
        let key = ConfigKey(stringLiteral: key)
        let text = reader.string(forKey: key)
        guard let value = reader.int(forKey: key) ?? text.map({ Int($0) ?? .min }) else { return nil }
        guard range.contains(value) else {
            throw ServerConfiguration.Invalid(
                key: "\(key)",
                reason: "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return value
    }

    func bool(_ key: String) throws(ServerConfiguration.Invalid) -> Bool? {
        let key = ConfigKey(stringLiteral: key)
        if let value = reader.bool(forKey: key) { return value }
        guard reader.string(forKey: key) == nil else {
            throw ServerConfiguration.Invalid(key: "\(key)", reason: "must be true or false")
        }
        return nil
    }

    func list(_ key: String, isSecret: Bool = false) -> [String] {
        (reader.stringArray(forKey: ConfigKey(stringLiteral: key), isSecret: isSecret) ?? []).filter { !$0.isEmpty }
    }
}

extension ServiceKey {
    /// `name:sha256:scope+scope[:campaign+campaign]`; the key itself is never in a configuration.
    init(_ text: String) throws(ServerConfiguration.Invalid) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (3...4).contains(parts.count), !parts[0].isEmpty, let bytes = [UInt8](hex: parts[1]),
            let digest = KeyDigest(bytes)
        else {
            throw ServerConfiguration.Invalid(
                key: "service-keys",
                reason: "an entry isn't name:sha256:scope+scope[:campaign+campaign]"
            )
        }
        var scopes = Set<Scope>()
        for word in parts[2].split(separator: "+") {
            guard let scope = Scope(rawValue: String(word)) else {
                let reason = "\(parts[0]) has an unknown scope \(word)"
                throw ServerConfiguration.Invalid(key: "service-keys", reason: reason)
            }
            scopes.insert(scope)
        }
        let campaigns = parts.count == 4 ? Set(parts[3].split(separator: "+").map(String.init)) : nil
        self.init(name: parts[0], digest: digest, scopes: scopes, campaigns: campaigns)
    }
}

extension JWTIssuer {
    init(_ text: String) throws(ServerConfiguration.Invalid) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let invalid = ServerConfiguration.Invalid(
            key: "issuers",
            reason: "an entry isn't name:EdDSA|ES256:base64-of-public-key[:audience]"
        )
        guard (3...4).contains(parts.count), !parts[0].isEmpty, let bytes = Data(base64Encoded: parts[2]) else {
            throw invalid
        }
        let key: Key
        switch parts[1] {
        case "EdDSA": key = .edDSA([UInt8](bytes))
        case "ES256": key = .es256([UInt8](bytes))
        default: throw invalid
        }
        self.init(name: parts[0], key: key, audience: parts.count == 4 ? parts[3] : nil)
    }
}
