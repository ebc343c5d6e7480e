package import HongbaoCore
import Metrics
import Synchronization

/// Where a wallet's contents come from; each can fail or be switched off alone (WL-3).
package enum WalletSource: String, Hashable, Sendable, CaseIterable {
    case ledger
    case tokens
    case coupons
    case pendants
    case subsidies
}

/// One person's wallet in one book, and what is missing from it.
package struct WalletReading: Sendable {
    package let person: PersonID
    package let book: BookID
    package let campaign: Campaign
    package let phase: Phase
    package let view: WalletView
    /// What the person has been given to send red packets with, used or not; the newest first (SU-2).
    package let subsidies: [Subsidy]
    /// Coupons and pendants, used or not; the newest first.
    package let rewards: [ShownReward]
    package let missing: [WalletSource]
    /// Which of the tokens that the client sent along were refused, by index.
    package let rejectedTokens: [Int]
}

package enum WalletAnswer: Sendable {
    case wallet(WalletReading)
    case campaignUnknown
    /// No phase of the campaign has begun.
    case notInPhase
}

/// Reads wallets (WL-1..3, TK-5, TK-6). Reading writes nothing, except that client tokens which the server's list has
/// lost are posted; subsidies are not, only what uses one posts it (SU-2).
///
/// The tokens are read first, then one snapshot of the store: in any other order a grant posted in between is lost or
/// counted twice (see docs/money-safety.md).
package final class Wallets: Sendable {
    /// How many tokens a client may send along; more are refused.
    package static let clientTokensMax = 200

    /// Where the tokens are read.
    package enum Tokens: Sendable {
        /// Those of this engine, whose poster posts what only a client still had.
        case own(TokenLists, Poster)
        /// What the engines of other nodes have put there. Nothing is posted.
        case hot(any HotTokens, Division)
    }

    let shards: Shards
    private let campaigns: Campaigns
    let tokens: Tokens
    let kinds: PoolKinds
    let verifier: TokenVerifier
    let reader: LogReader
    let clock: WallClock
    let alarms: Alarms
    let aliases: KnownAliases
    private let deadline: Duration
    private let switchedOff = Mutex<Set<WalletSource>>([])

    package init(
        shards: Shards,
        campaigns: Campaigns,
        tokens: Tokens,
        kinds: PoolKinds,
        verifier: TokenVerifier,
        reader: LogReader,
        clock: WallClock,
        alarms: Alarms,
        aliases: KnownAliases = KnownAliases(),
        deadline: Duration = .milliseconds(800)
    ) {
        self.shards = shards
        self.campaigns = campaigns
        self.tokens = tokens
        self.kinds = kinds
        self.verifier = verifier
        self.reader = reader
        self.clock = clock
        self.alarms = alarms
        self.aliases = aliases
        self.deadline = deadline
    }

    /// Cuts a source off, or connects it again.
    package func setSwitchedOff(_ isOff: Bool, _ source: WalletSource) {
        switchedOff.withLock { sources in
            if isOff { sources.insert(source) } else { sources.remove(source) }
        }
    }

    var sourcesSwitchedOff: Set<WalletSource> { switchedOff.withLock { $0 } }

    /// All that a person has, under whatever name it came to them (ID-3).
    package func read(person name: PersonID, campaign key: String, tokens sent: [[UInt8]] = []) async -> WalletAnswer {
        while true {
            let names = aliases.all(name)
            let answer = await read(Mutant.isOn(.hidesAliasMoney) ? Array(names.suffix(1)) : names, key, sent)
            // What a merge has brought meanwhile may be withdrawn already, and its coming wasn't seen.
            if aliases.all(name) == names { return answer }
        }
    }

    private func read(_ names: [PersonID], _ key: String, _ sent: [[UInt8]]) async -> WalletAnswer {
        guard let campaign = campaigns.current.campaign(key) else { return .campaignUnknown }
        guard let phase = campaign.phaseShown(at: clock.now()) else { return .notInPhase }
        let book = phase.book
        let off = sourcesSwitchedOff
        var missing = WalletSource.allCases.filter { off.contains($0) }

        var open: [OpenGrant] = []
        if !off.contains(.tokens) {
            if let listed = await listed(names, book) { open = listed } else { missing.append(.tokens) }
        }
        var sent = ClientTokens(sent, names: names, book: book, verifier: verifier, now: clock.now())
        sent.drop(listed: open)

        var posted: [Transfer] = []
        var withdrawals: [Withdrawal] = []
        var claims: [Claim] = []
        var subsidies: [Subsidy] = []
        var rewards: [GivenReward] = []
        if !off.contains(.ledger) {
            if let snapshot = await read(names, book, open, sent) {
                posted = snapshot.posted
                withdrawals = snapshot.withdrawals
                claims = snapshot.claims
                subsidies = snapshot.subsidies
                rewards = snapshot.rewards
                let orders = posted.compactMap(\.id.order) + rewards.map(\.id)
                if snapshot.isWhole {
                    sent.judge(by: snapshot.log, posted: Set(orders))
                } else {
                    missing.append(.ledger)
                    sent.setAside()
                }
            } else {
                if !Mutant.isOn(.hidesMissingLedger) { missing.append(.ledger) }
                sent.setAside()
            }
        } else {
            sent.setAside()
        }
        alarms.raiseForged(sent.forgedIn)
        if Mutant.isOn(.readsLedgerFirst) { open = await listed(names, book) ?? [] }
        open += sent.grants
        let kinds = kinds.known
        func kind(_ grant: OpenGrant) -> RewardKind? { grant.pool.flatMap { kinds[$0] } }
        await post(sent.grants.filter { kind($0) != .subsidy })
        subsidies.merge(open.filter { kind($0) == .subsidy })
        let shown = ShownReward.merged(rewards, open, kinds, campaigns.current)
        open.removeAll { kind($0) != .cash }
        return .wallet(
            WalletReading(
                person: names[names.count - 1],
                book: book,
                campaign: campaign,
                phase: phase,
                view: WalletView(tokens: open, posted: posted, withdrawals: withdrawals, claims: claims),
                subsidies: off.contains(.subsidies) ? [] : subsidies,
                rewards: shown.filter { !off.contains($0.kind == .pendant ? .pendants : .coupons) },
                missing: missing,
                rejectedTokens: sent.rejected
            )
        )
    }

    /// `nil` when the hot state can't tell.
    private func listed(_ names: [PersonID], _ book: BookID) async -> [OpenGrant]? {
        switch tokens {
        case .own(let lists, _): return names.flatMap { lists.tokens(of: $0, in: book) }
        case .hot(let hot, let division):
            // Who decides for a person since a merge lists what comes to all of their names.
            let mint = division.mint(of: names[names.count - 1])
            do throws(HotTokensFault) {
                return try await hot.tokens(of: names.map { TokenQuestion($0, in: book, mint: mint) }).flatMap { $0 }
            } catch {
                Self.hotFaults.increment()
                return nil
            }
        }
    }

    private static let hotFaults = Counter(label: "hongbao_hot_tokens_faults_total", dimensions: [("call", "read")])

    /// What one database has of a person.
    private struct Snapshot: Sendable {
        var posted: [Transfer] = []
        var withdrawals: [Withdrawal] = []
        var claims: [Claim] = []
        var subsidies: [Subsidy] = []
        var rewards: [GivenReward] = []
        /// What the log has at the places that the client's tokens name.
        var log: [ThinToken: ClientTokens.Logged] = [:]
        /// Whether all databases have answered.
        var isWhole = true

        mutating func add(_ other: Snapshot) {
            posted += other.posted
            withdrawals += other.withdrawals
            claims += other.claims
            subsidies += other.subsidies
            rewards += other.rewards
            log.merge(other.log) { first, _ in first }
        }
    }

    /// What all databases have; `nil` when one that has the person's own things fails or takes too long.
    private func read(
        _ names: [PersonID],
        _ book: BookID,
        _ open: [OpenGrant],
        _ sent: ClientTokens
    ) async -> Snapshot? {
        let own = shards.indices(of: names)
        guard var all = await read(names, book, open, sent, at: own) else { return nil }
        let others = shards.stores.indices.filter { !own.contains($0) }
        guard !others.isEmpty else { return all }
        let isThere = !others.contains { shards.isAway($0) }
        if isThere, let found = await read(names, book, open, sent, at: others) {
            all.add(found)
        } else {
            all.isWhole = false
        }
        return all
    }

    /// - Parameter indices: all of the person's own databases, or none of them: then only what others have, too.
    private func read(
        _ names: [PersonID],
        _ book: BookID,
        _ open: [OpenGrant],
        _ sent: ClientTokens,
        at indices: [Int]
    ) async -> Snapshot? {
        let kinds = kinds
        let reader = reader
        let shards = shards
        let alarms = alarms
        let isOwn = shards.indices(of: names) == indices
        return await withDeadline(deadline, on: clock.timer) {
            do throws(StoreError) {
                var all = Snapshot()
                for index in indices {
                    let found = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                        var found = Snapshot()
                        // Shares are where their packet is.
                        for name in names { found.claims += try snapshot.claims(of: name, in: book) }
                        found.log = try sent.lookUp(in: snapshot, reader) { shards.index(of: $0) == index }
                        guard isOwn else { return found }
                        try kinds.learn(of: open + found.log.values.map(\.grant), snapshot)
                        // Whatever else a person can have comes here, too: it's theirs under each of their names.
                        for name in names {
                            found.posted += try snapshot.transfers(of: name, in: book)
                            found.withdrawals += try snapshot.withdrawals(of: name, in: book)
                            found.subsidies += try snapshot.subsidies(of: name, in: book)
                            found.rewards += try snapshot.rewards(of: name, in: book)
                        }
                        return found
                    }
                    all.add(found)
                }
                return all
            } catch {
                if error.code == .corrupt { alarms.raise(.corruptData, "reading a wallet: \(error)") }
                return nil
            }
        } ?? nil
    }

    /// What only the client still had is posted at once (TK-4). When that fails it's shown all the same, and posted by
    /// the log's poster.
    private func post(_ grants: [OpenGrant]) async {
        guard case .own(_, let poster) = tokens else { return }
        do {
            try await poster.postFirst(grants)
        } catch {
            return
        }
    }
}
