import AsyncHTTPClient
import Crypto
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Logging

extension Channels {
    /// The outside systems of the settings over HTTP; what isn't set is closed. The client is the caller's to shut
    /// down.
    init(_ configuration: ServerConfiguration, client: HTTPClient, logger: Logger) {
        func address(_ system: OutsideSystem) -> (client: SignedClient, url: String)? {
            configuration.outside[system].map { address in
                let signed = SignedClient(
                    client: client,
                    key: SymmetricKey(data: Array(address.secret.utf8)),
                    deadlineMilliseconds: 5_000,
                    now: WallClock.system.now
                )
                return (signed, address.url)
            }
        }
        func channel(_ system: OutsideSystem) -> any PayoutChannel {
            guard let (client, url) = address(system) else { return ClosedSystem() }
            return HTTPPayoutChannel(system, client: client, base: url, logger: logger)
        }
        self.init(
            cashier: address(.payments).map { HTTPCashier(client: $0.client, base: $0.url, logger: logger) }
                ?? ClosedSystem(),
            payouts: channel(.payouts),
            transfers: channel(.transfers),
            refunds: channel(.refunds),
            rewards: [RewardKind: any RewardChannel](configuration, client: client, logger: logger)
        )
    }
}

extension [RewardKind: any RewardChannel] {
    /// One for each kind that isn't money: the downstreams of the settings over HTTP, and for other kinds `OwnRewards`.
    /// The client is the caller's to shut down.
    init(_ configuration: ServerConfiguration, client: HTTPClient, logger: Logger) {
        self = Channels.ownRewards
        for (kind, downstream) in configuration.rewards {
            let signed = SignedClient(
                client: client,
                key: SymmetricKey(data: Array(downstream.address.secret.utf8)),
                deadlineMilliseconds: downstream.deadlineMilliseconds,
                now: WallClock.system.now
            )
            self[kind] = HTTPRewardChannel(kind, client: signed, base: downstream.address.url, logger: logger)
        }
    }
}

extension HTTPClient.Configuration {
    /// Enough connections to one host for all systems at once: several may be behind one address, and one that hangs
    /// must not leave the others without (GR-8).
    init(for configuration: ServerConfiguration) {
        self.init()
        let systems = OutsideSystem.allCases.count * OutsidePolicy().concurrencyMax
        let downstreams = configuration.rewards.values.reduce(0) { $0 + $1.concurrencyMax }
        connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 2 * (systems + downstreams)
        // Who calls tries again by itself, and is told at once that nobody is there.
        connectionPool.retryConnectionEstablishment = false
    }
}
