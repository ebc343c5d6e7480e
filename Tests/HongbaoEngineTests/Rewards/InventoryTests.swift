import HongbaoCore
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Inventories: exact under lost replies and retries, with fallbacks, draws and quotas (BU-3 to BU-6).
@Suite(.timeLimit(.minutes(15))) struct InventoryTests {
    /// The original's way: one counter that every try takes a piece from, with 5 % more pieces than there are to make
    /// up for tries whose answer got lost.
    private struct OneCounter {
        var left: Int
        var consumed = 0

        mutating func take() -> Bool {
            guard left > 0 else { return false }
            left -= 1
            consumed += 1
            return true
        }
    }

    /// BU-5: of 30 % of all answers nobody hears, and each is asked for up to ten times more. Nothing is taken twice
    /// and nothing is lost: all 10,000 are given to 10,000 people, and one more gets none.
    @Test func retriesTakeNothing() async throws {
        let bench = try RewardRig(TestCoupons(10_000))
        var random = Seeded(seed: 5)
        var counter = OneCounter(left: 10_500)
        var heardOfOurs = 0
        var heardOfCounter = 0
        var tries: [[Bool]] = []
        for _ in 0..<10_000 {
            var isHeard: [Bool] = []
            repeat {
                isHeard.append(Int.random(in: 0..<10, using: &random) >= 3)
            } while isHeard.last == false
                && isHeard.count < 11
            tries.append(isHeard)
            // Every try takes a piece; who hears nothing tries again.
            for isHeard in isHeard where counter.take() { if isHeard { heardOfCounter += 1 } }
        }
        let all = tries
        heardOfOurs = try await bench.rig.run { engine in
            var heard = 0
            var open = Array(all.enumerated())
            for attempt in 0..<11 {
                open = open.filter { $1.count > attempt }
                for start in stride(from: 0, to: open.count, by: 1_000) {
                    let part = open[start..<min(start + 1_000, open.count)]
                    let granted = try await RewardRig.grant(
                        engine,
                        part.map { RewardRig.request(UInt64($0.offset) + 1) }
                    )
                    heard += part.count { $0.element[attempt] }
                    #expect(granted.allSatisfy { $0.isReplay == (attempt > 0) && $0.rewardID == "tea-coupon" })
                }
            }
            let late = await engine.granting.grant([RewardRig.request(20_000)]).first
            guard case .refused(.inventoryExhausted)? = late else { throw Unexpected("\(String(describing: late))") }
            let view = try await RewardRig.inventory(engine)
            #expect(view.issued.fen == 10_000 && view.leased == .zero && view.available == .zero)
            try await engine.drain()
            try await eventually { bench.downstream.given.count == 10_000 }
            return heard
        }
        #expect(bench.downstream.contradictions == 0)
        #expect(heardOfOurs == all.count { $0.last == true })
        // Its shop has more pieces and serves fewer people: what lost answers took is gone.
        #expect(counter.consumed == 10_500 && heardOfCounter < 8_000, "\(heardOfCounter) of 10,000 served")
        try await bench.expectSound()
    }

    /// BU-4: below the reserve the backup is given, below the backup's a blessing; a repeat gets the same again, by
    /// whatever the inventory is then.
    @Test func fallbacksInTheirOrder() async throws {
        var bench = try RewardRig(TestCoupons(10, reserveBasisPoints: 1_000, backup: 4, blessing: "新年快乐"))
        let first = try await bench.rig.run { engine in
            var granted: [Granted] = []
            for person in 1...14 as ClosedRange<UInt64> {
                granted += try await RewardRig.grant(engine, [RewardRig.request(person)])
            }
            let texts = granted.map { "\($0.rewardID ?? "none") \($0.fallback.map { "\($0)" } ?? "as meant")" }
            let blessing = "none blessing(\"新年快乐\")"
            #expect(
                texts == Array(repeating: "tea-coupon as meant", count: 9)
                    + Array(repeating: "tea-backup backup", count: 3) + [blessing, blessing]
            )
            #expect(granted.map(\.status) == granted.map { $0.rewardID == nil ? .credited : .processing })
            let view = try await RewardRig.inventory(engine)
            #expect(view.issued.fen == 9 && view.available.fen == 1 && view.reserve.fen == 1)
            let blessed = try #require(try await engine.granting.find(granted[12].order))
            #expect(blessed.status == .credited && blessed.amount == .zero)
            return granted
        }
        // Ten times as many, after a restart: the first answers stay (M14).
        bench.rig.campaigns = .forTests([.forTests(coupons: TestCoupons(100, backup: 40, blessing: "新年快乐"))])
        try await bench.rig.run { engine in
            for (place, earlier) in first.enumerated() {
                let again = try await RewardRig.grant(engine, [RewardRig.request(UInt64(place) + 1)])[0]
                #expect(again.isReplay && again.token == earlier.token && again.status == earlier.status)
                #expect(again.rewardID == earlier.rewardID && again.fallback == earlier.fallback)
            }
            // Named or not, what was meant is the same; another reward is a conflict (GR-3).
            let named = try await RewardRig.grant(engine, [RewardRig.request(12, rewardID: "tea-coupon")])[0]
            #expect(named.isReplay && named.rewardID == "tea-backup")
            // Blessings are nobody's to show.
            #expect(try await RewardRig.wallet(engine, 14).rewards.isEmpty)
        }
        try await bench.expectSound()
    }

    /// A draw is decided by its order number: nobody can roll again, and shares are what the file says.
    @Test func drawsAreDecidedOnce() async throws {
        var coupons = TestCoupons(100_000, blessing: "再抽一张")
        let rare = RewardID(
            key: "tea-rare",
            number: 6,
            inventory: Inventory(pieces: try #require(Amount(fen: 100_000)), reserveBasisPoints: 0)
        )
        coupons.ids.append(rare)
        coupons.draw = [DrawShare(id: coupons.ids[0], points: 7_000), DrawShare(id: rare, points: 2_000)]
        let bench = try RewardRig(coupons)
        func draw(_ people: ClosedRange<UInt64>) async throws -> [String] {
            try await bench.rig.run { engine in
                var drawn: [String] = []
                for start in stride(from: people.lowerBound, through: people.upperBound, by: 500) {
                    let part = (start..<min(start + 500, people.upperBound + 1)).map { RewardRig.request($0) }
                    drawn += try await RewardRig.grant(engine, part).map { $0.rewardID ?? "blessing" }
                }
                return drawn
            }
        }
        let first = try await draw(1...5_000)
        #expect(try await draw(1...5_000) == first)
        // A binomial with n = 5,000: four standard deviations are under 130.
        #expect(abs(first.count { $0 == "tea-coupon" } - 3_500) < 130)
        #expect(abs(first.count { $0 == "tea-rare" } - 1_000) < 130)
        #expect(abs(first.count { $0 == "blessing" } - 500) < 130)
        let other = try RewardRig(coupons)
        let others = try await other.rig.run { engine in
            try await RewardRig.grant(engine, (1...500).map { RewardRig.request($0) }).map { $0.rewardID ?? "blessing" }
        }
        // Another installation has another seed.
        #expect(others != Array(first.prefix(500)))
    }

    /// A quota gives a pool out in slices: what comes too early is refused, and granted in the next slice.
    @Test func quotasGiveOutInSlices() async throws {
        let quota = Quota(amount: try #require(Amount(fen: 5)), seconds: 60)
        let bench = try RewardRig(TestCoupons(100, quota: quota))
        let clock = bench.rig.clock
        try await bench.rig.run { engine in
            func granted(_ people: ClosedRange<UInt64>) async throws -> [String] {
                await engine.granting.grant(people.map { RewardRig.request($0) }).map { answer in
                    if case .refused(let refusal) = answer { "\(refusal)" } else { "granted" }
                }
            }
            let first = try await granted(1...8)
            #expect(first == Array(repeating: "granted", count: 5) + Array(repeating: "quotaExhausted", count: 3))
            clock.advance(seconds: 61)
            try await eventually { try await granted(6...6) == ["granted"] }
            #expect(try await granted(6...13).count { $0 == "granted" } == 5)
            #expect(try await RewardRig.inventory(engine).issued.fen == 10)
        }
        try await bench.expectSound()
    }

    /// BU-6: what a dead node holds is shown as stranded, and comes back when its lease has lapsed.
    @Test func strandedPiecesComeBack() async throws {
        let bench = try RewardRig(TestCoupons(100))
        let clock = bench.rig.clock
        let pool = PoolID(TemplateID(book: RewardRig.book, number: 2))
        try await bench.rig.run { engine in
            var footprint = Footprint()
            footprint.budgets = [pool]
            let now = clock.now
            let amount = try #require(Amount(fen: 60))
            let added = try await engine.store.transact(footprint) { books in
                books.extendLease(
                    LeaseID(pool: pool, mint: MintID(9)),
                    epoch: 1,
                    by: amount,
                    now: now,
                    expiresAt: now.advanced(bySeconds: 30)
                )
            }
            #expect(added == amount)
            let answers = await engine.granting.grant((1...60).map { RewardRig.request($0) })
            #expect(answers.count { $0.granted != nil } == 40)
            #expect(try await RewardRig.inventory(engine).stranded == .zero)
            clock.advance(seconds: 31)
            #expect(try await RewardRig.inventory(engine).stranded == amount)
            try await eventually {
                await engine.granting.grant((1...100).map { RewardRig.request($0) }).allSatisfy { $0.granted != nil }
            }
            let view = try await RewardRig.inventory(engine)
            #expect(view.issued.fen == 100 && view.leased == .zero && view.stranded == .zero)
        }
        try await bench.expectSound()
    }
}
