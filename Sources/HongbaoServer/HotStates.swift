import HongbaoEngine
package import HongbaoRedis

/// Where running totals are kept outside this process: two servers or clusters, of which each alone is enough (CT-3).
package struct HotStateAddresses: Hashable, Sendable {
    package let main: RedisAddress
    package let backup: RedisAddress

    package init(main: RedisAddress, backup: RedisAddress) {
        self.main = main
        self.backup = backup
    }

    /// `nil` when nothing says where: then they are in memory. One alone isn't enough, nor is the same one twice.
    init?(_ settings: Settings) throws(ServerConfiguration.Invalid) {
        let (mainKey, backupKey) = ("totals.main-url", "totals.backup-url")
        let main = try Self.address(mainKey, settings)
        let backup = try Self.address(backupKey, settings)
        guard main != nil || backup != nil else { return nil }
        guard let main else {
            throw ServerConfiguration.Invalid(key: mainKey, reason: "is needed when \(backupKey) is set")
        }
        guard let backup else {
            throw ServerConfiguration.Invalid(key: backupKey, reason: "is needed when \(mainKey) is set")
        }
        guard Set(main.servers).isDisjoint(with: backup.servers) else {
            throw ServerConfiguration.Invalid(key: backupKey, reason: "must be elsewhere than \(mainKey)")
        }
        self.init(main: main, backup: backup)
    }

    static func address(
        _ key: String,
        _ settings: Settings
    ) throws(ServerConfiguration.Invalid) -> RedisAddress? {
        guard let text = settings.string(key, isSecret: true) else { return nil }
        guard let address = RedisAddress(text) else {
            let reason = "must be like redis://user:password@127.0.0.1:6379; also rediss, redis-cluster, rediss-cluster"
            throw ServerConfiguration.Invalid(key: key, reason: reason)
        }
        return address
    }
}

/// The hot states of a process, as the settings say: those of running totals in Redis, or in memory; that of tokens in
/// Redis, or nowhere.
struct HotStates {
    /// A wallet waits no longer for its tokens.
    private static let tokensTimeout = Duration.milliseconds(400)

    let totals: HotTotalsPair
    private let connected: [RedisTotals]
    private let tokensRedis: (any Redis)?

    /// - Throws: when a file that an address names can't be read.
    init(_ configuration: ServerConfiguration) throws(StartFault) {
        do {
            let address = configuration.hotTokens
            tokensRedis = try address.map { try RedisTokens.redis($0, timeout: Self.tokensTimeout) }
        } catch {
            throw StartFault("hot-tokens.url: \(error)")
        }
        guard let addresses = configuration.hotStates else {
            totals = .inMemory
            connected = []
            return
        }
        // Both and one attempt more fit into an interval.
        let timeout = max(configuration.engine.totals.interval / 4, .milliseconds(5))
        func open(_ address: RedisAddress, _ key: String) throws(StartFault) -> RedisTotals {
            do {
                return try RedisTotals(address, timeout: min(timeout, .seconds(1)))
            } catch {
                throw StartFault("\(key): \(error)")
            }
        }
        let main = try open(addresses.main, "totals.main-url")
        let backup = try open(addresses.backup, "totals.backup-url")
        totals = HotTotalsPair(main: main, backup: backup)
        connected = [main, backup]
    }

    /// `nil` when no other node shows wallets.
    func tokens(_ keyring: Keyring) -> RedisTokens? {
        tokensRedis.map { RedisTokens($0, vault: TokenVault(keyring), timeout: Self.tokensTimeout) }
    }

    func close() async {
        for totals in connected { await totals.close() }
        await tokensRedis?.close()
    }
}
