/// One thing that was measured: a sample for each repetition.
struct Figure: Sendable, Encodable {
    enum Better: String, Sendable, Encodable { case higher, lower }

    let name: String
    let unit: String
    var better = Better.higher
    /// What the requirements ask for, in the same unit.
    var goal: Double?
    /// The figure of the same case that this one is held against.
    var baseline: String?
    var samples: [Double] = []

    var median: Double { Self.median(samples) }
    var min: Double { samples.min() ?? 0 }
    var max: Double { samples.max() ?? 0 }

    /// How many times better than the baseline: the median over repetitions, each compared within itself, so that a
    /// machine that is slower for a while is so for both.
    func ratio(to baseline: Figure) -> Double {
        Self.median(
            zip(samples, baseline.samples).map { own, other in
                better == .higher ? own / other : other / own
            }
        )
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

/// A figure, and how one sample of it is taken.
struct Measurement {
    let figure: Figure
    let sample: () async throws -> Double

    init(_ figure: Figure, sample: @escaping () async throws -> Double) {
        self.figure = figure
        self.sample = sample
    }
}

/// Everything that one case has measured.
struct CaseReport: Sendable, Encodable {
    let name: String
    let figures: [Figure]

    /// Keyed as in the file of thresholds: case and figure.
    var ratios: [(key: String, ratio: Double)] {
        figures.compactMap { figure in
            guard let baseline = figures.first(where: { $0.name == figure.baseline }) else { return nil }
            return ("\(name)/\(figure.name)", figure.ratio(to: baseline))
        }
    }
}
