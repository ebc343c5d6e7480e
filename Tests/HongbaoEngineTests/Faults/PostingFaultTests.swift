import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Posting survives every fault of the store: each grant is in the ledger once (M3, M5), and everybody learns of it.
@Suite(.timeLimit(.minutes(15))) struct PostingFaultTests {
    /// Transactions fail before or after they happen, reads fail, appends too.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func everyGrantIsPostedOnce(seed: UInt64) async throws {
        var rig = try EngineRig([.forTests(posting: seed % 4 == 3 ? .sync : .async)])
        rig.configuration.poster.batchesMax = 2
        let isFailing = Mutex(false)
        rig.wrap = { base in
            FaultyStore(base) { call, number in
                guard isFailing.withLock({ $0 }) else { return nil }
                var random = Seeded(seed: seed &* 1000 &+ UInt64(number) &* 4 &+ (call == .append ? 1 : 2))
                guard Int.random(in: 0..<3, using: &random) == 0 else { return nil }
                return [.before, .after, .lost].randomElement(using: &random)
            }
        }
        try await rig.run { [rig] engine in
            isFailing.withLock { $0 = true }
            var answered: [OrderNumber: Int64] = [:]
            for round in 1...10 {
                let requests = (1...100 as ClosedRange<UInt64>).map {
                    GrantRequest.forTests(person: $0, rain: UInt16(round), amount: Int64($0))
                }
                for granted in await engine.granting.grant(requests).compactMap(\.granted) {
                    answered[granted.order] = granted.amount.fen
                }
            }
            isFailing.withLock { $0 = false }
            try await engine.drain()
            #expect(engine.granting.backlog == 0)
            let report = try await Audit.run(engine.store, keyring: rig.keyring)
            #expect(report.holds)
            #expect(report.totals.grantsPosted == report.totals.grantsAccepted)
            #expect(report.totals.grantsPosted == engine.granting.orderCount)
            let orders = answered.keys.map { TransferID($0) }
            let posted = try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.transfers(orders) }
            #expect(posted.count == answered.count)
            for transfer in posted {
                let order = try #require(transfer.id.order)
                #expect(answered[order] == transfer.amount.fen)
            }
            // What is posted isn't listed for ever.
            engine.tokens.sweep(now: .seconds(Int64.max))
            for person in 1...100 as ClosedRange<UInt64> {
                #expect(engine.tokens.tokens(of: PersonID(person), in: BookID(campaign: 7, phase: .live)).isEmpty)
            }
        }
    }

    /// TK-1: the ledger isn't asked for more than its rate. A bound from below, so a slow machine changes nothing.
    @Test func postingKeepsToItsRate() async throws {
        var rig = try EngineRig()
        rig.configuration.poster.ratePerSecond = 1_000
        try await rig.run { engine in
            let began = ContinuousClock.now
            for round in 1...2 as ClosedRange<UInt16> {
                let requests = (1...400).map { GrantRequest.forTests(person: $0, rain: round) }
                #expect(await engine.granting.grant(requests).compactMap(\.granted).count == 400)
                try await engine.drain()
            }
            #expect(began.duration(to: .now) >= .milliseconds(400))
        }
    }

    /// TK-1: when no grants come in, transactions grow, so that a backlog drains in few of them.
    @Test func aBacklogDrainsInGrowingTransactions() async throws {
        var rig = try EngineRig()
        rig.configuration.poster.batchesMax = 1
        rig.configuration.poster.quietBatchesMax = 16
        let isPosting = Mutex(false)
        let transactions = Mutex(0)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in
                if call == .transact, isPosting.withLock({ $0 }) { transactions.withLock { $0 += 1 } }
                return nil
            }
        }
        try await rig.runByHand { engine in
            // A batch for each call, since each waits for the one before.
            for round in 1...63 as ClosedRange<UInt16> {
                #expect(await engine.granting.grant([.forTests(person: 1, rain: round)]).first?.granted != nil)
            }
            isPosting.withLock { $0 = true }
            while try await !engine.poster.postNext() {}
            isPosting.withLock { $0 = false }
            #expect(engine.granting.backlog == 0)
            // 1 + 1 + 2 + 4 + 8 + 16 + 16 + 15: each is prepared while the one before is written.
            #expect(transactions.withLock { $0 } == 8)
        }
    }

    /// A transaction whose answer is lost is noticed: backlog and token lists are told of it by the next one.
    @Test func aLostAnswerIsNoticed() async throws {
        var rig = try EngineRig()
        let fault = Mutex<FaultyStore<SQLiteStore>.Fault?>(nil)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in
                guard call == .transact else { return nil }
                return fault.withLock { fault in
                    defer { fault = nil }
                    return fault
                }
            }
        }
        try await rig.runByHand { engine in
            let book = BookID(campaign: 7, phase: .live)
            _ = await engine.granting.grant((1...10).map { .forTests(person: $0) })
            for (index, next) in [FaultyStore<SQLiteStore>.Fault.after, .lost, .before].enumerated() {
                _ = await engine.granting.grant((1...10).map { .forTests(person: $0, rain: UInt16(index + 2)) })
                fault.withLock { $0 = next }
                let error = await #expect(throws: StoreError.self) { try await engine.poster.postNext() }
                #expect(error?.isRetryable == true)
                while try await !engine.poster.postNext() {}
                #expect(engine.granting.backlog == 0)
                #expect(engine.tokens.unposted(of: PersonID(1), in: book).isEmpty)
            }
            #expect(engine.poster.progress.posted == 40)
        }
    }

    /// The poster may see a batch in the log before the accept path has listed its tokens. It must wait, or the tokens
    /// would be listed after their posting and the backlog be counted below zero.
    @Test(arguments: [FaultyStore<SQLiteStore>.Fault.after, nil])
    func nothingIsPostedBeforeItIsListed(fault: FaultyStore<SQLiteStore>.Fault?) async throws {
        var rig = try EngineRig()
        let spy = Mutex<(@Sendable () async -> Void)?>(nil)
        rig.wrap = { base in SlowAppend(base: base, fault: fault, afterwards: { await spy.withLock { $0 }?() }) }
        try await rig.runByHand { engine in
            spy.withLock { spy in
                spy = {
                    do {
                        let isDrained = try await engine.poster.postNext()
                        #expect(isDrained)
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            let granted = await engine.granting.grant((1...10).map { .forTests(person: $0) })
            #expect(granted.allSatisfy { $0.granted != nil })
            spy.withLock { $0 = nil }
            #expect(engine.granting.backlog == 10)
            let isDrained = try await engine.poster.postNext()
            #expect(isDrained)
            #expect(engine.granting.backlog == 0)
            engine.tokens.sweep(now: .seconds(Int64.max))
            #expect(engine.tokens.tokens(of: PersonID(1), in: BookID(campaign: 7, phase: .live)).isEmpty)
        }
    }

    /// M4: a synchronous grant whose posting failed is posted as it was accepted, not as it's asked for again.
    @Test(arguments: [false, true])
    func repeatsOfASynchronousGrantPostWhatWasAccepted(isListLost: Bool) async throws {
        var rig = try EngineRig([.forTests(posting: .sync)])
        let fails = Mutex(false)
        rig.wrap = { base in
            FaultyStore(base) { call, _ in call == .transact && fails.withLock { $0 } ? .before : nil }
        }
        try await rig.runByHand { [rig] engine in
            _ = await engine.granting.grant([.forTests(person: 9)])
            fails.withLock { $0 = true }
            let opened: Int64 = 1_643_630_399_000
            let failed = await engine.granting.grant([.forTests(person: 1, openedAt: opened), .forTests(person: 2)])
            #expect(failed.allSatisfy { $0.fault?.isRetryable == true })
            fails.withLock { $0 = false }
            rig.clock.advance(byMilliseconds: 60_000)
            if isListLost { engine.tokens.removeAll() }
            let again = await engine.granting.grant([
                .forTests(person: 1, app: "toutiao"), .forTests(person: 2, app: "toutiao"),
            ])
            let orders = again.compactMap { $0.granted?.order }
            #expect(orders.count == 2)
            let posted = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.transfers(orders.map { TransferID($0) })
            }
            #expect(posted.map(\.at.milliseconds) == [opened, 1_643_630_400_000])
            #expect(posted.map(\.app) == [AppID(1), AppID(1)])
        }
    }
}

/// A store that lets something happen between a commit of the log and its answer.
private struct SlowAppend: Store {
    let base: SQLiteStore
    let fault: FaultyStore<SQLiteStore>.Fault?
    let afterwards: @Sendable () async -> Void

    func append(_ group: AppendGroup) async throws(StoreError) {
        try await base.append(group)
        await afterwards()
        if fault == .after { throw StoreError(.outcomeUnknown, "on purpose") }
    }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await base.transact(footprint, decide)
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await base.read(body)
    }
}
