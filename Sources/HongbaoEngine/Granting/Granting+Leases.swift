import HongbaoCore
import Logging
import Synchronization

/// Keeps this node's slices of the budgets filled from leases in the store (BU-5).
extension Granting {
    /// Asks for leases to grow by at least so much, and returns after the attempt; `false` when the store failed it.
    func extendLeases(by wanted: [PoolID: Amount]) async -> Bool {
        await withCheckedContinuation { continuation in
            let isStopped = state.withLock { state in
                guard state.health == .accepting else { return true }
                state.wantedLeases.merge(wanted) { max($0, $1) }
                state.leaseWaiters.append(continuation)
                return false
            }
            if isStopped { continuation.resume(returning: false) } else { leaseWork.ring() }
        }
    }

    /// Extends leases when somebody waits for one, when a slice runs low, and in time before they expire.
    func keepLeases() async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                while !Task.isCancelled {
                    await self.clock.pause(.seconds(1))
                    self.state.withLock { state in
                        state.mint.reopenPaused()
                        for pool in self.poolsRunningLow(state) where state.wantedLeases[pool] == nil {
                            state.wantedLeases[pool] = .zero
                        }
                    }
                    self.leaseWork.ring()
                }
            }
            group.addTask {
                var renewedAt: Timestamp?
                while !Task.isCancelled {
                    await self.leaseWork.wait()
                    let now = self.clock.now()
                    let isRenewal = renewedAt.map { self.isRenewalDue(at: now, after: $0) } ?? true
                    if isRenewal { renewedAt = now }
                    await self.extendLeasesOnce(isRenewal: isRenewal)
                }
                self.resumeLeaseWaiters(isDone: false)
            }
        }
    }

    /// Leases end by the wall clock, so they are renewed by it; and at once when it was set back, or they would be kept
    /// until it has caught up.
    private func isRenewalDue(at now: Timestamp, after last: Timestamp) -> Bool {
        now < last || now >= last.advanced(bySeconds: configuration.leaseSeconds / 3)
    }

    private func poolsRunningLow(_ state: State) -> [PoolID] {
        let mint = state.mint
        return campaigns.current.fundings.filter { funding in
            // A template that nobody was given a piece of isn't leased: it would be stranded for nothing.
            guard funding.pool.template == nil || mint.hasSlice(of: funding.pool) else { return false }
            let chunk = chunk(of: funding)
            let next = min(chunk, state.shares[funding.pool] ?? chunk)
            return mint.remaining(of: funding.pool) < next.half && !mint.isExhausted(funding.pool)
        }.map(\.pool)
    }

    private func extendLeasesOnce(isRenewal: Bool) async {
        let (wanted, reopenings) = state.withLock { state in
            defer { state.wantedLeases = [:] }
            return (state.wantedLeases, state.reopenings)
        }
        let fundings = campaigns.current.fundings.filter { isRenewal || wanted[$0.pool] != nil }
        guard !fundings.isEmpty else { return resumeLeaseWaiters(isDone: true) }
        let pools = fundings.map(\.pool)
        let wishes = fundings.map { funding in
            wanted[funding.pool].map { Wish(least: $0, chunk: chunk(of: funding)) } ?? .renewal
        }
        do {
            guard let (leases, epoch) = try await extended(pools, by: wishes) else {
                return resumeLeaseWaiters(isDone: false)
            }
            state.withLock { state in
                if isRenewal { state.mint.reopenBudgets() }
                for (pool, extended) in zip(pools, leases) {
                    state.shares[pool] = extended.share
                    let added = state.added(by: extended.lease, of: epoch)
                    // What was found used up before budgets were reopened may have been raised since.
                    let isNews = wanted[pool] != nil && state.reopenings == reopenings
                    if added > .zero || isNews {
                        state.mint.extend(pool, by: added, or: extended.isPaused ? .paused : .usedUp)
                    }
                }
            }
            resumeLeaseWaiters(isDone: true)
        } catch {
            logger.error("can't extend leases", metadata: ["error": "\(error)"])
            if Mutant.isOn(.countsLostExtensionTwice), error.code == .outcomeUnknown {
                state.withLock { for (pool, wish) in zip(pools, wishes) { $0.mint.extend(pool, by: wish.most) } }
            }
            resumeLeaseWaiters(isDone: false)
        }
    }

    /// What a lease is to grow by.
    private struct Wish {
        /// What somebody waits for.
        let least: Amount
        /// What is leased at once as long as there is much.
        let chunk: Amount

        static let renewal = Self(least: .zero, chunk: .zero)
        var most: Amount { max(least, chunk) }
        func amount(_ share: Amount) -> Amount { max(least, min(chunk, share)) }
    }

    private struct Extended {
        let lease: Lease?
        let isPaused: Bool
        /// This mint's of what is left.
        let share: Amount
    }

    /// The leases after an attempt to extend them, and this process's epoch.
    ///
    /// When another epoch has begun meanwhile, that attempt says nothing of what is left: it's made again, in the new
    /// one. `nil` when that is another process's, as it seems.
    private func extended(
        _ pools: [PoolID],
        by wishes: [Wish]
    ) async throws(StoreError) -> (leases: [Extended], epoch: UInt32)? {
        var footprint = Footprint()
        footprint.budgets = pools
        let mint = mint
        for attempt in 1...Self.extensionsMax {
            let epoch = sealer.withLock { $0.sealer.epoch }
            let now = clock.now()
            let expiresAt = now.advanced(bySeconds: configuration.leaseSeconds)
            let shards = shards
            var leases = try await shards.home.transact(footprint) { books in
                zip(pools, wishes).map { pool, wish in
                    // What is left of a lease in another database isn't known here; its mint's next epoch has it.
                    for lease in books.leases(of: pool)
                    where shards.isHome(mint) && shards.isHome(lease.id.mint) && lease.id.mint != mint
                        || Mutant.isOn(.reclaimsLiveLease)
                    {
                        _ = books.reclaimLease(lease.id, now: now)
                    }
                    let id = LeaseID(pool: pool, mint: mint)
                    let amount = wish.amount(books.budget(pool)?.share(among: shards.division.mints) ?? .zero)
                    _ = books.extendLease(id, epoch: epoch, by: amount, now: now, expiresAt: expiresAt)
                    let budget = books.budget(pool)
                    return Extended(
                        lease: books.lease(id),
                        isPaused: budget?.isPaused(at: now) ?? false,
                        share: budget?.share(among: shards.division.mints) ?? .zero
                    )
                }
            }
            if !shards.isHome(mint) { leases = try await matched(leases, pools, epoch, now, expiresAt) }
            let isOfThisEpoch = leases.allSatisfy { $0.lease.map { $0.epoch <= epoch } ?? true }
            if isOfThisEpoch { return (leases, epoch) }
            if attempt == 1 { noteOvertaken() }
            await clock.pause(.milliseconds(10))
        }
        return nil
    }

    /// Brings the leases beside the log to what home has allotted. They are never allotted more than that, since they
    /// grow after and shrink before.
    private func matched(
        _ home: [Extended],
        _ pools: [PoolID],
        _ epoch: UInt32,
        _ now: Timestamp,
        _ expiresAt: Timestamp
    ) async throws(StoreError) -> [Extended] {
        var footprint = Footprint()
        footprint.budgets = pools
        let mint = mint
        return try await store.transact(footprint) { books in
            zip(pools, home).map { pool, home in
                guard let lease = home.lease, lease.epoch <= epoch else { return home }
                let id = LeaseID(pool: pool, mint: mint)
                let more = lease.allotted.subtracting(books.lease(id)?.allotted ?? .zero) ?? .zero
                _ = books.extendLease(id, epoch: epoch, by: more, now: now, expiresAt: expiresAt)
                return Extended(lease: books.lease(id), isPaused: home.isPaused, share: home.share)
            }
        }
    }

    /// Attempts, 10 ms apart, while a new epoch begins.
    private static let extensionsMax = 100

    func resumeLeaseWaiters(isDone: Bool) {
        let waiters = state.withLock { state in
            defer { state.leaseWaiters = [] }
            return state.leaseWaiters
        }
        for waiter in waiters { waiter.resume(returning: isDone) }
    }

    /// So small that every mint can have several, of a slice's quota as well, before anybody is refused.
    private func chunk(of funding: Funding) -> Amount {
        let bound = min(funding.total, funding.quota?.amount ?? funding.total)
        let parts = max(configuration.leaseDivisor, Int64(shards.division.mints) * Self.chunksOfMint)
        let part = max(1, bound.fen / parts)
        let most = funding.pool.template == nil ? part : min(part, Self.piecesAtOnceMax)
        return Amount(fen: most) ?? funding.total
    }

    private static let chunksOfMint: Int64 = 4
    /// Of a template that nobody bounds.
    private static let piecesAtOnceMax: Int64 = 1_000_000

    /// Gives back what was leased and not issued, so that others, or the next start, can issue it.
    func returnLeases() async {
        let drained = state.withLock { $0.mint.drainSlices() }
        guard !drained.isEmpty, state.withLock({ $0.health }) != .fenced else { return }
        let epoch = sealer.withLock { $0.sealer.epoch }
        let mint = mint
        var footprint = Footprint()
        footprint.budgets = Array(drained.keys)
        do {
            let kept = try await store.transact(footprint) { books in
                drained.reduce(into: [PoolID: Amount]()) { kept, drained in
                    let id = LeaseID(pool: drained.key, mint: mint)
                    if books.returnLease(id, epoch: epoch, amount: drained.value) {
                        kept[drained.key] = books.lease(id)?.allotted
                    }
                }
            }
            guard !shards.isHome(mint) else { return }
            try await shards.home.transact(footprint) { books in
                for (pool, amount) in kept {
                    let id = LeaseID(pool: pool, mint: mint)
                    guard let free = books.lease(id)?.allotted.subtracting(amount) else { continue }
                    _ = books.returnLease(id, epoch: epoch, amount: free)
                }
            }
        } catch {
            logger.error("can't give leases back", metadata: ["error": "\(error)"])
        }
    }
}

extension Granting.State {
    /// What a lease has more than when it was last heard of. An extension whose answer was lost comes with the next
    /// one.
    fileprivate mutating func added(by lease: Lease?, of epoch: UInt32) -> Amount {
        guard let lease, lease.epoch == epoch else { return .zero }
        defer { allotted[lease.id.pool] = lease.allotted }
        return lease.allotted.subtracting(allotted[lease.id.pool] ?? .zero) ?? .zero
    }
}

extension Amount {
    fileprivate var half: Amount { Amount(fen: fen / 2) ?? .zero }
}
