import HongbaoCore
import HongbaoEngine
import HongbaoRedis
import NIOCore

/// The running total kept over the network instead of in the process: what every grant and every look at a screen would
/// cost (CT-5), and how many flushes a Redis bears (CT-4).
///
/// In the end the total must be exactly what was added.
struct RedisTotalBench: Sendable {
    let bench: Bench
    let address: RedisAddress

    private static let callers = 2
    /// Commands that a caller sends at once.
    private static let commandsPerTurn = 100
    /// Callers that each wait for one answer after the other, pipelined by nothing but being many.
    private static let patientCallers = 256
    private static let answersPerTurn = 20

    private let deadline = Duration.seconds(10)

    var measurements: [Measurement] {
        let adds = Figure(name: "adds, INCR in Redis", unit: "adds/s", baseline: "adds, one lock")
        let reads = Figure(name: "reads, GET in Redis", unit: "reads/s", baseline: "reads, one lock")
        let patient = Figure(name: "adds, INCR in Redis, awaited singly", unit: "adds/s", baseline: adds.name)
        let flushes = Figure(name: "flushes, Redis", unit: "flushes/s", goal: 28_000)
        return [
            Measurement(adds) { try await measureAdds() }, Measurement(reads) { try await measureReads() },
            Measurement(patient) { try await measurePatientAdds() },
            Measurement(flushes) { try await measureFlushes() },
        ]
    }

    private func soon() -> NIODeadline { .now() + TimeAmount(deadline) }

    /// A key of this sample's own, which is removed in the end.
    private func withKey(
        _ body: (RedisNode, _ key: String, Turns) async throws -> Sample
    ) async throws -> Sample {
        let node = try RedisNode(address)
        let key = "hongbao:bench:\(UInt64.random(in: 0...UInt64.max))"
        let turns = Turns()
        let sample = try await body(node, key, turns)
        let answer = try await node.call(RedisCommand(["GET", key], key: key, isIdempotent: true), by: soon())
        guard answer.integer ?? 0 == Int64(turns.taken) else {
            throw BenchFault("Redis has \(answer), \(turns.taken) were added")
        }
        _ = try await node.call(RedisCommand(["DEL", key], key: key, isIdempotent: true), by: soon())
        await node.close()
        return sample
    }

    private func measureAdds() async throws -> Sample {
        try await withKey { node, key, turns in
            let one = RedisCommand(["INCR", key], key: key, isIdempotent: false)
            let commands = [RedisCommand](repeating: one, count: Self.commandsPerTurn)
            return try await bench.rate(callers: Self.callers) {
                _ = try await node.callAll(commands, by: soon())
                _ = turns.take(Self.commandsPerTurn)
                return Self.commandsPerTurn
            }
        }
    }

    private func measureReads() async throws -> Sample {
        try await withKey { node, key, turns in
            _ = try await node.call(RedisCommand(["INCR", key], key: key, isIdempotent: false), by: soon())
            _ = turns.take()
            let one = RedisCommand(["GET", key], key: key, isIdempotent: true)
            let commands = [RedisCommand](repeating: one, count: Self.commandsPerTurn)
            return try await bench.rate(callers: Self.callers) {
                for answer in try await node.callAll(commands, by: soon()) where answer.integer != 1 {
                    throw BenchFault("Redis has \(answer)")
                }
                return Self.commandsPerTurn
            }
        }
    }

    private func measurePatientAdds() async throws -> Sample {
        try await withKey { node, key, turns in
            let one = RedisCommand(["INCR", key], key: key, isIdempotent: false)
            return try await bench.rate(callers: Self.patientCallers) {
                for _ in 0..<Self.answersPerTurn { _ = try await node.call(one, by: soon()) }
                _ = turns.take(Self.answersPerTurn)
                return Self.answersPerTurn
            }
        }
    }

    /// Each caller is a node that raises its part again and again.
    private func measureFlushes() async throws -> Sample {
        let node = try RedisNode(address)
        let prefix = "hongbao:bench:\(UInt64.random(in: 0...UInt64.max))"
        let totals = RedisTotals(node, timeout: deadline, prefix: prefix)
        let book = BookID(campaign: 7, phase: .live)
        let turns = Turns()
        let sample = try await bench.rate(callers: 64) {
            let number = turns.take() + 1
            guard let amount = Amount(fen: Int64(number)), let tally = Tally(amount: amount, count: Int64(number))
            else {
                throw BenchFault("no tally")
            }
            _ = try await totals.raise([TotalPart(book: book, mint: MintID(UInt32(number % 64)), tally: tally)])
            return 1
        }
        let parts = try await totals.parts(of: [book])
        let last = parts.map(\.tally.count).max() ?? 0
        guard last == Int64(turns.taken) else { throw BenchFault("the last part is \(last) of \(turns.taken)") }
        let key = "\(prefix):total:\(book.rawValue)"
        _ = try await node.call(RedisCommand(["DEL", key], key: key, isIdempotent: true), by: soon())
        await totals.close()
        return sample
    }
}
