import HongbaoCore
import HongbaoEngine
import Testing

/// Merges among the mints of a cluster, through every store (ID-3, DP-3).
@Suite struct PendingMergeStoreTests {
    // Persons and keys with the sign bit set.
    private static let (source, target) = (PersonID(.max - 4), PersonID(9))
    private static let (user, other) = (UserKey(bits: .max - 1), UserKey(bits: 2))
    private static let phone = PhoneKey(bits: 1 << 127 | 5)
    private static let mints = 64

    private static let pending = PendingMerge(
        source: source,
        target: target,
        user: user,
        phone: phone,
        joining: .always,
        at: Fixture.now,
        mints: mints
    )

    private static func order(_ rain: UInt16, _ mint: UInt32) -> MergedOrder {
        let entry = OrderTable.Entry(
            sequence: (1 << 48) - 1,
            index: 255,
            amount: rain == 1 ? Fixture.fen(10) : .zero,
            choice: rain == 1 ? .first : RewardChoice(meant: 4, given: RewardChoice.blessing),
            status: .processing,
            mint: MintID(mint)
        )
        let scene = Fixture.scene
        return MergedOrder(
            OrderNumber(person: source, scene: scene, rain: RainID(rain), awardType: 1, stage: 1),
            entry
        )
    }

    /// Two persons, and the mints that they are divided among.
    private static func begin(_ store: any Store) async throws {
        var footprint = Footprint()
        footprint.mints = Division(mints: mints).all
        try await store.transact(footprint) { books in
            for mint in Division(mints: mints).all {
                let epoch = EpochRecord(mint: mint, epoch: 1, certificate: [1], wrappedDataKey: [2], isRevoked: false)
                _ = books.openEpoch(of: mint, epoch, in: Division(mints: mints), at: "http://a")
            }
        }
        for (key, phone, person) in [(user, nil, source), (other, phone, target)] {
            let footprint = Footprint(resolving: key, phone: phone, persons: [person])
            let outcome = try await store.transact(footprint) { books in
                books.resolve(
                    key,
                    phone: phone,
                    fresh: person,
                    expected: nil,
                    joining: .ifAlone,
                    now: Fixture.now
                )
            }
            #expect(outcome == .made(person))
        }
        var announcing = Footprint(resolving: user, phone: phone, persons: [source, target])
        announcing.pendingMerges = [source]
        for expected in [true, false] {
            let isNew = try await store.transact(announcing) { $0.announce(pending) }
            #expect(isNew == expected)
        }
    }

    private static func acknowledge(_ store: any Store, _ mint: MintID, _ orders: [MergedOrder]) async throws {
        let footprint = Footprint(acknowledging: pending, by: mint, names: [source])
        try await store.transact(footprint) { books in
            books.acknowledge(source, by: mint, layingOpen: orders, now: Fixture.now)
        }
    }

    @Test(arguments: Backend.all)
    func itIsMadeByTheLastOfAll(_ backend: Backend) async throws {
        let orders = [Self.order(1, 3), Self.order(2, 64)]
        try await backend.withRestart { store in
            try await Self.begin(store)
            for mint in Division(mints: Self.mints).all.dropLast() {
                try await Self.acknowledge(store, mint, mint == MintID(3) ? [orders[0]] : [])
            }
        } then: { store in
            let waiting = try await store.read { (snapshot) throws(StoreError) in try snapshot.pendingMerges() }
            #expect(waiting.map(\.waiting) == [1] && waiting[0].persons == [Self.source, Self.target])
            #expect(waiting[0].user == Self.user && waiting[0].phone == Self.phone && waiting[0].at == Fixture.now)
            #expect(waiting[0].joining == .always && !waiting[0].isAcknowledged(by: MintID(64)))
            let early = try await store.read { (snapshot) throws(StoreError) in try snapshot.merge(of: Self.source) }
            #expect(early == nil)
            // One of them is there already.
            try await Self.acknowledge(store, MintID(64), orders)
            let (left, merge, found) = try await store.read { (snapshot) throws(StoreError) in
                (
                    try snapshot.pendingMerges(), try snapshot.merge(of: Self.source),
                    try snapshot.mergedOrders(of: Self.source)
                )
            }
            #expect(left.isEmpty && merge == Merge(source: Self.source, target: Self.target, at: Fixture.now))
            #expect(found.sorted { $0.order < $1.order } == orders)
        }
    }

    /// The schema's own word, whatever a decision believes: nobody is merged before all mints know.
    @Test(arguments: Backend.all)
    func nobodyIsMergedBehindAMintsBack(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await Self.begin(store)
            let footprint = Footprint(resolving: Self.user, phone: Self.phone, persons: [Self.source, Self.target])
            await #expect(throws: StoreError.self) {
                try await store.transact(footprint) { books in
                    _ = books.resolve(
                        Self.user,
                        phone: Self.phone,
                        fresh: Self.source,
                        expected: Self.source,
                        joining: .ifAlone,
                        now: Fixture.now
                    )
                }
            }
            #expect(try await store.read { (snapshot) throws(StoreError) in try snapshot.merges() }.isEmpty)
        }
    }
}
