import HongbaoCore
import HongbaoEngine
import Synchronization

/// A coupon platform: slow, lossy, sometimes refusing for a while, and never giving an order twice.
final class SimulatedDownstream: Sendable {
    private struct Order {
        let finalAt: Duration
        /// How often it still says no.
        var refusals: Int
        var isGiven = false
    }

    private let world: World
    private let orders = Mutex<[String: Order]>([:])

    init(_ world: World) { self.world = world }

    fileprivate func submit(_ order: RewardOrder) -> RewardReport {
        let faults = world.faults
        if orders.withLock({ $0[order.order] }) == nil {
            let refusals = world.happens(faults.failedPayouts) ? 1 + world.draw(2) : 0
            let span = world.draw(world.happens(faults.slowPayouts) ? 6_000 : 50)
            let finalAt = world.scheduler.now + .milliseconds(span)
            orders.withLock { $0[order.order] = Order(finalAt: finalAt, refusals: refusals) }
        }
        let isRefused = orders.withLock { orders in
            guard orders[order.order]?.refusals ?? 0 > 0 else { return false }
            orders[order.order]?.refusals -= 1
            return true
        }
        if isRefused { return .failed(RewardFault(.final, "not_eligible")) }
        let isNew = orders.withLock { orders in
            guard orders[order.order]?.isGiven == false else { return false }
            orders[order.order]?.isGiven = true
            return true
        }
        if isNew { world.auditor.gave(order) }
        return report(order.order)
    }

    fileprivate func report(_ order: String) -> RewardReport {
        guard let known = orders.withLock({ $0[order] }), known.isGiven else { return .unknownOrder }
        return known.finalAt <= world.scheduler.now ? .granted : .processing
    }
}

/// One process's way to it.
struct DownstreamConnection: RewardChannel {
    let base: SimulatedDownstream
    let world: World
    let life: Life

    private static let silence = RewardReport.failed(RewardFault(.unknown, "timeout"))

    func give(_ orders: [RewardOrder]) async -> [RewardReport] {
        await carry(orders) { order in
            if world.happens(world.faults.lostPayouts) { return Self.silence }
            let report = base.submit(order)
            return world.happens(world.faults.lostPayouts) ? Self.silence : report
        }
    }

    func query(_ orders: [String]) async -> [RewardReport] {
        await carry(orders) { world.happens(world.faults.lostPayouts) ? Self.silence : base.report($0) }
    }

    private func carry<Asked>(_ orders: [Asked], _ body: (Asked) -> RewardReport) async -> [RewardReport] {
        await world.dawdle(world.faults.slowPayouts)
        guard life.isAlive else { return orders.map { _ in Self.silence } }
        let reports = orders.map(body)
        await world.dawdle(world.faults.slowPayouts)
        return reports
    }
}
