import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Logging
import Synchronization

/// The running total, added to and read from every core, against one lock around it, and against the design that was
/// rejected (CT-5): a hundred keys by person, all of which every read adds up.
///
/// While it's measured, flushes bring what is added to what is read. Every reader checks that the total never goes
/// back, and in the end the total must be exactly what was added.
struct TotalBench: Sendable {
    let bench: Bench

    /// One for each core of the machine that the goals are for.
    private static let callers = 2
    private static let addsPerTurn = 100_000
    private static let readsPerTurn = 1_000_000
    private static let turnsPerFlush = 4

    func run() async throws -> [Figure] {
        let lockedAdds = Figure(name: "adds, one lock", unit: "adds/s")
        let lockedReads = Figure(name: "reads, one lock", unit: "reads/s")
        let keyedAdds = Figure(name: "adds, 100 keys", unit: "adds/s", baseline: lockedAdds.name)
        let keyedReads = Figure(name: "reads, 100 keys", unit: "reads/s", baseline: lockedReads.name)
        let adds = Figure(name: "adds", unit: "adds/s", goal: 100_000_000, baseline: lockedAdds.name)
        let reads = Figure(name: "reads", unit: "reads/s", goal: 1_000_000_000, baseline: lockedReads.name)
        let measurements = [
            Measurement(adds) { try await measureAdds() },
            Measurement(reads) { try await measureReads() },
            Measurement(lockedAdds) { try await add(to: LockedTotal(keys: 1)) },
            Measurement(lockedReads) { try await read(LockedTotal(keys: 1), perTurn: 50_000) },
            Measurement(keyedAdds) { try await add(to: LockedTotal(keys: 100)) },
            Measurement(keyedReads) { try await read(LockedTotal(keys: 100), perTurn: 1_000) },
        ]
        let overTheNetwork = bench.redis.map { RedisTotalBench(bench: bench, address: $0).measurements } ?? []
        return try await bench.measure(measurements + overTheNetwork)
    }

    // MARK: Ours

    private func measureAdds() async throws -> Sample {
        let one = try Self.one()
        let totals = BenchTotals()
        let turns = Turns()
        let sample = try await bench.rate(callers: Self.callers) {
            for _ in 0..<Self.addsPerTurn { totals.total.add(one) }
            if turns.take().isMultiple(of: Self.turnsPerFlush) { await totals.flush() }
            return Self.addsPerTurn
        }
        await totals.flush()
        try Self.check(totals.total.reading?.tally, turns.taken * Self.addsPerTurn)
        return sample
    }

    /// Something is added and flushed at each turn, so that what is read changes all the time.
    private func measureReads() async throws -> Sample {
        let one = try Self.one()
        let totals = BenchTotals()
        await totals.flush()
        let turns = Turns()
        let sample = try await bench.rate(callers: Self.callers) {
            totals.total.add(one)
            _ = turns.take()
            await totals.flush()
            var before: Int64 = 0
            for _ in 0..<Self.readsPerTurn {
                guard let amount = totals.total.reading?.amount, amount >= before else {
                    throw BenchFault("a total went back")
                }
                before = amount
            }
            return Self.readsPerTurn
        }
        await totals.flush()
        try Self.check(totals.total.reading?.tally, turns.taken)
        return sample
    }

    private static func one() throws -> Tally {
        guard let fen = Amount(fen: 1), let tally = Tally(amount: fen, count: 1) else { throw BenchFault("no tally") }
        return tally
    }

    private static func check(_ shown: Tally?, _ added: Int) throws {
        guard let shown, shown.count == Int64(added), shown.amount.fen == Int64(added) else {
            throw BenchFault("the total is \(shown.map { "\($0.count)" } ?? "nothing"), \(added) were added")
        }
    }

    // MARK: Baselines

    private func add(to total: LockedTotal) async throws -> Sample {
        let one = try Self.one()
        let turns = Turns()
        let sample = try await bench.rate(callers: Self.callers) {
            let start = turns.take() * Self.addsPerTurn
            for person in start..<(start + Self.addsPerTurn) { total.add(one, of: person) }
            return Self.addsPerTurn
        }
        try Self.check(total.sum, turns.taken * Self.addsPerTurn)
        return sample
    }

    private func read(_ total: LockedTotal, perTurn count: Int) async throws -> Sample {
        let one = try Self.one()
        let turns = Turns()
        let sample = try await bench.rate(callers: Self.callers) {
            total.add(one, of: turns.take())
            var before: Int64 = 0
            for _ in 0..<count {
                let amount = total.sum.amount.fen
                guard amount >= before else { throw BenchFault("a total went back") }
                before = amount
            }
            return count
        }
        try Self.check(total.sum, turns.taken)
        return sample
    }
}

/// A single node's total, flushed to two hot states in memory as in a server.
private struct BenchTotals: Sendable {
    private let totals: SharedTotals
    let total: SharedTotal

    init() {
        let book = BookID(campaign: 7, phase: .live)
        totals = SharedTotals(
            mint: MintID(1),
            campaigns: Campaigns(.forTests([.forTests()])),
            hot: .inMemory,
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
        total = totals.total(of: book)
    }

    func flush() async { await totals.flush() }
}

/// A total in as many parts as there are keys, each behind a lock: one key is the plain way, a hundred are the rejected
/// one.
private final class LockedTotal: Sendable {
    private final class Key: Sendable {
        let tally = Mutex(Tally.zero)
    }

    private let keys: [Key]

    init(keys: Int) { self.keys = (0..<keys).map { _ in Key() } }

    func add(_ tally: Tally, of person: Int) {
        keys[person % keys.count].tally.withLock { sum in
            guard let more = sum.adding(tally) else { preconditionFailure("more than an amount can be") }
            sum = more
        }
    }

    /// The parts are read one after the other: each only grows, and so does what one reader sees.
    var sum: Tally {
        keys.reduce(Tally.zero) { sum, key in
            guard let sum = sum.adding(key.tally.withLock { $0 }) else {
                preconditionFailure("more than an amount can be")
            }
            return sum
        }
    }
}
