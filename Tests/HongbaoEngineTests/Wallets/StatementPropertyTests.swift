import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// M11 on a real store: whatever is accepted, posted, withdrawn and paged in whatever order, each page-through of a
/// statement shows what there was at its start once, newest first, and the sums agree.
///
/// The poster's service doesn't run here; the script posts by hand, so that it decides what is posted when.
@Suite struct StatementPropertyTests {
    private static let book = BookID(campaign: 7, phase: .live)

    /// What must be true of one person, kept naively.
    private struct Model {
        var grants: [TransferID: Int64] = [:]
        var withdrawals: [TransferID: (amount: Int64, state: Withdrawal.State)] = [:]

        var income: Int64 { grants.values.reduce(0, +) }
        var balance: Int64 { income - withdrawals.values.reduce(0) { $0 + ($1.state == .failed ? 0 : $1.amount) } }

        /// What a statement has lines for.
        var lines: Set<String> {
            var lines = Set(grants.keys.map { "grant \($0.bits)" })
            for (id, withdrawal) in withdrawals {
                lines.insert("withdrawal \(id.bits)")
                if withdrawal.state == .failed { lines.insert("refund \(id.bits)") }
            }
            return lines
        }
    }

    /// One page-through of somebody's statement, a page at a time while other things happen.
    private struct Walk {
        let person: UInt64
        let limit: Int
        let expected: Set<String>
        var seen: [StatementEntry] = []
        var cursor: StatementCursor?
    }

    private struct Script {
        let engine: Engine
        let clock: TestClock
        var random: Seeded
        var models: [UInt64: Model] = [:]
        var walks: [Walk] = []
        var withdrawalCount = 0
        var finishedWalks = 0

        private mutating func person() -> UInt64 { .random(in: 1...3, using: &random) }

        mutating func step() async throws {
            clock.advance(byMilliseconds: .random(in: 0...2, using: &random))
            switch Int.random(in: 0..<12, using: &random) {
            case 0...3: try await accept()
            case 4: _ = try await engine.poster.postNext()
            case 5: try await engine.poster.postNow(PersonID(person()), in: StatementPropertyTests.book)
            case 6: try await withdraw()
            case 7: try await report()
            case 8: try await begin()
            case 9: engine.tokens.sweep(now: engine.clock.uptime() + .seconds(Int.random(in: -20...20, using: &random)))
            default: try await page()
            }
        }

        private mutating func accept() async throws {
            let requests = (0..<Int.random(in: 1...8, using: &random)).map { _ in
                GrantRequest.forTests(
                    person: person(),
                    rain: .random(in: 1...20, using: &random),
                    stage: .random(in: 0...9, using: &random),
                    amount: .random(in: 1...9, using: &random),
                    openedAt: clock.now.milliseconds + .random(in: -5...5, using: &random)
                )
            }
            for granted in await engine.granting.grant(requests).compactMap(\.granted) {
                let id = TransferID(granted.order)
                let earlier = models[granted.order.person.rawValue]?.grants[id]
                #expect(granted.isReplay == (earlier != nil))
                #expect(earlier == nil || earlier == granted.amount.fen)
                models[granted.order.person.rawValue, default: Model()].grants[id] = granted.amount.fen
            }
        }

        private mutating func withdraw() async throws {
            let person = person()
            let balance = models[person]?.balance ?? 0
            let amount = Int64.random(in: 1...max(2, balance + 1), using: &random)
            withdrawalCount += 1
            let key = try #require(
                WithdrawalKey(person: PersonID(person), book: StatementPropertyTests.book, id: "w\(withdrawalCount)")
            )
            let answer = await engine.withdrawals.request(
                key,
                amount: try #require(Amount(fen: amount)),
                now: clock.now,
                isOpen: { _, _ in true }
            )
            switch answer {
            case .accepted(let withdrawal):
                #expect(amount <= balance)
                models[person, default: Model()].withdrawals[withdrawal.transferID] = (amount, .pending)
            case .insufficientBalance: #expect(amount > balance)
            default: Issue.record("\(answer)")
            }
        }

        /// The channel's word on a withdrawal, final or not.
        private mutating func report() async throws {
            let person = person()
            let pending = try await engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.withdrawals(of: PersonID(person), in: StatementPropertyTests.book)
                    .filter { $0.state == .pending }
            }
            guard let withdrawal = pending.randomElement(using: &random) else { return }
            let isPaid = Bool.random(using: &random)
            let now = clock.now
            let progress = try await engine.store.transact(
                Footprint(withdrawal: withdrawal.key, serial: withdrawal.serial)
            ) { books in
                let report: PayoutReport = isPaid ? .paid(withdrawal.amount) : .failed
                return books.apply(report, to: withdrawal.key, now: now, retryAfterSeconds: 1)
            }
            #expect(progress == (isPaid ? .settled : .released))
            models[person]?.withdrawals[withdrawal.transferID]?.state = isPaid ? .paid : .failed
        }

        private func read(_ person: UInt64) async throws -> WalletReading {
            let answer = await engine.wallets.read(person: PersonID(person), campaign: "test")
            guard case .wallet(let reading) = answer, reading.missing.isEmpty else { throw Unexpected("\(answer)") }
            return reading
        }

        private mutating func begin() async throws {
            let person = person()
            let model = models[person] ?? Model()
            let reading = try await read(person)
            #expect(reading.view.balance == model.balance)
            #expect(reading.view.income.fen == model.income)
            #expect(reading.view.pending.fen <= model.income)
            walks.append(
                Walk(person: person, limit: .random(in: 1...7, using: &random), expected: model.lines)
            )
        }

        private mutating func page() async throws {
            guard let index = walks.indices.randomElement(using: &random) else { return }
            let reading = try await read(walks[index].person)
            let (entries, next) = reading.view.page(after: walks[index].cursor, limit: walks[index].limit)
            #expect(entries.count <= walks[index].limit)
            #expect(next == nil || next == entries.last?.position)
            walks[index].seen += entries
            walks[index].cursor = next
            if next == nil { finish(walks.remove(at: index)) }
        }

        private mutating func finish(_ walk: Walk) {
            finishedWalks += 1
            let lines = walk.seen.map { "\($0.kind) \($0.id.bits)" }
            #expect(Set(lines).count == lines.count, "a line twice")
            #expect(walk.expected.subtracting(lines).isEmpty, "a line is missing")
            #expect(zip(walk.seen, walk.seen.dropFirst()).allSatisfy { $0.position > $1.position }, "out of order")
        }

        /// Everything at rest: one whole page-through adds up to the balance, its grants to the income.
        mutating func end() async throws {
            while !walks.isEmpty { try await page() }
            for pass in 0..<2 {
                for (person, model) in models {
                    let reading = try await read(person)
                    let entries = reading.view.page(after: nil, limit: 10_000).entries
                    #expect(Set(entries.map { "\($0.kind) \($0.id.bits)" }) == model.lines)
                    #expect(entries.count == model.lines.count)
                    #expect(entries.reduce(0) { $0 + $1.amount } == reading.view.balance)
                    #expect(entries.reduce(0) { $0 + ($1.kind == .grant ? $1.amount : 0) } == reading.view.income.fen)
                    #expect(reading.view.balance == model.balance && reading.view.income.fen == model.income)
                    if pass == 1 { #expect(reading.view.pending == .zero) }
                }
                while try await !engine.poster.postNext() {}
            }
        }
    }

    /// Twenty groups of ten seeds each, so that an engine is started once for ten.
    @Test(arguments: 0..<22 as Range<UInt64>)
    func everyLineOnceAndSumsAgree(group: UInt64) async throws {
        for seed in group * 10..<group * 10 + 10 {
            var rig = try EngineRig()
            var random = Seeded(seed: seed)
            rig.configuration.poster.batchesMax = .random(in: 1...3, using: &random)
            rig.configuration.granting.groupBatchesMax = .random(in: 1...3, using: &random)
            let (clock, start) = (rig.clock, random)
            try await rig.runByHand { engine in
                var script = Script(engine: engine, clock: clock, random: start)
                for _ in 0..<120 { try await script.step() }
                try await script.end()
                #expect(script.finishedWalks > 0)
            }
        }
    }
}
