package import HongbaoCore

/// The outside systems that one process talks to (AS-1).
package struct Channels: Sendable {
    package var cashier: any Cashier
    package var payouts: any PayoutChannel
    /// To people's change.
    package var transfers: any PayoutChannel
    package var refunds: any PayoutChannel

    package init(
        cashier: any Cashier,
        payouts: any PayoutChannel,
        transfers: any PayoutChannel,
        refunds: any PayoutChannel
    ) {
        self.cashier = cashier
        self.payouts = payouts
        self.transfers = transfers
        self.refunds = refunds
    }

    /// The others are closed: what is promised to them waits.
    package init(payouts: any PayoutChannel) {
        self.init(cashier: ClosedSystem(), payouts: payouts, transfers: ClosedSystem(), refunds: ClosedSystem())
    }
}

/// Stands where no outside system is configured: it's never reached.
package struct ClosedSystem: Cashier, PayoutChannel {
    package init() {}

    package func open(_ order: PaymentOrder) async -> String? { nil }
    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    package func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    package func cancel(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
}
