package import Metrics
import Synchronization

/// All metrics of the process, and their text for Prometheus (format 0.0.4). A back-end of swift-metrics; the gateway
/// uses its handles directly.
///
/// Bounded: a name has at most `seriesMax` label sets. Further ones are counted, not kept.
package final class PrometheusRegistry: MetricsFactory {
    package static let seriesMaxDefault = 500
    /// Seconds. Down to half a millisecond, because that is where most answers are.
    package static let secondsBuckets: [Double] = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Sizes of batches and the like.
    package static let countBuckets: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000]

    enum Kind: String { case counter, gauge, histogram }

    struct Description: Sendable {
        let help: String
        let buckets: [Double]?
    }

    struct Family {
        let kind: Kind
        var series: [String: Series] = [:]
    }

    enum Series {
        case counter(PrometheusCounter)
        case gauge(PrometheusGauge)
        case histogram(PrometheusHistogram)
    }

    struct State {
        var families: [String: Family] = [:]
        var descriptions: [String: Description] = [:]
        var dropped = 0
    }

    let state = Mutex(State())
    private let seriesMax: Int

    package init(seriesMax: Int = PrometheusRegistry.seriesMaxDefault) {
        precondition(seriesMax > 0)
        self.seriesMax = seriesMax
    }

    /// Says what a metric means and, for a histogram, what its buckets are: before it's first used.
    package func describe(_ name: String, _ help: String, buckets: [Double]? = nil) {
        let name = Self.metricName(name)
        state.withLock { $0.descriptions[name] = Description(help: help, buckets: buckets) }
    }

    // MARK: Handles

    package func counter(_ name: String, _ labels: [(String, String)] = []) -> PrometheusCounter {
        let series = series(name, labels, .counter) { _ in .counter(PrometheusCounter()) }
        if case .counter(let counter)? = series { return counter }
        return PrometheusCounter()
    }

    package func gauge(_ name: String, _ labels: [(String, String)] = []) -> PrometheusGauge {
        let series = series(name, labels, .gauge) { _ in .gauge(PrometheusGauge()) }
        if case .gauge(let gauge)? = series { return gauge }
        return PrometheusGauge()
    }

    package func histogram(_ name: String, _ labels: [(String, String)] = []) -> PrometheusHistogram {
        let isTime = name.hasSuffix("_seconds")
        let usual = isTime ? Self.secondsBuckets : Self.countBuckets
        let series = series(name, labels, .histogram) { description in
            .histogram(PrometheusHistogram(buckets: description?.buckets ?? usual))
        }
        if case .histogram(let histogram)? = series { return histogram }
        return PrometheusHistogram(buckets: usual)
    }

    /// The same handle for the same name and labels. `nil`, and nothing is kept, when the name is in use for another
    /// kind or has too many label sets.
    private func series(
        _ name: String,
        _ labels: [(String, String)],
        _ kind: Kind,
        make: (Description?) -> Series
    ) -> Series? {
        let name = Self.metricName(name)
        let key = Self.labelText(labels)
        return state.withLock { state -> Series? in
            var family = state.families[name] ?? Family(kind: kind)
            guard family.kind == kind else {
                state.dropped += 1
                return nil
            }
            if let known = family.series[key] { return known }
            guard family.series.count < seriesMax else {
                state.dropped += 1
                return nil
            }
            let made = make(state.descriptions[name])
            family.series[key] = made
            state.families[name] = family
            return made
        }
    }

    // MARK: swift-metrics

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label, dimensions)
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler { counter(label, dimensions) }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, dimensions)
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler { aggregate ? histogram(label, dimensions) : gauge(label, dimensions) }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    // Handles live as long as the process: their number is bounded, and a counter that came back at zero would lie.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}
