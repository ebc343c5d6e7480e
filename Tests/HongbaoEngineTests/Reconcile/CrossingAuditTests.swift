import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// The audit of several databases finds what crosses and shouldn't, and what should and doesn't (M6, M15).
@Suite(.timeLimit(.minutes(15))) struct CrossingAuditTests {
    private static let book = BookID(campaign: 7, phase: .live)

    /// Two databases with some grants in each, and nothing running.
    private static func town() async throws -> Town {
        let town = try await Town(databases: 2)
        let house = town.house("a", silence: .seconds(1))
        try await running(house.services) {
            try await House.until([house], have: [4])
            for number in 1...20 as ClosedRange<UInt64> {
                _ = try #require(try await [house].grant(PersonID(number), rain: 1, 100).granted)
            }
            try await eventually { house.engines.all.allSatisfy { $0.granting.backlog == 0 } }
        }
        try await town.expectSound(20)
        return town
    }

    private static func breaches(_ town: Town) async throws -> [String: Int] {
        let report = try await Audit.run(town.shards, keyring: town.rig.keyring)
        return report.checks.filter { $0.breachCount > 0 }
            .reduce(into: [:]) { $0[$1.invariant, default: 0] += $1.breachCount }
    }

    private static func person(at index: Int, of town: Town) throws -> PersonID {
        try #require((1...20 as ClosedRange<UInt64>).map { PersonID($0) }.first { town.shards.index(of: $0) == index })
    }

    private static func post(_ transfer: Transfer, to store: SQLiteStore) async throws {
        let outcome = try await store.transact(Footprint(posting: [transfer])) { $0.ledger.post(transfer) }
        #expect(outcome == .posted)
    }

    /// A share that no claim promises.
    @Test func whatNobodyPromised() async throws {
        let town = try await Self.town()
        let person = try Self.person(at: 1, of: town)
        let claim = Claim(
            key: ClaimKey(packet: RedPacketID(77), person: person),
            book: Self.book,
            kind: .b2c,
            position: 0,
            share: try #require(Amount(fen: 5)),
            at: town.rig.clock.now,
            nextCheckAt: town.rig.clock.now
        )
        try await Self.post(claim.arrival(at: town.rig.clock.now), to: town.stores[1])
        #expect(try await Self.breaches(town) == ["M15": 1])
        try await town.close()
    }

    /// What a merge is said to have moved, from where nothing left; and what left although nobody was merged.
    @Test func movesWithoutAMerge() async throws {
        let town = try await Self.town()
        let (here, there) = (try Self.person(at: 0, of: town), try Self.person(at: 1, of: town))
        let now = town.rig.clock.now
        let departure = Transfer(
            id: TransferID(person: here, book: Self.book, serial: 1),
            debit: .person(here, in: Self.book),
            credit: .elsewhere(of: Self.book),
            amount: try #require(Amount(fen: 40)),
            at: now,
            postedAt: now
        )
        let arrival = try #require(Arrival(of: departure, from: 0)).transfer(departure, to: there, at: now)
        try await Self.post(arrival, to: town.stores[1])
        #expect(try await Self.breaches(town) == ["M15": 1])
        try await Self.post(departure, to: town.stores[0])
        #expect(try await Self.breaches(town) == ["ID": 1, "M15": 1])
        try await town.close()
    }

    /// ID-3, RC-5: who turns out to be somebody else while databases are read one after the other, and has been moved
    /// in the second one when that is read, is no breach.
    @Test func mergesGoOnMeanwhile() async throws {
        let town = try await Town(databases: 2)
        let house = town.house("a", silence: .seconds(1))
        let home = try await running(house.services) {
            try await House.until([house], have: [4])
            let home = try await Self.read(town, 0, nil)
            let identities = try await [house].engine(of: .person(PersonID(1))).identities
            // From either database into the other.
            for number in 1...12 {
                let pair = try await Pair(number, identities) { town.shards.index(of: $0) }
                _ = try #require(try await [house].grant(pair.source, rain: 1, 100).granted)
                _ = try await pair.bind(house)
                let (source, account) = (town.stores[town.shards.index(of: pair.source)], pair.source)
                try await eventually {
                    try await source.read { (snapshot) throws(StoreError) in
                        let left = try snapshot.account(.person(account, in: Self.book))
                        return left.credits.fen == 100 && left.available == 0
                    }
                }
            }
            return home
        }
        var part = try await Self.read(town, 1, home.identities.targets)
        #expect(part.identities.isOpen)
        var blind = part
        blind.settle([])
        #expect(!blind.report.holds)
        part.settle(try await town.store.read { (snapshot) throws(StoreError) in try snapshot.merges() })
        #expect(part.report.holds)
        var crossing = CrossingAudit(town.shards)
        try await crossing.read(part.crossing, of: 1, part.identities.targets)
        #expect(crossing.promises.breachCount == 0 && crossing.promises.examined > 0)
        try await town.close()
    }

    private static func read(
        _ town: Town,
        _ index: Int,
        _ targets: [PersonID: PersonID]?
    ) async throws -> Audit.Part {
        try await town.stores[index].read { (snapshot) throws(StoreError) in
            let rows = AuditedRows(snapshot, AuditPace())
            return try Audit.read(rows, index, of: town.shards, targets, town.rig.keyring, VerifiedSignatures())
        }
    }

    /// A lease that the home hasn't allotted.
    @Test func aLeaseOfOnesOwn() async throws {
        let town = try await Self.town()
        let mint = try #require(town.division.all.last)
        let scene = try #require(town.rig.campaigns.fundings.first { $0.pool.scene != nil }).pool
        let now = town.rig.clock.now
        var footprint = Footprint()
        footprint.budgets = [scene]
        let amount = try #require(Amount(fen: 1_000))
        let added = try await town.stores[1].transact(footprint) { books in
            books.extendLease(LeaseID(pool: scene, mint: mint), epoch: 99, by: amount, now: now, expiresAt: now)
        }
        #expect(added == amount)
        #expect(try await Self.breaches(town) == ["M6": 1])
        try await town.close()
    }
}

/// The number under which something arrives says where it comes from, and nothing else has such a number.
@Suite struct ArrivalTests {
    @Test func numbersFollowFromEachOther() throws {
        let book = BookID(campaign: 7, phase: .live)
        let amount = try #require(Amount(fen: 1))
        let at = Timestamp(milliseconds: 1)
        var seen: Set<TransferID> = []
        for shard in 0..<Shards.countMax {
            for serial in [1, 2, 1 << 24 - 1] as [UInt32] {
                let departure = Transfer(
                    id: TransferID(person: PersonID(9), book: book, serial: serial),
                    debit: .person(PersonID(9), in: book),
                    credit: .elsewhere(of: book),
                    amount: amount,
                    at: at,
                    postedAt: at
                )
                let arrival = try #require(Arrival(of: departure, from: shard))
                #expect(Arrival(arrival.id) == arrival && Arrival(departure.id) == nil)
                #expect(seen.insert(arrival.id).inserted && arrival.id.isOwn && arrival.id.book == book)
            }
        }
    }

    @Test func onlyWhatLeavesHasOne() throws {
        let book = BookID(campaign: 7, phase: .live)
        let amount = try #require(Amount(fen: 1))
        let at = Timestamp(milliseconds: 1)
        func transfer(_ serial: UInt32, to account: AccountID) -> Transfer {
            let id = TransferID(person: PersonID(9), book: book, serial: serial)
            return Transfer(
                id: id,
                debit: .person(PersonID(9), in: book),
                credit: account,
                amount: amount,
                at: at,
                postedAt: at
            )
        }
        #expect(Arrival(of: transfer(1, to: .payouts(of: book)), from: 0) == nil)
        #expect(Arrival(of: transfer(1 << 24, to: .elsewhere(of: book)), from: 0) == nil)
        #expect(Arrival(of: transfer(1, to: .elsewhere(of: book)), from: 0) != nil)
    }
}
