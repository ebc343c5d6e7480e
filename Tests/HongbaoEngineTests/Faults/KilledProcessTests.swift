import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// The process ends at any moment and starts again on the same folder: acknowledged = posted, nothing twice (GR-5, M3,
/// M5).
@Suite(.timeLimit(.minutes(15))) struct KilledProcessTests {
    /// What the world outside knows, over all lives of the process.
    private struct Outside {
        var granted: [OrderNumber: Granted] = [:]
        var requests: [GrantRequest] = []
        /// How often each order was answered as a new one.
        var acceptances: [OrderNumber: Int] = [:]

        mutating func note(_ answers: [GrantAnswer], life: Int) {
            for granted in answers.compactMap(\.granted) {
                acceptances[granted.order, default: 0] += granted.isReplay ? 0 : 1
                let earlier = self.granted.updateValue(granted, forKey: granted.order) ?? granted
                #expect(earlier.amount == granted.amount && earlier.token == granted.token, "life \(life)")
                #expect(earlier.status == granted.status, "life \(life)")
            }
        }
    }

    /// A store that is gone from a certain call that writes on; that one may or may not have been carried out.
    private static func dying(
        after count: Int,
        _ last: FaultyStore<SQLiteStore>.Fault,
        calls: Counting = Counting()
    ) -> @Sendable (SQLiteStore) -> any Store {
        { base in
            FaultyStore(base) { call, _ in
                let number = call == .read ? calls.count : calls.next()
                if number == count { return call == .read ? .before : last }
                return number > count ? .before : nil
            }
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func acknowledgedIsPostedOnce(seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        var rig = try EngineRig([.forTests(budget: 15_000, posting: seed % 5 == 4 ? .sync : .async)])
        rig.configuration.granting.groupBatchesMax = 1
        rig.configuration.granting.leaseDivisor = 8
        rig.configuration.poster.batchesMax = 1
        let alive = rig.wrap
        var outside = Outside()
        for life in 0..<6 {
            let requests = (0..<200).map { _ in
                GrantRequest.forTests(
                    person: .random(in: 1...60, using: &random),
                    rain: .random(in: 1...9, using: &random),
                    amount: .random(in: 50...52, using: &random)
                )
            }
            outside.requests += requests
            // The first two calls are the start's.
            let end = 3 + Int.random(in: 0..<60, using: &random)
            let calls = Counting()
            rig.wrap = Self.dying(after: end, Bool.random(using: &random) ? .after : .before, calls: calls)
            let answers = try await rig.runUntilKilled { engine in
                await Self.grant(requests, engine) { calls.count >= end }
            }
            // Nobody is left waiting, or the test would not come here.
            #expect(answers.count == requests.count)
            outside.note(answers, life: life)
        }
        rig.wrap = alive
        try await Self.settle(rig, outside)
    }

    /// Asks in tens, at the same time. Who waits for a store that is gone waits until he is cut off.
    private static func grant(
        _ requests: [GrantRequest],
        _ engine: Engine,
        until isOver: @escaping @Sendable () -> Bool
    ) async -> [GrantAnswer] {
        await withTaskGroup(of: [GrantAnswer].self) { group in
            for start in stride(from: 0, to: requests.count, by: 10) {
                let some = Array(requests[start..<min(start + 10, requests.count)])
                group.addTask { await engine.granting.grant(some) }
            }
            group.addTask {
                while !isOver() && !Task.isCancelled { await Task.yield() }
                return []
            }
            var answers: [GrantAnswer] = []
            while let next = await group.next() {
                answers += next
                if next.isEmpty || answers.count == requests.count { group.cancelAll() }
            }
            return answers
        }
    }

    private static func settle(_ rig: EngineRig, _ known: Outside) async throws {
        let answers = try await rig.run { engine in
            let answers = await engine.granting.grant(known.requests)
            try await engine.drain()
            return answers
        }
        var outside = known
        outside.note(answers, life: 6)
        #expect(answers.allSatisfy { $0.fault == nil })
        #expect(outside.acceptances.values.allSatisfy { $0 <= 1 }, "accepted twice")
        let granted = outside.granted
        try await rig.run { engine in
            #expect(engine.granting.orderCount == granted.count)
            let posted = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.transfers(granted.keys.map { TransferID($0) })
            }
            #expect(posted.count == granted.count)
            let sum = posted.reduce(0) { $0 + $1.amount.fen }
            #expect(sum == granted.values.reduce(0) { $0 + $1.amount.fen })
            let budget = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            #expect(budget.issued.fen == sum)
            #expect(budget.issued.fen + budget.leased.fen + budget.available.fen == 15_000)
            let report = try await Audit.run(engine.store, keyring: rig.keyring)
            #expect(report.holds)
            #expect(report.totals.grantsPosted == granted.count && report.totals.grantsAccepted == granted.count)
        }
    }

    /// Dying in the start itself, at each of its calls, leaves a folder that can be started on.
    @Test(arguments: 1...6, [FaultyStore<SQLiteStore>.Fault.before, .after])
    func aStartThatDiesCanBeRepeated(call: Int, fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig()
        let alive = rig.wrap
        try await rig.run { engine in _ = await engine.granting.grant([.forTests(person: 1)]) }
        for _ in 0..<2 {
            let calls = Counting()
            rig.wrap = Self.dying(after: call, fault, calls: calls)
            do {
                try await rig.runUntilKilled { engine in
                    _ = await Self.grant([.forTests(person: 2)], engine) { calls.count >= call }
                }
            } catch let error as StoreError {
                #expect(error.isRetryable)
            }
        }
        rig.wrap = alive
        try await rig.run { [rig] engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted?.isReplay == true)
            #expect(await engine.granting.grant([.forTests(person: 3)]).first?.granted?.isReplay == false)
            try await engine.drain()
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    /// Services that are cancelled, without a graceful shutdown, leave nobody waiting, now or later.
    @Test func cancelledServicesAnswerEverybody() async throws {
        var rig = try EngineRig([.forTests(budget: 100_000)])
        rig.configuration.granting.leaseDivisor = 1000
        let engine = try await rig.runUntilKilled { engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted != nil)
            return engine
        }
        #expect(!engine.granting.isAccepting)
        let answers = await engine.granting.grant([.forTests(person: 1), .forTests(person: 2, amount: 20_000)])
        #expect(answers.allSatisfy { $0.fault?.isRetryable == true })
    }
}

private final class Counting: Sendable {
    private let number = Atomic(0)

    var count: Int { number.load(ordering: .sequentiallyConsistent) }
    func next() -> Int { number.add(1, ordering: .sequentiallyConsistent).newValue }
}
