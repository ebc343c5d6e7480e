import HongbaoCore
import Logging

/// Takes a new key epoch for a mint: one transaction fences off whoever held the one before, takes its leases over, and
/// records what verifiers and readers need. Where the mint's log isn't in the home there is another one, before it:
/// from then on nobody else speaks for the mint there.
///
/// - Parameter expecting: the epoch that the caller holds now; `fenced` when another process took a newer one.
func openEpoch(
    of seat: Seat,
    shards: Shards,
    keyring: Keyring,
    clock: WallClock,
    leaseSeconds: Int64,
    epochSeconds: Int64,
    expecting: UInt32?,
    logger: Logger
) async throws(StoreError) -> (keys: EpochKeys, record: EpochRecord) {
    let mint = seat.mint
    let (atHome, budgets) = try await shards.home.read { (snapshot) throws(StoreError) in
        (try snapshot.mints().first { $0.id == mint }, try snapshot.budgets())
    }
    var known = atHome
    if !shards.isHome(mint) {
        known = try await shards.store(of: mint).read { (snapshot) throws(StoreError) in
            try snapshot.mints().first { $0.id == mint }
        }
    }
    // All leases are taken over, also those of pools that no file names now.
    let pools = budgets.map(\.0.pool)
    // No epoch may issue more than all budgets together; the audit holds it to that. When they are raised, the mint
    // begins another epoch before it exceeds this.
    let cap = budgets.reduce(Amount.zero) { sum, budget in
        budget.0.pool.scene == nil ? sum : sum.adding(budget.0.total) ?? sum
    }
    if let known { try seat.division.check(known) }
    let before = known?.epoch ?? 0
    let epoch = max(before, atHome?.epoch ?? 0) + 1
    let now = clock.now()
    if expecting == nil, let succeeded = seat.succeeds, before != succeeded {
        throw StoreError(.fenced, "mint \(mint.rawValue) is at epoch \(before): another node has taken it")
    }
    if let expecting, before != expecting, !Mutant.isOn(.ignoresTakeOver) {
        throw StoreError(.fenced, "mint \(mint.rawValue) is at epoch \(before), not \(expecting)")
    }
    let keys = EpochKeys.mint(
        mint,
        epoch: epoch,
        cap: cap,
        at: now,
        validSeconds: epochSeconds,
        keyring: keyring
    )
    let record = EpochRecord(
        mint: mint,
        epoch: epoch,
        certificate: keys.certificate.bytes,
        wrappedDataKey: keys.wrappedDataKey,
        isRevoked: false
    )
    let opening = Opening(
        record: record,
        pools: pools,
        now: now,
        expiresAt: now.advanced(bySeconds: leaseSeconds),
        isRotation: expecting != nil
    )
    if !shards.isHome(mint) {
        var elsewhere = seat
        elsewhere.address = nil
        try await opening.carryOut(for: elsewhere, after: atHome?.epoch, in: shards.home, clock, logger)
    }
    try await opening.carryOut(for: seat, after: known?.epoch, in: shards.store(of: mint), clock, logger)
    return (keys, record)
}

/// An epoch that is to begin.
private struct Opening: Sendable {
    let record: EpochRecord
    /// All there are.
    let pools: [PoolID]
    let now: Timestamp
    let expiresAt: Timestamp
    /// Of a process that has the mint, and goes on.
    let isRotation: Bool

    /// - Parameter known: the epoch that the database was found at.
    func carryOut(
        for seat: Seat,
        after known: UInt32?,
        in store: any Store,
        _ clock: WallClock,
        _ logger: Logger
    ) async throws(StoreError) {
        let mint = seat.mint
        var footprint = Footprint()
        footprint.mints = [mint]
        footprint.budgets = pools
        let isOpened: Bool
        do throws(StoreError) {
            isOpened = try await store.transact(footprint) { books in
                guard books.mint(mint)?.epoch == known else { return false }
                _ = books.openEpoch(of: mint, record, in: seat.division, at: seat.address)
                for pool in pools {
                    _ = books.extendLease(
                        LeaseID(pool: pool, mint: mint),
                        epoch: record.epoch,
                        by: .zero,
                        now: now,
                        expiresAt: expiresAt
                    )
                }
                return true
            }
        } catch {
            // A start that fails is repeated from its beginning.
            guard error.code == .outcomeUnknown, isRotation else { throw error }
            // These keys may be the mint's by now: to go on with the old ones would fence this process off by itself.
            let isRecorded = await untilRead(store, clock, logger) { (snapshot) throws(StoreError) in
                try snapshot.epochs().contains(record)
            }
            guard isRecorded == true else { throw StoreError(.unavailable, "not done: \(error.message)") }
            isOpened = true
        }
        guard isOpened else { throw StoreError(.fenced, "mint \(mint.rawValue) was taken over just now") }
    }
}
