import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Each source of a wallet can fail or be cut off alone (WL-3), and either copy of a token is enough (TK-4, TK-8,
/// TK-9).
@Suite(.timeLimit(.minutes(15))) struct WalletSourceTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func read(_ engine: Engine, _ person: UInt64 = 1, _ tokens: [[UInt8]] = []) async throws
        -> WalletReading
    {
        let answer = await engine.wallets.read(person: PersonID(person), campaign: "test", tokens: tokens)
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    private static func posted(_ engine: Engine, _ orders: [OrderNumber]) async throws -> Int {
        try await engine.store.read { (snapshot) throws(StoreError) in
            try snapshot.transfers(orders.map { TransferID($0) }).count
        }
    }

    @Test(
        arguments: [
            ("other", Timestamp(milliseconds: 1_643_630_400_000), "campaignUnknown"),
            ("test", Timestamp(milliseconds: 999), "notInPhase"),
        ]
    )
    func walletsThatThereArent(campaign: String, now: Timestamp, expected: String) async throws {
        let rig = try EngineRig([.forTests(window: 1000..<(1 << 52))])
        rig.clock.advance(byMilliseconds: now.milliseconds - rig.clock.now.milliseconds)
        try await rig.run { engine in
            let answer = await engine.wallets.read(person: PersonID(1), campaign: campaign)
            #expect("\(answer)" == expected)
        }
    }

    @Test(arguments: WalletSource.allCases)
    func switchingASourceOffCostsOnlyWhatItBrings(source: WalletSource) async throws {
        let rig = try EngineRig()
        try await rig.runByHand { engine in
            let granted = await engine.granting.grant([
                .forTests(person: 1, amount: 70), .forTests(person: 1, rain: 2, amount: 5),
            ]).compactMap(\.granted)
            try await engine.poster.postFirst([
                OpenGrant(
                    order: granted[0].order,
                    amount: granted[0].amount,
                    openedAt: rig.clock.now,
                    app: AppID(1)
                )
            ])
            engine.tokens.sweep(now: .seconds(Int64.max))
            engine.wallets.setSwitchedOff(true, source)
            let reading = try await Self.read(engine)
            #expect(reading.missing == [source])
            let expected: Int64 =
                switch source {
                case .ledger: 5
                case .tokens: 70
                case .coupons, .pendants, .subsidies: 75
                }
            #expect(reading.view.balance == expected)
            #expect(reading.view.page(after: nil, limit: 10).entries.count == (expected == 75 ? 2 : 1))
            // Not judged without the ledger, judged without the list.
            let sent = try await Self.read(engine, 1, [granted[1].token])
            #expect(sent.rejectedTokens.isEmpty && engine.alarms.count(.forgedToken) == 0)
            #expect(sent.view.balance == (source == .tokens ? 75 : expected))
            engine.wallets.setSwitchedOff(false, source)
            #expect(try await Self.read(engine).missing.isEmpty)
            #expect(try await Self.read(engine).view.balance == 75)
        }
    }

    @Test func aFaultOfTheLedgerLeavesTheTokens() async throws {
        var rig = try EngineRig()
        let isDown = Mutex(false)
        rig.wrap = { base in FaultyStore(base) { _, _ in isDown.withLock { $0 } ? .before : nil } }
        try await rig.runByHand { engine in
            let granted = try #require(await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted)
            isDown.withLock { $0 = true }
            let reading = try await Self.read(engine, 1, [granted.token])
            #expect(reading.missing == [.ledger])
            #expect(reading.view.balance == 70 && reading.rejectedTokens.isEmpty)
            isDown.withLock { $0 = false }
            #expect(try await Self.read(engine).missing.isEmpty)
        }
    }

    /// WL-3: a store that doesn't answer costs the ledger's part after the deadline, and nobody waits longer.
    @Test func aLedgerThatHangsIsLeftOut() async throws {
        var rig = try EngineRig()
        rig.configuration.walletDeadline = .milliseconds(20)
        let isHanging = Mutex(false)
        rig.wrap = { base in
            let hang = { @Sendable in await WallClock.system.pause(.seconds(3600)) }
            return AroundReads(base: base, before: { if isHanging.withLock({ $0 }) { await hang() } })
        }
        try await rig.runByHand { engine in
            let granted = try #require(await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted)
            isHanging.withLock { $0 = true }
            let reading = try await Self.read(engine, 1, [granted.token])
            #expect(reading.missing == [.ledger])
            #expect(reading.view.balance == 70 && reading.rejectedTokens.isEmpty)
        }
    }

    /// M11: what is posted, and swept from the list, between the two reads of a wallet is shown once all the same.
    @Test(arguments: [true, false])
    func postingBetweenTheReadsCantBeSeen(isBeforeTheSnapshot: Bool) async throws {
        var rig = try EngineRig()
        let inBetween = Mutex<(@Sendable () async -> Void)?>(nil)
        rig.wrap = { base in
            AroundReads(
                base: base,
                before: { if isBeforeTheSnapshot { await inBetween.withLock { $0 }?() } },
                after: { if !isBeforeTheSnapshot { await inBetween.withLock { $0 }?() } }
            )
        }
        try await rig.runByHand { [rig] engine in
            let requests = (1...5 as ClosedRange<UInt16>).map { GrantRequest.forTests(person: 1, rain: $0, amount: 20) }
            let granted = await engine.granting.grant(requests).compactMap(\.granted)
            let open = granted.map {
                OpenGrant(order: $0.order, amount: $0.amount, openedAt: rig.clock.now, app: AppID(1))
            }
            for count in 1...5 {
                inBetween.withLock { hook in
                    hook = {
                        do {
                            try await engine.poster.postFirst(Array(open[..<count]))
                        } catch {
                            Issue.record(error)
                        }
                        engine.tokens.sweep(now: .seconds(Int64.max))
                    }
                }
                let reading = try await Self.read(engine)
                #expect(reading.view.balance == 100 && reading.view.income.fen == 100)
                #expect(reading.view.page(after: nil, limit: 10).entries.count == 5)
            }
        }
    }

    /// TK-4: the server's list is lost; the client's tokens alone are shown, posted and withdrawn.
    @Test func theClientsCopyIsEnough() async throws {
        let rig = try EngineRig()
        try await rig.runByHand { engine in
            let requests = (1...5 as ClosedRange<UInt16>).map { GrantRequest.forTests(person: 1, rain: $0, amount: 20) }
            let granted = await engine.granting.grant(requests).compactMap(\.granted)
            engine.tokens.removeAll()
            #expect(try await Self.read(engine).view.balance == 0)
            let tokens = granted.map(\.token) + granted.prefix(2).map(\.token)
            let reading = try await Self.read(engine, 1, tokens)
            #expect(reading.view.balance == 100 && reading.view.income.fen == 100)
            #expect(reading.view.page(after: nil, limit: 10).entries.count == 5)
            #expect(reading.rejectedTokens.isEmpty && reading.missing.isEmpty)
            #expect(try await Self.posted(engine, granted.map(\.order)) == 5)
            #expect(try await Self.read(engine).view.balance == 100)
            let key = try #require(WithdrawalKey(person: PersonID(1), book: Self.book, id: "w"))
            let answer = await engine.withdrawals.request(key, amount: fen(100), now: rig.clock.now) { _, _ in true }
            guard case .accepted = answer else { throw Unexpected("\(answer)") }
            #expect(try await Self.read(engine, 1, tokens).view.balance == 0)
            while try await !engine.poster.postNext() {}
            #expect(engine.granting.backlog == 0)
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    /// TK-8: signed with a certified key, and in no log: refused, and the alarm is raised.
    @Test func whatWasNeverIssuedIsAForgery() async throws {
        let rig = try EngineRig()
        try await rig.runByHand { engine in
            let real = try #require(await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted)
            let sealer = engine.granting.sealer.withLock { $0.sealer }
            func forged(_ sequence: UInt64, _ payloads: [GrantPayload]) -> BatchTokens {
                sealer.sealWithTokens(payloads, sequence: sequence, at: rig.clock.now)
            }
            let dear = GrantPayload.forTests(person: 1, rain: 9, amount: 20_000)
            let forgeries = [
                // After the end of the log, in the place of another grant, beside one, of another amount, far away.
                forged(2, [dear])[0],
                forged(1, [dear])[0],
                forged(1, [.forTests(person: 1, amount: 70), dear])[1],
                forged(1, [.forTests(person: 1, rain: 1, amount: 71)])[0],
                forged(1 << 40, [dear])[0],
                forged(.max, [dear])[0],
            ]
            for (number, token) in forgeries.enumerated() {
                engine.tokens.removeAll()
                let reading = try await Self.read(engine, 1, [token, real.token])
                #expect(reading.rejectedTokens == [0], "forgery \(number)")
                #expect(reading.missing.isEmpty, "forgery \(number)")
                #expect(reading.view.balance == 70)
                #expect(engine.alarms.count(.forgedToken) == number + 1)
            }
            while try await !engine.poster.postNext() {}
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }

    /// TK-9: somebody else's token, another campaign's, another installation's, garbage.
    @Test func othersTokensAreRefused() async throws {
        let rig = try EngineRig([.forTests(), .forTests(key: "other", number: 9)])
        let elsewhere = try EngineRig()
        let strange = try await elsewhere.runByHand { engine in
            try #require(await engine.granting.grant([.forTests(person: 1)]).first?.granted).token
        }
        try await rig.runByHand { engine in
            let granted = await engine.granting.grant([
                .forTests(person: 1, amount: 70), .forTests(person: 2, amount: 5),
                .forTests(person: 1, amount: 6, campaign: "other"),
            ]).compactMap(\.granted)
            var altered = granted[0].token
            altered[altered.count - 1] ^= 1
            engine.tokens.removeAll()
            let tokens = [granted[1].token, granted[0].token, granted[2].token, strange, altered, [], [0], [1]]
            let reading = try await Self.read(engine, 1, tokens)
            #expect(reading.rejectedTokens == [0, 2, 3, 4, 5, 6, 7])
            #expect(reading.view.balance == 70)
            #expect(engine.alarms.count(.forgedToken) == 0)
            #expect(try await Self.posted(engine, granted.map(\.order)) == 1)
        }
    }

    @Test func beyondTwoHundredTokensAreRefused() async throws {
        let rig = try EngineRig()
        try await rig.runByHand { engine in
            let requests = (1...250 as ClosedRange<UInt16>).map {
                GrantRequest.forTests(person: 1, rain: $0, amount: 1)
            }
            let granted = await engine.granting.grant(requests).compactMap(\.granted)
            engine.tokens.removeAll()
            let reading = try await Self.read(engine, 1, granted.map(\.token))
            #expect(reading.rejectedTokens == Array(200..<250))
            #expect(reading.view.balance == 200)
            let rest = try await Self.read(engine, 1, Array(granted.map(\.token)[200...]))
            #expect(rest.rejectedTokens.isEmpty && rest.view.balance == 250)
        }
    }
}

/// A store in which something happens around each read.
struct AroundReads: Store {
    let base: SQLiteStore
    let before: @Sendable () async -> Void
    var after: @Sendable () async -> Void = {}

    func append(_ group: AppendGroup) async throws(StoreError) { try await base.append(group) }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await base.transact(footprint, decide)
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        await before()
        let answer = try await base.read(body)
        await after()
        return answer
    }
}
