import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Several nodes, two hot states, and a network between them that loses requests and answers (CT-2, CT-3, M12).
@Suite(.timeLimit(.minutes(5))) struct HotTotalsTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func tally(_ fen: Int64, _ count: Int64) throws -> Tally {
        try #require(Amount(fen: fen).flatMap { Tally(amount: $0, count: count) })
    }

    /// A node, and the networks between it and the two hot states.
    private struct Node {
        let totals: SharedTotals
        let main: UnreliableTotals
        let backup: UnreliableTotals
        let clock = TestClock()
        let alarms = Alarms(logger: .silent)

        init(
            _ mint: UInt32,
            _ main: MemoryTotals,
            _ backup: MemoryTotals,
            given: Tally? = nil,
            seed: UInt64 = 0,
            lossPercent: UInt64 = 0
        ) throws {
            self.main = UnreliableTotals(main, seed: seed &* 2, lossPercent: lossPercent)
            self.backup = UnreliableTotals(backup, seed: seed &* 2 &+ 1, lossPercent: lossPercent)
            var known = GivenTotals()
            if let given { try known.add(given, in: book, of: MintID(mint)) }
            let clock = clock
            totals = SharedTotals(
                mint: MintID(mint),
                given: known,
                campaigns: Campaigns(.forTests([.forTests()])),
                hot: HotTotalsPair(main: self.main, backup: self.backup),
                clock: WallClock { clock.now },
                configuration: SharedTotals.Configuration(),
                alarms: alarms,
                logger: .silent
            )
        }

        func give(_ tally: Tally) { totals.total(of: book).add(tally) }

        /// What its screens show; zero before they show anything.
        var shown: Tally { totals.total(of: book).reading?.tally ?? .zero }
    }

    private static func sum(_ hot: MemoryTotals) async throws -> Tally {
        var sum = Tally.zero
        for part in try await hot.parts(of: [book]) { sum = try #require(sum.adding(part.tally)) }
        return sum
    }

    /// Whatever is lost, and although a node dies and comes again, no screen goes back, none shows more than was given,
    /// and in the end all show exactly that.
    @Test(arguments: 0..<150 as Range<UInt64>)
    func lossesChangeNothingInTheEnd(seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        let loss = 10 + random.next(below: 60)
        var nodes: [Node] = []
        for mint in 1...3 as ClosedRange<UInt32> {
            nodes.append(try Node(mint, main, backup, seed: seed &* 8 &+ UInt64(mint), lossPercent: loss))
        }
        var given = [Tally](repeating: .zero, count: nodes.count)
        var all = Tally.zero
        var shown = [Tally](repeating: .zero, count: nodes.count)
        for step in 0..<120 as Range<UInt64> {
            let index = Int(random.next(below: UInt64(nodes.count)))
            switch random.next(below: 20) {
            case 0..<9:
                let more = try Self.tally(Int64(random.next(below: 500)), 1)
                nodes[index].give(more)
                given[index] = try #require(given[index].adding(more))
                all = try #require(all.adding(more))
            case 9..<17: await nodes[index].totals.flush()
            case 17: await nodes[index].totals.mend()
            case 18: nodes[index].totals.setReadsBackup(random.next(below: 2) == 0)
            default:
                // It's killed, with what it hadn't flushed, and starts again with what its log says.
                let mint = UInt32(index + 1)
                let again = seed &* 1000 &+ step
                nodes[index] = try Node(mint, main, backup, given: given[index], seed: again, lossPercent: loss)
                shown[index] = .zero
            }
            for (index, node) in nodes.enumerated() {
                let now = node.shown
                #expect(now.raised(to: shown[index]) == now, "a screen went back")
                #expect(all.raised(to: now) == all, "more is shown than was given")
                shown[index] = now
            }
        }
        for node in nodes {
            node.main.setLossPercent(0)
            node.backup.setLossPercent(0)
        }
        for _ in 0..<2 {
            for node in nodes { await node.totals.flush() }
        }
        #expect(nodes.map(\.shown) == [Tally](repeating: all, count: nodes.count))
        #expect(try await Self.sum(main) == all)
        #expect(try await Self.sum(backup) == all)
    }

    /// The main hot state can't be reached: its screens stand still, and go on by the backup when they're switched.
    @Test func theBackupTakesOverAndNothingGoesBack() async throws {
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        let node = try Node(1, main, backup)
        node.give(try Self.tally(100, 1))
        await node.totals.flush()
        #expect(node.shown == (try Self.tally(100, 1)))
        node.main.setLossPercent(100)
        node.give(try Self.tally(50, 1))
        await node.totals.flush()
        #expect(node.shown == (try Self.tally(100, 1)))
        node.totals.setReadsBackup(true)
        await node.totals.flush()
        #expect(node.shown == (try Self.tally(150, 2)))
        // The main one is back, and empty.
        main.removeAll()
        node.main.setLossPercent(0)
        node.totals.setReadsBackup(false)
        #expect(node.shown == (try Self.tally(150, 2)))
        await node.totals.flush()
        #expect(node.shown == (try Self.tally(150, 2)))
        #expect(try await Self.sum(main) == Self.tally(150, 2))
    }

    /// What a node had given that isn't there any more is only in the hot states: one gets it from the other (CT-3).
    @Test func aHotStateThatLostEverythingIsMended() async throws {
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        let gone = try Node(2, main, backup)
        gone.give(try Self.tally(700, 7))
        await gone.totals.flush()
        let node = try Node(1, main, backup)
        node.give(try Self.tally(30, 3))
        await node.totals.flush()
        #expect(node.shown == (try Self.tally(730, 10)))
        main.removeAll()
        await node.totals.flush()
        #expect(try await Self.sum(main) == Self.tally(30, 3))
        #expect(node.shown == (try Self.tally(730, 10)))
        // It may be under way, the first time.
        await node.totals.mend()
        #expect(try await Self.sum(main) == Self.tally(30, 3))
        #expect(node.alarms.count(.totalsDiffer) == 0)
        await node.totals.mend()
        #expect(try await Self.sum(main) == Self.tally(730, 10))
        #expect(node.alarms.count(.totalsDiffer) == 1)
        backup.removeAll()
        await node.totals.mend()
        await node.totals.mend()
        #expect(try await Self.sum(backup) == Self.tally(730, 10))
        #expect(node.alarms.count(.totalsDiffer) == 2)
        await node.totals.mend()
        #expect(node.alarms.count(.totalsDiffer) == 2, "they are alike again")
    }

    /// What one hot state doesn't know yet, since it's written after the other, alarms nobody.
    @Test func whatIsUnderWayAlarmsNobody() async throws {
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        let node = try Node(1, main, backup)
        let other = try Node(2, main, backup)
        for _ in 0..<5 {
            // The other node's flush has come to the main one only.
            other.backup.setLossPercent(100)
            other.give(try Self.tally(10, 1))
            await other.totals.flush()
            await node.totals.flush()
            await node.totals.mend()
            #expect(try await Self.sum(main) != Self.sum(backup))
            other.backup.setLossPercent(0)
            await other.totals.flush()
        }
        #expect(node.alarms.count(.totalsDiffer) == 0)
        #expect(try await Self.sum(main) == Self.sum(backup))
        // One that can't be reached for long does.
        other.backup.setLossPercent(100)
        other.give(try Self.tally(10, 1))
        await other.totals.flush()
        await node.totals.mend()
        await node.totals.mend()
        #expect(node.alarms.count(.totalsDiffer) == 1)
        #expect(try await Self.sum(main) == Self.sum(backup))
    }

    /// A node that starts can be told to show the backup, as the operator's switch does while it runs.
    @Test func aNodeStartsWithWhatItsSettingSays() async throws {
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        var configuration = SharedTotals.Configuration()
        configuration.readsBackup = true
        let network = UnreliableTotals(main, lossPercent: 100)
        let totals = SharedTotals(
            mint: MintID(1),
            given: GivenTotals(),
            campaigns: Campaigns(.forTests([.forTests()])),
            hot: HotTotalsPair(main: network, backup: backup),
            clock: WallClock { TestClock().now },
            configuration: configuration,
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
        totals.total(of: Self.book).add(try Self.tally(5, 1))
        await totals.flush()
        #expect(totals.total(of: Self.book).reading?.tally == (try Self.tally(5, 1)))
    }

    /// Other mints' grants that were in the log at the start are told to hot states that didn't answer then, too.
    @Test func whatTheLogSaysOfOthersIsToldUntilItIsHeard() async throws {
        let (main, backup) = (MemoryTotals(), MemoryTotals())
        var known = GivenTotals()
        try known.add(try Self.tally(500, 5), in: Self.book, of: MintID(9))
        let network = UnreliableTotals(main, lossPercent: 100)
        let totals = SharedTotals(
            mint: MintID(1),
            given: known,
            campaigns: Campaigns(.forTests([.forTests()])),
            hot: HotTotalsPair(main: network, backup: backup),
            clock: WallClock { TestClock().now },
            configuration: SharedTotals.Configuration(),
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
        await totals.flush()
        #expect(totals.read(campaign: "test") == .unavailable)
        #expect(try await Self.sum(backup) == Self.tally(500, 5))
        network.setLossPercent(0)
        await totals.flush()
        #expect(totals.total(of: Self.book).reading?.tally == (try Self.tally(500, 5)))
        #expect(totals.read(campaign: "nobody") == .campaignUnknown)
    }
}

extension GivenTotals {
    /// As if so many grants were in the log, the first with all the money.
    fileprivate mutating func add(_ tally: Tally, in book: BookID, of mint: MintID) throws {
        let scene = SceneID(book: book, number: 1)
        let payloads = (0..<tally.count).map { index in
            GrantPayload(
                app: AppID(1),
                order: OrderNumber(
                    person: PersonID(UInt64(index + 1)),
                    scene: scene,
                    rain: RainID(1),
                    awardType: 1,
                    stage: 0
                ),
                amount: index == 0 ? tally.amount : .zero,
                openedAt: Timestamp(milliseconds: 0),
                status: .processing
            )
        }
        add(payloads, of: mint)
    }
}
