import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import ServiceLifecycle
import Synchronization
import Testing

@testable import HongbaoEngine

/// What becomes of grants when the log can't be written, or nobody knows whether it was (GR-3, GR-5, M3, M5, M6).
@Suite(.timeLimit(.minutes(15))) struct AppendFaultTests {
    private static let requests = (1...300).map { GrantRequest.forTests(person: $0, amount: 100) }

    private static func rig(_ script: [FaultyStore<SQLiteStore>.Call: [Int: FaultyStore<SQLiteStore>.Fault]]) throws
        -> EngineRig
    {
        var rig = try EngineRig([.forTests(budget: 30_000)])
        rig.wrap = { FaultyStore($0, script: script) }
        return rig
    }

    private static func check(_ engine: Engine, _ rig: EngineRig, granted count: Int) async throws {
        try await engine.drain()
        #expect(engine.granting.orderCount == count)
        let budget = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
        #expect(budget.issued.fen == Int64(count) * 100)
        #expect(budget.issued.fen + budget.leased.fen + budget.available.fen == budget.total.fen)
        let report = try await Audit.run(engine.store, keyring: rig.keyring)
        #expect(report.holds)
        #expect(report.totals.grantsAccepted == count && report.totals.grantsPosted == count)
    }

    /// The whole budget is asked for twice: what failed took nothing from it.
    @Test func whatCouldNotBeWrittenNeverHappened() async throws {
        let rig = try Self.rig([.append: [0: .before]])
        try await rig.run { engine in
            let failed = await engine.granting.grant(Self.requests)
            #expect(failed.allSatisfy { $0.fault?.isRetryable == true })
            #expect(engine.granting.orderCount == 0 && engine.granting.backlog == 0)
            #expect(engine.granting.isAccepting)
            guard case .wallet(let wallet) = await engine.wallets.read(person: PersonID(1), campaign: "test") else {
                Issue.record("no wallet")
                return
            }
            #expect(wallet.view.balance == 0)
            // Other content for the same orders: they are free again.
            let others = Self.requests.prefix(100).map { request in
                var request = request
                request.amount = 200
                return request
            }
            let granted = await engine.granting.grant(others)
            #expect(granted.allSatisfy { $0.granted?.isReplay == false })
            #expect(engine.alarms.count(.orderConflict) == 0)
            let rest = await engine.granting.grant(Array(Self.requests.suffix(100)))
            #expect(rest.allSatisfy { $0.granted?.isReplay == false })
            try await engine.drain()
            let budget = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            #expect(budget.issued.fen == 30_000)
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    /// M14: nobody is told for good that an order number is taken before it's certain.
    @Test func whatIsUndoneConflictsWithNothing() async throws {
        let rig = try Self.rig([.append: [0: .before]])
        try await rig.run { engine in
            let first = GrantRequest.forTests(person: 1, amount: 100)
            let other = GrantRequest.forTests(person: 1, amount: 200)
            let answers = await engine.granting.grant([first, other])
            #expect(answers.allSatisfy { $0.fault?.isRetryable == true })
            #expect(engine.alarms.count(.orderConflict) == 0)
            #expect(await engine.granting.grant([other]).first?.granted?.amount.fen == 200)
            guard case .refused(.orderConflict)? = await engine.granting.grant([first]).first else {
                Issue.record("not refused")
                return
            }
            #expect(engine.alarms.count(.orderConflict) == 1)
        }
    }

    /// The commit happened and its answer was lost: everybody is answered all the same, once.
    @Test func whatWasWrittenUnknowinglyIsAccepted() async throws {
        let rig = try Self.rig([.append: [0: .after, 1: .after]])
        try await rig.run { engine in
            let granted = await engine.granting.grant(Self.requests)
            #expect(granted.allSatisfy { $0.granted?.isReplay == false })
            let again = await engine.granting.grant(Self.requests)
            #expect(again.allSatisfy { $0.granted?.isReplay == true })
            #expect(again.map { $0.granted?.token } == granted.map { $0.granted?.token })
            try await Self.check(engine, rig, granted: 300)
        }
    }

    /// Neither happened nor known: refused, and the budget is whole.
    @Test func whatWasLostUnknowinglyNeverHappened() async throws {
        let rig = try Self.rig([.append: [0: .lost, 2: .lost]])
        try await rig.run { engine in
            let failed = await engine.granting.grant(Self.requests)
            #expect(failed.allSatisfy { $0.fault?.isRetryable == true })
            #expect(engine.granting.orderCount == 0)
            var granted = 0
            for request in Self.requests {
                let first = await engine.granting.grant([request]).first
                if first?.granted == nil {
                    #expect(first?.fault?.isRetryable == true)
                    #expect(await engine.granting.grant([request]).first?.granted?.isReplay == false)
                }
                granted += 1
            }
            try await Self.check(engine, rig, granted: granted)
        }
    }

    /// While nobody knows, nothing is accepted; the store may fail again and again when it's asked.
    @Test(arguments: [true, false])
    func readsFailToo(isDone: Bool) async throws {
        var rig = try EngineRig([.forTests(budget: 30_000)])
        let isUnclear = Mutex(0)
        rig.wrap = { base in
            FaultyStore(base) { call, number in
                switch call {
                case .append:
                    guard number == 0 else { return nil }
                    isUnclear.withLock { $0 = 4 }
                    return isDone ? .after : .lost
                case .read:
                    return isUnclear.withLock { left in
                        guard left > 0 else { return nil }
                        left -= 1
                        return .before
                    }
                case .transact: return nil
                }
            }
        }
        try await rig.runByHand { engine in
            let answers = await engine.granting.grant(Self.requests)
            #expect(isUnclear.withLock { $0 } == 0)
            #expect(answers.allSatisfy { ($0.granted != nil) == isDone })
            #expect(engine.granting.isAccepting)
            let again = await engine.granting.grant(Self.requests)
            #expect(again.allSatisfy { $0.granted?.isReplay == isDone })
            while try await !engine.poster.postNext() {}
            #expect(engine.granting.backlog == 0)
        }
    }

    /// A shutdown that begins while it's being found out what is in the log comes to its end afterwards.
    @Test(arguments: [true, false])
    func aShutdownDuringRecoveryIsNotForgotten(isDone: Bool) async throws {
        let rig = try EngineRig()
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        let isUnclear = Mutex(false)
        let failures = Mutex(0)
        let faulty = FaultyStore(store) { call, number in
            switch call {
            case .append where number == 0:
                isUnclear.withLock { $0 = true }
                return isDone ? .after : .lost
            case .read where isUnclear.withLock({ $0 }):
                failures.withLock { $0 += 1 }
                return .before
            default: return nil
            }
        }
        let engine = try await rig.start(faulty)
        let services = ServiceGroup(services: [engine.granting], logger: .silent)
        try await withThrowingTaskGroup(of: GrantAnswer?.self) { group in
            group.addTask {
                try await services.run()
                return nil
            }
            group.addTask { await engine.granting.grant([.forTests(person: 1)]).first }
            while failures.withLock({ $0 == 0 }) { try await Task.sleep(for: .milliseconds(1)) }
            await services.triggerGracefulShutdown()
            // The shutdown has begun by the time the log has been asked again.
            let before = failures.withLock { $0 }
            while failures.withLock({ $0 < before + 2 }) { try await Task.sleep(for: .milliseconds(1)) }
            isUnclear.withLock { $0 = false }
            for try await answer in group {
                if let answer { #expect((answer.granted != nil) == isDone) }
            }
        }
        #expect(!engine.granting.isAccepting)
        try await store.close()
    }

    /// Another process took this mint over: this one must never accept again, and say so.
    @Test func aNewerProcessFencesThisOneOff() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted != nil)
            try await engine.takeOver(rig)
            let refused = await engine.granting.grant([.forTests(person: 2)])
            #expect(refused.first?.fault?.isRetryable == true)
            #expect(!engine.granting.isAccepting)
            #expect(engine.alarms.count(.fenced) == 1)
            // Not even what it knows: its knowledge is old.
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.fault != nil)
            #expect(await engine.granting.grant([.forTests(person: 3, campaign: "none")]).first?.granted == nil)
            #expect(engine.granting.orderCount == 1)
        }
        try await rig.run { engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted?.isReplay == true)
            #expect(await engine.granting.grant([.forTests(person: 2)]).first?.granted?.isReplay == false)
            try await engine.drain()
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    /// GR-4: that a lease belongs to a newer epoch doesn't mean that its budget is used up, which would be final.
    @Test func aLeaseOfANewerEpochIsNoUsedUpBudget() async throws {
        var rig = try EngineRig([.forTests(budget: 30_000)])
        // Each grant needs another extension.
        rig.configuration.granting.leaseDivisor = 300
        try await rig.run { [rig] engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted != nil)
            try await engine.takeOver(rig)
            for person in 2...4 as ClosedRange<UInt64> {
                #expect(await engine.granting.grant([.forTests(person: person)]).first?.fault?.isRetryable == true)
            }
        }
    }

    /// The reply is lost, nothing was written, and before this process looks, another one has written batches with the
    /// same sequences. They aren't the answer to this process's question.
    @Test func anotherProcessesBatchesAreNotOnesOwn() async throws {
        var rig = try EngineRig()
        let hold = Mutex<FaultyStore<SQLiteStore>?>(nil)
        rig.wrap = { base in
            let store = FaultyStore(base) { call, number in call == .append && number == 1 ? .lost : nil }
            hold.withLock { $0 = store }
            return store
        }
        let started = rig
        try await rig.runByHand { engine in
            #expect(await engine.granting.grant([.forTests(person: 1)]).first?.granted != nil)
            let faulty = try #require(hold.withLock { $0 })
            faulty.hold()
            async let lost = engine.granting.grant([.forTests(person: 2)])
            while faulty.heldCount == 0 { await Task.yield() }
            let other = try await engine.takeOver(started, from: faulty.underneath)
            try await faulty.underneath.append(
                other.group([GrantPayload.forTests(person: 9)], after: 1, campaigns: started.campaigns)
            )
            faulty.letGo()
            #expect(await lost.first?.granted == nil)
            #expect(await engine.granting.grant([.forTests(person: 2)]).first?.granted == nil)
            #expect(!engine.granting.isAccepting)
        }
    }

    /// BU-5: a lease's extension whose answer was lost isn't lost to the people.
    @Test(arguments: [FaultyStore<SQLiteStore>.Fault.after, .lost, .before])
    func leaseExtensionsThatFailCostNoBudget(fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig([.forTests(budget: 30_000)])
        rig.configuration.granting.leaseDivisor = 4
        let failures = Mutex(0)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in
                guard call == .transact else { return nil }
                return failures.withLock { left in
                    guard left > 0 else { return nil }
                    left -= 1
                    return fault
                }
            }
        }
        try await rig.runByHand { engine in
            var granted = 0
            for request in Self.requests {
                if granted % 50 == 0 { failures.withLock { $0 = 1 } }
                var answer = await engine.granting.grant([request]).first
                if answer?.fault != nil { answer = await engine.granting.grant([request]).first }
                #expect(answer?.granted != nil)
                granted += 1
            }
            let refused = await engine.granting.grant([.forTests(person: 999, amount: 1)]).first
            #expect(refused?.refusal == .budgetExhausted || refused?.fault != nil)
            let budget = try #require(try await engine.budgets.view(campaign: "test", scene: "rain"))
            #expect(budget.issued.fen == 30_000)
        }
    }
}

extension Engine {
    /// What a second process for the same mint does when it starts: takes the next epoch.
    @discardableResult
    func takeOver(_ rig: EngineRig, from store: (any Store)? = nil) async throws(StoreError) -> EpochKeys {
        try await openEpoch(
            of: .alone,
            shards: store.map { Shards($0) } ?? shards,
            keyring: rig.keyring,
            clock: clock,
            leaseSeconds: 60,
            epochSeconds: 3600,
            expecting: nil,
            logger: .silent
        ).keys
    }
}

extension EpochKeys {
    /// One sealed batch, ready to be appended after a sequence.
    func group(_ payloads: [GrantPayload], after sequence: UInt64, campaigns: CampaignSet) -> AppendGroup {
        let tokens = BatchSealer(self).sealWithTokens(payloads, sequence: sequence + 1, at: certificate.notBefore)
        var issued: [PoolID: Amount] = [:]
        for payload in payloads {
            let pool = PoolID(payload.scene)
            issued[pool] = (issued[pool] ?? .zero).adding(payload.amount)
        }
        let header = tokens.batch.header
        let logged = LoggedBatch(
            mint: header.mint,
            epoch: header.epoch,
            sequence: header.sequence,
            count: header.count,
            total: header.total,
            at: header.at,
            record: LogRecord(batch: tokens.batch, choices: payloads.map { _ in .first }).bytes
        )
        return AppendGroup(mint: header.mint, epoch: header.epoch, batches: [logged], issued: issued)
    }
}

extension GrantPayload {
    /// In the test campaign's rain.
    static func forTests(person: UInt64, rain: UInt16 = 1, stage: UInt8 = 0, amount: Int64 = 100) -> Self {
        GrantPayload(
            app: AppID(1),
            order: OrderNumber(
                person: PersonID(person),
                scene: SceneID(book: BookID(campaign: 7, phase: .live), number: 1),
                rain: RainID(rain),
                awardType: 1,
                stage: stage
            ),
            amount: fen(amount),
            openedAt: Timestamp(milliseconds: 1_643_630_400_000)
        )
    }
}
