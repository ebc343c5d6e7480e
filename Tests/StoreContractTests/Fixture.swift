import HongbaoCore
import HongbaoEngine
import Testing

/// Names and short cuts that the tests share: one book, one scene with a budget, one mint with a lease.
enum Fixture {
    static let book = BookID(campaign: 7, phase: .live)
    static let scene = SceneID(book: book, number: 1)
    static let mint = MintID(1)
    static let now = Timestamp(milliseconds: 1_643_630_400_000)
    static let later = Timestamp(milliseconds: 1_643_630_460_000)

    static func fen(_ fen: Int64) -> Amount {
        guard let amount = Amount(fen: fen) else { preconditionFailure("a negative amount") }
        return amount
    }

    static func grant(
        to person: UInt64,
        _ amount: Int64 = 100,
        rain: UInt16 = 1,
        scene: SceneID = scene,
        at: Timestamp = now
    ) -> Transfer {
        let person = PersonID(person)
        let order = OrderNumber(person: person, scene: scene, rain: RainID(rain), awardType: 1, stage: 0)
        return Transfer(
            id: TransferID(order),
            debit: .budget(of: scene),
            credit: .person(person, in: scene.book),
            amount: fen(amount),
            at: at,
            postedAt: at,
            app: AppID(3)
        )
    }

    static func key(_ person: UInt64, _ id: String) throws -> WithdrawalKey {
        try #require(WithdrawalKey(person: PersonID(person), book: book, id: id))
    }

    static func epoch(_ epoch: UInt32, of mint: MintID = mint) -> EpochRecord {
        EpochRecord(
            mint: mint,
            epoch: epoch,
            certificate: [1, 2, UInt8(truncatingIfNeeded: epoch)],
            wrappedDataKey: [],
            isRevoked: false
        )
    }

    /// Batches of one mint, 2 grants and 20 fen each, and what they take from its lease.
    static func group(
        _ sequences: [UInt64],
        mint: MintID = mint,
        epoch: UInt32 = 1,
        scene: SceneID = scene,
        recordBytes: Int = 600
    ) -> AppendGroup {
        AppendGroup(
            mint: mint,
            epoch: epoch,
            batches: sequences.map { batch($0, mint: mint, epoch: epoch, recordBytes: recordBytes) },
            issued: [PoolID(scene): fen(Int64(20 * sequences.count))]
        )
    }

    static func batch(
        _ sequence: UInt64,
        mint: MintID = mint,
        epoch: UInt32 = 1,
        count: Int = 2,
        total: Int64 = 20,
        recordBytes: Int = 600
    ) -> LoggedBatch {
        LoggedBatch(
            mint: mint,
            epoch: epoch,
            sequence: sequence,
            count: count,
            total: fen(total),
            at: now,
            record: (0..<recordBytes).map { UInt8(truncatingIfNeeded: $0 &+ Int(sequence)) }
        )
    }
}

extension Store {
    @discardableResult
    func fund(
        _ total: Int64,
        of scene: SceneID = Fixture.scene,
        revision: UInt16 = 1
    ) async throws -> FundingOutcome {
        let funding = Funding(pool: PoolID(scene), total: Fixture.fen(total), revision: revision)
        return try await transact(Footprint(funding: [funding])) { $0.fund(funding, now: Fixture.now) }
    }

    func post(_ transfers: [Transfer]) async throws -> [TransferOutcome] {
        try await transact(Footprint(posting: transfers)) { books in transfers.map { books.ledger.post($0) } }
    }

    @discardableResult
    func openEpoch(of mint: MintID = Fixture.mint) async throws -> MintRecord {
        var footprint = Footprint()
        footprint.mints = [mint]
        return try await transact(footprint) { books in
            let epoch = (books.mint(mint)?.epoch ?? 0) + 1
            return books.openEpoch(of: mint, Fixture.epoch(epoch, of: mint))
        }
    }

    @discardableResult
    func extendLease(
        of mint: MintID = Fixture.mint,
        _ scene: SceneID = Fixture.scene,
        epoch: UInt32 = 1,
        by amount: Int64
    ) async throws -> Amount {
        var footprint = Footprint()
        footprint.budgets = [PoolID(scene)]
        return try await transact(footprint) { books in
            books.extendLease(
                LeaseID(pool: PoolID(scene), mint: mint),
                epoch: epoch,
                by: Fixture.fen(amount),
                now: Fixture.now,
                expiresAt: Fixture.later
            )
        }
    }

    /// A funded scene, and a mint in epoch 1 that may issue `lease` fen.
    func prepareToMint(budget: Int64 = 1_000_000, lease: Int64 = 1_000) async throws {
        try await fund(budget)
        try await openEpoch()
        try await extendLease(by: lease)
    }

    func account(_ id: AccountID) async throws -> Account {
        try await read { snapshot throws(StoreError) in try snapshot.account(id) }
    }

    func leases() async throws -> [Lease] {
        try await read { snapshot throws(StoreError) in try snapshot.budgets().flatMap(\.1) }
    }

    func log(of mint: MintID = Fixture.mint) async throws -> [LoggedBatch] {
        try await read { snapshot throws(StoreError) in try snapshot.batches(of: mint, after: 0, limit: 10_000) }
    }
}

/// Expects a fault of this code.
func expect(
    _ code: StoreError.Code,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () async throws -> Void
) async {
    await #expect(sourceLocation: sourceLocation) {
        try await body()
    } throws: { error in
        (error as? StoreError)?.code == code
    }
}
