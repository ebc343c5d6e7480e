import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@testable import HongbaoRedis

/// What holds for every hot state of tokens (TK-5, DP-4).
@Suite(.timeLimit(.minutes(10))) struct TokensContractTests {
    static let book = BookID(campaign: 7, phase: .live)
    static let other = BookID(campaign: 8, phase: .live)
    static let mint = MintID(3)

    static func grant(
        _ person: UInt64,
        _ rain: UInt16 = 1,
        amount: Int64 = 100,
        in book: BookID = book,
        given: UInt16 = 0
    ) throws -> OpenGrant {
        let scene = SceneID(book: book, number: 1)
        return OpenGrant(
            order: OrderNumber(person: PersonID(person), scene: scene, rain: RainID(rain), awardType: 1, stage: 0),
            amount: try #require(Amount(fen: amount)),
            openedAt: Timestamp(milliseconds: 1_643_630_400_000),
            app: AppID(2),
            given: given
        )
    }

    /// Persons of one part.
    static func persons(_ count: Int) -> [UInt64] {
        let number = TokenPart.number(of: PersonID(1))
        return Array(((1 as UInt64)...).lazy.filter { TokenPart.number(of: PersonID($0)) == number }.prefix(count))
    }

    static let part = TokenPart(of: PersonID(1), mint: mint)

    static func read(
        _ open: TokensBackend.Open,
        _ person: UInt64 = 1,
        in book: BookID = book,
        mint: MintID = mint
    ) async throws -> Set<OpenGrant> {
        let tokens = try await open.tokens.tokens(of: [TokenQuestion(PersonID(person), in: book, mint: mint)])
        #expect(tokens.count == 1 && Set(tokens[0]).count == tokens[0].count)
        return Set(tokens[0])
    }

    static func isUnreadable(_ open: TokensBackend.Open, _ person: UInt64 = 1) async -> Bool {
        do {
            _ = try await read(open, person)
            return false
        } catch {
            return error is HotTokensFault
        }
    }

    @Test(arguments: TokensBackend.allCases) func whatIsWrittenIsRead(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            let persons = Self.persons(3)
            let first = try [
                Self.grant(1), Self.grant(1, 2, amount: 0, given: .max), Self.grant(1, in: Self.other),
                Self.grant(persons[1], amount: .max),
            ]
            var writer = PartWriter(Self.part)
            #expect(try await open.tokens.write([writer.anew(first)]) == [.written])
            #expect(try await Self.read(open) == Set(first[..<2]))
            #expect(try await Self.read(open, in: Self.other) == [first[2]])
            #expect(try await Self.read(open, persons[1]) == [first[3]])
            #expect(try await Self.read(open, persons[2]) == [])
            // Another part of the mint, and the same of another mint, aren't there.
            let elsewhere = try #require(((2 as UInt64)...).first { !persons.contains($0) })
            #expect(await Self.isUnreadable(open, elsewhere))
            await #expect(throws: HotTokensFault.self) { try await Self.read(open, mint: MintID(4)) }
            let all = [1, persons[2], persons[1]].map { TokenQuestion(PersonID($0), in: Self.book, mint: Self.mint) }
            let answers = try await open.tokens.tokens(of: all).map { Set($0) }
            #expect(answers == [Set(first[..<2]), [], [first[3]]])
            #expect(try await open.tokens.tokens(of: []).isEmpty)
            #expect(try await open.tokens.write([]).isEmpty)
        }
    }

    @Test(arguments: TokensBackend.allCases) func changesAddAndRemove(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            var writer = PartWriter(Self.part)
            let (one, two, three) = (try Self.grant(1, 1), try Self.grant(1, 2), try Self.grant(1, 3))
            let write = writer.anew([one])
            #expect(try await open.tokens.write([write]) == [.written])
            // Whoever got no answer writes the same again.
            #expect(try await open.tokens.write([write]) == [.written])
            let change = writer.next([two, three], removed: [one.order])
            for _ in 0..<2 { #expect(try await open.tokens.write([change]) == [.written]) }
            #expect(try await Self.read(open) == [two, three])
            // What isn't there can be removed, and what is there added.
            #expect(try await open.tokens.write([writer.next([two], removed: [one.order])]) == [.written])
            #expect(try await Self.read(open) == [two, three])
            let removed = [three.order, two.order, try Self.grant(Self.persons(2)[1]).order]
            #expect(try await open.tokens.write([writer.next(removed: removed)]) == [.written])
            #expect(try await Self.read(open) == [])
            #expect(try await open.tokens.write([writer.next()]) == [.written])
            #expect(try await Self.read(open) == [])
        }
    }

    @Test(arguments: TokensBackend.allCases) func onlyWhatIsCompleteIsRead(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            var writer = PartWriter(Self.part)
            let (one, two, three) = (try Self.grant(1, 1), try Self.grant(1, 2), try Self.grant(1, 3))
            _ = try await open.tokens.write([writer.anew([one], completes: false)])
            #expect(await Self.isUnreadable(open))
            _ = try await open.tokens.write([writer.next([two])])
            #expect(await Self.isUnreadable(open))
            _ = try await open.tokens.write([writer.next([three], completes: true)])
            #expect(try await Self.read(open) == [one, two, three])
            // Begun anew, what was there counts no more.
            _ = try await open.tokens.write([writer.anew([], completes: false)])
            #expect(await Self.isUnreadable(open))
            _ = try await open.tokens.write([writer.next([three], completes: true)])
            #expect(try await Self.read(open) == [three])
            _ = try await open.tokens.write([writer.anew([])])
            #expect(try await Self.read(open) == [])
        }
    }

    /// A hot state that has lost something doesn't go on as if it hadn't.
    @Test(arguments: TokensBackend.allCases) func whatWasLostIsNoticed(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            var writer = PartWriter(Self.part)
            let (one, two) = (try Self.grant(1, 1), try Self.grant(1, 2))
            // Nothing was begun.
            #expect(try await open.tokens.write([writer.next([one])]) == [.lost])
            #expect(await Self.isUnreadable(open))
            _ = try await open.tokens.write([writer.anew([one])])
            // A write that never came.
            _ = writer.next([two])
            #expect(try await open.tokens.write([writer.next()]) == [.lost])
            #expect(try await Self.read(open) == [one])
            _ = try await open.tokens.write([writer.anew([one, two])])
            // An earlier beginning's.
            var late = writer
            late.round -= 1
            #expect(try await open.tokens.write([late.next(removed: [one.order])]) == [.lost])
            #expect(try await Self.read(open) == [one, two])
            try await open.empty()
            #expect(await Self.isUnreadable(open))
            #expect(try await open.tokens.write([writer.next()]) == [.lost])
            #expect(await Self.isUnreadable(open))
            _ = try await open.tokens.write([writer.anew([one, two])])
            #expect(try await Self.read(open) == [one, two])
        }
    }

    /// Of two engines that both believe to have a mint, the later one has it.
    @Test(arguments: TokensBackend.allCases) func theLaterEpochHasThePart(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            var (old, new) = (PartWriter(Self.part, epoch: 9), PartWriter(Self.part, epoch: 10))
            let (one, two) = (try Self.grant(1, 1), try Self.grant(1, 2))
            _ = try await open.tokens.write([old.anew([one])])
            _ = try await open.tokens.write([new.anew([two])])
            #expect(try await open.tokens.write([old.next([one])]) == [.superseded])
            #expect(try await open.tokens.write([old.anew([one])]) == [.superseded])
            #expect(try await Self.read(open) == [two])
            #expect(try await open.tokens.write([new.next([one])]) == [.written])
            #expect(try await Self.read(open) == [one, two])
        }
    }

    @Test(arguments: TokensBackend.allCases) func whatNobodyWritesIsSoonUnreadable(_ backend: TokensBackend)
        async throws
    {
        var terms = HotTokensTerms()
        terms.validity = .milliseconds(300)
        try await backend.with(terms) { (open) async throws in
            var writer = PartWriter(Self.part)
            _ = try await open.tokens.write([writer.anew([try Self.grant(1)])])
            while await !Self.isUnreadable(open) {}
            #expect(try await open.tokens.write([writer.next()]) == [.lost])
            // An older engine may have it then.
            var old = PartWriter(Self.part, epoch: 0)
            #expect(try await open.tokens.write([old.anew([])]) == [.written])
        }
    }

    @Test(arguments: TokensBackend.allCases) func listsAreKeptForAWhile(_ backend: TokensBackend) async throws {
        var terms = HotTokensTerms.patient
        terms.keeping = .milliseconds(200)
        try await backend.with(terms) { (open) async throws in
            var writer = PartWriter(Self.part)
            _ = try await open.tokens.write([writer.anew([try Self.grant(1)])])
            while try await Self.read(open) != [] {}
            let two = try Self.grant(1, 2)
            while try await Self.read(open) != [two] { _ = try await open.tokens.write([writer.next([two])]) }
        }
    }

    @Test(arguments: TokensBackend.allCases) func whoHasTooManyCantBeShown(_ backend: TokensBackend) async throws {
        var terms = HotTokensTerms.patient
        terms.tokensMax = 3
        try await backend.with(terms) { (open) async throws in
            let second = Self.persons(2)[1]
            var writer = PartWriter(Self.part)
            let three = try (1...3 as ClosedRange<UInt16>).map { try Self.grant(1, $0) }
            _ = try await open.tokens.write([writer.anew(three + [try Self.grant(second)])])
            #expect(try await Self.read(open) == Set(three))
            _ = try await open.tokens.write([writer.next([three[1]])])
            #expect(try await Self.read(open) == Set(three))
            _ = try await open.tokens.write([writer.next([try Self.grant(1, 4)])])
            #expect(await Self.isUnreadable(open))
            // Nobody knows any more which there are.
            _ = try await open.tokens.write([writer.next(removed: three.map(\.order))])
            #expect(await Self.isUnreadable(open))
            #expect(try await Self.read(open, second) == [try Self.grant(second)])
            _ = try await open.tokens.write([writer.anew([three[0]])])
            #expect(try await Self.read(open) == [three[0]])
        }
    }

    @Test(arguments: TokensBackend.allCases) func manyPartsAtOnce(_ backend: TokensBackend) async throws {
        try await backend.with { (open) async throws in
            let grants = try (1...3_000 as ClosedRange<UInt64>).map { try Self.grant($0, amount: Int64($0)) }
            var writes: [TokenWrite] = []
            for number in 0..<TokenPart.count {
                var writer = PartWriter(TokenPart(mint: Self.mint, number: number))
                writes.append(writer.anew(grants.filter { TokenPart.number(of: $0.order.person) == number }))
            }
            #expect(try await open.tokens.write(writes) == writes.map { _ in .written })
            var lost = PartWriter(TokenPart(mint: Self.mint, number: 5))
            var own = PartWriter(TokenPart(mint: Self.mint, number: 6), epoch: 2)
            #expect(try await open.tokens.write([lost.next(), own.anew([])]) == [.lost, .written])
            let questions = grants.map { TokenQuestion($0.order.person, in: Self.book, mint: Self.mint) }
            let answers = try await open.tokens.tokens(of: questions)
            for (grant, answer) in zip(grants, answers) {
                #expect(answer == (TokenPart.number(of: grant.order.person) == 6 ? [] : [grant]))
            }
        }
    }

    /// Whatever is added, removed and begun anew in whatever order: it's what a plain set would be.
    @Test(arguments: TokensBackend.allCases, 0..<3 as Range<UInt64>)
    func itIsWhatAPlainSetIs(_ backend: TokensBackend, seed: UInt64) async throws {
        try await backend.with { (open) async throws in
            var random = Seeded(seed: seed)
            let persons = Self.persons(4)
            var model: Set<OpenGrant> = []
            var writer = PartWriter(Self.part)
            _ = try await open.tokens.write([writer.anew([])])
            for _ in 0..<60 {
                var added: Set<OpenGrant> = []
                for _ in 0..<random.next(below: 6) {
                    let person = persons[Int(random.next(below: 4))]
                    let book = random.next(below: 3) == 0 ? Self.other : Self.book
                    added.insert(try Self.grant(person, UInt16(random.next(below: 20)), in: book))
                }
                let removed = model.subtracting(added).filter { _ in random.next(below: 3) == 0 }
                let write: TokenWrite
                if random.next(below: 10) == 0 {
                    write = writer.anew(Array(added))
                    model = added
                } else {
                    write = writer.next(Array(added), removed: removed.map(\.order))
                    model = model.union(added).subtracting(removed)
                }
                for _ in 0...random.next(below: 2) { #expect(try await open.tokens.write([write]) == [.written]) }
                for person in persons {
                    for book in [Self.book, Self.other] {
                        let own = model.filter { $0.order.person.rawValue == person && $0.order.book == book }
                        #expect(try await Self.read(open, person, in: book) == own)
                    }
                }
            }
        }
    }
}
