package import Crypto
package import HongbaoCore
package import Logging
import ServiceLifecycle

/// The work of one process at all outside systems (AS-1).
package struct Outside: Service {
    package struct Policies: Sendable {
        package var payments = OutsidePolicy()
        package var transfers = OutsidePolicy()
        package var refunds = OutsidePolicy()
        /// Of each downstream that has none of its own.
        package var rewards = OutsidePolicy()
        package var rewardsOfKind: [RewardKind: OutsidePolicy] = [:]
        /// How often it's looked whether something is due at one of the systems.
        package var tickInterval: Duration = .milliseconds(200)

        package init() {}
    }

    package let payouts: Payouts
    package let transfers: Transfers
    package let refunds: Refunds
    package let payments: Payments
    /// One for each kind that a downstream gives, so that one which is slow delays no other (GR-8).
    package let rewards: [RewardKind: RewardWork]

    private let surroundings: OutsideSurroundings

    package init(
        _ channels: Channels,
        _ shards: Shards,
        mint: MintID = .first,
        payouts: OutsidePolicy,
        policies: Policies,
        terms: Payment.Terms,
        seed: UInt64,
        digestKey: SymmetricKey,
        surroundings: OutsideSurroundings,
        alarms: Alarms,
        logger: Logger
    ) {
        self.surroundings = surroundings
        let store = shards.store(of: mint)
        func work<Order: OutsideOrder>(
            _ system: String,
            _ rows: OutsideRows<Order>,
            _ calls: OutsideCalls<Order>,
            _ policy: OutsidePolicy,
            seed: UInt64,
            refundPromised: @escaping @Sendable (Refund) -> Void = { _ in }
        ) -> OutsideWork<Order> {
            var policy = policy
            policy.takesUpOthers = shards.isFirst(mint)
            return OutsideWork(
                system,
                store: store,
                rows: rows,
                calls: calls,
                policy: policy,
                seed: seed,
                digestKey: digestKey,
                surroundings: surroundings,
                refundPromised: refundPromised,
                alarms: alarms,
                logger: logger
            )
        }
        self.payouts = work(
            OutsideSystem.payouts.rawValue,
            .payouts,
            OutsideCalls(channels.payouts) { PayoutOrder($0) },
            payouts,
            seed: seed
        )
        let refunds = work(
            OutsideSystem.refunds.rawValue,
            .refunds,
            OutsideCalls(channels.refunds) { PayoutOrder($0) },
            policies.refunds,
            seed: seed &+ 1
        )
        self.refunds = refunds
        transfers = work(
            OutsideSystem.transfers.rawValue,
            .transfers,
            OutsideCalls(channels.transfers) { PayoutOrder($0) },
            policies.transfers,
            seed: seed &+ 2
        )
        payments = Payments(
            shards,
            at: shards.index(of: mint),
            cashier: channels.cashier,
            surroundings: surroundings,
            terms: terms,
            work: work(
                OutsideSystem.payments.rawValue,
                .payments(terms),
                OutsideCalls(channels.cashier, surroundings.clock),
                policies.payments,
                seed: seed &+ 3
            ) { refunds.promised($0) }
        )
        rewards = Dictionary(
            uniqueKeysWithValues: RewardKind.downstream.map { kind in
                let calls = OutsideCalls(channels.rewards[kind] ?? ClosedSystem(), of: kind, logger: logger)
                let seed = seed &+ 3 &+ UInt64(kind.number)
                let policy = policies.rewardsOfKind[kind] ?? policies.rewards
                return (kind, work(kind.rawValue, .rewards(of: kind), calls, policy, seed: seed))
            }
        )
    }

    /// Tells the downstreams of what was promised just now.
    package func promised(_ given: [GivenReward]) {
        for reward in given { rewards[reward.kind]?.promised(reward) }
    }

    /// Has whichever downstream is to give this reward asked about it soon: its owner wants to use it.
    package func awaited(_ reward: OrderNumber) {
        for work in rewards.values { work.awaited(reward) }
    }

    /// All of them by one clock, until graceful shutdown.
    package func run() async throws {
        let (payouts, refunds, transfers, payments) = (payouts, refunds, transfers, payments.work)
        // In an order that is always the same, for the simulator.
        let rewards = RewardKind.downstream.compactMap { self.rewards[$0] }
        await surroundings.work(
            at: [
                { await payouts.takeJobs() }, { await refunds.takeJobs() }, { await transfers.takeJobs() },
                { await payments.takeJobs() },
            ] + rewards.map(\.takingJobs)
        ) {
            payouts.tick()
            refunds.tick()
            transfers.tick()
            payments.tick()
            for work in rewards { work.tick() }
        }
    }

    /// The same of a downstream.
    package func callback(_ kind: RewardKind, order: String) -> Bool { rewards[kind]?.callback(order: order) ?? false }

    /// Takes an authentic word of an outside system about an order as a hint, and asks it (M9). Answers `false` when
    /// that's no order of ours.
    package func callback(_ system: OutsideSystem, order: String) -> Bool {
        switch system {
        case .payments: payments.work.callback(order: order)
        case .payouts: payouts.callback(order: order)
        case .transfers: transfers.callback(order: order)
        case .refunds: refunds.callback(order: order)
        }
    }
}

extension OutsideWork {
    fileprivate var takingJobs: @Sendable () async -> Void { { await self.takeJobs() } }
}
