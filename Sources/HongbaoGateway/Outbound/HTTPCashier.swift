package import HongbaoCore
package import HongbaoEngine
package import Logging

/// A cashier reached over HTTP in the form of `CashierMessages`.
package struct HTTPCashier: Cashier {
    private let system: HTTPOutsideSystem

    /// `base` is like `http://127.0.0.1:9000`; `/payments` comes behind it.
    package init(client: SignedClient, base: String, logger: Logger) {
        system = HTTPOutsideSystem(.payments, client: client, base: base, logger: logger)
    }

    package func open(_ order: PaymentOrder) async -> String? {
        let pages = await system.ask("", CashierMessages.openRequest([order])) { (bytes) throws(JSONFault) in
            try CashierMessages.readOpened(bytes)
        }
        // Another answer than the one asked for isn't believed, and a conflict's page would be for another payment.
        guard let pages, pages.count == 1, pages[0].order == order.order, pages[0].result.state != .conflict else {
            return nil
        }
        return pages[0].url
    }

    package func query(_ orders: [String]) async -> [PayoutReport] {
        await system.reports("/query", PayoutMessages.queryRequest(orders), about: orders)
    }

    package func cancel(_ orders: [String]) async -> [PayoutReport] {
        await system.reports("/cancel", PayoutMessages.queryRequest(orders), about: orders)
    }
}
