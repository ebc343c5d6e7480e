import HongbaoCore
import HongbaoEngine
import Synchronization

/// All systems outside of one simulated installation.
struct SimulatedOutside: Sendable {
    let cashier: SimulatedCashier
    private let world: World
    private let payouts: SimulatedChannel
    private let transfers: SimulatedChannel
    private let refunds: SimulatedChannel
    private let coupons: SimulatedDownstream

    init(_ world: World) {
        self.world = world
        cashier = SimulatedCashier(world)
        payouts = SimulatedChannel(world, .payouts)
        transfers = SimulatedChannel(world, .transfers)
        refunds = SimulatedChannel(world, .refunds)
        coupons = SimulatedDownstream(world)
    }

    /// One process's ways to them.
    func channels(_ life: Life) -> Channels {
        Channels(
            cashier: CashierConnection(base: cashier, world: world, life: life),
            payouts: ChannelConnection(base: payouts, world: world, life: life),
            transfers: ChannelConnection(base: transfers, world: world, life: life),
            refunds: ChannelConnection(base: refunds, world: world, life: life),
            rewards: [.tea: DownstreamConnection(base: coupons, world: world, life: life)]
        )
    }

    /// Whom to tell of news; the newest process counts.
    func tell(_ body: @escaping @Sendable (OutsideSystem, String) -> Bool) {
        cashier.tell { _ = body(.payments, $0) }
        for channel in [payouts, transfers, refunds] { channel.tell { _ = body(channel.system, $0) } }
    }

    /// Forgets whom to tell, who knows these systems.
    func hangUp() {
        cashier.hangUp()
        for channel in [payouts, transfers, refunds] { channel.hangUp() }
    }

    func chatter() { [payouts, transfers, refunds][world.draw(3)].chatter() }
}

/// An outside system that pays people: slow, lossy, sometimes wrong about amounts, and never paying an order twice.
final class SimulatedChannel: Sendable {
    private struct Order {
        let amount: Amount
        let willFail: Bool
        let finalAt: Duration
        /// Said instead of the amount, for a while.
        var lie: Amount?
    }

    let system: OutsideSystem
    private let world: World
    private let orders = Mutex<[String: Order]>([:])
    private let callback = Mutex<(@Sendable (String) -> Void)?>(nil)

    init(_ world: World, _ system: OutsideSystem) {
        self.world = world
        self.system = system
    }

    /// Whom to tell of news; the newest process counts.
    func tell(_ body: @escaping @Sendable (String) -> Void) { callback.withLock { $0 = body } }
    /// Forgets whom to tell, who knows this channel.
    func hangUp() { callback.withLock { $0 = nil } }

    fileprivate func submit(_ order: PayoutOrder) {
        let faults = world.faults
        let isSlow = world.happens(faults.slowPayouts)
        let new = Order(
            amount: order.amount,
            // What people have claimed reaches them sooner or later; the channel doesn't refuse it for good.
            willFail: system != .transfers && world.happens(faults.failedPayouts),
            finalAt: world.scheduler.now + .milliseconds(world.draw(isSlow ? 8_000 : 100)),
            lie: world.happens(faults.wrongPayouts) ? Amount(fen: order.amount.fen + 1) : nil
        )
        let isNew = orders.withLock { orders in
            guard orders[order.order] == nil else { return false }
            orders[order.order] = new
            return true
        }
        if isNew { world.auditor.submitted(order, to: system, willPay: !new.willFail) }
    }

    fileprivate func report(_ order: String) -> PayoutReport {
        guard let known = orders.withLock({ $0[order] }) else { return .unknownOrder }
        guard known.finalAt <= world.scheduler.now else { return .processing }
        if let lie = known.lie {
            // Corrected as soon as somebody has looked.
            orders.withLock { $0[order]?.lie = nil }
            return .paid(lie)
        }
        return known.willFail ? .failed : .paid(known.amount)
    }

    /// Says things that are true, false, repeated or about orders that don't exist.
    func chatter() {
        let names = orders.withLock { $0.keys.sorted() }
        let order = names.isEmpty || world.draw(5) == 0 ? "w_1_1_\(world.draw(9))" : names[world.draw(names.count)]
        let body = callback.withLock { $0 }
        for _ in 0...world.draw(2) { body?(order) }
    }
}

/// One process's way to the channel.
struct ChannelConnection: PayoutChannel {
    let base: SimulatedChannel
    let world: World
    let life: Life

    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        await world.dawdle(world.faults.slowPayouts)
        guard life.isAlive else { return orders.map { _ in .unreachable } }
        var reports: [PayoutReport] = []
        for order in orders {
            if world.happens(world.faults.lostPayouts) {
                reports.append(.unreachable)
                continue
            }
            base.submit(order)
            reports.append(world.happens(world.faults.lostPayouts) ? .unreachable : base.report(order.order))
        }
        await world.dawdle(world.faults.slowPayouts)
        return reports
    }

    func query(_ orders: [String]) async -> [PayoutReport] {
        await world.dawdle(world.faults.slowPayouts)
        guard life.isAlive else { return orders.map { _ in .unreachable } }
        let reports = orders.map { world.happens(world.faults.lostPayouts) ? .unreachable : base.report($0) }
        await world.dawdle(world.faults.slowPayouts)
        return reports
    }
}
