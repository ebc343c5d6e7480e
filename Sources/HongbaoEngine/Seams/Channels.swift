package import HongbaoCore

/// The outside systems that one process talks to (AS-1).
package struct Channels: Sendable {
    package var cashier: any Cashier
    package var payouts: any PayoutChannel
    /// To people's change.
    package var transfers: any PayoutChannel
    package var refunds: any PayoutChannel
    /// The downstreams of coupons and pendants; a kind without one is closed.
    package var rewards: [RewardKind: any RewardChannel]

    package init(
        cashier: any Cashier,
        payouts: any PayoutChannel,
        transfers: any PayoutChannel,
        refunds: any PayoutChannel,
        rewards: [RewardKind: any RewardChannel] = Channels.ownRewards
    ) {
        self.cashier = cashier
        self.payouts = payouts
        self.transfers = transfers
        self.refunds = refunds
        self.rewards = rewards
    }

    /// No downstream at all: of every kind the books are all there is.
    package static var ownRewards: [RewardKind: any RewardChannel] {
        Dictionary(uniqueKeysWithValues: RewardKind.downstream.map { ($0, OwnRewards()) })
    }

    /// The others that move money are closed: what is promised to them waits. Rewards have no downstream.
    package init(payouts: any PayoutChannel) {
        self.init(
            cashier: ClosedSystem(),
            payouts: payouts,
            transfers: ClosedSystem(),
            refunds: ClosedSystem()
        )
    }
}

/// Stands where no outside system is configured: it's never reached.
package struct ClosedSystem: Cashier, PayoutChannel, RewardChannel {
    package init() {}

    package func open(_ order: PaymentOrder) async -> String? { nil }
    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    package func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
    package func give(_ orders: [RewardOrder]) async -> [RewardReport] { orders.map { _ in Self.closed } }
    package func query(_ orders: [String]) async -> [RewardReport] { orders.map { _ in Self.closed } }

    private static let closed = RewardReport.failed(RewardFault(.unknown, "not_configured"))
    package func cancel(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in .unreachable } }
}
