import Synchronization

/// The metrics of one route: the handle for 200 is made beforehand, the others when they're first needed.
final class RouteMetrics: Sendable {
    private let registry: PrometheusRegistry
    private let labels: [(String, String)]
    private let ok: PrometheusHistogram
    private let others = Mutex<[Int: PrometheusHistogram]>([:])

    static let name = "http_server_request_duration_seconds"

    init(_ registry: PrometheusRegistry, method: String, path: String) {
        self.registry = registry
        labels = [("http_request_method", method), ("http_route", path)]
        ok = registry.histogram(Self.name, labels + [("http_response_status_code", "200")])
    }

    func record(status: Int, seconds: Double) {
        if status == 200 { return ok.observe(seconds) }
        let histogram = others.withLock { others in
            if let known = others[status] { return known }
            let made = registry.histogram(Self.name, labels + [("http_response_status_code", "\(status)")])
            others[status] = made
            return made
        }
        histogram.observe(seconds)
    }

    static func describe(in registry: PrometheusRegistry) {
        registry.describe(name, "Time from a request's head to its answer, by route and status.")
        registry.describe("http_server_active_requests", "Requests at work.")
        registry.describe("hongbao_total_streams", "Open streams of running totals.")
        registry.describe("hongbao_grant_answers_total", "Grants answered over HTTP, by outcome.")
        registry.describe(
            "hongbao_grant_batch_size",
            "Grants in one request.",
            buckets: PrometheusRegistry.countBuckets
        )
        registry.describe("hongbao_forwards_total", "Requests for other nodes of the cluster, by outcome.")
        registry.describe("hongbao_build_info", "Always 1; the version is the label.")
    }
}

/// What became of the grants that came in over HTTP.
struct GrantMetrics: Sendable {
    private let granted: PrometheusCounter
    private let replayed: PrometheusCounter
    private let refusals: [ErrorCode: PrometheusCounter]
    let batchSizes: PrometheusHistogram

    init(_ registry: PrometheusRegistry) {
        let name = "hongbao_grant_answers_total"
        granted = registry.counter(name, [("outcome", "granted")])
        replayed = registry.counter(name, [("outcome", "replayed")])
        var refusals: [ErrorCode: PrometheusCounter] = [:]
        for code in ErrorCode.allCases where Self.codes.contains(code) {
            refusals[code] = registry.counter(name, [("outcome", code.rawValue)])
        }
        self.refusals = refusals
        batchSizes = registry.histogram("hongbao_grant_batch_size")
    }

    private static let codes: Set<ErrorCode> = [
        .campaignUnknown, .notInPhase, .sceneUnknown, .appUnknown, .rewardUnknown, .orderPartInvalid, .personMismatch,
        .amountInvalid, .orderConflict, .switchedOff, .overCap, .budgetExhausted, .overloaded, .forbidden,
        .unavailable, .internal,
    ]

    func count(granted: Int, replayed: Int) {
        if granted > 0 { self.granted.increment(by: Int64(granted)) }
        if replayed > 0 { self.replayed.increment(by: Int64(replayed)) }
    }

    func count(_ problem: Problem) { refusals[problem.code]?.increment(by: Int64(1)) }
}
