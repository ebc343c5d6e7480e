import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Subsidies from the rain to the packet that they pay for (SU-1 to SU-5), and that they are no cash.
@Suite(.timeLimit(.minutes(15))) struct SubsidiesTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func rig() throws -> EngineRig { try EngineRig([.forTests(subsidies: 1_000_000)]) }

    private static func grant(
        _ engine: Engine,
        person: UInt64 = 1,
        rain: UInt16 = 1,
        _ amount: Int64 = 1_000
    ) async throws -> Granted {
        let request = GrantRequest.forTests(person: person, rain: rain, amount: amount, scene: "rain-subsidy")
        return try #require(await engine.granting.grant([request]).first?.granted)
    }

    private static func draft(
        _ id: String = "p",
        sender: UInt64 = 1,
        _ amount: Int64 = 1_000
    ) throws -> RedPacketDraft {
        RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(sender), book: book, id: id)),
            kind: .b2c,
            split: .of(amount, 5),
            scope: .everyone,
            cover: try #require(RedPacket.Cover(greeting: "恭喜发财"))
        )
    }

    private static func read(_ engine: Engine, person: UInt64 = 1, _ tokens: [[UInt8]] = []) async throws
        -> WalletReading
    {
        let answer = await engine.wallets.read(person: PersonID(person), campaign: "test", tokens: tokens)
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    private static func rows(_ engine: Engine, person: UInt64 = 1) async throws -> [Subsidy] {
        try await engine.store.read { (snapshot) throws(StoreError) in
            try snapshot.subsidies(of: PersonID(person), in: book)
        }
    }

    private static func available(_ engine: Engine, _ account: AccountID) async throws -> Int64 {
        try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.account(account).available }
    }

    private static func expectSound(_ rig: EngineRig) async throws {
        let store = try await SQLiteStore.reopened(folder: rig.folder.path)
        let report = try await Audit.run(store, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        #expect(try await LedgerCheck.read(store).breaches == [])
        try await store.close()
    }

    /// SU-1: granted like cash, by the same queue, with a token; posted behind it into an account of its own.
    @Test(arguments: [PostingMode.async, .sync])
    func aRainGivesSubsidies(_ posting: PostingMode) async throws {
        let rig = try EngineRig([.forTests(subsidies: 10_000, posting: posting)])
        try await rig.run { engine in
            let granted = try await Self.grant(engine)
            #expect(granted.status == (posting == .sync ? .credited : .processing))
            let verdict = engine.verifier.verify(
                granted.token,
                now: rig.clock.now,
                person: PersonID(1),
                book: Self.book
            )
            guard case .valid(let token) = verdict else { throw Unexpected("\(verdict)") }
            #expect(token.payload?.order == granted.order && token.payload?.amount.fen == 1_000)
            let cash = await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted
            #expect(cash != nil)
            try await engine.drain()
            let row = try #require(try await Self.rows(engine).first)
            #expect(row.order == granted.order && row.amount.fen == 1_000 && !row.isUsed)
            #expect(try await Self.available(engine, .subsidies(of: PersonID(1), in: Self.book)) == 1_000)
            #expect(try await Self.available(engine, .person(PersonID(1), in: Self.book)) == 70)
            #expect(try await engine.budgets.view(campaign: "test", scene: "rain-subsidy")?.issued.fen == 1_000)
            // GR-3, M14: a repeat has the first answer, and the budget is the last word.
            #expect(try await Self.grant(engine).token == granted.token)
            let last = GrantRequest.forTests(person: 2, amount: 9_001, scene: "rain-subsidy")
            #expect(await engine.granting.grant([last]).first?.refusal == .budgetExhausted)
        }
        try await Self.expectSound(rig)
    }

    /// SU-2: the list is the tokens and the ledger, each once; asking posts nothing.
    @Test func listedFromTokensAndLedger() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            let first = try await Self.grant(engine, rain: 1, 100)
            rig.clock.advance(byMilliseconds: 1)
            let second = try await Self.grant(engine, rain: 2, 200)
            _ = try await Self.grant(engine, person: 2, 300)
            _ = await engine.granting.grant([.forTests(person: 1, amount: 70)])
            var reading = try await Self.read(engine, [first.token])
            #expect(reading.subsidies.map(\.order) == [second.order, first.order])
            #expect(reading.subsidies.map(\.amount.fen) == [200, 100] && reading.missing.isEmpty)
            // Neither the list nor the wallet's own reading posts one.
            #expect(try await Self.rows(engine).isEmpty)
            // They are no cash: not in the balance, not in the statement.
            #expect(reading.view.balance == 70 && reading.view.income.fen == 70 && reading.view.pending.fen == 70)
            #expect(reading.view.page(after: nil, limit: 10).entries.count == 1)

            try await engine.wallets.postSubsidy(first.order, tokens: [])
            #expect(try await Self.rows(engine).map(\.order) == [first.order])
            reading = try await Self.read(engine, [first.token, second.token])
            #expect(reading.subsidies.map(\.order) == [second.order, first.order])
            #expect(reading.rejectedTokens.isEmpty && reading.view.balance == 70)
            while try await !engine.poster.postNext() {}
            engine.tokens.sweep(now: .seconds(Int64.max))
            reading = try await Self.read(engine)
            #expect(reading.subsidies.map(\.order) == [second.order, first.order])
            #expect(reading.view.balance == 70 && reading.view.pending == .zero && reading.view.income.fen == 70)
            #expect(try await Self.read(engine, person: 2).subsidies.map(\.amount.fen) == [300])
        }
        try await Self.expectSound(rig)
    }

    /// SU-3: without the token list the ledger's still show and still work, and the answer says what is missing; what
    /// only a client's token proves works, too (TK-4).
    @Test func withoutTheTokenListTheLedgersWork() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            let posted = try await Self.grant(engine, rain: 1)
            try await engine.wallets.postSubsidy(posted.order, tokens: [])
            let open = try await Self.grant(engine, rain: 2)
            engine.tokens.removeAll()
            engine.wallets.setSwitchedOff(true, .tokens)
            let reading = try await Self.read(engine)
            #expect(reading.subsidies.map(\.order) == [posted.order] && reading.missing == [.tokens])
            #expect(try await Self.read(engine, [open.token]).subsidies.count == 2)
            guard case .sent = await engine.packets.send(try Self.draft("a"), by: posted.order) else {
                throw Unexpected("the ledger's subsidy doesn't work")
            }
            let draft = try Self.draft("b")
            #expect(await engine.packets.send(draft, by: open.order) == .subsidyUnknown)
            // Of the tokens sent along, the one that proves it counts.
            let other = try await Self.grant(engine, person: 2)
            #expect(await engine.packets.send(draft, by: open.order, tokens: [other.token, []]) == .subsidyUnknown)
            guard case .sent = await engine.packets.send(draft, by: open.order, tokens: [[1], open.token]) else {
                throw Unexpected("a token proves nothing")
            }
            #expect(try await Self.rows(engine).filter(\.isUsed).count == 2)
            #expect(try await Self.rows(engine, person: 2).isEmpty)
            #expect(engine.alarms.count(.forgedToken) == 0)
        }
        try await Self.expectSound(rig)
    }

    /// Without the ledger the tokens show, and nothing is sent.
    @Test func withoutTheLedgerTheTokensShow() async throws {
        var rig = try Self.rig()
        let fails = Failing()
        rig.wrap = { base in FaultyStore(base) { _, _ in fails.isOn ? .before : nil } }
        try await rig.runByHand { engine in
            let granted = try await Self.grant(engine)
            fails.isOn = true
            let reading = try await Self.read(engine)
            #expect(reading.subsidies.map(\.order) == [granted.order] && reading.missing == [.ledger])
            guard case .unavailable = await engine.packets.send(try Self.draft(), by: granted.order) else {
                throw Unexpected("sent without a ledger")
            }
            fails.isOn = false
            guard case .sent = await engine.packets.send(try Self.draft(), by: granted.order) else {
                throw Unexpected("not sent")
            }
        }
        try await Self.expectSound(rig)
    }

    /// SU-2, SU-4: sending posts that one subsidy first and nothing else; of 200 at once, one gets it.
    @Test func ofTwoHundredOneIsSent() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            let granted = try await Self.grant(engine, rain: 1)
            let other = try await Self.grant(engine, rain: 2)
            let drafts = try (0..<200).map { try Self.draft("p\($0)") }
            let answers = await withTaskGroup(of: SendAnswer.self) { group in
                for draft in drafts {
                    group.addTask { await engine.packets.send(draft, by: granted.order, tokens: [granted.token]) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let sent = answers.compactMap { if case .sent(let packet) = $0 { packet } else { nil } }
            #expect(sent.count == 1 && answers.count { $0 == .subsidyUsed } == 199)
            let packet = try #require(sent.first)
            #expect(packet.state == .published && packet.subsidy == granted.order)
            #expect(try await Self.rows(engine).map(\.packet) == [packet.id])
            #expect(try await Self.available(engine, packet.escrow) == 1_000)
            #expect(try await Self.available(engine, .subsidies(of: PersonID(1), in: Self.book)) == 0)
            // M14: whoever repeats the one that was sent hears of it again; with another subsidy it's another request.
            #expect(await engine.packets.send(packet.draft, by: granted.order) == .replayed(packet))
            #expect(await engine.packets.send(packet.draft, by: other.order) == .conflict)
            let states = try await Self.read(engine).subsidies
            #expect(states.first { $0.order == granted.order }?.isUsed == true)
            #expect(states.first { $0.order == other.order }?.isUsed == false)
            while try await !engine.poster.postNext() {}
            #expect(try await Self.rows(engine).count == 2)
            #expect(engine.alarms.count(.postingConflict) == 0)
        }
        try await Self.expectSound(rig)
    }

    /// SU-5: another person's number is refused, whatever proves it; so are numbers of cash and of nobody.
    @Test func onlyOnesOwnCounts() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            let theirs = try await Self.grant(engine, person: 2)
            let draft = try Self.draft()
            #expect(await engine.packets.send(draft, by: theirs.order, tokens: [theirs.token]) == .subsidyMismatch)
            #expect(try await Self.rows(engine, person: 2).isEmpty)
            let forged = OrderNumber(
                person: PersonID(1),
                scene: theirs.order.scene,
                rain: theirs.order.rain,
                awardType: theirs.order.awardType,
                stage: theirs.order.stage
            )
            #expect(await engine.packets.send(draft, by: forged, tokens: [theirs.token]) == .subsidyUnknown)
            let cash = try #require(await engine.granting.grant([.forTests(person: 1, amount: 1_000)]).first?.granted)
            #expect(await engine.packets.send(draft, by: cash.order, tokens: [cash.token]) == .subsidyUnknown)
            let small = try await Self.grant(engine, 999)
            #expect(await engine.packets.send(draft, by: small.order) == .subsidyMismatch)
            #expect(try await Self.rows(engine).map(\.isUsed) == [false])
            #expect(try await Self.read(engine).view.balance == 1_000)
        }
        try await Self.expectSound(rig)
    }

    /// The process ends between the posting and the use, at any call that writes: what was posted is still to be used,
    /// and used once (GR-5, SU-4).
    @Test(arguments: 0..<4, [true, false])
    func aCrashOnTheWayLosesNothing(lastCall: Int, isCarriedOut: Bool) async throws {
        var rig = try Self.rig()
        let alive = rig.wrap
        let calls = Countdown()
        rig.wrap = { base in
            FaultyStore(base) { call, _ in
                guard call != .read else { return nil }
                return switch calls.next() {
                case .before: nil
                case .last: isCarriedOut ? .after : .before
                case .after: .before
                }
            }
        }
        let granted = try await rig.runUntilKilled { engine in
            engine.poster.setPaused(true)
            let granted = try await Self.grant(engine)
            calls.begin(lastCall)
            _ = await engine.packets.send(try Self.draft(), by: granted.order)
            return granted
        }
        rig.wrap = alive
        try await rig.run { engine in
            switch await engine.packets.send(try Self.draft(), by: granted.order) {
            case .sent, .replayed: break
            case let other: throw Unexpected("\(other)")
            }
            try await engine.drain()
            #expect(try await Self.rows(engine).map(\.isUsed) == [true])
            #expect(await engine.packets.send(try Self.draft("q"), by: granted.order) == .subsidyUsed)
        }
        try await Self.expectSound(rig)
    }

    /// A withdrawal takes cash, and leaves subsidies as they are (WD-4).
    @Test func withdrawalsDoNotTouchThem() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            _ = try await Self.grant(engine)
            _ = await engine.granting.grant([.forTests(person: 1, amount: 70)])
            func withdraw(_ id: String, _ fen: Int64) async throws -> WithdrawalAnswer {
                let key = try #require(WithdrawalKey(person: PersonID(1), book: Self.book, id: id))
                let amount = try #require(Amount(fen: fen))
                return await engine.withdrawals.request(key, amount: amount, now: rig.clock.now) { _, _ in true }
            }
            #expect(try await withdraw("a", 71) == .insufficientBalance)
            guard case .accepted = try await withdraw("b", 70) else { throw Unexpected("not accepted") }
            #expect(try await Self.rows(engine).isEmpty)
            #expect(try await Self.read(engine).subsidies.count == 1)
        }
        try await Self.expectSound(rig)
    }

    /// RP-1, RP-4: what is claimed can be withdrawn, and the rest goes back to the scene's budget.
    @Test func whatIsClaimedIsCash() async throws {
        let rig = try Self.rig()
        try await rig.runByHand { engine in
            let granted = try await Self.grant(engine)
            guard case .sent(let packet) = await engine.packets.send(try Self.draft(), by: granted.order) else {
                throw Unexpected("not sent")
            }
            for person in 11...13 as ClosedRange<UInt64> {
                _ = await engine.packets.claim(packet.id, by: PersonID(person))
            }
            rig.clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            await engine.packetSweeps.sweep()
            let end = try #require(try await engine.packets.look(packet.id, as: nil)).packet
            #expect(end.state == .closed && end.transferred.fen + end.refunded.fen == 1_000)
            let budget = AccountID.budget(of: granted.order.scene)
            #expect(try await Self.available(engine, budget) == 1_000_000 - end.transferred.fen)
            #expect(try await Self.rows(engine).map(\.isUsed) == [true])
        }
        try await Self.expectSound(rig)
    }

    /// A file that says another kind than what was granted changes nothing (CF-5): the books' word counts.
    @Test func whatASceneGivesIsFixed() async throws {
        var rig = try Self.rig()
        let granted = try await rig.run { engine in
            let granted = try await Self.grant(engine)
            try await engine.drain()
            return granted
        }
        rig.campaigns = .forTests([.forTests(subsidies: 2_000_000, subsidyKind: .cash)])
        try await rig.run { engine in
            #expect(try await engine.budgets.view(campaign: "test", scene: "rain-subsidy")?.total.fen == 1_000_000)
            let next = try await Self.grant(engine, rain: 2)
            try await engine.drain()
            #expect(try await Self.rows(engine).map(\.order) == [granted.order, next.order])
            #expect(try await Self.read(engine).view.balance == 0)
            let set = CampaignSet.forTests([.forTests(subsidies: 3_000_000, subsidyKind: .cash)])
            guard case .refused(let problems) = await engine.reloads.reload(set) else { throw Unexpected("reloaded") }
            #expect(problems.map(\.path) == ["phases.live.scenes.rain-subsidy.gives"])
        }
        try await Self.expectSound(rig)
    }
}

/// A switch for faults.
private final class Failing: Sendable {
    private let state = Mutex(false)
    var isOn: Bool {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}

/// Says which call that writes is the last one of a process.
private final class Countdown: Sendable {
    enum Place { case before, last, after }
    private let left = Mutex<Int?>(nil)

    /// So many more are carried out.
    func begin(_ count: Int) { left.withLock { $0 = count } }

    func next() -> Place {
        left.withLock { left in
            guard let count = left else { return .before }
            left = count - 1
            return count > 0 ? .before : count == 0 ? .last : .after
        }
    }
}
