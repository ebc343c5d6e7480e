package import Logging
import Metrics
import Synchronization

/// Something that a person must look at. Each is counted; the log says it at most once a second for each kind.
package final class Alarms: Sendable {
    /// Is told of each alarm, in the task that raises it: it must not wait, nor make the detail without need.
    package typealias Listener = @Sendable (_ kind: Kind, _ detail: () -> String) -> Void

    package enum Kind: String, Sendable, CaseIterable {
        /// An order number came again with other content (GR-3).
        case orderConflict = "order_conflict"
        /// A grant above its scene's cap (BU-2).
        case overCap = "over_cap"
        /// A token verifies but was never issued (TK-8): a minting key is in other hands.
        case forgedToken = "forged_token"
        /// The ledger has another transfer under the number of an accepted grant.
        case postingConflict = "posting_conflict"
        /// An accepted grant can't be posted (M5).
        case postingStuck = "posting_stuck"
        /// The log or the books can't be read, or contradict each other.
        case corruptData = "corrupt_data"
        /// Another process has taken this mint over.
        case fenced
        /// The payout channel says what can't be (M9).
        case payoutContradiction = "payout_contradiction"
        /// A withdrawal hasn't become final in time (M10).
        case payoutStuck = "payout_stuck"
        /// The cashier, the transfer channel or the refund channel says what can't be (M9).
        case outsideContradiction = "outside_contradiction"
        /// A payment, a transfer or a refund hasn't become final in time (M10).
        case outsideStuck = "outside_stuck"
        /// Another amount was paid than was asked for, or too late: it goes back.
        case paymentReturned = "payment_returned"
        /// A refund was refused for good, and another one is asked for.
        case orderRefused = "order_refused"
        /// A hot state lacks what the other has of a running total, and not only for a moment (CT-3).
        case totalsDiffer = "totals_differ"
        /// An outside system answers nothing, and is called once in a while only (FC-3).
        case breakerOpen = "breaker_open"
        /// An audit of everything found an invariant broken (RC-5).
        case auditBreach = "audit_breach"
    }

    private let logger: Logger
    private let listener: Listener
    private let counters: [Kind: Counter]
    private let lastLogged = Mutex<[Kind: ContinuousClock.Instant]>([:])
    private let counts = Mutex<[Kind: Int]>([:])

    package init(logger: Logger, listener: @escaping Listener = { _, _ in }) {
        self.logger = logger
        self.listener = listener
        counters = Dictionary(
            uniqueKeysWithValues: Kind.allCases.map {
                ($0, Counter(label: "hongbao_alarms_total", dimensions: [("kind", $0.rawValue)]))
            }
        )
    }

    /// - Parameter detail: what a person needs to act, without personal data.
    package func raise(_ kind: Kind, _ detail: @autoclosure () -> String) {
        counters[kind]?.increment()
        counts.withLock { $0[kind, default: 0] += 1 }
        listener(kind, detail)
        let now = ContinuousClock.now
        let isDue = lastLogged.withLock { last in
            if let earlier = last[kind], earlier.duration(to: now) < .seconds(1) { return false }
            last[kind] = now
            return true
        }
        if isDue { logger.error("alarm", metadata: ["kind": "\(kind.rawValue)", "detail": "\(detail())"]) }
    }

    package func count(_ kind: Kind) -> Int { counts.withLock { $0[kind] ?? 0 } }
}
