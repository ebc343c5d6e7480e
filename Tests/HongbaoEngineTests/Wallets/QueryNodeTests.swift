import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// A node without a mint shows what the one that decides shows (DP-2, TK-5, WL-3).
@Suite(.timeLimit(.minutes(15))) struct QueryNodeTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static var terms: HotTokensTerms {
        var terms = HotTokensTerms()
        terms.validity = .seconds(600)
        return terms
    }

    private static func node(
        _ rig: EngineRig,
        _ store: any Store,
        _ hot: any HotTokens,
        _ division: Division = .whole
    ) -> QueryNode {
        var configuration = QueryNode.Configuration()
        configuration.walletDeadline = .seconds(60)
        let (clock, campaigns) = (rig.clock, rig.campaigns)
        return QueryNode(
            Shards(store, in: division),
            hot: hot,
            keyring: rig.keyring,
            campaigns: { campaigns },
            configuration: configuration,
            clock: WallClock { clock.now },
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
    }

    private static func reading(_ answer: WalletAnswer) throws -> WalletReading {
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    private static func shown(_ node: QueryNode, _ person: UInt64, _ tokens: [[UInt8]] = []) async throws
        -> WalletReading
    {
        try reading(try await node.read(person: PersonID(person), campaign: "test", tokens: tokens))
    }

    /// All that a caller sees of it.
    private static func text(_ reading: WalletReading) -> String {
        let entries = reading.view.page(after: nil, limit: 10_000).entries
        return """
            \(reading.person) \(reading.book) \(reading.view.balance) \(reading.view.income) \(reading.view.pending)
            \(entries)
            \(reading.subsidies)
            \(reading.rewards)
            \(reading.missing) \(reading.rejectedTokens)
            """
    }

    /// Grants of money, subsidies and coupons, postings in turn and ahead of their turn, withdrawals: at each moment
    /// the query node says what the engine says. It's behind by what wasn't mirrored, and never by a posting.
    @Test(arguments: 0..<12 as Range<UInt64>) func itSaysWhatTheEngineSays(seed: UInt64) async throws {
        var rig = try EngineRig([.forTests(subsidies: 1_000_000)])
        let hot = MemoryTokens(Self.terms)
        rig.hotTokens = hot
        rig.configuration.poster.batchesMax = 2
        try await rig.runByHand { [rig] engine in
            let node = Self.node(rig, engine.store, hot)
            try await node.look()
            let mirror = try #require(engine.tokenMirror)
            #expect(await mirror.flush())
            var random = Seeded(seed: seed)
            var withdrawals = 0
            for _ in 0..<60 {
                let person = random.next(below: 3) + 1
                switch random.next(below: 6) {
                case 0...1:
                    let requests = (0...random.next(below: 5)).map { _ in
                        GrantRequest.forTests(
                            person: random.next(below: 3) + 1,
                            rain: UInt16(random.next(below: 20) + 1),
                            amount: Int64(random.next(below: 50) + 1),
                            scene: random.next(below: 3) == 0 ? "rain-subsidy" : "rain"
                        )
                    }
                    _ = await engine.granting.grant(requests)
                    #expect(await mirror.flush())
                case 2: _ = try await engine.poster.postNext()
                case 3: try await engine.poster.postNow(PersonID(person), in: Self.book)
                case 4:
                    withdrawals += 1
                    let key = try #require(
                        WithdrawalKey(person: PersonID(person), book: Self.book, id: "w\(withdrawals)")
                    )
                    _ = await engine.withdrawals.request(key, amount: fen(5), now: rig.clock.now) { _, _ in true }
                default:
                    if random.next(below: 2) == 0 { #expect(await mirror.flush()) }
                    engine.tokens.sweep(now: .seconds(Int64(random.next(below: 20))))
                }
                for person in 1...3 as ClosedRange<UInt64> {
                    let answer = await engine.wallets.read(person: PersonID(person), campaign: "test")
                    let own = Self.text(try Self.reading(answer))
                    let shown = Self.text(try await Self.shown(node, person))
                    #expect(shown == own)
                }
            }
        }
    }

    /// A posting that fails, or of which nobody knows, leaves the token where it is: it's taken out when it's posted.
    @Test func aTokenGoesAfterItsPosting() async throws {
        var rig = try EngineRig()
        let hot = MemoryTokens(Self.terms)
        rig.hotTokens = hot
        let fault = Mutex<FaultyStore<SQLiteStore>.Fault?>(nil)
        rig.wrap = { base in FaultyStore(base) { call, _ in call == .transact ? fault.withLock { $0 } : nil } }
        try await rig.runByHand { engine in
            let mirror = try #require(engine.tokenMirror)
            let order = try #require(await engine.granting.grant([.forTests(person: 1)]).first?.granted).order
            func listed() async throws -> Bool {
                #expect(await mirror.flush())
                let question = TokenQuestion(PersonID(1), in: Self.book, mint: .first)
                return try await hot.tokens(of: [question])[0].map(\.order) == [order]
            }
            #expect(try await listed())
            fault.withLock { $0 = .before }
            await #expect(throws: StoreError.self) { try await engine.poster.postNext() }
            #expect(try await listed())
            fault.withLock { $0 = .after }
            await #expect(throws: StoreError.self) { try await engine.poster.postNext() }
            // It's posted, and this process doesn't know.
            #expect(try await listed())
            fault.withLock { $0 = nil }
            while try await !engine.poster.postNext() {}
            #expect(try await !listed())
        }
    }

    /// M11: what is posted, and taken out of the hot state, around reading the ledger is shown once all the same.
    @Test(arguments: [true, false])
    func postingAroundTheReadingCantBeSeen(isBeforeTheSnapshot: Bool) async throws {
        var rig = try EngineRig()
        let hot = MemoryTokens(Self.terms)
        rig.hotTokens = hot
        try await rig.runByHand { [rig] engine in
            let mirror = try #require(engine.tokenMirror)
            let inBetween = Mutex<(@Sendable () async -> Void)?>(nil)
            let hook = { @Sendable in
                let run = inBetween.withLock { $0.take() }
                await run?()
            }
            let base = try #require(engine.store as? SQLiteStore)
            let store =
                isBeforeTheSnapshot
                ? AroundReads(base: base, before: hook) : AroundReads(base: base, before: {}, after: hook)
            let node = Self.node(rig, store, hot)
            try await node.look()
            let requests = (1...5 as ClosedRange<UInt16>).map { GrantRequest.forTests(person: 1, rain: $0, amount: 20) }
            _ = await engine.granting.grant(requests)
            let open = engine.tokens.unposted(of: PersonID(1), in: Self.book)
            for count in 0...5 {
                #expect(await mirror.flush())
                inBetween.withLock { hook in
                    hook = {
                        do {
                            try await engine.poster.postFirst(Array(open[..<count]))
                        } catch {
                            Issue.record(error)
                        }
                        #expect(await mirror.flush())
                    }
                }
                let shown = try await Self.shown(node, 1)
                #expect(shown.view.balance == 100 && shown.view.income.fen == 100 && shown.missing.isEmpty)
                #expect(shown.view.page(after: nil, limit: 10).entries.count == 5)
                #expect(inBetween.withLock { $0 == nil })
            }
        }
    }

    /// WL-3: without the hot state the rest is shown, and what is missing is said. The client's copy is enough (TK-4).
    @Test func withoutTheHotStateTheRestIsShown() async throws {
        var rig = try EngineRig()
        let hot = UnreliableTokens(MemoryTokens(Self.terms))
        rig.hotTokens = hot
        try await rig.runByHand { [rig] engine in
            let node = Self.node(rig, engine.store, hot)
            await #expect(throws: StoreError.self) { try await Self.shown(node, 1) }
            try await node.look()
            let granted = await engine.granting.grant([
                .forTests(person: 1, amount: 70), .forTests(person: 1, rain: 2, amount: 5),
            ]).compactMap(\.granted)
            // Nothing was mirrored yet.
            #expect(try await Self.shown(node, 1).missing == [.tokens])
            #expect(await engine.tokenMirror?.flush() == true)
            #expect(try await Self.shown(node, 1).view.balance == 75)
            hot.setLossPercent(100)
            let alone = try await Self.shown(node, 1)
            #expect(alone.missing == [.tokens] && alone.view.balance == 0)
            let sent = try await Self.shown(node, 1, [granted[0].token, granted[1].token, granted[1].token, [1]])
            #expect(sent.missing == [.tokens] && sent.view.balance == 75 && sent.rejectedTokens == [3])
            // Asking has posted none of them.
            #expect(engine.tokens.unposted(of: PersonID(1), in: Self.book).count == 2)
            while try await !engine.poster.postNext() {}
            #expect(try await Self.shown(node, 1, [granted[0].token]).view.balance == 75)
            hot.setLossPercent(0)
            let whole = try await Self.shown(node, 1)
            #expect(whole.missing == [] && whole.view.balance == 75)
        }
    }

    /// Tokens of an epoch that began after the node did are known as soon as it has looked.
    @Test func newEpochsAreLearnt() async throws {
        let rig = try EngineRig()
        let hot = MemoryTokens(Self.terms)
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        let first = try await rig.start(store)
        let node = Self.node(rig, store, hot)
        try await node.look()
        let second = try await rig.start(store)
        #expect(second.granting.epoch > first.granting.epoch)
        let token = try await running([second.granting]) {
            try #require(await second.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted).token
        }
        #expect(try await Self.shown(node, 1, [token]).rejectedTokens == [0])
        try await node.look()
        let shown = try await Self.shown(node, 1, [token])
        #expect(shown.rejectedTokens == [] && shown.view.balance == 70)
        try await store.close()
    }
}

/// The same in a cluster, where several nodes decide (DP-2, ID-3).
@Suite(.timeLimit(.minutes(15))) struct ClusterQueryTests {
    private static func shown(_ node: QueryNode, _ person: PersonID) async throws -> WalletReading {
        let answer = try await node.read(person: node.aliases.person(person), campaign: "test")
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    private static func node(_ town: Town, _ hot: any HotTokens) -> QueryNode {
        let (clock, campaigns) = (town.rig.clock, town.rig.campaigns)
        return QueryNode(
            town.shards,
            hot: hot,
            keyring: town.rig.keyring,
            campaigns: { campaigns },
            clock: WallClock { clock.now },
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
    }

    @Test func everybodyIsShownThoughNodesComeAndGo() async throws {
        let hot = MemoryTokens()
        let town = try await Town(hotTokens: hot)
        let houses = [town.house("a"), town.house("b")]
        let node = Self.node(town, hot)
        try await running(houses.flatMap(\.services) + [node]) {
            try await House.until(houses, have: [2, 2])
            let persons = (1...20 as ClosedRange<UInt64>).map { PersonID($0) }
            for house in houses {
                let requests = persons.map { GrantRequest.forTests(person: $0.rawValue, amount: 30) }
                _ = await house.engines.grant(requests)
            }
            for person in persons {
                try await eventually {
                    let reading = try await Self.shown(node, person)
                    return reading.view.balance == 30 && reading.missing.isEmpty
                }
            }
        }
        // Other nodes take the mints, and what they list replaces what the first ones did.
        let later = [town.house("c")]
        try await running(later.flatMap(\.services)) {
            try await House.until(later, have: [4])
            try await node.look()
            _ = await later[0].engines.grant([.forTests(person: 1, rain: 2, amount: 12)])
            try await eventually {
                let reading = try await Self.shown(node, PersonID(1))
                return reading.view.balance == 42 && reading.missing.isEmpty
            }
        }
        try await town.store.close()
    }

    /// Two persons of different mints turn out to be one: what both had is shown under either name.
    @Test func mergesAreLearnt() async throws {
        let hot = MemoryTokens()
        let town = try await Town(hotTokens: hot)
        let houses = [town.house("a"), town.house("b")]
        let node = Self.node(town, hot)
        try await running(houses.flatMap(\.services) + [node]) {
            try await House.until(houses, have: [2, 2])
            let identities = try #require(houses[0].engines.any?.identities)
            let target = try #require(
                await identities.resolve(IdentitiesTests.login("toutiao", "b", "13800001001")).person
            )
            var (attempt, source) = (0, target)
            while town.division.mint(of: source) == town.division.mint(of: target) {
                attempt += 1
                source = try #require(await identities.resolve(IdentitiesTests.login("douyin", "a\(attempt)")).person)
            }
            for house in houses {
                _ = await house.engines.grant([
                    .forTests(person: source.rawValue, amount: 100), .forTests(person: target.rawValue, amount: 20),
                ])
            }
            let login = IdentitiesTests.login("douyin", "a\(attempt)", "13800001001")
            try await eventually {
                let answer = await houses[0].engines.any?.identities.bind(login, joining: .ifAlone)
                if case .person = answer { return true }
                return false
            }
            try await eventually { node.aliases.person(source) == target }
            for name in [source, target] {
                try await eventually { try await Self.shown(node, name).view.balance == 120 }
            }
        }
        try await town.store.close()
    }
}
