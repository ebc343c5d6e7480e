import HongbaoEngine

/// That a process audits everything while it serves, and how often.
enum ReconcileSettings {
    static let keys: [(key: String, meaning: String)] = [
        (
            "reconcile.every",
            "from the end of an audit of all data to the next, as 90s, 10m or 1h (1h with the role reconcile, else "
                + "never)"
        ),
        ("reconcile.rows-per-second", "how fast it reads, 0 without limit (50000)"),
    ]

    /// `nil` for a process that leaves it to others, or to `hongbao audit`.
    static func read(
        _ settings: Settings,
        _ reconciling: ClusterSettings.Reconciling
    ) throws(ServerConfiguration.Invalid) -> Reconciler.Configuration? {
        var configuration = Reconciler.Configuration()
        let (second, week) = (Duration.seconds(1), Duration.seconds(7 * 86_400))
        let every = try settings.duration("reconcile.every", in: second...week)
        // Slower than that, a pause between two pages would be longer than a database waits for a transaction.
        let rows = try settings.int("reconcile.rows-per-second", in: 0...1_000_000_000)
        if let rows, rows > 0, rows < 5_000 {
            throw ServerConfiguration.Invalid(key: "reconcile.rows-per-second", reason: "must be 0, or at least 5000")
        }
        switch reconciling {
        case .never: return nil
        case .ifAsked where every == nil: return nil
        case .ifAsked, .always:
            configuration.every = every ?? configuration.every
            configuration.rowsPerSecond = rows ?? configuration.rowsPerSecond
            return configuration
        }
    }
}

extension Settings {
    /// A whole number and its unit: s, m or h.
    func duration(
        _ key: String,
        in range: ClosedRange<Duration>
    ) throws(ServerConfiguration.Invalid) -> Duration? {
        guard let text = string(key) else { return nil }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600]
        guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()), number >= 0,
            case let (seconds, overflows) = number.multipliedReportingOverflow(by: unit), !overflows,
            range.contains(.seconds(seconds))
        else {
            let (least, most) = (range.lowerBound.components.seconds, range.upperBound.components.seconds)
            let reason = "must be like 90s, 10m or 1h, from \(least)s to \(most)s"
            throw ServerConfiguration.Invalid(key: key, reason: reason)
        }
        return .seconds(seconds)
    }
}
