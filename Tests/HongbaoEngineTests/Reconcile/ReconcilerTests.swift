import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// A node that audits everything while others write (DP-2, RC-5).
@Suite(.timeLimit(.minutes(15))) struct ReconcilerTests {
    private static func reconciler(
        _ rig: EngineRig,
        _ store: any Store,
        _ alarms: Alarms,
        every: Duration = .milliseconds(1),
        pace: @escaping @Sendable () -> AuditPace = { AuditPace() }
    ) -> Reconciler {
        var configuration = Reconciler.Configuration()
        configuration.every = every
        configuration.interval = .milliseconds(1)
        return Reconciler(
            Shards(store),
            keyring: rig.keyring,
            configuration: configuration,
            pace: pace,
            seed: 1,
            alarms: alarms,
            logger: .silent
        )
    }

    private static func until(_ condition: @Sendable () async throws -> Bool) async throws {
        while try await !condition() { try await Task.sleep(for: .milliseconds(1)) }
    }

    private static func grant(_ engine: Engine, rain: UInt16) async throws {
        let requests = (1...50 as ClosedRange<UInt64>).map { GrantRequest.forTests(person: $0, rain: rain, amount: 10) }
        for answer in await engine.granting.grant(requests) { _ = try #require(answer.granted, "\(answer)") }
    }

    /// Whatever moves meanwhile: each audit sees a moment at which everything fits.
    @Test func whatMovesStaysClean() async throws {
        let rig = try EngineRig()
        let alarms = Alarms(logger: .silent)
        let paces = Paces()
        try await rig.run { engine in
            try await running([Self.reconciler(rig, engine.store, alarms) { paces.make() }]) {
                var rain: UInt16 = 0
                while paces.count < 20 {
                    rain += 1
                    try await Self.grant(engine, rain: rain)
                }
            }
            #expect(alarms.count(.auditBreach) == 0)
            #expect(paces.rows > 1_000)
        }
    }

    /// A breach that somebody puts there by hand is found by the next round, and told again by those after it.
    @Test func aBreachIsFound() async throws {
        let rig = try EngineRig()
        let told = Mutex("")
        let telling = Alarms(logger: .silent) { kind, detail in told.withLock { $0 = "\(kind.rawValue) \(detail())" } }
        let paces = Paces()
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        let engine = try await rig.start(store)
        try await running(engine.services + [Self.reconciler(rig, store, telling) { paces.make() }]) {
            try await Self.grant(engine, rain: 1)
            try await engine.drain()
            let rounds = paces.count
            try await Self.until { paces.count > rounds + 1 }
            #expect(telling.count(.auditBreach) == 0)
            try await BrokenStore.alter(rig.folder, "UPDATE account SET credits = credits + 1 WHERE kind = 3")
            try await Self.until { telling.count(.auditBreach) > 1 }
        }
        try await store.close()
        #expect(told.withLock { $0 }.hasPrefix("audit_breach M1 (1), M2 (50)"), "\(told.withLock { $0 })")
    }

    /// A drain doesn't wait for a round to end.
    @Test func aDrainEndsARound() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            try await Self.grant(engine, rain: 1)
            try await engine.drain()
            // It pauses for longer than the test may take.
            let paces = Paces(rowsPerSecond: 1)
            let alarms = Alarms(logger: .silent)
            let began = ContinuousClock.now
            try await running([Self.reconciler(rig, engine.store, alarms) { paces.make() }]) {
                try await Self.until { paces.rows > 0 }
            }
            #expect(ContinuousClock.now - began < .seconds(40) && paces.rows == 50)
            #expect(paces.count == 1 && alarms.count(.auditBreach) == 0)
        }
    }

    /// A store that fails ends a round and not the rounds.
    @Test func faultsPass() async throws {
        let rig = try EngineRig()
        let alarms = Alarms(logger: .silent)
        try await rig.run { engine in
            let paces = Paces()
            let store = FailingReads(engine.store)
            try await running([Self.reconciler(rig, store, alarms) { paces.make() }]) {
                try await Self.until { paces.count > 5 }
                store.fails.store(false, ordering: .relaxed)
                try await Self.until { store.answered.load(ordering: .relaxed) > 1 }
            }
            #expect(alarms.count(.auditBreach) == 0)
        }
    }

    /// What others are at is left to them.
    @Test func othersAreLeftAlone() async throws {
        let rig = try EngineRig()
        let alarms = Alarms(logger: .silent)
        try await rig.run { engine in
            let store = Occupied(engine.store)
            let paces = Paces()
            try await running([Self.reconciler(rig, store, alarms, every: .seconds(3_600)) { paces.make() }]) {
                try await Self.until { store.asked.load(ordering: .relaxed) > 20 }
            }
            #expect(paces.count == 1)
        }
    }
}

/// Where reading fails until it doesn't.
private final class FailingReads: Store {
    private let store: any Store
    let fails = Atomic(true)
    let answered = Atomic(0)

    init(_ store: any Store) { self.store = store }

    func append(_ group: AppendGroup) async throws(StoreError) { try await store.append(group) }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await store.transact(footprint, decide)
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        if fails.load(ordering: .relaxed) { throw StoreError(.unavailable, "as told") }
        let answer = try await store.read(body)
        answered.add(1, ordering: .relaxed)
        return answer
    }
}

/// Where another process is reading alone.
private final class Occupied: Store {
    private let store: any Store
    let asked = Atomic(0)

    init(_ store: any Store) { self.store = store }

    func append(_ group: AppendGroup) async throws(StoreError) { try await store.append(group) }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await store.transact(footprint, decide)
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await store.read(body)
    }

    func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer? {
        asked.add(1, ordering: .relaxed)
        return nil
    }

    func isReadAlone() async throws(StoreError) -> Bool {
        asked.add(1, ordering: .relaxed)
        return true
    }
}
