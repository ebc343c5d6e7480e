import Crypto
package import HongbaoCore
package import Logging
package import ServiceLifecycle

/// The use cases of one process, wired to one store: what the gateway, the command line and the tests talk to.
package struct Engine: Sendable {
    package struct Configuration: Sendable {
        /// Which mint this is. One process for each at a time: a newer one fences the older off.
        package var seat = Seat.alone
        package var granting = Granting.Configuration()
        package var poster = Poster.Configuration()
        package var payouts = PayoutPolicy()
        package var outside = Outside.Policies()
        package var packets = Packets.Configuration()
        package var totals = SharedTotals.Configuration()
        package var identities = Identities.Configuration()
        package var merges = MergeSweeps.Configuration()
        package var pendingMerges = PendingMerges.Configuration()
        package var tokenMirror = TokenMirror.Configuration()
        /// How long a wallet waits for the ledger before it's shown without it (WL-3).
        package var walletDeadline = Duration.milliseconds(800)

        package init() {}
    }

    /// Where its mint's log is, and all that its people have.
    package let store: any Store
    package let shards: Shards
    package let campaigns: Campaigns
    package let clock: WallClock
    package let alarms: Alarms
    package let tokens: TokenLists
    package let verifier: TokenVerifier
    package let granting: Granting
    package let poster: Poster
    package let wallets: Wallets
    package let budgets: Budgets
    package let reloads: Reloads
    package let withdrawals: Withdrawals
    package let outside: Outside
    package let packets: Packets
    package let rewards: Rewards
    package let packetSweeps: PacketSweeps
    package let totals: SharedTotals
    package let identities: Identities
    package let mergeSweeps: MergeSweeps
    /// Of a cluster; an engine by itself makes merges at once.
    package let pendingMerges: PendingMerges?
    /// Where other nodes show wallets from a hot state of tokens.
    package let tokenMirror: TokenMirror?

    package var payouts: Payouts { outside.payouts }
    package var transfers: Transfers { outside.transfers }
    package var refunds: Refunds { outside.refunds }
    package var payments: Payments { outside.payments }

    /// In the order in which they must start; graceful shutdown goes the other way round.
    package var services: [any Service] {
        let sweeps: [any Service] = shards.isFirst(granting.mint) ? [packetSweeps, mergeSweeps] : []
        let merges: [any Service] = pendingMerges.map { [$0] } ?? []
        let mirror: [any Service] = tokenMirror.map { [$0] } ?? []
        return mirror + [totals, poster, outside] + sweeps + merges + [granting]
    }

    /// Recovers from the store: funds the budgets, takes a new key epoch, reads the log into memory.
    ///
    /// - Parameters:
    ///   - seed: random, for the hash of the order table and for jitter.
    ///   - signatures: what earlier processes have verified.
    ///   - hotTotals: where nodes bring their running totals together.
    ///   - hotTokens: where other nodes read the tokens of this engine's people; `nil` when none do.
    ///   - hints: where others are told that there is something to post.
    ///   - alarms: `nil` makes some that are only counted and logged.
    /// - Throws: `corrupt` when the log or the keys don't fit together; `fenced` when another process takes over
    /// meanwhile.
    package static func start(
        shards: Shards,
        campaigns set: CampaignSet,
        keyring: Keyring,
        channels: Channels,
        clock: WallClock = .system,
        seed: UInt64,
        signatures: VerifiedSignatures = VerifiedSignatures(),
        configuration: Configuration = Configuration(),
        hotTotals: HotTotalsPair = .inMemory,
        hotTokens: (any HotTokens)? = nil,
        hints: PostingHints? = nil,
        alarms: Alarms? = nil,
        logger: Logger
    ) async throws(StoreError) -> Engine {
        let alarms = alarms ?? Alarms(logger: logger)
        let seat = configuration.seat
        let store = shards.store(of: seat.mint)
        let campaigns = Campaigns(set)
        let tokens = TokenLists()
        let reader = LogReader(wrappingKey: keyring.walletWrapping)
        let verifier = TokenVerifier(root: keyring.rootPublicKey, signatures: signatures)

        let kinds = PoolKinds(store: shards.home)
        let budgets = Budgets(shards, mint: seat.mint, campaigns: campaigns, kinds: kinds, clock: clock)
        // First of all: a keyring that can't read the data must not write to it either.
        let known = try await learnEpochs(shards.home, reader, verifier)
        for (pool, why) in try await budgets.fundAsFarAsPossible() { logger.kept(pool, why) }
        let opened = try await openEpoch(
            of: seat,
            shards: shards,
            keyring: keyring,
            clock: clock,
            leaseSeconds: configuration.granting.leaseSeconds,
            epochSeconds: configuration.granting.epochSeconds,
            expecting: nil,
            logger: logger
        )
        verifier.keepOwn(opened.keys.certificate)
        // Again: until just now another process may have begun epochs of its own.
        try await learnEpochs(shards.home, reader, verifier, except: known)
        // From now on nobody merges but this process, or, in a cluster, without its acknowledgement.
        let (merges, pending) = try await shards.home.read { (snapshot) throws(StoreError) in
            (try snapshot.merges(), try snapshot.pendingMerges())
        }
        let aliases = KnownAliases(Mutant.isOn(.forgetsMergesAtStart) ? [] : merges, pending: pending)
        let recovery = try await Recovery(
            shards: shards,
            reader: reader,
            tokens: tokens,
            seat: seat,
            aliases: aliases.current,
            seed: seed,
            pageBatches: configuration.granting.recoveryPageBatches
        )
        var mint = MintState(
            orders: recovery.orders,
            lastSequence: recovery.lastSequence,
            backlog: recovery.backlog,
            limits: configuration.granting.limits
        )
        mint.adopt(try await mergedOrders(merges, aliases, seat, shards.home))
        var allotted: [PoolID: Amount] = [:]
        for (budget, leases) in try await store.read({ (snapshot) throws(StoreError) in try snapshot.budgets() }) {
            for lease in leases where lease.id.mint == seat.mint {
                guard lease.epoch == opened.record.epoch else {
                    // Made by an earlier epoch while this one began: what is left of it counts once it's taken over.
                    allotted[budget.pool] = lease.issued
                    continue
                }
                let left = Mutant.isOn(.leasesIssuedMoneyAgain) ? lease.allotted : lease.unissued
                if left > .zero { mint.extend(budget.pool, by: left) }
                allotted[budget.pool] = lease.allotted
            }
        }

        let totals = SharedTotals(
            mint: seat.mint,
            given: recovery.given,
            campaigns: campaigns,
            hot: hotTotals,
            clock: clock,
            configuration: configuration.totals,
            alarms: alarms,
            logger: logger
        )
        // The only time that anybody waits for a total (CT-2). If no hot state answers, totals come later.
        await totals.flush()
        let poster = Poster(
            store: store,
            reader: reader,
            tokens: tokens,
            kinds: kinds,
            seat: seat,
            isRetried: { campaigns.current.scene($0)?.isRetried ?? true },
            clock: clock,
            configuration: configuration.poster,
            hints: hints,
            alarms: alarms,
            logger: logger
        )
        let granting = Granting(
            shards: shards,
            campaigns: campaigns,
            clock: clock,
            tokens: tokens,
            poster: poster,
            draws: configuration.granting.draws ?? Draws(keyring),
            totals: totals,
            reader: reader,
            verifier: verifier,
            keyring: keyring,
            aliases: aliases,
            seat: seat,
            commonSequence: recovery.commonSequence,
            epoch: opened.keys,
            state: mint,
            allotted: allotted,
            configuration: configuration.granting,
            alarms: alarms,
            logger: logger
        )
        let outside = Outside(
            channels,
            shards,
            mint: seat.mint,
            payouts: configuration.payouts,
            policies: configuration.outside,
            terms: Payment.Terms(
                payWithinSeconds: configuration.packets.payWithinSeconds,
                lifeSeconds: configuration.packets.lifeSeconds
            ),
            seed: seed,
            digestKey: keyring.identityHash,
            surroundings: OutsideSurroundings(clock, tickInterval: configuration.outside.tickInterval),
            alarms: alarms,
            logger: logger
        )
        poster.connect(
            posted: recovery.posted,
            listedUpTo: { [weak granting] mint in granting?.listedSequence(of: mint) },
            whenPosted: { [weak granting] count in granting?.notePosted(count) },
            promised: { outside.promised($0) }
        )
        let packetSweeps = PacketSweeps(
            shards,
            at: shards.index(of: seat.mint),
            clock: clock,
            configuration: configuration.packets.sweeps,
            refundPromised: { outside.refunds.promised($0) },
            logger: logger
        )
        let wallets = Wallets(
            shards: shards,
            campaigns: campaigns,
            tokens: .own(tokens, poster),
            kinds: kinds,
            verifier: verifier,
            reader: reader,
            clock: clock,
            alarms: alarms,
            aliases: aliases,
            deadline: configuration.walletDeadline
        )
        let mergeSweeps = MergeSweeps(
            shards,
            at: shards.index(of: seat.mint),
            clock: clock,
            tokens: tokens,
            aliases: aliases,
            configuration: configuration.merges,
            logger: logger
        )
        let pendingMerges =
            seat.division == .whole
            ? nil
            : PendingMerges(
                store: shards.home,
                clock: clock,
                granting: granting,
                poster: poster,
                tokens: tokens,
                sweeps: mergeSweeps,
                doubted: pending,
                configuration: configuration.pendingMerges,
                logger: logger,
                learnEpochs: { () throws(StoreError) in try await learnEpochs(shards.home, reader, verifier) }
            )
        return Engine(
            store: store,
            shards: shards,
            campaigns: campaigns,
            clock: clock,
            alarms: alarms,
            tokens: tokens,
            verifier: verifier,
            granting: granting,
            poster: poster,
            wallets: wallets,
            budgets: budgets,
            reloads: Reloads(campaigns: campaigns, budgets: budgets, granting: granting),
            withdrawals: Withdrawals(
                shards,
                mint: seat.mint,
                aliases: aliases,
                postNow: { (person, book) throws(StoreError) in
                    for name in aliases.all(person) {
                        try await poster.postNow(name, in: book)
                        try await packetSweeps.settle(name, in: book)
                    }
                    try await mergeSweeps.gather(person, in: book)
                },
                promised: { outside.payouts.promised($0) }
            ),
            outside: outside,
            packets: Packets(
                shards,
                mint: seat.mint,
                clock: clock,
                vault: SeedVault(keyring),
                aliases: aliases,
                postSubsidy: { (order, tokens) throws(StoreError) in
                    try await wallets.postSubsidy(order, tokens: tokens)
                },
                configuration: configuration.packets,
                promised: { outside.transfers.promised($0) }
            ),
            rewards: Rewards(
                shards,
                mint: seat.mint,
                aliases: aliases,
                campaigns: campaigns,
                tokens: tokens,
                poster: poster,
                clock: clock,
                awaited: { outside.awaited($0) }
            ),
            packetSweeps: packetSweeps,
            totals: totals,
            identities: Identities(
                store: shards.home,
                clock: clock,
                keys: IdentityKeys(keyring),
                sweeps: mergeSweeps,
                fence: Identities.Fence(seat: seat) { granting.epoch },
                pending: pendingMerges,
                configuration: configuration.identities
            ),
            mergeSweeps: mergeSweeps,
            pendingMerges: pendingMerges,
            tokenMirror: hotTokens.map { hot in
                TokenMirror(
                    tokens,
                    to: hot,
                    seat: seat,
                    epoch: opened.record.epoch,
                    clock: clock,
                    configuration: configuration.tokenMirror,
                    logger: logger
                )
            }
        )
    }

    /// Takes an authentic word of an outside system about an order as a hint, and asks it (M9). Answers `false` when
    /// that's no order of ours.
    package func callback(_ system: OutsideSystem, order: String) -> Bool {
        outside.callback(system, order: order)
    }

    /// What other mints have accepted of people whom this one decides for since they were merged.
    private static func mergedOrders(
        _ merges: [Merge],
        _ aliases: KnownAliases,
        _ seat: Seat,
        _ store: any Store
    ) async throws(StoreError) -> [MergedOrder] {
        guard seat.division != .whole else { return [] }
        let names = merges.map(\.source).filter { seat.decides(for: aliases.person($0)) }
        return try await store.read { (snapshot) throws(StoreError) in
            var orders: [MergedOrder] = []
            for name in names { orders += try snapshot.mergedOrders(of: name) }
            return orders
        }
    }

    /// Answers all epochs that are known now.
    @discardableResult
    static func learnEpochs(
        _ store: any Store,
        _ reader: LogReader,
        _ verifier: TokenVerifier,
        except known: Set<EpochRecord> = []
    ) async throws(StoreError) -> Set<EpochRecord> {
        let epochs = try await store.read { (snapshot) throws(StoreError) in try snapshot.epochs() }
        for epoch in epochs where !known.contains(epoch) { try learn(epoch, reader, verifier) }
        return known.union(epochs)
    }

    private static func learn(
        _ epoch: EpochRecord,
        _ reader: LogReader,
        _ verifier: TokenVerifier
    ) throws(StoreError) {
        let dataKey = try reader.learn(epoch)
        guard let certificate = MintCertificate(epoch.certificate),
            certificate.mint == epoch.mint, certificate.epoch == epoch.epoch,
            [.admitted, .known].contains(verifier.admit(certificate, dataKey: dataKey))
        else {
            let place = "mint \(epoch.mint.rawValue) epoch \(epoch.epoch)"
            throw StoreError(.corrupt, "\(place) isn't certified by this root key")
        }
        guard epoch.isRevoked, !Mutant.isOn(.forgetsRevocations) else { return }
        verifier.revoke(MintEpoch(mint: epoch.mint, epoch: epoch.epoch))
    }
}

extension Logger {
    fileprivate func kept(_ pool: PoolID, _ why: FundingRefusal) {
        switch why {
        case .allotted(let amount):
            let metadata: Logger.Metadata = ["pool": "\(pool.rawValue)", "allotted": "\(amount.fen)"]
            error("budget kept: its file says less than what is leased", metadata: metadata)
        case .gives(let kind):
            let metadata: Logger.Metadata = ["pool": "\(pool.rawValue)", "gives": "\(kind)"]
            error("budget kept: its file says that it gives something else than it has given", metadata: metadata)
        }
    }
}
