import HongbaoCore
import Metrics

/// Metric handles of the payouts, made once. No label names a person or an order.
struct PayoutMetrics: Sendable {
    let tracked = Gauge(label: "hongbao_payouts_tracked")
    let oldestPendingSeconds = Gauge(label: "hongbao_withdrawals_oldest_pending_seconds")
    let leftToOthers = Counter(label: "hongbao_payouts_left_to_sweep_total")
    let storeFaults = Counter(label: "hongbao_payouts_store_faults_total")
    let pay = Call("pay")
    let query = Call("query")
    private let paid = Counter(label: "hongbao_withdrawals_final_total", dimensions: [("state", "paid")])
    private let failed = Counter(label: "hongbao_withdrawals_final_total", dimensions: [("state", "failed")])
    private let attempts = Recorder(label: "hongbao_withdrawal_attempts")

    func count(_ withdrawal: Withdrawal) {
        attempts.record(Int64(withdrawal.attempts))
        switch withdrawal.state {
        case .paid: paid.increment()
        case .failed: failed.increment()
        case .pending: break
        }
    }

    /// One kind of call to the payout channel.
    struct Call: Sendable {
        private let latency: Timer
        private let processing: Counter
        private let paid: Counter
        private let failed: Counter
        private let unknown: Counter
        private let unreachable: Counter

        init(_ call: String) {
            func counter(_ report: String) -> Counter {
                Counter(label: "hongbao_payout_reports_total", dimensions: [("call", call), ("report", report)])
            }
            latency = Timer(label: "hongbao_payout_channel_seconds", dimensions: [("call", call)])
            processing = counter("processing")
            paid = counter("paid")
            failed = counter("failed")
            unknown = counter("unknown")
            unreachable = counter("unreachable")
        }

        func record(_ duration: Duration, reports: [PayoutReport]) {
            let (seconds, attoseconds) = duration.components
            latency.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
            for report in reports {
                switch report {
                case .processing: processing.increment()
                case .paid: paid.increment()
                case .failed: failed.increment()
                case .unknownOrder: unknown.increment()
                case .unreachable: unreachable.increment()
                }
            }
        }
    }
}
