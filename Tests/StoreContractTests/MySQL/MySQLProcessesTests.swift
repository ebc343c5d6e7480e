#if MySQL
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// Several processes on one database, each as a store of its own: none undoes what another has done.
    @Suite struct MySQLProcessesTests {
        private static func withStores(_ count: Int, _ body: ([MySQLStore]) async throws -> Void) async throws {
            let address = try await MySQLHome().prepare()
            var stores: [MySQLStore] = []
            for _ in 0..<count { stores.append(try await MySQLStore(address)) }
            try await body(stores)
            for store in stores { await store.close() }
        }

        /// LG-5: the same transfers from three processes at once, in orders that would deadlock: each is posted once.
        @Test func transfersArePostedOnce() async throws {
            try await Self.withStores(3) { stores in
                try await stores[0].fund(1_000_000)
                let outcomes = try await withThrowingTaskGroup { group in
                    for (index, store) in stores.enumerated() {
                        for part in 0..<40 as Range<UInt64> {
                            group.addTask { () async throws -> [TransferOutcome] in
                                let persons = (0..<10 as Range<UInt64>).map { (part * 5 + $0) % 60 + 1 }
                                let grants = persons.map { Fixture.grant(to: $0) }
                                return try await store.post(index == 1 ? grants.reversed() : grants)
                            }
                        }
                    }
                    return try await group.reduce(into: [TransferOutcome]()) { $0 += $1 }
                }
                #expect(outcomes.count { $0 == .posted } == 60)
                #expect(outcomes.count { $0 == .alreadyPosted } == outcomes.count - 60)
                #expect(try await stores[1].account(.budget(of: Fixture.scene)).debits == Fixture.fen(6_000))
                for person in 1...60 as ClosedRange<UInt64> {
                    let account = try await stores[2].account(.person(PersonID(person), in: Fixture.book))
                    #expect(account.credits == Fixture.fen(100))
                }
            }
        }

        /// M2: money that is there once is spent once, and an account that has no row yet is made once.
        @Test func balancesAreNotLost() async throws {
            try await Self.withStores(2) { stores in
                try await stores[0].fund(1_000)
                let outcomes = try await withThrowingTaskGroup { group in
                    for number in 0..<40 as Range<UInt64> {
                        let store = stores[Int(number % 2)]
                        group.addTask { () async throws -> [TransferOutcome] in
                            // Each is another grant to one of two persons; the budget is enough for ten.
                            try await store.post([Fixture.grant(to: number % 4 / 2 + 1, rain: UInt16(number + 1))])
                        }
                    }
                    return try await group.reduce(into: [TransferOutcome]()) { $0 += $1 }
                }
                #expect(outcomes.count { $0 == .posted } == 10)
                #expect(outcomes.count { $0 == .insufficientFunds } == 30)
                var credits: Int64 = 0
                for person in 1...2 as ClosedRange<UInt64> {
                    credits += try await stores[1].account(.person(PersonID(person), in: Fixture.book)).credits.fen
                }
                #expect(credits == 1_000)
            }
        }

        /// How many of a mint's batches from 2 to 40 are appended before one is refused, and why it is.
        private static func appendUntilRefused(_ store: MySQLStore) async -> (count: Int, code: StoreError.Code?) {
            var count = 0
            for sequence in 2...40 as ClosedRange<UInt64> {
                do throws(StoreError) {
                    try await store.append(Fixture.group([sequence]))
                } catch {
                    return (count, error.code)
                }
                count += 1
            }
            return (count, nil)
        }

        /// BU-5: a mint that another process has taken over appends nothing more, and its lease gives nothing more.
        @Test func whoeverIsFencedAppendsNothing() async throws {
            try await Self.withStores(2) { stores in
                let (old, new) = (stores[0], stores[1])
                try await old.prepareToMint(lease: 100_000)
                try await old.append(Fixture.group([1]))
                async let appending = Self.appendUntilRefused(old)
                try await new.openEpoch()
                let (count, code) = await appending
                #expect(code == .fenced || count == 39)
                #expect(try await new.log().count == 1 + count)
                await expect(.fenced) { try await old.append(Fixture.group([UInt64(2 + count)])) }
                #expect(try await new.leases().map(\.issued.fen) == [Int64(20 * (1 + count))])
            }
        }

        /// ID-2: a phone that nobody had is one person's, whichever processes meet it first.
        @Test func phonesAreOnePersons() async throws {
            try await Self.withStores(2) { stores in
                for phone in 1...10 as ClosedRange<UInt128> {
                    try await withThrowingTaskGroup { group in
                        for (index, store) in stores.enumerated() {
                            group.addTask {
                                let key = UserKey(bits: phone << 8 | UInt128(index))
                                let fresh = PersonID(UInt64(phone) * 10 + UInt64(index))
                                let phone = PhoneKey(bits: phone)
                                let footprint = Footprint(resolving: key, phone: phone, persons: [fresh])
                                _ = try await store.transact(footprint) { books in
                                    books.resolve(
                                        key,
                                        phone: phone,
                                        fresh: fresh,
                                        expected: nil,
                                        joining: .ifAlone,
                                        now: Fixture.now
                                    )
                                }
                            }
                        }
                        try await group.waitForAll()
                    }
                    let users = try await stores[0].read { snapshot throws(StoreError) in
                        try snapshot.identities(on: PhoneKey(bits: phone))
                    }
                    #expect(Set(users.map(\.person)).count <= 1)
                }
            }
        }
    }
#endif
