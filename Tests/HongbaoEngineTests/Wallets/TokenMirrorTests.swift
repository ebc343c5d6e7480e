import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// What enters and leaves the token lists enters and leaves the hot state, whatever that loses (TK-5).
@Suite(.timeLimit(.minutes(10))) struct TokenMirrorTests {
    static let book = BookID(campaign: 7, phase: .live)

    /// Token lists, a hot state that can fail, and the mirror between them.
    struct Bench: Sendable {
        let lists = TokenLists()
        let hot: UnreliableTokens
        let memory: MemoryTokens
        let mirror: TokenMirror

        init(seed: UInt64 = 0, configuration: TokenMirror.Configuration = .init()) {
            let clock = WallClock.system
            var terms = HotTokensTerms()
            terms.validity = .seconds(600)
            memory = MemoryTokens(terms, clock: clock)
            hot = UnreliableTokens(memory, seed: seed)
            mirror = TokenMirror(
                lists,
                to: hot,
                seat: .alone,
                epoch: 1,
                clock: clock,
                configuration: configuration,
                logger: .silent
            )
        }

        @discardableResult
        func add(_ person: UInt64, rain: UInt16 = 1) -> OrderNumber {
            let payload = GrantPayload.forTests(person: person, rain: rain)
            lists.add([payload], [.first])
            return payload.order
        }

        func post(_ orders: [OrderNumber]) { lists.markPosted(orders, keptUntil: .seconds(1 << 40)) }

        /// `nil` when it can't tell.
        func shown(_ person: UInt64) async -> Set<OrderNumber>? {
            let question = TokenQuestion(PersonID(person), in: TokenMirrorTests.book, mint: .first)
            do throws(HotTokensFault) {
                return Set(try await memory.tokens(of: [question])[0].map(\.order))
            } catch {
                return nil
            }
        }

        func unposted(_ person: UInt64) -> Set<OrderNumber> {
            Set(lists.unposted(of: PersonID(person), in: TokenMirrorTests.book).map(\.order))
        }
    }

    @Test func whatComesIsShownAndWhatIsPostedGoes() async throws {
        let bench = Bench()
        let first = bench.add(1)
        #expect(await bench.shown(1) == nil)
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [first])
        #expect(await bench.shown(2) == [])
        let second = bench.add(1, rain: 2)
        #expect(await bench.shown(1) == [first])
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [first, second])
        bench.post([first])
        #expect(await bench.shown(1) == [first, second])
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [second])
        // Posted again by the log's poster, and swept: nothing is left to tell.
        bench.post([first, second])
        bench.lists.sweep(now: .seconds(1 << 41))
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [])
    }

    /// What was posted before anybody looked is never written.
    @Test func whatComesAndGoesCostsNothing() async throws {
        let bench = Bench()
        #expect(await bench.mirror.flush())
        let count = bench.hot.writeCount
        for person in 1...50 as ClosedRange<UInt64> { bench.post([bench.add(person)]) }
        #expect(await bench.mirror.flush())
        #expect(bench.hot.writeCount == count)
    }

    /// Nothing is kept for a hot state that doesn't answer, and all of it is written when it does.
    @Test func afterAFaultAllIsWrittenAnew() async throws {
        let bench = Bench()
        let first = bench.add(1)
        #expect(await bench.mirror.flush())
        bench.hot.setLossPercent(100)
        let second = bench.add(1, rain: 2)
        #expect(await !bench.mirror.flush())
        let number = TokenPart.number(of: PersonID(1))
        #expect(bench.lists.takeChanges(of: number) == nil)
        bench.post([first])
        let third = bench.add(1, rain: 3)
        #expect(await !bench.mirror.flush())
        bench.hot.setLossPercent(0)
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [second, third])
        bench.post([second])
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [third])
    }

    /// More changes than are kept: they are dropped, and the part is written anew.
    @Test func anOverflowIsWrittenAnew() async throws {
        let bench = Bench()
        #expect(await bench.mirror.flush())
        let number = TokenPart.number(of: PersonID(1))
        let persons = ((1 as UInt64)...).lazy.filter { TokenPart.number(of: PersonID($0)) == number }
            .prefix(TokenChanges.countMax)
        for person in persons { bench.add(person) }
        #expect(bench.lists.takeChanges(of: number)?.count == TokenChanges.countMax)
        for person in persons { bench.add(person, rain: 2) }
        let more = bench.add(1, rain: 3)
        #expect(bench.lists.takeChanges(of: number) == nil)
        bench.post([more])
        #expect(await bench.mirror.flush())
        for person in persons.prefix(20) {
            #expect(await bench.shown(person) == bench.unposted(person))
            #expect(bench.unposted(person).count == 2)
        }
    }

    @Test func anEmptyHotStateIsNoticedByTheNextBeat() async throws {
        var configuration = TokenMirror.Configuration()
        configuration.beat = .zero
        let bench = Bench(configuration: configuration)
        let first = bench.add(1)
        #expect(await bench.mirror.flush())
        bench.memory.removeAll()
        #expect(await bench.shown(1) == nil)
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [first])
    }

    /// Of two engines the later one has the mint's parts; the earlier one doesn't hold its lists against it.
    @Test func theLaterEngineWins() async throws {
        let bench = Bench()
        let first = bench.add(1)
        #expect(await bench.mirror.flush())
        let lists = TokenLists()
        let later = TokenMirror(lists, to: bench.hot, seat: .alone, epoch: 2, clock: .system, logger: .silent)
        #expect(await later.flush())
        #expect(await bench.shown(1) == [])
        bench.add(1, rain: 2)
        #expect(await !bench.mirror.flush())
        #expect(await !bench.mirror.flush())
        #expect(await bench.shown(1) == [])
        lists.add([.forTests(person: 1, rain: 1)], [.first])
        #expect(await later.flush())
        #expect(await bench.shown(1) == [first])
    }

    /// All of a part is written again from time to time, so that lists which nobody changes aren't forgotten.
    @Test func whatWaitsForLongIsKept() async throws {
        var configuration = TokenMirror.Configuration()
        configuration.refresh = .zero
        let bench = Bench(configuration: configuration)
        let first = bench.add(1)
        #expect(await bench.mirror.flush())
        // As if its time had run out: the list goes, and the part stays.
        let part = TokenPart(of: PersonID(1), mint: .first)
        let gone = TokenWrite(part, epoch: 1, round: 1, number: 1, removed: [first])
        #expect(try await bench.memory.write([gone]) == [.written])
        #expect(await bench.shown(1) == [])
        #expect(await bench.mirror.flush())
        #expect(await bench.shown(1) == [first])
    }

    @Test func largePartsAreWrittenInPieces() async throws {
        var configuration = TokenMirror.Configuration()
        configuration.changesMax = 3
        configuration.anewMax = 10
        let bench = Bench(configuration: configuration)
        for person in 1...40 as ClosedRange<UInt64> {
            for rain in 1...10 as ClosedRange<UInt16> { bench.add(person, rain: rain) }
        }
        #expect(await bench.mirror.flush())
        for person in 1...40 as ClosedRange<UInt64> {
            #expect(await bench.shown(person) == bench.unposted(person))
            bench.post(Array(bench.unposted(person).prefix(7)))
        }
        #expect(await bench.mirror.flush())
        for person in 1...40 as ClosedRange<UInt64> {
            #expect(await bench.shown(person) == bench.unposted(person))
            #expect(bench.unposted(person).count == 3)
        }
    }

    /// However often requests and answers are lost and the hot state loses everything: what it shows was accepted, has
    /// all that wasn't posted when the mirror was last up to date, and is exact when all is still.
    @Test(arguments: 0..<30 as Range<UInt64>) func whateverIsLost(seed: UInt64) async throws {
        var random = Seeded(seed: seed)
        var configuration = TokenMirror.Configuration()
        configuration.beat = .zero
        configuration.changesMax = Int(random.next(below: 5)) + 1
        let bench = Bench(seed: seed, configuration: configuration)
        var accepted: [UInt64: Set<OrderNumber>] = [:]
        var open: [OrderNumber] = []
        var mirrored: Set<OrderNumber> = []
        for _ in 0..<300 {
            switch random.next(below: 10) {
            case 0...3:
                let person = random.next(below: 5) + 1
                let payload = GrantPayload.forTests(person: person, rain: UInt16(random.next(below: 900)))
                guard accepted[person, default: []].insert(payload.order).inserted else { continue }
                bench.lists.add([payload], [.first])
                open.append(payload.order)
            case 4...5 where !open.isEmpty:
                let order = open.remove(at: Int(random.next(below: UInt64(open.count))))
                mirrored.remove(order)
                bench.post([order])
            case 6: bench.hot.setLossPercent(random.next(below: 3) * 30)
            case 7 where random.next(below: 4) == 0: bench.memory.removeAll()
            default:
                if await bench.mirror.flush() { mirrored = Set(open) }
            }
            for person in 1...5 as ClosedRange<UInt64> {
                guard let shown = await bench.shown(person) else { continue }
                #expect(shown.isSubset(of: accepted[person] ?? []))
                #expect(shown.isSuperset(of: mirrored.filter { $0.person.rawValue == person }))
            }
        }
        bench.hot.setLossPercent(0)
        while await !bench.mirror.flush() {}
        for person in 1...5 as ClosedRange<UInt64> {
            #expect(await bench.shown(person) == bench.unposted(person))
        }
    }
}
