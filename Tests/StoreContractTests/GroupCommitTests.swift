import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@Suite struct GroupCommitTests {
    /// Callers who queue up are all served, whatever they bring; one that is refused doesn't undo the others.
    @Test(arguments: Backend.all)
    func concurrentCallersDoNotHurtEachOther(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000_000)
            let mints = (1...20).map { MintID(UInt32($0)) }
            for mint in mints {
                try await store.openEpoch(of: mint)
                try await store.extendLease(of: mint, by: 100)
            }
            let fenced = try await withThrowingTaskGroup { group in
                for mint in mints {
                    group.addTask { () -> Int in
                        for sequence in 1...4 as ClosedRange<UInt64> {
                            try await store.append(Fixture.group([sequence], mint: mint))
                        }
                        return 0
                    }
                    group.addTask { () -> Int in
                        do throws(StoreError) {
                            try await store.append(Fixture.group([1], mint: mint, epoch: 0))
                            return 0
                        } catch {
                            return error.code == .fenced ? 1 : 0
                        }
                    }
                }
                for person in 1...100 as ClosedRange<UInt64> {
                    group.addTask { () -> Int in
                        let outcomes = try await store.post([Fixture.grant(to: person)])
                        #expect(outcomes == [.posted])
                        return 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(fenced == mints.count)
            for mint in mints { #expect(try await store.log(of: mint).map(\.sequence) == [1, 2, 3, 4]) }
            #expect(try await store.account(.budget(of: Fixture.scene)).available == 1_000_000 - 100 * 100)
            #expect(try await store.leases().map(\.issued.fen) == mints.map { _ in 80 })
        }
    }

    /// A part that the schema refuses is undone alone, with all it wrote, between parts that stay.
    @Test(arguments: Backend.all)
    func refusedPartIsUndoneAlone(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint(lease: 10_000)
            let refused = try await withThrowingTaskGroup { group in
                for number in 1...200 as ClosedRange<UInt64> {
                    group.addTask { () -> Int in
                        // M3: a grant that pays another person than its number names.
                        let order = Fixture.grant(to: number)
                        let stray = Transfer(
                            id: order.id,
                            debit: order.debit,
                            credit: .person(PersonID(number + 1), in: Fixture.book),
                            amount: order.amount,
                            at: order.at,
                            postedAt: order.postedAt
                        )
                        do throws(StoreError) {
                            let posting = number % 2 == 0 ? order : stray
                            _ = try await store.transact(Footprint(posting: [posting])) { books in
                                books.ledger.post(posting)
                            }
                            return 0
                        } catch {
                            #expect(error.code == .corrupt)
                            return 1
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(refused == 100)
            #expect(try await store.account(.budget(of: Fixture.scene)).debits == Fixture.fen(100 * 100))
            let rows = try await store.read { snapshot throws(StoreError) in
                try snapshot.accounts(after: nil, limit: 1_000)
            }
            #expect(rows.count == 102)  // And no account of a person whose grant was refused.
        }
    }
}

@Suite struct RestartTests {
    /// GR-5: what was answered is there after everything was closed and opened again.
    @Test(arguments: Backend.all)
    func everythingIsThereAgain(_ backend: Backend) async throws {
        try await backend.withRestart { store in
            try await store.prepareToMint()
            try await store.append(Fixture.group([1, 2], recordBytes: 15_000))
            _ = try await store.post([Fixture.grant(to: 5, 500), Fixture.grant(to: .max, 7)])
            _ = try await store.request(try Fixture.key(5, "w"), 80)
        } then: { store in
            #expect(try await store.log() == [1, 2].map { Fixture.batch($0, recordBytes: 15_000) })
            #expect(try await store.account(.person(PersonID(5), in: Fixture.book)).available == 420)
            #expect(try await store.account(.person(PersonID(.max), in: Fixture.book)).available == 7)
            #expect(try await store.post([Fixture.grant(to: 5, 500)]) == [.alreadyPosted])
            #expect(try await store.request(try Fixture.key(5, "w"), 81) == .conflict)
            try await store.append(Fixture.group([3]))
            #expect(try await store.openEpoch() == MintRecord(
                id: Fixture.mint,
                epoch: 2,
                lastSequence: 3,
                postedSequence: 0
            ))
        }
    }
}
