import HongbaoCore
package import HongbaoEngine
import Synchronization

/// A downstream with habits: what it has given stays given, and what it says of that may get lost.
package final class TestDownstream: RewardChannel {
    package struct Habits: Sendable {
        /// Of every so many orders, one that isn't heard, and one whose answer is lost; 0 is none.
        package var losesRequest = 0
        package var losesReply = 0
        /// How often each order is refused before it's given.
        package var refusals = 0
        /// Calls don't come back until they are cancelled.
        package var hangs = false

        package init() {}
    }

    private struct State {
        var habits: Habits
        var given: [String: RewardOrder] = [:]
        var refused: [String: Int] = [:]
        var again = 0
        var calls = 0
    }

    private let state: Mutex<State>

    package init(_ habits: Habits = Habits()) { state = Mutex(State(habits: habits)) }

    /// By order number.
    package var given: [String: RewardOrder] { state.withLock { $0.given } }
    /// How often an order came that was given already with another template or to another person.
    package var contradictions: Int { state.withLock { $0.again } }

    package func change(_ body: (inout Habits) -> Void) { state.withLock { body(&$0.habits) } }

    package func give(_ orders: [RewardOrder]) async -> [RewardReport] {
        guard await isReached() else { return orders.map { _ in Self.silence } }
        return state.withLock { state in
            orders.map { order in
                state.calls += 1
                let habits = state.habits
                if habits.losesRequest > 0, state.calls.isMultiple(of: habits.losesRequest) { return Self.silence }
                if state.refused[order.order, default: 0] < habits.refusals {
                    state.refused[order.order, default: 0] += 1
                    return .failed(RewardFault(.final, "not_eligible"))
                }
                if let earlier = state.given.updateValue(order, forKey: order.order), earlier != order {
                    state.again += 1
                }
                let isLost = habits.losesReply > 0 && state.calls.isMultiple(of: habits.losesReply)
                return isLost ? Self.silence : .granted
            }
        }
    }

    package func query(_ orders: [String]) async -> [RewardReport] {
        guard await isReached() else { return orders.map { _ in Self.silence } }
        return state.withLock { state in orders.map { state.given[$0] == nil ? .unknownOrder : .granted } }
    }

    private static let silence = RewardReport.failed(RewardFault(.unknown, "timeout"))

    /// Waits as long as it hangs; `false` when the caller has given up before.
    private func isReached() async -> Bool {
        while state.withLock({ $0.habits.hangs }) {
            do {
                try await Task.sleep(for: .milliseconds(20))
            } catch {
                return false
            }
        }
        return true
    }
}
