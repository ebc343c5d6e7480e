import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Two persons turn out to be one (ID-3): all that both have is one person's, each order counts once, and neither kills
/// nor lost replies change that.
@Suite(.timeLimit(.minutes(10))) struct MergeTests {
    private static let book = BookID(campaign: 7, phase: .live)
    private static let phone = "13800000000"

    // MARK: Short cuts

    private static func person(_ answer: IdentityAnswer) throws -> PersonID { try #require(answer.person) }

    /// Two persons: one of Douyin without a phone, one of Toutiao with it.
    private static func two(_ engine: Engine) async throws -> (a: PersonID, b: PersonID) {
        let a = try await person(engine.identities.resolve(IdentitiesTests.login("douyin", "a")))
        let b = try await person(engine.identities.resolve(IdentitiesTests.login("toutiao", "b", phone)))
        return (a, b)
    }

    private static func bind(_ engine: Engine) async -> IdentityAnswer {
        await engine.identities.bind(IdentitiesTests.login("douyin", "a", phone), joining: .ifAlone)
    }

    private static func grant(
        _ engine: Engine,
        _ person: PersonID,
        rain: UInt16,
        _ amount: Int64,
        scene: String = "rain"
    ) async throws -> GrantAnswer {
        let request = GrantRequest.forTests(person: person.rawValue, rain: rain, amount: amount, scene: scene)
        return try #require(await engine.granting.grant([request]).first)
    }

    private static func wallet(_ engine: Engine, _ person: PersonID, _ tokens: [[UInt8]] = []) async throws
        -> WalletReading
    {
        let answer = await engine.wallets.read(person: person, campaign: "test", tokens: tokens)
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    private static func available(_ engine: Engine, _ person: PersonID) async throws -> Int64 {
        try await engine.store.read { (snapshot) throws(StoreError) in
            try snapshot.account(.person(person, in: book)).available
        }
    }

    private static func withdraw(_ engine: Engine, _ person: PersonID, _ id: String, _ amount: Int64) async throws
        -> WithdrawalAnswer
    {
        let key = try #require(WithdrawalKey(person: person, book: book, id: id))
        let amount = try #require(Amount(fen: amount))
        return await engine.withdrawals.request(key, amount: amount, now: engine.clock.now()) { _, _ in true }
    }

    private static func expectSound(_ rig: EngineRig, merged: Int) async throws {
        let report = try await Audit.run(rig.folder, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        #expect(report.totals.personsMerged == merged)
    }

    // MARK: What is under way

    /// RP-11, M14: a merge waits until it's in the store what was begun under either name; or isn't made.
    @Test func whatIsUnderWayIsWaitedFor() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            let aliases = engine.packets.aliases
            for name in [a, b] {
                #expect(aliases.begin(name) && aliases.begin(name))
                aliases.end(name)
                guard case .unavailable = await Self.bind(engine) else { throw Unexpected("merged meanwhile") }
                aliases.end(name)
            }
            #expect(aliases.begin(a))
            async let bound = Self.bind(engine)
            try await eventually { aliases.isDoubtful(b) }
            #expect(!aliases.begin(b))
            aliases.end(a)
            #expect(try await Self.person(bound) == b)
            #expect(!aliases.isUnderWay([a, b]))
        }
    }

    /// RP-11: a claim is under way until its transaction has ended.
    @Test func claimsAreUnderWay() async throws {
        var rig = try EngineRig()
        let (send, sent) = AsyncStream.makeStream(of: FaultyStore<SQLiteStore>.self)
        rig.wrap = { store in
            let faulty = FaultyStore(store, script: [:])
            sent.yield(faulty)
            return faulty
        }
        try await rig.run { engine in
            let store = try #require(await send.first { _ in true })
            let aliases = engine.packets.aliases
            store.hold()
            async let answer = engine.packets.claim(RedPacketID(5), by: PersonID(1))
            try await eventually { store.heldCount > 0 }
            #expect(aliases.isUnderWay([PersonID(1)]) && !aliases.isUnderWay([PersonID(2)]))
            store.letGo()
            guard case .decided(.unknown) = await answer else { throw Unexpected("a share of no packet") }
            #expect(!aliases.isUnderWay([PersonID(1)]))
        }
    }

    // MARK: What is whose

    @Test func allIsOnePersons() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            let earned = try #require(try await Self.grant(engine, a, rain: 1, 100).granted)
            _ = try await Self.grant(engine, b, rain: 2, 200)
            #expect(await Self.bind(engine) == .person(b, isNew: false, merged: a))
            #expect(await Self.bind(engine) == .person(b, isNew: false, merged: nil))
            for name in [a, b] {
                let reading = try await Self.wallet(engine, name, [earned.token])
                #expect(reading.person == b && reading.view.balance == 300 && reading.view.income.fen == 300)
                #expect(reading.rejectedTokens.isEmpty)
                #expect(reading.view.page(after: nil, limit: 9).entries.map(\.amount).sorted() == [100, 200])
            }
            // What was earned before counts as earned, under either name, and keeps its number.
            for name in [a, b] {
                let again = try #require(try await Self.grant(engine, name, rain: 1, 100).granted)
                #expect(again.isReplay && again.order == earned.order && again.token == earned.token)
                guard case .refused(.orderConflict) = try await Self.grant(engine, name, rain: 1, 101) else {
                    throw Unexpected("another amount was taken")
                }
            }
            // What is new is the person's.
            let new = try #require(try await Self.grant(engine, a, rain: 3, 30).granted)
            #expect(!new.isReplay && new.order.person == b)
            #expect(try #require(try await Self.grant(engine, b, rain: 3, 30).granted).isReplay)
            guard case .accepted(let withdrawal) = try await Self.withdraw(engine, a, "w", 330) else {
                throw Unexpected("what is there can't be withdrawn")
            }
            #expect(withdrawal.key.person == b)
            #expect(try await Self.withdraw(engine, b, "w", 330).repeated?.serial == withdrawal.serial)
            #expect(try await Self.withdraw(engine, b, "w2", 1) == .insufficientBalance)
            #expect(try await Self.available(engine, a) == 0)
        }
        try await Self.expectSound(rig, merged: 1)
        // It's all known after a restart.
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            #expect(a == b && engine.mergeSweeps.aliases.count == 1)
            let name = try #require(engine.mergeSweeps.aliases.current.sources.first)
            #expect(try #require(try await Self.grant(engine, name, rain: 2, 200).granted).isReplay)
            #expect(try await Self.wallet(engine, name).view.balance == 0)
        }
    }

    /// M14: what was withdrawn under one name was withdrawn.
    @Test func withdrawalsCountForAllNames() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            _ = try await Self.grant(engine, a, rain: 1, 500)
            guard case .accepted(let withdrawal) = try await Self.withdraw(engine, a, "w", 10) else {
                throw Unexpected("what is there can't be withdrawn")
            }
            #expect(await Self.bind(engine).person == b)
            // The same request under either name.
            let again = try await Self.withdraw(engine, a, "w", 10)
            #expect(again.repeated?.key == withdrawal.key)
            let byOther = try await Self.withdraw(engine, b, "w", 10)
            #expect(byOther.repeated?.key == withdrawal.key)
            #expect(try await Self.withdraw(engine, b, "w", 11) == .conflict)
        }
        try await Self.expectSound(rig, merged: 1)
    }

    /// RP-11, SU-4: who has claimed under one name has claimed; what is for sending packets is sent by its name.
    @Test func packetsCountForAllNames() async throws {
        let rig = try EngineRig([.forTests(subsidies: 1_000_000)])
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            for person in [a, b] { _ = try await Self.grant(engine, person, rain: 1, 1_000, scene: "rain-subsidy") }
            let own = try #require(try await Self.wallet(engine, b).subsidies.first?.order)
            let sent = await engine.packets.send(try Self.draft(b, "own"), by: own)
            let packet = try #require(sent.packet)
            let first = await engine.packets.claim(packet.id, by: a)
            guard case .decided(.claimed(let share, _)) = first else { throw Unexpected("\(first)") }
            #expect(await Self.bind(engine).person == b)
            let second = await engine.packets.claim(packet.id, by: b)
            guard case .decided(.alreadyClaimed(let again, _)) = second else { throw Unexpected("\(second)") }
            #expect(again.key == share.key)
            #expect(again.share == share.share)
            let view = try await engine.packets.look(packet.id, as: b)
            #expect(view?.mine?.key == share.key)
            // A subsidy that came under the other name.
            let subsidies = try await Self.wallet(engine, b).subsidies
            #expect(subsidies.count == 2)
            let open = try #require(subsidies.first { !$0.isUsed }).order
            #expect(open.person == a)
            let other = await engine.packets.send(try Self.draft(b, "other"), by: open)
            #expect(other.packet?.key.sender == a)
            let repeated = await engine.packets.send(try Self.draft(a, "other"), by: open)
            #expect(repeated.packet?.id == other.packet?.id)
            // The share is the person's, under whichever name it was claimed.
            let amount = share.share.fen
            #expect(try await Self.wallet(engine, b).view.balance == amount)
            let taken = try await Self.withdraw(engine, b, "all", amount)
            guard case .accepted = taken else { throw Unexpected("\(taken)") }
        }
        try await Self.expectSound(rig, merged: 1)
    }

    private static func draft(_ sender: PersonID, _ id: String) throws -> RedPacketDraft {
        let key = try #require(SendKey(sender: sender, book: book, id: id))
        let cover = try #require(RedPacket.Cover(greeting: ""))
        return RedPacketDraft(key: key, kind: .b2c, split: .of(1_000, 5), scope: .everyone, cover: cover)
    }

    /// A standing rule: what comes to a former name later goes where it belongs, also when a withdrawal fails.
    @Test func whatComesLaterIsMoved() async throws {
        var rig = try EngineRig()
        let channel = DecidedLater()
        rig.channels = Channels(payouts: channel)
        rig.configuration.merges.intervalMilliseconds = 2
        rig.configuration.payouts.backoffFirstMilliseconds = 2
        rig.configuration.payouts.backoffLongestMilliseconds = 4
        rig.configuration.outside.tickInterval = .milliseconds(2)
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            _ = try await Self.grant(engine, a, rain: 1, 100)
            guard case .accepted = try await Self.withdraw(engine, a, "w", 60) else { throw Unexpected("no money") }
            engine.poster.setPaused(true)
            _ = try await Self.grant(engine, a, rain: 2, 7)
            #expect(await Self.bind(engine).person == b)
            while try await Self.available(engine, b) != 40 { await Task.yield() }
            engine.poster.setPaused(false)
            while try await Self.available(engine, b) != 47 { await Task.yield() }
            channel.fail()
            while try await Self.available(engine, b) != 107 { await Task.yield() }
            #expect(try await Self.wallet(engine, b).view.balance == 107)
            #expect(try await Self.available(engine, a) == 0)
        }
        try await Self.expectSound(rig, merged: 1)
    }

    /// Persons who were merged are merged again with whoever they are by then.
    @Test func chainsEndInOnePerson() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            var persons: [PersonID] = []
            for number in 0..<5 as Range<UInt16> {
                let login = IdentitiesTests.login("douyin", "u\(number)", number == 4 ? "13800000004" : nil)
                let person = try await Self.person(engine.identities.resolve(login))
                persons.append(person)
                _ = try await Self.grant(engine, person, rain: number + 1, 100)
            }
            for number in (0..<4).reversed() {
                let login = IdentitiesTests.login("douyin", "u\(number)", "13800000004")
                #expect(await engine.identities.bind(login, joining: .ifAlone).person == persons[4])
            }
            // All of them go on together, since they have been asked.
            let last = try await Self.person(
                engine.identities.resolve(IdentitiesTests.login("toutiao", "z", "13800000009"))
            )
            let move = IdentitiesTests.login("douyin", "u2", "13800000009")
            #expect(await engine.identities.bind(move, joining: .ifAlone) == .phoneInUse)
            #expect(await engine.identities.bind(move, joining: .always).person == last)
            for person in persons {
                let reading = try await Self.wallet(engine, person)
                #expect(reading.person == last && reading.view.balance == 500)
            }
            guard case .accepted = try await Self.withdraw(engine, persons[0], "w", 500) else {
                throw Unexpected("not all can be withdrawn")
            }
        }
        try await Self.expectSound(rig, merged: 5)
    }

    // MARK: Faults

    /// Lost replies: nobody earns under either name until it's known what has come of the merge.
    @Test(arguments: [FaultyStore<SQLiteStore>.Fault.before, .after, .lost])
    func nobodyEarnsInDoubt(fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig()
        let next = LockedFlag()
        rig.wrap = { base in
            FaultyStore(base) { call, _ in
                guard call == .transact, next.get() else { return nil }
                next.set(false)
                return fault
            }
        }
        try await rig.runByHand { engine in
            let (a, b) = try await Self.two(engine)
            _ = try await Self.grant(engine, a, rain: 1, 100)
            next.set(true)
            guard case .unavailable = await Self.bind(engine) else { throw Unexpected("the fault wasn't met") }
            if fault != .before {
                for name in [a, b] {
                    guard case .refused(.overloaded) = try await Self.grant(engine, name, rain: 9, 100) else {
                        throw Unexpected("granted to nobody knows whom")
                    }
                }
                // What is known is answered all the same.
                #expect(try #require(try await Self.grant(engine, a, rain: 1, 100).granted).isReplay)
                await engine.mergeSweeps.sweep()
            }
            let isMerged = fault == .after
            #expect(engine.mergeSweeps.aliases.count == (isMerged ? 1 : 0))
            let answer = try #require(try await Self.grant(engine, b, rain: 1, 100).granted)
            #expect(answer.isReplay == isMerged)
            #expect(await Self.bind(engine).person == b)
            #expect(engine.mergeSweeps.aliases.person(a) == b)
        }
    }

    /// The process dies at each of its calls to the store, before or after it's carried out; the next one goes on.
    @Test(arguments: 0..<14, [FaultyStore<SQLiteStore>.Fault.before, .after])
    func killsLeaveNothingHalfDone(call: Int, fault: FaultyStore<SQLiteStore>.Fault) async throws {
        var rig = try EngineRig()
        let persons = try await rig.runByHand { engine in
            let (a, b) = try await Self.two(engine)
            _ = try await Self.grant(engine, a, rain: 1, 100)
            _ = try await Self.grant(engine, b, rain: 2, 200)
            return (a: a, b: b)
        }
        let alive = rig.wrap
        let calls = Mutex<Int?>(nil)
        rig.wrap = { base in
            FaultyStore(base) { kind, _ in
                let number = calls.withLock { count -> Int? in
                    guard let now = count else { return nil }
                    count = now + 1
                    return now
                }
                guard let number, number >= call else { return nil }
                return number == call && kind != .read ? fault : .before
            }
        }
        try await rig.runUntilKilled { engine in
            calls.withLock { $0 = 0 }
            _ = await Self.bind(engine)
            await engine.mergeSweeps.sweep()
            _ = try await Self.withdraw(engine, persons.b, "w", 300)
            await engine.mergeSweeps.sweep()
        }
        rig.wrap = alive
        try await rig.run { engine in
            #expect(await Self.bind(engine).person == persons.b)
            let answer = try await Self.withdraw(engine, persons.a, "w", 300)
            switch answer {
            case .accepted(let withdrawal), .replayed(let withdrawal): #expect(withdrawal.key.person == persons.b)
            default: throw Unexpected("\(answer)")
            }
            try await engine.drain()
            await engine.mergeSweeps.sweep()
            #expect(try await Self.wallet(engine, persons.a).view.balance == 0)
            for (person, rain, amount) in [(persons.a, 2, 200), (persons.b, 1, 100)] as [(PersonID, UInt16, Int64)] {
                #expect(try #require(try await Self.grant(engine, person, rain: rain, amount).granted).isReplay)
            }
        }
        try await Self.expectSound(rig, merged: 1)
    }

    /// Binds, grants and withdrawals all at once: each fen is there once at the end.
    @Test(arguments: 0..<4 as Range<UInt64>)
    func allAtOnce(seed: UInt64) async throws {
        var rig = try EngineRig()
        rig.configuration.merges.intervalMilliseconds = 1
        try await rig.run { [rig] engine in
            var persons: [PersonID] = []
            for number in 0..<8 {
                let login = IdentitiesTests.login("douyin", "u\(number)")
                persons.append(try await Self.person(engine.identities.resolve(login)))
            }
            let all = persons
            let granted = try await withThrowingTaskGroup(of: [Granted].self) { group in
                for number in 0..<8 {
                    group.addTask {
                        var random = Seeded(seed: seed << 8 | UInt64(number))
                        var granted: [Granted] = []
                        for _ in 0..<20 {
                            let rain = UInt16.random(in: 1...6, using: &random)
                            if let new = try await Self.grant(engine, all[number], rain: rain, 100).granted {
                                granted.append(new)
                            }
                            _ = try await Self.withdraw(engine, all[number], "w\(rain)", 20)
                        }
                        return granted
                    }
                    group.addTask {
                        let login = IdentitiesTests.login("douyin", "u\(number)", "1380000000\(number / 4)")
                        // While another merge of the same persons is under way, it's `unavailable`.
                        while await engine.identities.bind(login, joining: .ifAlone).person == nil {}
                        return []
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            try await engine.drain()
            await engine.mergeSweeps.sweep()
            let orders = Set(granted.map(\.order))
            var balance: Int64 = 0
            for person in Set(persons.map { engine.identities.person($0) }) {
                balance += try await Self.wallet(engine, person).view.balance
            }
            let report = try await Audit.run(engine.store, keyring: rig.keyring)
            #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
            #expect(report.totals.grantsAccepted == orders.count)
            let out = Int64(clamping: report.totals.paidFen + report.totals.heldFen)
            #expect(balance + out == Int64(orders.count) * 100)
        }
    }

    /// The audit notices what no merge has moved.
    @Test func theAuditNoticesOtherMoves() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let (a, b) = try await Self.two(engine)
            _ = try await Self.grant(engine, a, rain: 1, 100)
            try await engine.drain()
            let moves = [Move(from: a, to: b)]
            _ = try await engine.store.transact(Footprint(moving: moves, in: [Self.book])) { books in
                books.move(moves, in: Self.book, now: engine.clock.now())
            }
            let report = try await Audit.run(engine.store, keyring: rig.keyring)
            #expect(report.checks.filter { $0.breachCount > 0 }.map(\.invariant) == ["ID"])
        }
    }
}

extension SendAnswer {
    fileprivate var packet: RedPacket? {
        switch self {
        case .sent(let packet), .replayed(let packet): packet
        default: nil
        }
    }
}

extension WithdrawalAnswer {
    fileprivate var repeated: Withdrawal? { if case .replayed(let withdrawal) = self { withdrawal } else { nil } }
}

/// Pays nobody until it's told to fail what it has.
private final class DecidedLater: PayoutChannel {
    private let hasFailed = LockedFlag()

    func fail() { hasFailed.set(true) }

    func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] { orders.map { _ in report } }
    func query(_ orders: [String]) async -> [PayoutReport] { orders.map { _ in report } }

    private var report: PayoutReport { hasFailed.get() ? .failed : .processing }
}
