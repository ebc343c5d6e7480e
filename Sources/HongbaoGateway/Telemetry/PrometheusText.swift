import Synchronization

extension PrometheusRegistry {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"
    private static let droppedName = "hongbao_metrics_dropped_total"

    /// Everything, sorted, as Prometheus reads it.
    package func text() -> String {
        let (families, descriptions, dropped) = state.withLock { ($0.families, $0.descriptions, $0.dropped) }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            let help = descriptions[name]?.help ?? "Not described."
            text += "# HELP \(name) \(Self.escapedHelp(help))\n# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                switch series {
                case .counter(let counter): text += "\(name)\(Self.braced(labels)) \(Self.number(counter.value))\n"
                case .gauge(let gauge): text += "\(name)\(Self.braced(labels)) \(Self.number(gauge.value))\n"
                case .histogram(let histogram): Self.append(histogram, name, labels, to: &text)
                }
            }
        }
        text += """
            # HELP \(Self.droppedName) Requests for a metric that weren't met: too many label sets, or another kind.
            # TYPE \(Self.droppedName) counter
            \(Self.droppedName) \(dropped)

            """
        return text
    }

    private static func append(_ histogram: PrometheusHistogram, _ name: String, _ labels: String, to text: inout String) {
        let reading = histogram.current
        let comma = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for (index, count) in reading.counts.enumerated() {
            total += count
            let bound = index < histogram.buckets.count ? number(histogram.buckets[index]) : "+Inf"
            text += "\(name)_bucket{\(labels)\(comma)le=\"\(bound)\"} \(total)\n"
        }
        text += "\(name)_sum\(braced(labels)) \(number(reading.sum))\n\(name)_count\(braced(labels)) \(total)\n"
    }

    private static func braced(_ labels: String) -> String { labels.isEmpty ? "" : "{\(labels)}" }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    /// `name="value",…` in order of name, so that the order given doesn't matter.
    static func labelText(_ labels: [(String, String)]) -> String {
        let sorted = labels.sorted { $0.0 < $1.0 }
        return sorted.map { "\(labelName($0.0))=\"\(escapedValue($0.1))\"" }.joined(separator: ",")
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`; anything else becomes an underscore.
    static func metricName(_ name: String) -> String { cleaned(name, colons: true) }

    private static func labelName(_ name: String) -> String { cleaned(name, colons: false) }

    private static func cleaned(_ name: String, colons: Bool) -> String {
        var clean: [UInt8] = []
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                clean.append(byte)
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                if clean.isEmpty { clean.append(UInt8(ascii: "_")) }
                clean.append(byte)
            case UInt8(ascii: ":") where colons: clean.append(byte)
            default: clean.append(UInt8(ascii: "_"))
            }
        }
        return clean.isEmpty ? "_" : String(decoding: clean, as: UTF8.self)
    }

    private static func escapedHelp(_ text: String) -> String { escaped(text, quotes: false) }
    private static func escapedValue(_ text: String) -> String { escaped(text, quotes: true) }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
