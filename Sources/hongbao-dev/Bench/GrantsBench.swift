import HongbaoCore
import HongbaoEngine

/// Grants in process, from the call to the durable record: validation, idempotency, budget, token, log, answer.
struct GrantsBench: Sendable {
    let bench: Bench

    func run() async throws -> [Figure] {
        let naive = Figure(name: "naive pipeline", unit: "grants/s")
        var large = Figure(name: "calls of 1,000", unit: "grants/s", baseline: naive.name)
        large.goal = 1_000_000
        let small = Figure(name: "calls of 100", unit: "grants/s", baseline: naive.name)
        let posted = Figure(name: "while posting, calls of 1,000", unit: "grants/s", baseline: naive.name)
        return try await bench.measure([
            Measurement(large) { try await grantsPerSecond(callSize: 1_000, callers: 48, isPosting: false) },
            Measurement(small) { try await grantsPerSecond(callSize: 100, callers: 256, isPosting: false) },
            Measurement(posted) { try await grantsPerSecond(callSize: 1_000, callers: 48, isPosting: true) },
            Measurement(naive) { try await naiveGrantsPerSecond() },
        ])
    }

    /// Each time with new data, so that repetitions don't differ by what is in memory.
    func grantsPerSecond(callSize: Int, callers: Int, isPosting: Bool) async throws -> Sample {
        let bench = bench
        let source = GrantSource(people: 1_000_000)
        return try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder) { engine in
                engine.poster.setPaused(!isPosting)
                let granting = engine.granting
                return try await bench.rate(callers: callers) {
                    try await granting.grantAll(source.next(callSize))
                }
            }
        }
    }

    private func naiveGrantsPerSecond() async throws -> Sample {
        let bench = bench
        let source = GrantSource(people: 1_000_000)
        return try await bench.withFolder { folder in
            let pipeline = try NaivePipeline(folder: folder)
            return try await bench.rate(callers: 8) { try await pipeline.grant(source.next(100)) }
        }
    }
}
