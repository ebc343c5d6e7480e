import AsyncHTTPClient
import Crypto
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Logging

/// The systems outside that move money for us (AS-1), as the settings say.
struct OutsideSystems: Sendable {
    let cashier: any Cashier
    let payouts: any PayoutChannel
    let transfers: any PayoutChannel
    let refunds: any PayoutChannel

    /// The client is the caller's to shut down.
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
        cashier =
            address(.payments).map { HTTPCashier(client: $0.client, base: $0.url, logger: logger) }
            ?? ClosedSystem()
        payouts = channel(.payouts)
        transfers = channel(.transfers)
        refunds = channel(.refunds)
    }
}

/// Stands where nothing is configured: nothing is ever known of an order.
private struct ClosedSystem: PayoutChannel, Cashier {
    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    func open(_ order: PaymentOrder) async -> String? { nil }
    func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    func cancel(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
}
