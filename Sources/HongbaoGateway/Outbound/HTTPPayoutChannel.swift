package import HongbaoCore
package import HongbaoEngine
package import Logging

/// A system that gives people money, reached over HTTP in the form of `PayoutMessages`: payouts, transfers or refunds.
package struct HTTPPayoutChannel: PayoutChannel {
    private let system: HTTPOutsideSystem

    /// `base` is like `http://127.0.0.1:9000`; the system's name comes behind it.
    package init(_ system: OutsideSystem, client: SignedClient, base: String, logger: Logger) {
        self.system = HTTPOutsideSystem(system, client: client, base: base, logger: logger)
    }

    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        await system.reports("", PayoutMessages.payRequest(orders), about: orders.map(\.order))
    }

    package func query(_ orders: [String]) async -> [PayoutReport] {
        await system.reports("/query", PayoutMessages.queryRequest(orders), about: orders)
    }
}
