import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import ServiceLifecycle
import Synchronization
import Testing

@testable import HongbaoEngine

/// A process that accepts and others that post for it (DP-2, DP-4).
@Suite(.timeLimit(.minutes(15))) struct PostingWorkerTests {
    private static func rig() throws -> EngineRig {
        var rig = try EngineRig()
        rig.configuration.poster.duty = .follows
        rig.configuration.poster.followInterval = .milliseconds(5)
        return rig
    }

    private static func worker(
        _ rig: EngineRig,
        _ store: any Store,
        _ queue: any WorkQueue,
        patience: Duration = .milliseconds(50)
    ) -> PostingWorker {
        var configuration = PostingWorker.Configuration()
        configuration.interval = .milliseconds(10)
        configuration.patience = patience
        configuration.hearing = .milliseconds(50)
        configuration.pause = .milliseconds(10)
        configuration.poster.batchesMax = 2
        let campaigns = rig.campaigns
        return PostingWorker(
            shards: Shards(store),
            queue: queue,
            keyring: rig.keyring,
            campaigns: { campaigns },
            configuration: configuration,
            seed: UInt64.random(in: 0 ... .max),
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
    }

    private static func grant(_ engine: Engine, rain: UInt16 = 1) async throws {
        for first in stride(from: 1, to: 200 as UInt64, by: 20) {
            let requests = (first..<first + 20).map { GrantRequest.forTests(person: $0, rain: rain, amount: 10) }
            for answer in await engine.granting.grant(requests) { _ = try #require(answer.granted, "\(answer)") }
        }
    }

    private static func expectPosted(_ engine: Engine, _ rig: EngineRig, _ count: Int) async throws {
        try await engine.drain()
        let report = try await Audit.run(engine.store, keyring: rig.keyring)
        #expect(report.holds && report.totals.grantsPosted == count)
        // What is posted isn't listed for ever, and nothing counts twice.
        #expect(engine.granting.backlog == 0 && engine.poster.progress.posted == count)
        engine.tokens.sweep(now: .seconds(Int64.max))
        let book = BookID(campaign: 7, phase: .live)
        #expect((1...200 as ClosedRange<UInt64>).flatMap { engine.tokens.tokens(of: PersonID($0), in: book) }.isEmpty)
    }

    private static func run(
        workers: Int,
        _ queue: any WorkQueue,
        patience: Duration = .milliseconds(50)
    ) async throws {
        let rig = try rig()
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        var hinting = rig
        hinting.hints = PostingHints(queue, logger: .silent)
        let engine = try await hinting.start(store)
        let hints = try #require(hinting.hints)
        let all = (0..<workers).map { _ in worker(rig, store, queue, patience: patience) }
        try await running([hints] + all + engine.services) {
            try await grant(engine)
            try await grant(engine, rain: 2)
            try await expectPosted(engine, rig, 400)
            // One that nobody looks for any more.
            try await grant(engine, rain: 3)
            try await expectPosted(engine, rig, 600)
            #expect(all.count { !$0.isInTouch } == 0)
        }
        try await store.close()
    }

    /// Hints alone are enough: nobody would look for a minute.
    @Test func hintsAreEnough() async throws { try await Self.run(workers: 1, MemoryQueue(), patience: .seconds(600)) }

    /// FC-5: so is the log, when the queue is gone.
    @Test func theLogIsEnough() async throws {
        let queue = MemoryQueue()
        await queue.close()
        try await Self.run(workers: 1, queue)
    }

    /// Two who get in each other's way post nothing twice.
    @Test func twoShareTheWork() async throws { try await Self.run(workers: 2, MemoryQueue(), patience: .zero) }

    /// What another process has posted before this one has listed it is taken note of afterwards, and not before.
    @Test func notedIsWhatIsListed() async throws {
        let rig = try EngineRig()
        try await rig.runByHand { [rig] engine in
            for rain in 1...3 as ClosedRange<UInt16> {
                let answer = await engine.granting.grant([.forTests(person: 1, rain: rain, amount: 10)])[0]
                _ = try #require(answer.granted)
            }
            while try await !engine.poster.postNext() {}
            let reader = LogReader(wrappingKey: rig.keyring.walletWrapping)
            for epoch in try await engine.store.read({ (snapshot) throws(StoreError) in try snapshot.epochs() }) {
                try reader.learn(epoch)
            }
            var configuration = Poster.Configuration()
            configuration.duty = .follows
            let poster = Poster(
                store: engine.store,
                reader: reader,
                tokens: TokenLists(),
                kinds: PoolKinds(store: engine.store),
                clock: engine.clock,
                configuration: configuration,
                alarms: engine.alarms,
                logger: .silent
            )
            let listed = Mutex<UInt64>(1)
            let noted = Mutex(0)
            poster.connect(
                posted: [MintID(1): 0],
                listedUpTo: { _ in listed.withLock { $0 } },
                whenPosted: { count in noted.withLock { $0 += count } }
            )
            for sequence in 1...3 as ClosedRange<UInt64> {
                listed.withLock { $0 = sequence }
                for _ in 0..<2 {
                    let isAll = try await poster.followOnce()
                    #expect(isAll)
                }
                let count = noted.withLock { $0 }
                #expect(count == Int(sequence))
            }
        }
    }

    /// GR-4: what another process has promised is given at once, and not by the next sweep.
    @Test func promisesOfOthersAreTold() async throws {
        var bench = try RewardRig()
        bench.rig.configuration.poster.duty = .follows
        bench.rig.configuration.poster.followInterval = .milliseconds(5)
        bench.rig.configuration.outside.rewards.sweepIntervalSeconds = 3_600
        let store = try await SQLiteStore.reopened(folder: bench.rig.folder.path)
        let engine = try await bench.rig.start(store)
        let worker = Self.worker(bench.rig, store, MemoryQueue())
        try await running([worker] + engine.services) { [bench] in
            _ = try await RewardRig.grant(engine, (1...20).map { RewardRig.request($0) })
            try await eventually { bench.downstream.given.count == 20 }
        }
        try await store.close()
        try await bench.expectSound()
    }
}
