import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoRedis
import HongbaoSQLite
import HongbaoServer
import HongbaoTesting
import Logging
import Synchronization

/// What all cases share: how often and how long to measure, on which disk, with which campaign.
struct Bench: Sendable {
    let repetitions: Int
    let seconds: Double
    /// Part of the names of the figures to be measured; empty for all.
    let only: String
    let parent: String
    let campaignFile: String
    let campaigns: CampaignSet
    /// A Redis to compare with, if there is one.
    let redis: RedisAddress?
    /// Opens the store that engines run on, for a folder of its own; by default a SQLite file in it.
    var open: @Sendable (_ folder: String) async throws -> BenchStore = BenchStore.sqlite
    let logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }

    init(
        repetitions: Int,
        seconds: Double,
        only: String,
        parent: String,
        campaignFile: String,
        redis: RedisAddress? = nil
    ) throws {
        self.repetitions = repetitions
        self.seconds = seconds
        self.only = only
        self.parent = parent
        self.campaignFile = campaignFile
        self.redis = redis
        var configuration = ServerConfiguration()
        configuration.campaignFiles = [campaignFile]
        configuration.isRehearsal = true
        campaigns = try Server.loadCampaigns(
            CampaignLoading(configuration, now: WallClock.system.now()),
            Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    func wants(_ figure: Figure) -> Bool { only.isEmpty || figure.name.contains(only) }

    /// Takes one sample of each figure in each repetition, after one repetition that only warms up.
    func measure(_ measurements: [Measurement]) async throws -> [Figure] {
        let wanted = measurements.filter { wants($0.figure) }
        var figures = wanted.map(\.figure)
        for repetition in 0...repetitions {
            for (index, measurement) in wanted.enumerated() {
                let sample = try await measurement.sample()
                guard repetition > 0 else { continue }
                figures[index].samples.append(sample.value)
                if let used = sample.processorMicroseconds { figures[index].processorMicroseconds.append(used) }
            }
        }
        return figures
    }

    /// Makes an empty folder on the disk that is measured, and removes it with what it then has.
    func withFolder<Answer>(_ body: (String) async throws -> Answer) async throws -> Answer {
        let path = "\(parent)/hongbao-bench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer {
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                logger.warning("left behind", metadata: ["folder": "\(path)", "error": "\(error)"])
            }
        }
        return try await body(path)
    }

    /// Runs a real engine with all its services on a durable store.
    func withEngine<Answer: Sendable>(
        folder: String,
        keyring: Keyring = Keyring(),
        transfers: any PayoutChannel = ClosedSystem(),
        rewards: any RewardChannel = OwnRewards(),
        _ body: @escaping @Sendable (Engine) async throws -> Answer
    ) async throws -> Answer {
        let opened = try await open(folder)
        let engine = try await Engine.start(
            shards: Shards(opened.store),
            campaigns: campaigns,
            keyring: keyring,
            channels: Channels(
                cashier: ClosedSystem(),
                payouts: ClosedSystem(),
                transfers: transfers,
                refunds: ClosedSystem(),
                rewards: Dictionary(uniqueKeysWithValues: RewardKind.downstream.map { ($0, rewards) })
            ),
            seed: .random(in: 0...UInt64.max),
            logger: logger
        )
        let answer = try await running(engine.services) { try await body(engine) }
        try await opened.close()
        return answer
    }

    /// Calls `work` from many tasks until the time is over; it answers how much it has done. Answers the sum a second.
    func rate(callers: Int, _ work: @escaping @Sendable () async throws -> Int) async throws -> Sample {
        let watch = Stopwatch()
        let end = ContinuousClock.now + .seconds(seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<callers {
                group.addTask {
                    var count = 0
                    while ContinuousClock.now < end { count += try await work() }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return watch.sample(count)
    }
}

/// A durable store, and how it's closed.
struct BenchStore: Sendable {
    let store: any Store
    let close: @Sendable () async throws -> Void

    /// A file with WAL and FULL.
    @Sendable
    static func sqlite(folder: String) async throws -> BenchStore {
        let store = try SQLiteStore(folder: folder)
        guard try await store.durability().isFull else { throw BenchFault("the store isn't durable") }
        return BenchStore(store: store) { try await store.close() }
    }
}

/// Why something could not be measured.
struct BenchFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Hands out numbers, each once, to all who ask.
final class Turns: Sendable {
    private let next = Atomic<Int>(0)

    func take(_ count: Int = 1) -> Int { next.add(count, ordering: .relaxed).oldValue }
    var taken: Int { next.load(ordering: .relaxed) }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
