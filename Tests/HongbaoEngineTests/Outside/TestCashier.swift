import HongbaoCore
import HongbaoEngine
import Synchronization

/// The network in the tests of payments: a cashier that takes an order's money when a test pays it.
final class TestCashier: Cashier {
    struct State: Sendable {
        var orders: [String: PaymentOrder] = [:]
        var paid: [String: Amount] = [:]
        var cancelled: Set<String> = []
        var opens = 0
        /// Carries out what it's asked, and the answer is lost.
        var losesReplies = false
        var isDown = false
    }

    let state = Mutex(State())
    private let now: @Sendable () -> Timestamp

    init(now: @escaping @Sendable () -> Timestamp) { self.now = now }

    func pay(_ order: String, _ amount: Amount) { state.withLock { $0.paid[order] = amount } }

    func open(_ order: PaymentOrder) async -> String? {
        state.withLock { state in
            guard !state.isDown else { return nil }
            state.opens += 1
            state.orders[order.order] = order
            return state.losesReplies ? nil : "https://cashier.example/\(order.order)"
        }
    }

    func query(_ orders: [String]) async -> [PayoutReport] { report(orders, isLast: false) }
    func cancel(_ orders: [String]) async -> [PayoutReport] { report(orders, isLast: true) }

    private func report(_ orders: [String], isLast: Bool) -> [PayoutReport] {
        state.withLock { state in
            guard !state.isDown else { return orders.map { _ in .unreachable } }
            return orders.map { order in
                if let amount = state.paid[order] { return .paid(amount) }
                guard let known = state.orders[order] else { return .unknownOrder }
                if isLast { state.cancelled.insert(order) }
                return state.cancelled.contains(order) || known.closesAt <= now() ? .failed : .processing
            }
        }
    }
}
