import HongbaoCore
import Logging

/// Takes a new key epoch for a mint: one transaction fences off whoever held the one before, takes its leases over, and
/// records what verifiers and readers need.
///
/// - Parameter expecting: the epoch that the caller holds now; `fenced` when another process took a newer one.
func openEpoch(
    of seat: Seat,
    store: any Store,
    keyring: Keyring,
    clock: WallClock,
    leaseSeconds: Int64,
    epochSeconds: Int64,
    expecting: UInt32?,
    logger: Logger
) async throws(StoreError) -> (keys: EpochKeys, record: EpochRecord) {
    let mint = seat.mint
    let (known, budgets) = try await store.read { (snapshot) throws(StoreError) in
        (try snapshot.mints().first { $0.id == mint }, try snapshot.budgets())
    }
    // All leases are taken over, also those of pools that no file names now.
    let pools = budgets.map(\.0.pool)
    // No epoch may issue more than all budgets together; the audit holds it to that. When they are raised, the mint
    // begins another epoch before it exceeds this.
    let cap = budgets.reduce(Amount.zero) { sum, budget in
        budget.0.pool.scene == nil ? sum : sum.adding(budget.0.total) ?? sum
    }
    if let known { try seat.division.check(known) }
    let epoch = (known?.epoch ?? 0) + 1
    let now = clock.now()
    if expecting == nil, let succeeded = seat.succeeds, epoch != succeeded + 1 {
        throw StoreError(.fenced, "mint \(mint.rawValue) is at epoch \(epoch - 1): another node has taken it")
    }
    if let expecting, epoch != expecting + 1, !Mutant.isOn(.ignoresTakeOver) {
        throw StoreError(.fenced, "mint \(mint.rawValue) is at epoch \(epoch - 1), not \(expecting)")
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
    var footprint = Footprint()
    footprint.mints = [mint]
    footprint.budgets = pools
    let isOpened: Bool
    do throws(StoreError) {
        isOpened = try await store.transact(footprint) { books in
            guard books.mint(mint)?.epoch == known?.epoch else { return false }
            _ = books.openEpoch(of: mint, record, in: seat.division, at: seat.address)
            for pool in pools {
                _ = books.extendLease(
                    LeaseID(pool: pool, mint: mint),
                    epoch: epoch,
                    by: .zero,
                    now: now,
                    expiresAt: now.advanced(bySeconds: leaseSeconds)
                )
            }
            return true
        }
    } catch {
        // A start that fails is repeated from its beginning.
        guard error.code == .outcomeUnknown, expecting != nil else { throw error }
        // These keys may be the mint's by now: to go on with the old ones would fence this process off by itself.
        let isRecorded = await untilRead(store, clock, logger) { (snapshot) throws(StoreError) in
            try snapshot.epochs().contains(record)
        }
        guard isRecorded == true else { throw StoreError(.unavailable, "not done: \(error.message)") }
        isOpened = true
    }
    guard isOpened else { throw StoreError(.fenced, "mint \(mint.rawValue) was taken over just now") }
    return (keys, record)
}
