import HongbaoCore
import HongbaoEngine
import Testing

@Suite struct AppendTests {
    /// GR-5: what was appended is read back, byte for byte, and the lease has paid for it.
    @Test(arguments: Backend.all)
    func batchesAreReadBackInSequence(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint()
            try await store.append(Fixture.group([1, 2, 3]))
            try await store.append(Fixture.group([4], recordBytes: 20_000))
            try await store.append(AppendGroup(mint: Fixture.mint, epoch: 1, batches: [], issued: [:]))
            let log = try await store.log()
            #expect(log == [1, 2, 3].map { Fixture.batch($0) } + [Fixture.batch(4, recordBytes: 20_000)])
            #expect(try await store.leases().map(\.issued) == [Fixture.fen(80)])
            let page = try await store.read { snapshot throws(StoreError) in
                try snapshot.batches(of: Fixture.mint, after: 1, limit: 2)
            }
            #expect(page.map(\.sequence) == [2, 3])
            let mints = try await store.read { snapshot throws(StoreError) in try snapshot.mints() }
            #expect(mints.map(\.lastSequence) == [4])
        }
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: StoreError.Code
        let group: AppendGroup

        static func changed(_ batch: LoggedBatch, issued: Int64) -> AppendGroup {
            AppendGroup(
                mint: Fixture.mint,
                epoch: 2,
                batches: [Fixture.batch(1, epoch: 2), batch],
                issued: [PoolID(Fixture.scene): Fixture.fen(issued)]
            )
        }

        /// What each tries on mint 1 in epoch 2 with an empty log and a lease of 300 fen.
        static let all = [
            Refused(testDescription: "an older epoch", code: .fenced, group: Fixture.group([1], epoch: 1)),
            Refused(testDescription: "an epoch to come", code: .corrupt, group: Fixture.group([1], epoch: 3)),
            Refused(testDescription: "no such mint", code: .fenced, group: Fixture.group([1], mint: MintID(9))),
            Refused(testDescription: "a gap before", code: .corrupt, group: Fixture.group([2], epoch: 2)),
            Refused(testDescription: "a gap inside", code: .corrupt, group: Fixture.group([1, 3], epoch: 2)),
            Refused(testDescription: "sequence 0", code: .corrupt, group: Fixture.group([0], epoch: 2)),
            Refused(
                testDescription: "an overdrawn lease (M6)",
                code: .fenced,
                group: Fixture.group(Array(1...16), epoch: 2)
            ),
            Refused(
                testDescription: "no lease of this scene (M6)",
                code: .fenced,
                group: Fixture.group([1], epoch: 2, scene: SceneID(book: Fixture.book, number: 2))
            ),
            Refused(
                testDescription: "a batch of nothing",
                code: .corrupt,
                group: changed(Fixture.batch(2, epoch: 2, count: 0), issued: 40)
            ),
            Refused(
                testDescription: "a batch that is too large",
                code: .corrupt,
                group: changed(Fixture.batch(2, epoch: 2, count: 257, total: 257), issued: 277)
            ),
            Refused(
                testDescription: "another mint's batch",
                code: .corrupt,
                group: changed(Fixture.batch(2, mint: MintID(2), epoch: 2), issued: 40)
            ),
            Refused(
                testDescription: "more than the leases pay for (M6)",
                code: .corrupt,
                group: changed(Fixture.batch(2, epoch: 2), issued: 39)
            ),
        ]
    }

    @Test(arguments: Backend.all, Refused.all)
    func refusedGroupsLeaveNothing(_ backend: Backend, _ refused: Refused) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            try await store.openEpoch()
            try await store.openEpoch()
            try await store.extendLease(epoch: 2, by: 300)
            await expect(refused.code) { try await store.append(refused.group) }
            #expect(try await store.log().isEmpty)
            #expect(try await store.leases().map(\.issued) == [.zero])
            // And the way is free for what is right.
            try await store.append(Fixture.group([1, 2, 3, 4, 5], epoch: 2))
            #expect(try await store.log().count == 5)
        }
    }

    /// BU-6: who comes back after its lease was reclaimed can't issue from it.
    @Test(arguments: Backend.all)
    func reclaimedLeaseIsFenced(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint(lease: 100)
            try await store.append(Fixture.group([1]))
            var footprint = Footprint()
            footprint.budgets = [PoolID(Fixture.scene)]
            let back = try await store.transact(footprint) { books in
                books.reclaimLease(
                    LeaseID(pool: PoolID(Fixture.scene), mint: Fixture.mint),
                    now: Fixture.later.advanced(bySeconds: 1)
                )
            }
            #expect(back == Fixture.fen(80))
            await expect(.fenced) { try await store.append(Fixture.group([2])) }
            #expect(try await store.log().count == 1)
        }
    }

    @Test(arguments: Backend.all)
    func repeatedAppendIsRefused(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint()
            try await store.append(Fixture.group([1]))
            await expect(.corrupt) { try await store.append(Fixture.group([1])) }
            #expect(try await store.leases().map(\.issued) == [Fixture.fen(20)])
        }
    }
}
