import HongbaoCore
import Logging
import Synchronization

/// Keeps this node's slices of the budgets filled from leases in the store (BU-5).
extension Granting {
    /// Asks for leases to grow by at least so much, and returns after the attempt; `false` when the store failed it.
    func extendLeases(by wanted: [SceneID: Amount]) async -> Bool {
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
                        for scene in self.scenesRunningLow(state.mint) where state.wantedLeases[scene] == nil {
                            state.wantedLeases[scene] = .zero
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

    private func scenesRunningLow(_ mint: MintState) -> [SceneID] {
        campaigns.current.fundedScenes.filter { scene in
            guard let budget = scene.budget else { return false }
            return mint.remaining(of: scene.id) < chunk(of: budget).half && !mint.isExhausted(scene.id)
        }.map(\.id)
    }

    private func extendLeasesOnce(isRenewal: Bool) async {
        let (wanted, reopenings) = state.withLock { state in
            defer { state.wantedLeases = [:] }
            return (state.wantedLeases, state.reopenings)
        }
        let scenes = campaigns.current.fundedScenes.filter { isRenewal || wanted[$0.id] != nil }
        guard !scenes.isEmpty else { return resumeLeaseWaiters(isDone: true) }
        let amounts = scenes.map { scene in
            wanted[scene.id].map { max($0, chunk(of: scene.budget ?? .zero)) } ?? .zero
        }
        do {
            guard let (leases, epoch) = try await extended(scenes.map(\.id), by: amounts) else {
                return resumeLeaseWaiters(isDone: false)
            }
            state.withLock { state in
                if isRenewal { state.mint.reopenBudgets() }
                for (scene, lease) in zip(scenes, leases) {
                    let added = state.added(by: lease, of: epoch)
                    // What was found used up before budgets were reopened may have been raised since.
                    let isNews = wanted[scene.id] != nil && state.reopenings == reopenings
                    if added > .zero || isNews { state.mint.extend(scene.id, by: added) }
                }
            }
            resumeLeaseWaiters(isDone: true)
        } catch {
            logger.error("can't extend leases", metadata: ["error": "\(error)"])
            if Mutant.isOn(.countsLostExtensionTwice), error.code == .outcomeUnknown {
                state.withLock { for (scene, amount) in zip(scenes, amounts) { $0.mint.extend(scene.id, by: amount) } }
            }
            resumeLeaseWaiters(isDone: false)
        }
    }

    /// The leases after an attempt to extend them, and this process's epoch.
    ///
    /// When another epoch has begun meanwhile, that attempt says nothing of what is left: it's made again, in the new
    /// one. `nil` when that is another process's, as it seems.
    private func extended(
        _ scenes: [SceneID],
        by amounts: [Amount]
    ) async throws(StoreError) -> (leases: [Lease?], epoch: UInt32)? {
        var footprint = Footprint()
        footprint.budgets = scenes
        let mint = mint
        for _ in 0..<Self.extensionsMax {
            let epoch = sealer.withLock { $0.sealer.epoch }
            let now = clock.now()
            let expiresAt = now.advanced(bySeconds: configuration.leaseSeconds)
            let leases = try await store.transact(footprint) { books in
                zip(scenes, amounts).map { scene, amount in
                    for lease in books.leases(of: scene)
                    where lease.id.mint != mint || Mutant.isOn(.reclaimsLiveLease) {
                        _ = books.reclaimLease(lease.id, now: now)
                    }
                    let id = LeaseID(scene: scene, mint: mint)
                    _ = books.extendLease(id, epoch: epoch, by: amount, expiresAt: expiresAt)
                    return books.lease(id)
                }
            }
            let isOfThisEpoch = leases.allSatisfy { $0.map { $0.epoch <= epoch } ?? true }
            if isOfThisEpoch { return (leases, epoch) }
            await clock.pause(.milliseconds(10))
        }
        return nil
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

    private func chunk(of budget: Amount) -> Amount {
        Amount(fen: max(1, budget.fen / configuration.leaseDivisor)) ?? budget
    }

    /// Gives back what was leased and not issued, so that others, or the next start, can issue it.
    func returnLeases() async {
        let drained = state.withLock { $0.mint.drainSlices() }
        guard !drained.isEmpty, state.withLock({ $0.health }) != .fenced else { return }
        let epoch = sealer.withLock { $0.sealer.epoch }
        let mint = mint
        var footprint = Footprint()
        footprint.budgets = Array(drained.keys)
        do {
            try await store.transact(footprint) { books in
                for (scene, amount) in drained {
                    _ = books.returnLease(LeaseID(scene: scene, mint: mint), epoch: epoch, amount: amount)
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
        defer { allotted[lease.id.scene] = lease.allotted }
        return lease.allotted.subtracting(allotted[lease.id.scene] ?? .zero) ?? .zero
    }
}

extension Amount {
    fileprivate var half: Amount { Amount(fen: fen / 2) ?? .zero }
}
