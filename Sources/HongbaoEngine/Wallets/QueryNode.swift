package import HongbaoCore
package import Logging
import ServiceLifecycle
import Synchronization

/// Shows wallets on a node that needn't have a mint: the role `query` (DP-2). Tokens come from a hot state, all else
/// from the store. It posts nothing and writes nothing.
///
/// What engines know of the cluster because they take part in it, this learns from the store at intervals: merges, and
/// the keys of new epochs.
package final class QueryNode: Service {
    package struct Configuration: Sendable {
        package var interval = Duration.milliseconds(250)
        /// How often merges are read when none is known to be under way.
        package var mergeInterval = Duration.seconds(1)
        /// Without a look at the store for so long it isn't ready.
        package var silence = Duration.seconds(10)
        package var walletDeadline = Duration.milliseconds(800)

        package init() {}
    }

    private struct State {
        var lookedAt: Duration?
        var readMergesAt: Duration?
        var pending: [PendingMerge] = []
        /// The last epoch of each mint of which the keys are known.
        var epochs: [MintID: UInt32] = [:]
        var known: Set<EpochRecord> = []
    }

    package let wallets: Wallets
    package let aliases = KnownAliases()
    private let shards: Shards
    private let inForce: @Sendable () -> CampaignSet
    private let campaigns: Campaigns
    private let kinds: PoolKinds
    private let reader: LogReader
    private let verifier: TokenVerifier
    private let configuration: Configuration
    private let clock: WallClock
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter campaigns: those in force.
    package init(
        _ shards: Shards,
        hot: any HotTokens,
        keyring: Keyring,
        campaigns inForce: @escaping @Sendable () -> CampaignSet,
        configuration: Configuration = Configuration(),
        clock: WallClock = .system,
        alarms: Alarms,
        logger: Logger
    ) {
        self.shards = shards
        self.inForce = inForce
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        campaigns = Campaigns(inForce())
        kinds = PoolKinds(store: shards.home)
        reader = LogReader(wrappingKey: keyring.walletWrapping)
        verifier = TokenVerifier(root: keyring.rootPublicKey, signatures: VerifiedSignatures())
        wallets = Wallets(
            shards: shards,
            campaigns: campaigns,
            tokens: .hot(hot, shards.division),
            kinds: kinds,
            verifier: verifier,
            reader: reader,
            clock: clock,
            alarms: alarms,
            aliases: aliases,
            deadline: configuration.walletDeadline
        )
    }

    /// Whether it has seen the store of late.
    package var isInTouch: Bool {
        let now = clock.uptime()
        return state.withLock { state in state.lookedAt.map { now - $0 < configuration.silence } ?? false }
    }

    /// - Throws: `unavailable` until it has seen the store for the first time: it doesn't know who is who.
    package func read(
        person: PersonID,
        campaign: String,
        tokens: [[UInt8]] = []
    ) async throws(StoreError) -> WalletAnswer {
        guard state.withLock({ $0.lookedAt != nil }) else {
            throw StoreError(.unavailable, "this node hasn't seen the store yet")
        }
        return await wallets.read(person: person, campaign: campaign, tokens: tokens)
    }

    package func run() async throws {
        await cancelOnShutdown {
            while !Task.isCancelled {
                do throws(StoreError) {
                    try await self.look()
                } catch {
                    self.logger.error("this node can't see the store", metadata: ["error": "\(error)"])
                }
                await self.clock.pause(self.configuration.interval)
            }
        }
    }

    /// Learns what there is to know for wallets.
    package func look() async throws(StoreError) {
        let now = clock.uptime()
        campaigns.replace(by: inForce())
        let (before, isDue) = state.withLock { state in
            (state.pending, state.readMergesAt.map { now - $0 >= configuration.mergeInterval } ?? true)
        }
        let (mints, pending, merges) = try await shards.home.read { (snapshot) throws(StoreError) in
            let pending = try snapshot.pendingMerges()
            let isChanging = !pending.isEmpty || !before.isEmpty
            return (try snapshot.mints(), pending, isDue || isChanging ? try snapshot.merges() : nil)
        }
        for mint in mints { try shards.division.check(mint) }
        if let merges { aliases.settle([], merges) }
        try await learnEpochs(of: mints)
        if state.withLock({ $0.lookedAt == nil }) { try await kinds.learn() }
        state.withLock { state in
            state.lookedAt = now
            state.pending = pending
            if merges != nil { state.readMergesAt = now }
        }
    }

    private func learnEpochs(of mints: [MintRecord]) async throws(StoreError) {
        let (epochs, known) = state.withLock { ($0.epochs, $0.known) }
        guard mints.contains(where: { epochs[$0.id] != $0.epoch }) else { return }
        let all = try await Engine.learnEpochs(shards.home, reader, verifier, except: known)
        state.withLock { state in
            state.known = all
            for mint in mints { state.epochs[mint.id] = mint.epoch }
        }
    }
}
