import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// TK-6: the backlog can't be seen. The same script runs on two engines, one that never posts and one that has posted
/// everything before each look; only `pending` may tell them apart.
@Suite struct PausedPostingTests {
    /// A line of the statement, in words.
    private struct Look: Hashable, Sendable {
        let balance: Int64
        let income: Int64
        let missing: [WalletSource]
        let rejected: [Int]
        let pages: [[StatementEntry]]
    }

    private static let people: ClosedRange<UInt64> = 1...12
    private static let pageSizes = [1, 3, 100]

    /// Grants in bursts, repeats and conflicts among them, by a seed; opening times go back and forth and collide.
    private static func bursts(seed: UInt64) -> [[GrantRequest]] {
        var random = Seeded(seed: seed)
        return (0..<4).map { burst in
            (0..<Int.random(in: 1...60, using: &random)).map { _ in
                .forTests(
                    person: .random(in: people, using: &random),
                    rain: .random(in: 1...6, using: &random),
                    stage: .random(in: 0...2, using: &random),
                    amount: .random(in: 1...3, using: &random),
                    app: Bool.random(using: &random) ? "douyin" : "toutiao",
                    openedAt: 1_643_630_400_000 - Int64(burst) * Int64.random(in: 0...3, using: &random)
                )
            }
        }
    }

    private static func look(_ engine: Engine, _ person: UInt64, tokens: [[UInt8]] = []) async throws -> Look {
        let answer = await engine.wallets.read(person: PersonID(person), campaign: "test", tokens: tokens)
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        var pages: [[StatementEntry]] = []
        for size in pageSizes {
            var cursor: StatementCursor?
            repeat {
                let (page, next) = reading.view.page(after: cursor, limit: size)
                pages.append(page)
                cursor = next
            } while cursor != nil
        }
        return Look(
            balance: reading.view.balance,
            income: reading.view.income.fen,
            missing: reading.missing,
            rejected: reading.rejectedTokens,
            pages: pages
        )
    }

    /// Everything that people see in the course of the script, in its order.
    private static func play(seed: UInt64, isPaused: Bool) async throws -> (answers: [[String]], looks: [Look]) {
        let rig = try EngineRig()
        return try await rig.run { engine in
            engine.poster.setPaused(isPaused)
            var answers: [[String]] = []
            var looks: [Look] = []
            var tokens: [UInt64: [[UInt8]]] = [:]
            func lookAround() async throws {
                if !isPaused { try await engine.drain() }
                for person in people {
                    looks.append(try await look(engine, person))
                    looks.append(try await look(engine, person, tokens: tokens[person] ?? []))
                }
            }
            for (number, burst) in bursts(seed: seed).enumerated() {
                let given = await engine.granting.grant(burst)
                answers.append(given.map(\.inWords))
                for granted in given.compactMap(\.granted) {
                    tokens[granted.order.person.rawValue, default: []].append(granted.token)
                }
                try await lookAround()
                rig.clock.advance(byMilliseconds: 5000)
                // TK-7: a part, then everything, while nothing else is posted.
                let person = UInt64(number + 1)
                let balance = try await look(engine, person).balance
                for (name, amount) in [("part", balance / 2), ("much", balance + 1), ("rest", balance - balance / 2)] {
                    answers.append([try await withdraw(engine, person, "\(name)-\(number)", amount, rig.clock.now)])
                }
                try await settle(engine, person)
                try await lookAround()
            }
            #expect(engine.alarms.count(.forgedToken) == 0)
            return (answers, looks)
        }
    }

    private static func withdraw(
        _ engine: Engine,
        _ person: UInt64,
        _ id: String,
        _ fen: Int64,
        _ now: Timestamp
    ) async throws -> String {
        let book = BookID(campaign: 7, phase: .live)
        let key = try #require(WithdrawalKey(person: PersonID(person), book: book, id: id))
        let amount = try #require(Amount(fen: fen))
        switch await engine.withdrawals.request(key, amount: amount, now: now, isOpen: { _, _ in true }) {
        case .accepted(let withdrawal): return "accepted \(withdrawal.serial) \(withdrawal.amount.fen)"
        case .replayed: return "replayed"
        case .conflict: return "conflict"
        case .amountInvalid: return "amountInvalid"
        case .closed: return "closed"
        case .insufficientBalance: return "insufficientBalance"
        case .unavailable(let error): return "\(error)"
        }
    }

    /// Waits until the channel has paid all that the person withdrew.
    private static func settle(_ engine: Engine, _ person: UInt64) async throws {
        let book = BookID(campaign: 7, phase: .live)
        var isSettled = false
        while !isSettled {
            await Task.yield()
            isSettled = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.withdrawals(of: PersonID(person), in: book).allSatisfy { $0.state != .pending }
            }
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func aPausedPosterCantBeSeen(seed: UInt64) async throws {
        let drained = try await Self.play(seed: seed, isPaused: false)
        let paused = try await Self.play(seed: seed, isPaused: true)
        #expect(drained.answers == paused.answers)
        try #require(drained.looks.count == paused.looks.count)
        for (a, b) in zip(drained.looks, paused.looks) { #expect(a == b) }
        #expect(drained.answers.joined().contains { $0.hasPrefix("accepted") })
        for look in paused.looks {
            #expect(look.missing.isEmpty && look.rejected.isEmpty)
            for page in look.pages { #expect(!page.isEmpty || look.income == 0) }
        }
    }

    /// TK-7: withdrawing posts what is withdrawn, and not what others have.
    @Test func withdrawingPostsThePersonsOwnTokensOnly() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            engine.poster.setPaused(true)
            _ = await engine.granting.grant([.forTests(person: 1, amount: 70), .forTests(person: 2, amount: 50)])
            let before = try await Self.look(engine, 1)
            #expect(before.balance == 70)
            #expect(try await Self.withdraw(engine, 1, "all", 70, rig.clock.now) == "accepted 1 70")
            let book = BookID(campaign: 7, phase: .live)
            let accounts = try await engine.store.read { (snapshot) throws(StoreError) in
                try (
                    snapshot.account(.person(PersonID(1), in: book)), snapshot.account(.person(PersonID(2), in: book))
                )
            }
            #expect(accounts.0.credits.fen == 70)
            #expect(accounts.1.credits.fen == 0)
            #expect(try await Self.look(engine, 1).balance == 0)
            #expect(try await Self.look(engine, 2).balance == 50)
            #expect(engine.granting.backlog == 2)
            engine.poster.setPaused(false)
            try await engine.drain()
            #expect(try await Self.look(engine, 1).balance == 0)
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }
}

/// Something that a test didn't expect and can't go on after.
struct Unexpected: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension GrantAnswer {
    /// Everything but the token, which is sealed anew on every machine.
    var inWords: String {
        switch self {
        case .granted(let granted):
            "\(granted.order) \(granted.status) \(granted.amount.fen) \(granted.rewardID ?? "none") \(granted.isReplay)"
        case .refused(let refusal): "\(refusal)"
        case .unavailable(let error): "\(error)"
        }
    }
}
