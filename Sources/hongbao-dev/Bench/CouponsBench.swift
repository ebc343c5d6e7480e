import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import Synchronization

/// Coupons in process, from the call to the durable record: a piece of an inventory for each (BU-3, BU-5).
struct CouponsBench: Sendable {
    let bench: Bench

    func run() async throws -> [Figure] {
        let counter = Figure(name: "one counter", unit: "grants/s")
        var coupons = Figure(name: "calls of 1,000", unit: "grants/s", baseline: counter.name)
        coupons.goal = 500_000
        return try await bench.measure([
            Measurement(coupons) { try await couponsPerSecond() },
            Measurement(counter) { try await counterPerSecond() },
        ])
    }

    private func couponsPerSecond() async throws -> Sample {
        let bench = bench
        let source = CouponSource()
        return try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder) { engine in
                engine.poster.setPaused(true)
                let granting = engine.granting
                return try await bench.rate(callers: 48) { try await granting.grantAll(source.next(1_000)) }
            }
        }
    }

    private func counterPerSecond() async throws -> Sample {
        let bench = bench
        let source = CouponSource()
        return try await bench.withFolder { folder in
            let counter = try OneCounter(folder: folder)
            return try await bench.rate(callers: 8) { try await counter.take(source.next(100)) }
        }
    }

    /// GR-8: how long cash takes while the downstreams of coupons answer, and while they hang.
    func runIsolation() async throws -> [Figure] {
        var prompt = Figure(name: "downstreams answer", unit: "ms, p99 of a call of 100")
        prompt.better = .lower
        var hung = Figure(name: "downstreams hang", unit: "ms, p99 of a call of 100", baseline: prompt.name)
        hung.better = .lower
        return try await bench.measure([
            Measurement(prompt) { try await cashMilliseconds(answers: true) },
            Measurement(hung) { try await cashMilliseconds(answers: false) },
        ])
    }

    private func cashMilliseconds(answers: Bool) async throws -> Double {
        let bench = bench
        let (cash, coupons) = (GrantSource(people: 1_000_000), CouponSource())
        let downstream = BenchDownstream(answers: answers)
        return try await bench.withFolder { folder in
            try await bench.withEngine(folder: folder, rewards: downstream) { engine in
                let granting = engine.granting
                let latencies = Latencies()
                let end = ContinuousClock.now + .seconds(bench.seconds)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        while ContinuousClock.now < end {
                            _ = try await granting.grantAll(coupons.next(100))
                            try await Task.sleep(for: .milliseconds(20))
                        }
                    }
                    for _ in 0..<4 {
                        group.addTask {
                            while ContinuousClock.now < end {
                                let began = ContinuousClock.now
                                _ = try await granting.grantAll(cash.next(100))
                                let took = began.duration(to: .now).inSeconds * 1_000
                                latencies.all.withLock { $0.append(took) }
                                try await Task.sleep(for: .milliseconds(5))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                downstream.answer()
                let sorted = latencies.all.withLock { $0.sorted() }
                return sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
            }
        }
    }
}

private final class Latencies: Sendable {
    let all = Mutex<[Double]>([])
}

/// Makes grants of coupons, each with an order number of its own.
private struct CouponSource: Sendable {
    private static let people = 1_000_000
    private let turns = Turns()

    func next(_ count: Int) -> [GrantRequest] {
        let first = turns.take(count)
        return (first..<first + count).map { number in
            GrantRequest(
                campaign: GrantSource.campaign,
                scene: "card-draw-ads",
                rain: RainID(UInt16(1 + number / Self.people % 15)),
                awardType: 1,
                stage: UInt8(number / Self.people / 15),
                person: GrantSource.person(number % Self.people),
                app: GrantSource.app,
                rewardID: "ads-brand-a"
            )
        }
    }
}

/// The original's way, made durable: one counter that each grant takes a piece from, and a row for each.
private final class OneCounter: Sendable {
    private let pool: DatabasePool

    init(folder: String) throws {
        pool = try DatabasePool(path: "\(folder)/counter.sqlite")
        try pool.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA synchronous = FULL")
            try database.execute(
                sql: """
                    CREATE TABLE inventory (template INTEGER PRIMARY KEY, left INTEGER NOT NULL CHECK (left >= 0));
                    INSERT INTO inventory VALUES (1, 1000000000);
                    CREATE TABLE coupon (order_number TEXT PRIMARY KEY, template INTEGER NOT NULL)
                    """
            )
        }
    }

    func take(_ requests: [GrantRequest]) async throws -> Int {
        let orders = requests.map { "\($0.person.rawValue)_21_\($0.rain.rawValue)_\($0.awardType)_\($0.stage)" }
        try await pool.write { database in
            let take = try database.cachedStatement(sql: "UPDATE inventory SET left = left - 1 WHERE template = 1")
            let add = try database.cachedStatement(sql: "INSERT INTO coupon VALUES (?, 1)")
            for order in orders {
                try take.execute()
                try add.execute(arguments: [order])
            }
        }
        return requests.count
    }
}

/// Stands in for the coupon platforms, and isn't what is measured.
private final class BenchDownstream: RewardChannel {
    private let answers: Atomic<Bool>

    init(answers: Bool) { self.answers = Atomic(answers) }

    func answer() { answers.store(true, ordering: .relaxed) }

    func give(_ orders: [RewardOrder]) async -> [RewardReport] { await reports(orders.count) }
    func query(_ orders: [String]) async -> [RewardReport] { await reports(orders.count) }

    private func reports(_ count: Int) async -> [RewardReport] {
        while !answers.load(ordering: .relaxed) {
            do {
                try await Task.sleep(for: .milliseconds(50))
            } catch {
                return Array(repeating: .failed(RewardFault(.unknown, "timeout")), count: count)
            }
        }
        return Array(repeating: .granted, count: count)
    }
}
