import HongbaoCore
import HongbaoEngine

/// Postings: from the log into the ledger by the real poster, every transaction synced.
struct PostingsBench: Sendable {
    let bench: Bench

    static let postingsPerRepetition = 300_000

    func run() async throws -> [Figure] {
        try await postings(people: 10_000) + postings(people: 1_000_000)
    }

    /// The ledger first gets a posting for every person, so that accounts are there, as they are after the first round.
    private func postings(people: Int) async throws -> [Figure] {
        let bench = bench
        let single = Figure(name: "\(people) people, one by one", unit: "postings/s")
        let drained = Figure(name: "\(people) people", unit: "postings/s", goal: 150_000, baseline: single.name)
        return try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder) { engine in
                let source = GrantSource(people: people)
                _ = try await Self.post(people, of: source, engine)
                return try await bench.measure([
                    Measurement(drained) { try await Self.post(Self.postingsPerRepetition, of: source, engine) },
                    Measurement(single) { try await Self.postOneByOne(bench, source, engine) },
                ])
            }
        }
    }

    /// Grants with the poster paused, then lets it drain what was granted; answers postings per second of draining.
    static func post(_ count: Int, of source: GrantSource, _ engine: Engine) async throws -> Sample {
        engine.poster.setPaused(true)
        for _ in 0..<count / 1_000 { _ = try await engine.granting.grantAll(source.next(1_000)) }
        let backlog = engine.granting.backlog
        let watch = Stopwatch()
        engine.poster.setPaused(false)
        try await engine.granting.waitUntilPosted()
        return watch.sample(backlog)
    }

    /// The same rows by the same rules, each in a transaction of its own, one after the other.
    static func postOneByOne(_ bench: Bench, _ source: GrantSource, _ engine: Engine) async throws -> Sample {
        engine.poster.setPaused(true)
        var grants: [OpenGrant] = []
        for _ in 0..<20 {
            for answer in await engine.granting.grant(source.next(1_000)) {
                guard case .granted(let granted) = answer else { throw BenchFault("a grant was answered \(answer)") }
                grants.append(
                    OpenGrant(order: granted.order, amount: granted.amount, openedAt: engine.clock.now(), app: AppID(1))
                )
            }
        }
        let watch = Stopwatch()
        let end = ContinuousClock.now + .seconds(bench.seconds)
        var count = 0
        for grant in grants where ContinuousClock.now < end {
            try await engine.poster.postFirst([grant])
            count += 1
        }
        let rate = watch.sample(count)
        engine.poster.setPaused(false)
        try await engine.granting.waitUntilPosted()
        return rate
    }
}
