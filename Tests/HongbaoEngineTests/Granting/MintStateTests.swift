import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// The mint's decisions against a naive book-keeping (GR-3, M3, M6), without a store or a clock.
@Suite struct MintStateTests {
    private static let now = Timestamp(milliseconds: 1_643_630_400_000)
    private static let scene = PoolID(SceneID(book: BookID(campaign: 7, phase: .live), number: 1))

    private struct Accepted: Hashable {
        let order: OrderNumber
        let amount: Int64
        let reward: UInt16
        let sequence: UInt64
        let index: Int
        let status: GrantStatus
    }

    /// A mint, and what must be true of it.
    private struct World {
        var mint: MintState
        var rules = GrantRules(campaigns: .forTests([.forTests(cap: 90)]), draws: .forTests, now: MintStateTests.now)
        var random: Seeded
        let limits: MintState.Limits
        /// Durable or not, in the order of the log.
        var accepted: [Accepted] = []
        var taken: [OpenBatch] = []
        var durable: UInt64 = 0
        var leased: Int64 = 0
        var posted = 0
        var isExhausted = false

        init(seed: UInt64) {
            random = Seeded(seed: seed)
            limits = MintState.Limits(
                backlogMax: .random(in: 50...900, using: &random),
                undurableMax: .random(in: 20...700, using: &random),
                orderCountMax: .random(in: 100...2000, using: &random)
            )
            mint = MintState(orders: OrderTable(seed: seed), lastSequence: 0, backlog: 0, limits: limits)
        }

        var durableCount: Int { accepted.count { $0.sequence <= durable } }
        var spent: Int64 { accepted.reduce(0) { $0 + $1.amount } }

        mutating func draft() throws -> GrantDraft {
            let request = GrantRequest.forTests(
                person: .random(in: 1...9, using: &random),
                rain: .random(in: 1...60, using: &random),
                amount: .random(in: 1...91, using: &random),
                rewardID: Int.random(in: 0..<9, using: &random) == 0 ? "cash-big" : nil
            )
            guard case .draft(let draft) = rules.resolve(request) else { throw Unexpected("\(request)") }
            return draft
        }

        mutating func step() throws {
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<12:
                // Repeats come often: a third of the time one that's known.
                for _ in 0..<Int.random(in: 1...40, using: &random) { try decide() }
            case 12...13: take()
            case 14...15: confirm()
            case 16: rollBack()
            case 17:
                let count = Int.random(in: 0...(durableCount - posted), using: &random)
                mint.notePosted(count)
                posted += count
            case 18:
                mint.reopenBudgets()
                isExhausted = false
            default: extend()
            }
            check()
        }

        private mutating func decide() throws {
            let draft = try draft()
            let isPostedFirst = Bool.random(using: &random)
            let decision = mint.decide(draft, isPostedFirst: isPostedFirst)
            let undurable = accepted.count - durableCount
            if let earlier = accepted.first(where: { $0.order == draft.order }) {
                let entry = OrderTable.Entry(
                    sequence: earlier.sequence,
                    index: earlier.index,
                    amount: try #require(Amount(fen: earlier.amount)),
                    choice: RewardChoice(meant: earlier.reward, given: 0),
                    status: earlier.status
                )
                let isSame = earlier.amount == draft.amount.fen && earlier.reward == draft.reward
                #expect(decision == (isSame ? .replayed(entry) : .conflicting(entry)))
            } else if draft.amount.fen > 90 {
                #expect(decision == .refused(.overCap))
            } else if draft.amount.fen > leased - spent {
                #expect(decision == (isExhausted ? .refused(.budgetExhausted) : .needsLease(MintStateTests.scene)))
            } else if undurable >= limits.undurableMax || accepted.count - posted >= limits.backlogMax
                || accepted.count >= limits.orderCountMax
            {
                #expect(decision == .refused(.overloaded))
            } else {
                let last = accepted.last { $0.sequence > (taken.last?.sequence ?? durable) }
                let isFull = last?.index == MintState.batchSizeMax - 1
                let sequence = (last?.sequence ?? (taken.last?.sequence ?? durable) + 1) + (isFull ? 1 : 0)
                let index = isFull ? 0 : (last?.index ?? -1) + 1
                let entry = OrderTable.Entry(
                    sequence: sequence,
                    index: index,
                    amount: draft.amount,
                    choice: RewardChoice(meant: draft.reward, given: 0),
                    status: isPostedFirst ? .credited : .processing
                )
                #expect(decision == .accepted(entry))
                accepted.append(
                    Accepted(
                        order: draft.order,
                        amount: draft.amount.fen,
                        reward: draft.reward,
                        sequence: sequence,
                        index: index,
                        status: isPostedFirst ? .credited : .processing
                    )
                )
            }
        }

        private mutating func take() {
            let before = taken.last?.sequence ?? durable
            let limit = Int.random(in: 1...3, using: &random)
            let batches = mint.takeBatches(limit: limit)
            #expect(batches.count <= limit)
            #expect(batches.map(\.sequence) == (0..<batches.count).map { before + 1 + UInt64($0) })
            for batch in batches {
                let expected = accepted.filter { $0.sequence == batch.sequence }
                #expect(batch.payloads.map(\.order) == expected.map(\.order))
                #expect(batch.payloads.map(\.amount.fen) == expected.map(\.amount))
                #expect(batch.payloads.map(\.status) == expected.map(\.status))
                #expect(batch.choices == expected.map { RewardChoice(meant: $0.reward, given: 0) })
                #expect(batch.total.fen == expected.reduce(0) { $0 + $1.amount })
                #expect(batch.issued == [MintStateTests.scene: batch.total])
                #expect(!batch.payloads.isEmpty)
            }
            taken += batches
        }

        private mutating func confirm() {
            guard let batch = taken.randomElement(using: &random) else { return }
            mint.confirm(upTo: batch.sequence)
            taken.removeAll { $0.sequence <= batch.sequence }
            durable = batch.sequence
            // Saying it again changes nothing.
            mint.confirm(upTo: batch.sequence)
        }

        private mutating func rollBack() {
            mint.rollBack()
            accepted.removeAll { $0.sequence > durable }
            taken = []
        }

        private mutating func extend() {
            let added = Int64.random(in: 0...2, using: &random) * Int64.random(in: 0...2000, using: &random)
            mint.extend(MintStateTests.scene, by: fen(added))
            leased += added
            isExhausted = added == 0
        }

        private func check() {
            #expect(mint.orders.count == accepted.count)
            #expect(mint.durableSequence == durable)
            #expect(mint.backlog == durableCount - posted)
            #expect(mint.undurableCount == accepted.count - durableCount)
            #expect(mint.remaining(of: MintStateTests.scene).fen == leased - spent)
            #expect(mint.isExhausted(MintStateTests.scene) == isExhausted)
            #expect(mint.hasWork == accepted.contains { $0.sequence > (taken.last?.sequence ?? durable) })
        }

        /// A mint that has read the durable log and was never asked for anything else.
        func restarted() -> MintState {
            var orders = OrderTable(seed: 99)
            for grant in accepted where grant.sequence <= durable {
                let entry = OrderTable.Entry(
                    sequence: grant.sequence,
                    index: grant.index,
                    amount: fen(grant.amount),
                    choice: RewardChoice(meant: grant.reward, given: 0),
                    status: grant.status
                )
                orders.insert(grant.order, entry)
            }
            var mint = MintState(
                orders: orders,
                lastSequence: durable,
                backlog: durableCount - posted,
                limits: limits
            )
            let issued = accepted.reduce(0) { $0 + ($1.sequence <= durable ? $1.amount : 0) }
            mint.extend(MintStateTests.scene, by: fen(leased - issued))
            if isExhausted { mint.extend(MintStateTests.scene, by: .zero) } else { mint.reopenBudgets() }
            return mint
        }
    }

    @Test(arguments: 0..<120 as Range<UInt64>)
    func agreesWithNaiveBookKeeping(seed: UInt64) throws {
        var world = World(seed: seed)
        for _ in 0..<80 { try world.step() }
        // M3, and no gap: every order once, at places that follow each other.
        #expect(Set(world.accepted.map(\.order)).count == world.accepted.count)
        let places = world.accepted.map { [$0.sequence, UInt64($0.index)] }
        #expect(places == places.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(
            Set(world.accepted.map(\.sequence)) == Set(1...max(1, world.accepted.last?.sequence ?? 1))
                || world.accepted.isEmpty
        )

        // After a roll-back, everything is as if it had never been asked for.
        var rolledBack = world.mint
        rolledBack.rollBack()
        var restarted = world.restarted()
        for _ in 0..<400 {
            let draft = try world.draft()
            #expect(rolledBack.decide(draft, isPostedFirst: false) == restarted.decide(draft, isPostedFirst: false))
        }
        #expect(rolledBack.takeBatches(limit: 9).map(\.payloads) == restarted.takeBatches(limit: 9).map(\.payloads))
        #expect(rolledBack.remaining(of: Self.scene) == restarted.remaining(of: Self.scene))
    }

    /// What isn't reserved can be given back; what is stays until it's durable or not.
    @Test func drainingLeavesWhatIsReserved() throws {
        var world = World(seed: 1)
        world.mint.limits = MintState.Limits()
        world.mint.extend(Self.scene, by: fen(1000))
        var draft = try world.draft()
        while draft.amount.fen > 90 { draft = try world.draft() }
        guard case .accepted = world.mint.decide(draft, isPostedFirst: false) else { throw Unexpected("refused") }
        #expect(world.mint.drainSlices() == [Self.scene: fen(1000 - draft.amount.fen)])
        #expect(world.mint.drainSlices().isEmpty)
        world.mint.rollBack()
        #expect(world.mint.drainSlices() == [Self.scene: draft.amount])
    }
}

extension GrantDraft {
    /// Of money.
    fileprivate var reward: UInt16 {
        guard case .money(let reward) = gift else { preconditionFailure("not money") }
        return reward
    }
}
