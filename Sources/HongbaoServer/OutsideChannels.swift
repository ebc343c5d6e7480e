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
            refunds: channel(.refunds)
        )
    }
}
