import HongbaoCore
import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// From decided batches to durable records: seal, append, confirm. One group is sealed while the one before is written.
extension Granting: Service {
    /// A group of batches, sealed and ready to be written.
    private struct SealedGroup: Sendable {
        let generation: Int
        let tokens: [BatchTokens]
        let open: [OpenBatch]
        let append: AppendGroup
        var lastSequence: UInt64 { open[open.count - 1].sequence }
    }

    /// Runs until graceful shutdown, then makes durable what was decided and gives the leases back.
    package func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.keepLeases() }
            await withGracefulShutdownHandler {
                await self.sealAndAppend()
            } onGracefulShutdown: {
                self.state.withLock { state in
                    state.isEnding = true
                    if state.health == .accepting { state.health = .draining }
                }
                if !Mutant.isOn(.neverEnds) { self.work.ring() }
            }
            group.cancelAll()
        }
        // Nobody works on leases any more; who asked just now must not wait for ever.
        resumeLeaseWaiters(isDone: false)
        await returnLeases()
    }

    private func sealAndAppend() async {
        await withTaskGroup(of: Void.self) { writes in
            while !Task.isCancelled {
                putChangeInForce()
                await overtake(writes: &writes)
                let (batches, generation, isOver) = state.withLock { state in
                    (
                        state.mint.takeBatches(limit: configuration.groupBatchesMax), state.generation,
                        state.health == .draining && !state.mint.hasWork || state.health == .fenced
                    )
                }
                guard !batches.isEmpty else {
                    if isOver { break }
                    await work.wait()
                    continue
                }
                let amount = batches.reduce(Int128(0)) { $0 + Int128($1.total.fen) }
                if isEpochOver(at: clock.now()) || !isCovered(amount) {
                    await writes.waitForAll()
                    let fault = await rotateEpoch()
                    guard isCovered(amount) else {
                        // Budgets were raised, and the certificate is of a time when they were lower.
                        if fault?.code == .fenced { fence() }
                        rollBack()
                        continue
                    }
                }
                sealer.withLock { $0.sealed += amount }
                let group = await seal(batches, generation)
                await writes.waitForAll()
                writes.addTask { await self.write(group) }
            }
            await writes.waitForAll()
        }
        stop()
    }

    /// Begins an epoch that is newer than any that the home knows of this mint, when one there is ahead of this
    /// process's: somebody began to take the mint over and didn't come to its log, or has taken back leases that had
    /// expired. Who has the log decides: if that is another process by now, this one is fenced off.
    private func overtake(writes: inout TaskGroup<Void>) async {
        let isOvertaken = state.withLock { state in
            defer { state.isOvertaken = false }
            return state.isOvertaken
        }
        guard isOvertaken else { return }
        await writes.waitForAll()
        if await rotateEpoch()?.code == .fenced { fence() }
    }

    /// Puts campaigns in force and tries again what had used up its budget; `false` when the process comes to its end
    /// before that.
    func change(to campaigns: CampaignSet) async -> Bool {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard state.health != .stopped, state.health != .fenced else { return true }
                precondition(state.change == nil)
                state.change = Change(campaigns: campaigns, continuation: continuation)
                return false
            }
            if isOver { continuation.resume(returning: false) } else { work.ring() }
        }
    }

    /// Only in the loop that also rotates epochs: a scene that is new gets its first lease after one rotation and
    /// before the next, so never in an epoch that is over.
    private func putChangeInForce() {
        let change = state.withLock { state in
            guard let change = state.change.take() else { return nil as Change? }
            campaigns.replace(by: change.campaigns)
            if !Mutant.isOn(.forgetsToReopen) {
                state.mint.reopenBudgets()
                state.reopenings += 1
            }
            return change
        }
        guard let change else { return }
        leaseWork.ring()
        change.continuation.resume(returning: true)
    }

    /// From now on nothing is accepted. After a graceful shutdown all that was decided is durable; when cancelled, what
    /// isn't never happened.
    private func stop() {
        let (failed, change) = state.withLock { state in
            if state.health != .fenced { state.health = .stopped }
            if state.mint.undurableCount > 0 {
                state.mint.rollBack()
                state.generation += 1
            }
            return (takeWaiters(&state) { _ in true }, state.change.take())
        }
        for waiter in failed { waiter.continuation.resume(returning: false) }
        change?.continuation.resume(returning: false)
    }

    /// Whether another epoch must begin: the end of this one is near, or the clock was set back to before its
    /// beginning, so far that nobody would take its tokens.
    private func isEpochOver(at now: Timestamp) -> Bool {
        let certificate = sealer.withLock { $0.certificate }
        return certificate.notAfter <= now.advanced(bySeconds: rotationLeadSeconds)
            || now.advanced(bySeconds: TokenVerifier.clockToleranceSeconds) < certificate.notBefore
    }

    /// Whether so much more may be sealed in this epoch: whoever stole its key could give away no more than its
    /// certificate says, so neither may this mint (M6).
    private func isCovered(_ amount: Int128) -> Bool {
        let (sealed, cap) = sealer.withLock { ($0.sealed, $0.certificate.cap) }
        return sealed + amount <= Int128(cap.fen) || Mutant.isOn(.ignoresCertificateCap)
    }

    /// A new epoch begins before the old one ends, so that no batch is sealed in neither.
    private var rotationLeadSeconds: Int64 { min(60, configuration.epochSeconds / 2) }

    private func seal(_ batches: [OpenBatch], _ generation: Int) async -> SealedGroup {
        let (sealer, certificate) = sealer.withLock { ($0.sealer, $0.certificate) }
        // The epoch has been rotated in time; a clock that jumped must not make tokens that nobody accepts.
        let last = Timestamp(milliseconds: certificate.notAfter.milliseconds - 1)
        let now = min(max(clock.now(), certificate.notBefore), last)
        // One half here, one in a child task: sealing is the dearest step, and two cores share it.
        let middle = batches.count > 1 ? batches.count / 2 : 0
        async let firstHalf = Self.seal(batches[..<middle], sealer, now)
        let secondHalf = Self.seal(batches[middle...], sealer, now)
        let sealed = await firstHalf + secondHalf
        for (tokens, _) in sealed { verifier.keepOwn(tokens.batch) }
        var issued: [PoolID: Amount] = [:]
        for batch in batches {
            for (pool, amount) in batch.issued {
                guard let sum = (issued[pool] ?? .zero).adding(amount) else {
                    preconditionFailure("a group larger than any budget")
                }
                issued[pool] = sum
            }
        }
        if Mutant.isOn(.takesNoPiece) { issued = issued.filter { $0.key.template == nil } }
        return SealedGroup(
            generation: generation,
            tokens: sealed.map(\.tokens),
            open: batches,
            append: AppendGroup(mint: mint, epoch: sealer.epoch, batches: sealed.map(\.logged), issued: issued)
        )
    }

    private static func seal(
        _ batches: ArraySlice<OpenBatch>,
        _ sealer: BatchSealer,
        _ now: Timestamp
    ) -> [(tokens: BatchTokens, logged: LoggedBatch)] {
        batches.map { batch in
            let tokens = sealer.sealWithTokens(batch.payloads, sequence: batch.sequence, at: now)
            let header = tokens.batch.header
            let logged = LoggedBatch(
                mint: header.mint,
                epoch: header.epoch,
                sequence: header.sequence,
                count: header.count,
                total: header.total,
                pieces: batch.pieces,
                at: header.at,
                record: LogRecord(batch: tokens.batch, choices: batch.choices).bytes
            )
            return (tokens, logged)
        }
    }

    private func write(_ group: SealedGroup) async {
        guard state.withLock({ $0.generation == group.generation && $0.health != .fenced }) else { return }
        do {
            if Mutant.isOn(.answersBeforeDurable) { confirm(group) }
            for batch in group.open where Mutant.isOn(.countsBeforeDurable) { totals.add(batch.payloads) }
            try await store.append(group.append)
            confirm(group)
        } catch {
            await recover(group, from: error)
        }
    }

    /// The group is durable: show it in the wallets, count it in the totals, then answer.
    private func confirm(_ group: SealedGroup) {
        for batch in group.open where !Mutant.isOn(.forgetsToList) { tokens.add(batch.payloads, batch.choices) }
        for batch in group.open where !Mutant.isOn(.countsBeforeDurable) { totals.add(batch.payloads) }
        let resumed = state.withLock { state in
            state.mint.confirm(upTo: group.lastSequence)
            for (batch, tokens) in zip(group.open, group.tokens) {
                state.recent[batch.sequence] = Mutant.isOn(.answersFromFirstBatch) ? group.tokens[0] : tokens
            }
            forgetOldTokens(&state)
            return takeWaiters(&state) { $0.sequence <= group.lastSequence }
        }
        for waiter in resumed { waiter.continuation.resume(returning: true) }
        backlogGauge.record(Int64(backlog))
        poster.logged(mint, upTo: group.lastSequence)
    }

    private func forgetOldTokens(_ state: inout State) {
        guard state.recent.count > 2 * configuration.recentBatchesMax else { return }
        let oldest =
            state.mint.durableSequence
            - min(
                state.mint.durableSequence,
                UInt64(configuration.recentBatchesMax)
            )
        state.recent = state.recent.filter { $0.key > oldest }
    }

    private func takeWaiters(_ state: inout State, where isTaken: (Waiter) -> Bool) -> [Waiter] {
        var taken: [Waiter] = []
        state.waiters.removeAll { waiter in
            guard isTaken(waiter) else { return false }
            taken.append(waiter)
            return true
        }
        return taken
    }

    // MARK: Faults

    /// Finds out how much of a failed group is durable, keeps that, and takes the rest back.
    private func recover(_ group: SealedGroup, from error: StoreError) async {
        logger.error("log append failed", metadata: ["error": "\(error)", "batches": "\(group.open.count)"])
        state.withLock { $0.health = $0.health == .draining ? .draining : .recovering }
        switch error.code {
        case .unavailable: if Mutant.isOn(.keepsUnavailable) { confirm(group) }
        case .outcomeUnknown where Mutant.isOn(.rollsBackUnknown): break
        case .outcomeUnknown:
            if await isLogged(group) {
                confirm(group)
                state.withLock { hasRecovered(&$0) }
                return
            }
        case .fenced: fence()
        case .corrupt, .tooNew:
            alarms.raise(.corruptData, "the log refuses batches: \(error)")
        }
        rollBack()
    }

    private func fence() {
        alarms.raise(.fenced, "mint \(mint.rawValue): another process has a newer epoch; this one stops accepting")
        state.withLock { $0.health = .fenced }
    }

    /// Nothing that isn't durable has happened, and nothing of it is under way any more.
    private func rollBack() {
        let failed = state.withLock { state in
            state.mint.rollBack()
            state.generation += 1
            hasRecovered(&state)
            return takeWaiters(&state) { _ in true }
        }
        for waiter in failed { waiter.continuation.resume(returning: false) }
    }

    /// Goes on with what was interrupted: accepting, or coming to an end.
    private func hasRecovered(_ state: inout State) {
        guard state.health == .recovering else { return }
        state.health = state.isEnding ? .draining : .accepting
        work.ring()
    }

    /// Whether this very group is in the log, and not another process's batches with the same sequences.
    ///
    /// Asks the store until it answers: what a lost reply left behind must be known before anything is accepted again.
    private func isLogged(_ group: SealedGroup) async -> Bool {
        let mint = mint
        let last = group.append.batches.last
        let found = await untilRead(store, clock, logger) { (snapshot) throws(StoreError) in
            let logged = try snapshot.batches(of: mint, after: group.lastSequence - 1, limit: 1).first
            return Mutant.isOn(.mistakesOthersBatches) ? logged?.sequence == last?.sequence : logged == last
        }
        // `nil`: the process ends. Nobody is told that his grant is accepted; asking again after the restart tells him.
        return found ?? false
    }

    /// Begins a new key epoch; the old one stays verifiable. On failure the old keys are used on: they're still
    /// certified by name, and the next group tries again.
    private func rotateEpoch() async -> StoreError? {
        do throws(StoreError) {
            let keys = try await openEpoch(
                of: seat,
                shards: shards,
                keyring: keyring,
                clock: clock,
                leaseSeconds: configuration.leaseSeconds,
                epochSeconds: configuration.epochSeconds,
                expecting: sealer.withLock { $0.sealer.epoch },
                logger: logger
            )
            let dataKey = try reader.learn(keys.record)
            verifier.keepOwn(keys.keys.certificate)
            _ = verifier.admit(keys.keys.certificate, dataKey: dataKey)
            sealer.withLock { $0 = Keys(keys.keys) }
            return nil
        } catch {
            logger.error("can't begin a new key epoch", metadata: ["error": "\(error)"])
            return error
        }
    }
}

/// Asks a store until it answers; `nil` when cancelled meanwhile.
func untilRead<Answer: Sendable>(
    _ store: any Store,
    _ clock: WallClock,
    _ logger: Logger,
    _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
) async -> Answer? {
    var delay = Duration.milliseconds(10)
    while !Task.isCancelled {
        do {
            return try await store.read(body)
        } catch {
            logger.error("can't read back what became of a write", metadata: ["error": "\(error)"])
            await clock.pause(delay)
            delay = min(delay * 2, .seconds(1))
        }
    }
    return nil
}
