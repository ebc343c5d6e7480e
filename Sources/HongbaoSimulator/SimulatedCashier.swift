import HongbaoCore
import HongbaoEngine
import Synchronization

/// The outside system where senders pay: slow and lossy, and now and then it takes another amount, or a payment for
/// what it has called off.
final class SimulatedCashier: Sendable {
    private enum Payment {
        case open(PaymentOrder)
        case paid(Amount)
        case cancelled(PaymentOrder)
    }

    private let world: World
    private let payments = Mutex<[String: Payment]>([:])
    private let callback = Mutex<(@Sendable (String) -> Void)?>(nil)

    init(_ world: World) { self.world = world }

    /// Whom to tell of news; the newest process counts.
    func tell(_ body: @escaping @Sendable (String) -> Void) { callback.withLock { $0 = body } }
    /// Forgets whom to tell, who knows this cashier.
    func hangUp() { callback.withLock { $0 = nil } }

    /// Somebody comes to the page of an order to pay it.
    func visit(_ order: String) {
        guard let payment = payments.withLock({ $0[order] }) else { return }
        switch payment {
        case .paid: return
        case .open(let asked):
            let isWrong = world.happens(world.faults.wrongPayouts)
            let other = isWrong ? Amount(fen: asked.amount.fen + Int64(world.draw(3)) - 1) : nil
            take(other ?? asked.amount, for: order)
        case .cancelled(let asked):
            if world.happens(world.faults.wrongPayouts) { take(asked.amount, for: order) }
        }
    }

    private func take(_ amount: Amount, for order: String) {
        guard amount > .zero else { return }
        payments.withLock { $0[order] = .paid(amount) }
        world.auditor.paid(order, amount.fen)
        let body = callback.withLock { $0 }
        if world.happens(world.faults.callbacks) { for _ in 0...world.draw(2) { body?(order) } }
    }

    /// Tells of all payments once more, as cashiers do until they are heard.
    func repeatCallbacks() {
        let paid = payments.withLock { payments in
            payments.filter { if case .paid = $0.value { true } else { false } }.keys.sorted()
        }
        let body = callback.withLock { $0 }
        for order in paid { body?(order) }
    }

    fileprivate func open(_ order: PaymentOrder) {
        payments.withLock { payments in
            if payments[order.order] == nil { payments[order.order] = .open(order) }
        }
    }

    fileprivate func report(_ order: String) -> PayoutReport {
        switch payments.withLock({ $0[order] }) {
        case nil: .unknownOrder
        case .open: .processing
        case .paid(let amount): .paid(amount)
        case .cancelled: .failed
        }
    }

    fileprivate func cancel(_ order: String) -> PayoutReport {
        payments.withLock { payments in
            if case .open(let asked) = payments[order] { payments[order] = .cancelled(asked) }
        }
        return report(order)
    }
}

/// One process's way to the cashier.
struct CashierConnection: Cashier {
    let base: SimulatedCashier
    let world: World
    let life: Life

    func open(_ order: PaymentOrder) async -> String? {
        await world.dawdle(world.faults.slowPayouts)
        guard life.isAlive, !world.happens(world.faults.lostPayouts) else { return nil }
        base.open(order)
        await world.dawdle(world.faults.slowPayouts)
        return world.happens(world.faults.lostPayouts) ? nil : "pay/\(order.order)"
    }

    func query(_ orders: [String]) async -> [PayoutReport] { await ask(orders) { base.report($0) } }
    func cancel(_ orders: [String]) async -> [PayoutReport] { await ask(orders) { base.cancel($0) } }

    private func ask(_ orders: [String], _ body: (String) -> PayoutReport) async -> [PayoutReport] {
        await world.dawdle(world.faults.slowPayouts)
        guard life.isAlive else { return orders.map { _ in .unreachable } }
        let reports = orders.map { world.happens(world.faults.lostPayouts) ? .unreachable : body($0) }
        await world.dawdle(world.faults.slowPayouts)
        return reports
    }
}
