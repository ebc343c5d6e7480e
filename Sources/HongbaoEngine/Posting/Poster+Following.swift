package import HongbaoCore
import Logging
import Metrics
import Synchronization

/// What other processes have posted of what this one accepted: its token lists and its backlog learn it from the store.
extension Poster {
    /// Batches that are posted and not taken note of.
    struct Unnoted: Sendable {
        let mint: MintID
        let batches: [LoggedBatch]
        /// Up to where it's taken note of with these.
        let last: UInt64
        /// Whether these are all that can be taken note of now.
        let isAll: Bool
    }

    /// Batches in one reading; full ones are 3 MB.
    private static let unnotedMax = 256

    /// Looks at intervals until it's cancelled.
    func follow() async {
        var looks = 0
        while !Task.isCancelled {
            do throws(StoreError) {
                while try await !followOnce(), !Task.isCancelled {}
                // Their age needn't be told that often.
                if looks.isMultiple(of: 4) { try await noteOldest() }
            } catch {
                logger.error("what is posted wasn't read", metadata: ["error": "\(error)"])
            }
            looks += 1
            tokens.sweep(now: clock.uptime())
            await clock.pause(configuration.followInterval)
        }
    }

    /// Answers whether everything that is posted and listed has been taken note of.
    package func followOnce() async throws(StoreError) -> Bool {
        // First where the lists end: what the store says is no older.
        let listedUpTo = connection.withLock { $0.listedUpTo }
        let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        var isAll = true
        for mint in mints where seat.keeps(mint.id) {
            let last = min(mint.lastSequence, listedUpTo(mint.id) ?? .max)
            let unnoted = try await unnoted(of: mint, listedUpTo: last)
            try await note(unnoted)
            isAll = isAll && unnoted.isAll
        }
        return isAll
    }

    /// What isn't listed yet isn't taken note of: its tokens would be listed after that, and stay for ever. Nor is what
    /// whoever took the mint over has added: this process may not be able to read it.
    func unnoted(of mint: MintRecord, listedUpTo last: UInt64) async throws(StoreError) -> Unnoted {
        let posted = min(mint.postedSequence, last)
        let known = configuration.duty == .helps ? posted : noted.withLock { min($0[mint.id] ?? posted, posted) }
        let batches = try await read(mint.id, after: known, upTo: posted, limit: Self.unnotedMax)
        let end = known + UInt64(batches.count)
        return Unnoted(mint: mint.id, batches: batches, last: end, isAll: end == posted)
    }

    /// Whether other processes may post what this one accepts.
    private var isAmongOthers: Bool { configuration.duty == .follows || seat.division != .whole }

    func note(_ unnoted: Unnoted) async throws(StoreError) {
        var promised: [OrderNumber] = []
        for batch in unnoted.batches {
            let opened = try open(batch)
            finish(opened.payloads.map(\.order))
            noted.withLock { $0[unnoted.mint] = batch.sequence }
            if !isAmongOthers { postedCounter.increment(by: opened.payloads.count) }
            for (payload, choice) in zip(opened.payloads, opened.choices) where !choice.isMoney && !choice.isBlessing {
                promised.append(payload.order)
            }
        }
        noted.withLock { $0[unnoted.mint] = max($0[unnoted.mint] ?? 0, unnoted.last) }
        guard isAmongOthers, !promised.isEmpty else { return }
        // Another process has promised them; to tell the downstreams at once is this one's part.
        let orders = promised
        let rewards = try await store.read { (snapshot) throws(StoreError) in try snapshot.rewards(orders) }
        connection.withLock { $0.promised }(rewards.filter { !$0.isDone })
    }

    /// Up to where this poster knows that a mint's log is posted.
    package func postedSequence(of mint: MintID) -> UInt64 { noted.withLock { $0[mint] ?? 0 } }
}
