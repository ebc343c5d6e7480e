import Glibc

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
    /// Microseconds of processor time for each thing done, where it's all in this process. Unlike the rate, it hardly
    /// depends on what else the machine does.
    var processorMicroseconds: [Double] = []

    var processor: Double? { processorMicroseconds.isEmpty ? nil : Self.median(processorMicroseconds) }
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

struct Sample: Sendable {
    let value: Double
    var processorMicroseconds: Double?
}

/// A figure, and how one sample of it is taken.
struct Measurement {
    let figure: Figure
    let sample: () async throws -> Sample

    init(_ figure: Figure, sample: @escaping () async throws -> Sample) {
        self.figure = figure
        self.sample = sample
    }

    init(_ figure: Figure, value: @escaping () async throws -> Double) {
        self.init(figure) { Sample(value: try await value()) }
    }
}

/// Time and processor time from one moment on.
struct Stopwatch {
    private let began = ContinuousClock.now
    private let processorBegan = Self.processorSeconds

    var seconds: Double { began.duration(to: .now).inSeconds }

    /// So many things done since it was made.
    func sample(_ count: Int) -> Sample {
        let used = Self.processorSeconds - processorBegan
        return Sample(value: Double(count) / seconds, processorMicroseconds: used * 1e6 / Double(max(1, count)))
    }

    private static var processorSeconds: Double {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        return [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
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
