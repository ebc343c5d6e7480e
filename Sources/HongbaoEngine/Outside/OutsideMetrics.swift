import HongbaoCore
import Metrics

/// Metric handles of one outside system, made once. No label names a person or an order.
struct OutsideMetrics: Sendable {
    let tracked: Gauge
    /// 1 or 0.
    let breakerOpen: Gauge
    let oldestPendingSeconds: Gauge
    let leftToOthers: Counter
    let storeFaults: Counter
    let submit: Call
    let query: Call
    private let attempts: Recorder
    private let ended: Counter
    private let notEnded: Counter

    init(_ system: String) {
        let names = Names(system)
        tracked = Gauge(label: names.tracked, dimensions: names.dimensions)
        // Payouts, too, under this name.
        breakerOpen = Gauge(label: "hongbao_outside_breaker_open", dimensions: [("system", system)])
        oldestPendingSeconds = Gauge(label: names.oldestPending, dimensions: names.dimensions)
        leftToOthers = Counter(label: names.leftToOthers, dimensions: names.dimensions)
        storeFaults = Counter(label: names.storeFaults, dimensions: names.dimensions)
        submit = Call("pay", names)
        query = Call("query", names)
        attempts = Recorder(label: names.attempts, dimensions: names.dimensions)
        ended = Counter(label: names.final, dimensions: names.dimensions + [("state", "paid")])
        notEnded = Counter(label: names.final, dimensions: names.dimensions + [("state", "failed")])
    }

    func count(_ order: some OutsideOrder) {
        attempts.record(Int64(order.attempts))
        if order.isDone { ended.increment() } else { notEnded.increment() }
    }

    /// Payouts were there first, and have names of their own.
    struct Names {
        let dimensions: [(String, String)]
        let tracked: String
        let oldestPending: String
        let leftToOthers: String
        let storeFaults: String
        let reports: String
        let seconds: String
        let final: String
        let attempts: String

        init(_ system: String) {
            let isPayouts = system == OutsideSystem.payouts.rawValue
            dimensions = isPayouts ? [] : [("system", system)]
            let (prefix, ends) = isPayouts ? ("payouts", "withdrawals") : ("outside", "outside")
            tracked = "hongbao_\(prefix)_tracked"
            oldestPending = "hongbao_\(ends)_oldest_pending_seconds"
            leftToOthers = "hongbao_\(prefix)_left_to_sweep_total"
            storeFaults = "hongbao_\(prefix)_store_faults_total"
            reports = isPayouts ? "hongbao_payout_reports_total" : "hongbao_outside_reports_total"
            seconds = isPayouts ? "hongbao_payout_channel_seconds" : "hongbao_outside_channel_seconds"
            final = "hongbao_\(ends)_final_total"
            attempts = isPayouts ? "hongbao_withdrawal_attempts" : "hongbao_outside_attempts"
        }
    }

    /// One kind of call to an outside system.
    struct Call: Sendable {
        private let latency: Timer
        private let processing: Counter
        private let paid: Counter
        private let failed: Counter
        private let unknown: Counter
        private let unreachable: Counter

        init(_ call: String, _ names: Names) {
            let dimensions = names.dimensions + [("call", call)]
            func counter(_ report: String) -> Counter {
                Counter(label: names.reports, dimensions: dimensions + [("report", report)])
            }
            latency = Timer(label: names.seconds, dimensions: dimensions)
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
