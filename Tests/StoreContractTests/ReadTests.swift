import Dispatch
import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@Suite struct ReadTests {
    /// WL-2: two questions to one snapshot agree, although a commit happens between them.
    @Test(arguments: Backend.all)
    func snapshotDoesNotMove(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            _ = try await store.post([Fixture.grant(to: 5, rain: 1)])
            let person = PersonID(5)
            let (asked, onceAsked) = AsyncStream.makeStream(of: Void.self)
            let committed = DispatchSemaphore(value: 0)
            try await withThrowingTaskGroup { group in
                group.addTask {
                    let (balance, entries) = try await store.read { snapshot throws(StoreError) in
                        let balance = try snapshot.account(.person(person, in: Fixture.book)).available
                        onceAsked.finish()
                        committed.wait()  // Reads have threads of their own.
                        return (balance, try snapshot.transfers(of: person, in: Fixture.book).count)
                    }
                    #expect(balance == 100 && entries == 1)
                }
                for await _ in asked {}
                _ = try await store.post([Fixture.grant(to: 5, rain: 2)])
                committed.signal()
                try await group.waitForAll()
            }
            #expect(try await store.account(.person(person, in: Fixture.book)).available == 200)
        }
    }

    @Test(arguments: Backend.all)
    func errorsOfTheBodyComeBack(_ backend: Backend) async throws {
        try await backend.withStore { store in
            await expect(.tooNew) {
                _ = try await store.read { _ throws(StoreError) -> Int in throw StoreError(.tooNew, "from the body") }
            }
        }
    }

    /// Paging shows each row once, in one order, whatever the IDs: also above 2^63.
    @Test(arguments: Backend.all)
    func pagesShowEachRowOnce(_ backend: Backend) async throws {
        let persons: [UInt64] = [0, 1, 2, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, .max - 1, .max]
        // 8,193 has the highest bit of the transfer's second half set, 1 has not.
        let books = [1, 8_193].map { BookID(campaign: $0, phase: .live) }
        try await backend.withStore { store in
            var transfers: [Transfer] = []
            for book in books {
                let scene = SceneID(book: book, number: 1)
                try await store.fund(1_000_000, of: scene)
                for person in persons {
                    transfers += (1...3).map { Fixture.grant(to: person, 10, rain: $0, scene: scene) }
                    transfers.append(Fixture.grant(to: person, 10, rain: .max, scene: scene))
                }
            }
            #expect(try await store.post(transfers).allSatisfy { $0 == .posted })
            for book in books {
                for person in persons {
                    let key = try #require(WithdrawalKey(person: PersonID(person), book: book, id: "w-\(person)"))
                    guard case .accepted = try await store.request(key, 1) else {
                        Issue.record("refused \(key)")
                        return
                    }
                }
            }
            let pages = try await store.read { snapshot throws(StoreError) in
                Pages(
                    accounts: try collect { last throws(StoreError) in
                        try snapshot.accounts(after: last?.id, limit: 5)
                    },
                    transfers: try collect { last throws(StoreError) in
                        try snapshot.transfers(after: last?.id, limit: 7)
                    },
                    holds: try collect { last throws(StoreError) in try snapshot.holds(after: last?.id, limit: 2) },
                    withdrawals: try collect { last throws(StoreError) in
                        try snapshot.withdrawals(after: last?.key, limit: 3)
                    }
                )
            }
            // Two fundings; treasury and budget of each book.
            #expect(pages.transfers.count == transfers.count + 2)
            #expect(Set(pages.transfers).isSuperset(of: transfers))
            #expect(Set(pages.accounts.map(\.id)).count == persons.count * 2 + 4)
            #expect(pages.accounts.count == persons.count * 2 + 4)
            #expect(Set(pages.holds.map(\.id)).count == persons.count * 2 && pages.holds.count == persons.count * 2)
            #expect(Set(pages.withdrawals.map(\.key)).count == persons.count * 2)
            #expect(pages.withdrawals.count == persons.count * 2)
            #expect(pages.withdrawals.allSatisfy { $0.key.id == "w-\($0.key.person.rawValue)" })

            for book in books {
                for person in persons {
                    let own = try await store.read { snapshot throws(StoreError) in
                        try snapshot.transfers(of: PersonID(person), in: book)
                    }
                    let expected = pages.transfers.filter { $0.id.person.rawValue == person && $0.id.book == book }
                    #expect(own == expected.sorted { $0.id < $1.id })
                }
            }
        }
    }

    private struct Pages: Sendable {
        let accounts: [Account]
        let transfers: [Transfer]
        let holds: [Hold]
        let withdrawals: [Withdrawal]
    }
}

/// All pages, one after the other. Each but the last is expected to have rows.
private func collect<Row>(_ page: (Row?) throws(StoreError) -> [Row]) throws(StoreError) -> [Row] {
    var rows: [Row] = []
    while true {
        let next = try page(rows.last)
        if next.isEmpty { return rows }
        rows += next
    }
}
