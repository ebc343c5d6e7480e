import Metrics
import Synchronization

/// A number that only grows.
package final class PrometheusCounter: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fraction = Mutex(0.0)

    package func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.add(amount, ordering: .relaxed)
    }

    package func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fraction.withLock { $0 += amount }
    }

    package func reset() {
        whole.store(0, ordering: .relaxed)
        fraction.withLock { $0 = 0 }
    }

    var value: Double { Double(whole.load(ordering: .relaxed)) + fraction.withLock { $0 } }
}

/// A number that goes up and down.
package final class PrometheusGauge: MeterHandler, RecorderHandler {
    private let bits = Atomic<UInt64>(0)

    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    package func set(_ value: Int64) { set(Double(value)) }
    package func record(_ value: Double) { set(value) }
    package func record(_ value: Int64) { set(Double(value)) }

    package func increment(by amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (isDone, seen) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return }
            old = seen
        }
    }

    package func decrement(by amount: Double) { increment(by: -amount) }

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How often values fell at or below each of some bounds.
package final class PrometheusHistogram: RecorderHandler, TimerHandler {
    struct Reading: Sendable {
        /// One for each bound and one for all above the last: not cumulative.
        var counts: [UInt64]
        var sum = 0.0
    }

    let buckets: [Double]
    private let reading: Mutex<Reading>

    init(buckets: [Double]) {
        self.buckets = buckets.sorted()
        reading = Mutex(Reading(counts: [UInt64](repeating: 0, count: buckets.count + 1)))
    }

    package func observe(_ value: Double) {
        guard value.isFinite else { return }
        var index = 0
        while index < buckets.count, value > buckets[index] { index += 1 }
        reading.withLock { reading in
            reading.counts[index] &+= 1
            reading.sum += value
        }
    }

    package func record(_ value: Int64) { observe(Double(value)) }
    package func record(_ value: Double) { observe(value) }
    package func recordNanoseconds(_ duration: Int64) { observe(Double(duration) * 1e-9) }

    var current: Reading { reading.withLock { $0 } }
}
