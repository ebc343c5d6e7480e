import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Nodes on two databases, each of which has a part of the people (DP-3).
@Suite(.timeLimit(.minutes(15))) struct ShardTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func withdraw(_ houses: [House], _ person: PersonID, _ fen: Int64) async throws -> WithdrawalAnswer {
        let key = try #require(WithdrawalKey(person: person, book: book, id: "w"))
        let amount = try #require(Amount(fen: fen))
        while true {
            let engine = try await houses.engine(of: .person(person))
            let answer = await engine.withdrawals.request(key, amount: amount, now: engine.clock.now()) { _, _ in true }
            guard case .unavailable = answer else { return answer }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func expectWithdrawn(_ houses: [House], _ person: PersonID, _ fen: Int64) async throws {
        switch try await withdraw(houses, person, fen) {
        // Asked again after a fault, it has been accepted before.
        case .accepted, .replayed: break
        case let answer: throw Unexpected("\(fen) fen: \(answer)")
        }
    }

    /// The log, the ledger and the withdrawals of a person are in one database, and the other knows nothing of them.
    @Test func eachHasItsPeople() async throws {
        let town = try await Town(databases: 2)
        let houses = [town.house("a"), town.house("b")]
        try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            for number in 1...60 as ClosedRange<UInt64> {
                for rain in [1, 2] as [UInt16] {
                    _ = try #require(try await houses.grant(PersonID(number), rain: rain, 100).granted)
                }
                let again = try #require(try await houses.grant(PersonID(number), rain: 1, 100).granted)
                #expect(again.isReplay)
            }
            for number in 1...60 as ClosedRange<UInt64> {
                #expect(try await houses.balance(PersonID(number)) == 200)
                guard case .accepted = try await Self.withdraw(houses, PersonID(number), 150) else {
                    throw Unexpected("a withdrawal was refused")
                }
            }
            let view = try #require(
                try await houses[0].engines.any?.budgets.view(campaign: "test", scene: "rain")
            )
            #expect(view.issued.fen == 12_000)
            #expect(view.issued.fen + view.leased.fen + view.available.fen == view.total.fen)
            try await eventually {
                for index in town.stores.indices {
                    for mint in try await town.shards.mints(at: index) where mint.postedSequence < mint.lastSequence {
                        return false
                    }
                }
                return true
            }
        }
        for (index, store) in town.stores.enumerated() {
            try await store.read { (snapshot) throws(StoreError) in
                for number in 1...60 as ClosedRange<UInt64> {
                    let isHere = town.shards.index(of: PersonID(number)) == index
                    let transfers = try snapshot.transfers(of: PersonID(number), in: Self.book)
                    #expect(transfers.count { $0.id.order != nil } == (isHere ? 2 : 0))
                    #expect(try snapshot.withdrawals(of: PersonID(number), in: Self.book).count == (isHere ? 1 : 0))
                }
            }
        }
        try await town.expectSound(120)
        try await town.close()
    }

    /// M6, BU-5: all databases together give no more than there is, and in the end all of it: what one has leased and
    /// not issued goes back when its engine ends.
    @Test func aBudgetIsForAll() async throws {
        let town = try await Town(databases: 2, [.forTests(budget: 1_000)])
        var accepted = 0
        for round in 1...3 as ClosedRange<UInt16> {
            let house = town.house("a\(round)", silence: .seconds(1))
            accepted += try await running(house.services) {
                try await House.until([house], have: [4])
                return try await withThrowingTaskGroup(of: Bool.self) { group in
                    for number in 1...200 as ClosedRange<UInt64> {
                        group.addTask {
                            try await [house].grant(PersonID(number), rain: round, 10).granted != nil
                        }
                    }
                    return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
            }
        }
        #expect(accepted == 100)
        try await town.expectSound(100)
        try await town.close()
    }

    /// BU-5: however many mints there are, each has its part of the budget, and of a slice's quota, before anybody is
    /// refused.
    @Test(arguments: [nil, Quota(amount: Amount(fen: 2_000) ?? .zero, seconds: 86_400)])
    func everyMintHasItsPart(quota: Quota?) async throws {
        let town = try await Town(mints: 24, [.forTests(budget: 20_000, quota: quota)])
        let house = town.house("a")
        try await running(house.services) {
            try await House.until([house], have: [24])
            for mint in town.division.all {
                let people = (1...10_000 as ClosedRange<UInt64>).lazy.map { PersonID($0) }
                let person = try #require(people.first { town.division.mint(of: $0) == mint })
                #expect(try await [house].grant(person, rain: 1, 10).granted != nil, "mint \(mint.rawValue)")
            }
        }
        try await town.expectSound(24)
        try await town.close()
    }

    private static func faulty(_ store: SQLiteStore, _ seed: UInt64?, oneIn: Int) -> any Store {
        guard let seed else { return store }
        return FaultyStore(store, seed: seed, oneIn: oneIn)
    }

    private static func send(_ houses: [House], _ sender: PersonID, shares: Int) async throws -> RedPacketID {
        let granted = try await houses.grant(sender, rain: 9, 1_000, scene: "rain-subsidy").granted
        let order = try #require(granted).order
        let draft = RedPacketDraft(
            key: try #require(SendKey(sender: sender, book: book, id: "p")),
            kind: .b2c,
            split: .of(1_000, shares),
            scope: .everyone,
            cover: try #require(RedPacket.Cover(greeting: "恭喜发财"))
        )
        while true {
            switch try await houses.engine(of: .person(sender)).packets.send(draft, by: order) {
            case .sent(let packet), .replayed(let packet): return packet.id
            case .unavailable: try await Task.sleep(for: .milliseconds(5))
            case let answer: throw Unexpected("\(answer)")
            }
        }
    }

    /// Answers what each has got.
    private static func claimAll(_ houses: [House], _ packet: RedPacketID, _ persons: [PersonID]) async throws
        -> [PersonID: Int64]
    {
        var shares: [PersonID: Int64] = [:]
        for person in persons {
            while shares[person] == nil {
                switch try await houses.engine(of: .packet(packet)).packets.claim(packet, by: person) {
                case .decided(.claimed(let claim, _)), .decided(.alreadyClaimed(let claim, _)):
                    shares[person] = claim.share.fen
                case .unavailable: try await Task.sleep(for: .milliseconds(5))
                case let answer: throw Unexpected("\(answer)")
                }
            }
        }
        return shares
    }

    /// M15: a share of a packet that is in another database is promised by its claim, and can be withdrawn at once.
    @Test(arguments: [nil, 1, 2, 3, 9] as [UInt64?])
    func sharesCross(_ seed: UInt64?) async throws {
        let town = try await Town(databases: 2, [.forTests(subsidies: 1_000_000)]) { index, store in
            Self.faulty(store, seed.map { $0 + UInt64(index) }, oneIn: 6)
        }
        let persons = (100...129).map { PersonID(UInt64($0)) }
        #expect(Set(persons.map { town.shards.index(of: $0) }) == [0, 1])
        let houses = [town.house("a"), town.house("b")]
        try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            for sender in [PersonID(1), PersonID(2), PersonID(3)] {
                let packet = try await Self.send(houses, sender, shares: 30)
                #expect(town.shards.index(of: packet) == town.shards.index(of: sender))
                let shares = try await Self.claimAll(houses, packet, persons)
                #expect(shares.values.reduce(0, +) == 1_000)
                try await eventually {
                    let found = try await town.stores[town.shards.index(of: packet)].read {
                        (snapshot) throws(StoreError) in try snapshot.packet(packet)
                    }
                    return found?.state == .closed
                }
            }
            for person in persons {
                var balance: Int64 = 0
                try await eventually {
                    let reading = try await houses.read(person)
                    balance = reading.view.balance
                    return reading.missing.isEmpty
                }
                try await Self.expectWithdrawn(houses, person, balance)
            }
        }
        try await town.expectSound(3)
        try await town.close()
    }

    /// ID-3: what a person has under a name whose people are in another database goes to who it is, once, and can be
    /// withdrawn at once; what comes to the old name afterwards, too.
    @Test(arguments: [nil, 4, 5, 6, 7, 8] as [UInt64?])
    func mergesCross(_ seed: UInt64?) async throws {
        let town = try await Town(databases: 2, [.forTests(subsidies: 1_000_000)]) { index, store in
            Self.faulty(store, seed.map { $0 + UInt64(index) }, oneIn: 8)
        }
        let houses = [town.house("a"), town.house("b")]
        let count = try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            var count = 0
            for number in 1...4 {
                try await Self.merge(number, town, houses)
                count += 5
            }
            return count
        }
        try await town.expectSound(count)
        try await town.close()
    }

    private static func merge(_ number: Int, _ town: Town, _ houses: [House]) async throws {
        let identities = try await houses.engine(of: .person(PersonID(1))).identities
        let pair = try await Pair(number, identities) { town.shards.index(of: $0) }
        let first = try #require(try await houses.grant(pair.source, rain: 1, 100).granted)
        _ = try #require(try await houses.grant(pair.target, rain: 2, 200).granted)
        // A subsidy under the first name, in that database, and a share of what it has sent.
        let packet = try await send(houses, pair.source, shares: 2)
        let share = try await claimAll(houses, packet, [pair.source]).values.reduce(0, +)
        _ = try await pair.bind(houses[1])
        let again = try #require(try await houses.grant(pair.target, rain: 1, 100).granted)
        #expect(again.isReplay && again.token == first.token)
        _ = try #require(try await houses.grant(pair.source, rain: 3, 300).granted)
        for name in [pair.source, pair.target] {
            // M14: the same packet, under either name.
            #expect(try await send(houses, name, shares: 2) == packet)
            #expect(try await claimAll(houses, packet, [name]).values.reduce(0, +) == share)
            try await eventually { try await houses.balance(name) == 600 + share }
        }
        _ = try #require(try await houses.grant(pair.target, rain: 4, 7).granted)
        try await expectWithdrawn(houses, pair.target, 607 + share)
    }

    /// Whoever began to take a mint over at home and never came to its log leaves its holder able to lease: the holder
    /// begins an epoch that is newer still.
    @Test func whoHasTheLogHasTheMint() async throws {
        let town = try await Town(databases: 2, [.forTests(budget: 100_000)])
        let (_, there) = try #require(Self.onePersonEach(town))
        let house = town.house("a")
        try await running(house.services) {
            try await House.until([house], have: [4])
            _ = try #require(try await [house].grant(there, rain: 1, 10).granted)
            let before = try #require(house.engines.engine(of: .person(there))).granting.epoch
            await #expect(throws: StoreError(.unavailable, "a fault on purpose, before")) {
                try await Self.beginEpochAtHome(of: there, town)
            }
            // More than was leased at first.
            _ = try #require(try await [house].grant(there, rain: 2, 20_000).granted)
            #expect(try #require(house.engines.engine(of: .person(there))).granting.epoch == before + 2)
        }
        try await town.expectSound(2)
        try await town.close()
    }

    /// As a process does that dies before it comes to the mint's log.
    private static func beginEpochAtHome(of person: PersonID, _ town: Town) async throws(StoreError) {
        let log = FaultyStore(town.stores[1]) { call, _ in call == .transact ? .before : nil }
        _ = try await openEpoch(
            of: Seat(mint: town.division.mint(of: person), in: town.division),
            shards: Shards([town.stores[0], log], in: town.division),
            keyring: town.rig.keyring,
            clock: .system,
            leaseSeconds: 60,
            epochSeconds: EpochKeys.validSeconds,
            expecting: nil,
            logger: .silent
        )
    }

    /// DP-3: a database that can't be reached stops what its own people do, and nothing else.
    @Test func theOthersGoOn() async throws {
        let away = Away()
        let town = try await Town(databases: 2) { index, store in
            if index == 0 { return store }
            return FaultyStore(store) { _, _ in away.isOn ? .before : nil }
        }
        let houses = [town.house("a"), town.house("b")]
        let (here, there) = try #require(Self.onePersonEach(town))
        try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            for person in [here, there] { _ = try #require(try await houses.grant(person, rain: 1, 100).granted) }
            away.set(true)
            for rain in 2...20 as ClosedRange<UInt16> {
                _ = try #require(try await houses.grant(here, rain: rain, 100).granted)
            }
            // Shares may be in the other one, so something may be missing; the rest is shown (WL-3).
            let reading = try await houses.read(here)
            #expect(reading.missing == [.ledger] && reading.view.balance == 2_000)
            let request = GrantRequest.forTests(person: there.rawValue, rain: 2, amount: 100)
            for house in houses {
                guard case .unavailable = await house.engines.grant([request])[0] else {
                    throw Unexpected("granted without its database")
                }
            }
            away.set(false)
            #expect(try await houses.grant(there, rain: 3, 100).granted != nil)
        }
        // Before, and after: what was refused meanwhile was not accepted.
        try await town.expectSound(20 + 2)
        try await town.close()
    }

    /// DP-3: a node that ends while one of its engines waits for another database, which never answers, keeps nobody
    /// from its mints.
    @Test func whatWaitsForAnotherIsLeft() async throws {
        let other = Other()
        let town = try await Town(databases: 2, [.forTests(subsidies: 1_000_000)]) { index, store in
            index == 0 ? store : other.wrap(store)
        }
        let (first, second) = (town.house("a", silence: .seconds(1)), town.house("b", silence: .seconds(1)))
        let (here, there) = try #require(Self.onePersonEach(town))
        let isStuck = Away()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await running(first.services) {
                    try await House.until([first], have: [4])
                    let packet = try await Self.send([first], here, shares: 2)
                    #expect(town.shards.index(of: packet) == 0)
                    other.hold()
                    _ = try await Self.claimAll([first], packet, [there])
                    // The share is on its way.
                    try await Task.sleep(for: .milliseconds(800))
                    isStuck.set(true)
                }
            }
            try await eventually { isStuck.isOn }
            try await running(second.services) {
                // Both mints of the database that answers.
                try await eventually { second.engines.all.count == 2 && first.engines.all.isEmpty }
                _ = try #require(try await [second].grant(here, rain: 1, 100).granted)
                other.letGo()
                try await House.until([second], have: [4])
            }
            try await group.waitForAll()
        }
        try await town.expectSound(2)
        try await town.close()
    }

    private final class Other: Sendable {
        private let store = Mutex<FaultyStore<SQLiteStore>?>(nil)

        func wrap(_ base: SQLiteStore) -> any Store {
            let faulty = FaultyStore(base) { _, _ in nil }
            store.withLock { $0 = faulty }
            return faulty
        }
        func hold() { store.withLock { $0?.hold() } }
        func letGo() { store.withLock { $0?.letGo() } }
    }

    private static func onePersonEach(_ town: Town) -> (PersonID, PersonID)? {
        let persons = (1...100 as ClosedRange<UInt64>).map { PersonID($0) }
        guard let here = persons.first(where: { town.shards.index(of: $0) == 0 }),
            let there = persons.first(where: { town.shards.index(of: $0) == 1 })
        else { return nil }
        return (here, there)
    }

    private final class Away: Sendable {
        private let state = Mutex(false)
        var isOn: Bool { state.withLock { $0 } }
        func set(_ isOn: Bool) { state.withLock { $0 = isOn } }
    }

    /// A log that is in another database than its mint's place says isn't read, nor written beside it.
    @Test func anotherOrderOfDatabasesIsRefused() async throws {
        let town = try await Town(databases: 2)
        let house = town.house("a", silence: .seconds(1))
        try await running(house.services) {
            try await House.until([house], have: [4])
            for number in 1...20 as ClosedRange<UInt64> {
                _ = try #require(try await [house].grant(PersonID(number), rain: 1).granted)
            }
        }
        let turned = Shards(town.stores.reversed(), in: town.division)
        for index in town.stores.indices {
            await #expect(throws: StoreError.self) { try await turned.mints(at: index) }
        }
        try await town.close()
    }
}
