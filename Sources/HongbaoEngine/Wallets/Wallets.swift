package import HongbaoCore
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
/// lost are posted.
///
/// The tokens are read first, then one snapshot of the store: in any other order a grant posted in between is lost or
/// counted twice (see docs/money-safety.md).
package final class Wallets: Sendable {
    /// How many tokens a client may send along; more are refused.
    package static let clientTokensMax = 200

    private let store: any Store
    private let campaigns: Campaigns
    private let tokens: TokenLists
    private let verifier: TokenVerifier
    private let reader: LogReader
    private let poster: Poster
    private let clock: WallClock
    private let alarms: Alarms
    private let deadline: Duration
    private let switchedOff = Mutex<Set<WalletSource>>([])

    package init(
        store: any Store,
        campaigns: Campaigns,
        tokens: TokenLists,
        verifier: TokenVerifier,
        reader: LogReader,
        poster: Poster,
        clock: WallClock,
        alarms: Alarms,
        deadline: Duration = .milliseconds(800)
    ) {
        self.store = store
        self.campaigns = campaigns
        self.tokens = tokens
        self.verifier = verifier
        self.reader = reader
        self.poster = poster
        self.clock = clock
        self.alarms = alarms
        self.deadline = deadline
    }

    /// Cuts a source off, or connects it again.
    package func setSwitchedOff(_ isOff: Bool, _ source: WalletSource) {
        switchedOff.withLock { sources in
            if isOff { sources.insert(source) } else { sources.remove(source) }
        }
    }

    package func read(person: PersonID, campaign key: String, tokens sent: [[UInt8]] = []) async -> WalletAnswer {
        guard let campaign = campaigns.current.campaign(key) else { return .campaignUnknown }
        guard let phase = campaign.phaseShown(at: clock.now()) else { return .notInPhase }
        let book = phase.book
        let off = switchedOff.withLock { $0 }
        var missing = WalletSource.allCases.filter { off.contains($0) }

        var open = off.contains(.tokens) ? [] : tokens.tokens(of: person, in: book)
        var sent = ClientTokens(sent, person: person, book: book, verifier: verifier, now: clock.now())
        sent.drop(listed: open)

        var posted: [Transfer] = []
        var withdrawals: [Withdrawal] = []
        var claims: [Claim] = []
        if !off.contains(.ledger) {
            if let snapshot = await read(person, book, sent) {
                posted = snapshot.posted
                withdrawals = snapshot.withdrawals
                claims = snapshot.claims
                sent.judge(by: snapshot.log, posted: posted)
            } else {
                if !Mutant.isOn(.hidesMissingLedger) { missing.append(.ledger) }
                sent.setAside()
            }
        } else {
            sent.setAside()
        }
        for epoch in sent.forgedIn {
            alarms.raise(
                .forgedToken,
                "a token of mint \(epoch.mint.rawValue) epoch \(epoch.epoch) verifies but was never issued: "
                    + "somebody else has its key; revoke the epoch"
            )
        }
        if Mutant.isOn(.readsLedgerFirst) { open = tokens.tokens(of: person, in: book) }
        open += sent.grants
        await post(sent.grants)
        return .wallet(
            WalletReading(
                person: person,
                book: book,
                campaign: campaign,
                phase: phase,
                view: WalletView(tokens: open, posted: posted, withdrawals: withdrawals, claims: claims),
                missing: missing,
                rejectedTokens: sent.rejected
            )
        )
    }

    private struct Snapshot: Sendable {
        let posted: [Transfer]
        let withdrawals: [Withdrawal]
        let claims: [Claim]
        /// The batches that the client's tokens claim to be of.
        let log: [ThinToken: GrantPayload]
    }

    /// `nil` when the store fails or takes too long.
    private func read(_ person: PersonID, _ book: BookID, _ sent: ClientTokens) async -> Snapshot? {
        let reader = reader
        let store = store
        let alarms = alarms
        return await withDeadline(deadline, on: clock.timer) {
            do throws(StoreError) {
                return try await store.read { (snapshot) throws(StoreError) in
                    Snapshot(
                        posted: try snapshot.transfers(of: person, in: book),
                        withdrawals: try snapshot.withdrawals(of: person, in: book),
                        claims: try snapshot.claims(of: person, in: book),
                        log: try sent.lookUp(in: snapshot, reader)
                    )
                }
            } catch {
                if error.code == .corrupt { alarms.raise(.corruptData, "reading a wallet: \(error)") }
                return nil
            }
        } ?? nil
    }

    /// What only the client still had is posted at once (TK-4). When that fails it's shown all the same, and posted by
    /// the log's poster.
    private func post(_ grants: [OpenGrant]) async {
        do {
            try await poster.postFirst(grants)
        } catch {
            return
        }
    }
}

/// The tokens that a client sent along, on their way to being believed.
private struct ClientTokens: Sendable {
    private var candidates: [(index: Int, token: VerifiedToken, payload: GrantPayload)] = []
    private(set) var grants: [OpenGrant] = []
    private(set) var rejected: [Int] = []
    /// The epoch of each token that verifies and was never issued.
    private(set) var forgedIn: [MintEpoch] = []

    /// Keeps those that verify for this person and book (TK-9).
    init(_ tokens: [[UInt8]], person: PersonID, book: BookID, verifier: TokenVerifier, now: Timestamp) {
        for (index, bytes) in tokens.enumerated() {
            if index < Wallets.clientTokensMax,
                case .valid(let token) = verifier.verify(bytes, now: now, person: person, book: book),
                let payload = token.payload
            {
                candidates.append((index, token, payload))
            } else {
                rejected.append(index)
            }
        }
    }

    /// The server's own list has these.
    mutating func drop(listed: [OpenGrant]) {
        guard !candidates.isEmpty else { return }
        let listed = Set(listed.map(\.order))
        candidates.removeAll { listed.contains($0.payload.order) }
    }

    /// What the log says about the places that the tokens name.
    func lookUp(in snapshot: any StoreSnapshot, _ reader: LogReader) throws(StoreError) -> [ThinToken: GrantPayload] {
        var found: [ThinToken: GrantPayload] = [:]
        for (_, token, _) in candidates {
            let thin = ThinToken(mint: token.mint, sequence: token.sequence, index: token.index)
            let logged = try snapshot.batches(of: token.mint, after: token.sequence - 1, limit: 1).first
            guard let logged, logged.sequence == token.sequence, token.index < logged.count else { continue }
            found[thin] = try reader.open(logged).payloads[token.index]
        }
        return found
    }

    /// Shows what was issued and isn't posted; what was never issued is a forgery by somebody with a minting key
    /// (TK-8).
    mutating func judge(by log: [ThinToken: GrantPayload], posted: [Transfer]) {
        guard !candidates.isEmpty else { return }
        let posted = Set(posted.map(\.id))
        for (index, token, payload) in candidates {
            let thin = ThinToken(mint: token.mint, sequence: token.sequence, index: token.index)
            guard log[thin] == payload || Mutant.isOn(.trustsTokens) else {
                forgedIn.append(MintEpoch(mint: token.mint, epoch: token.epoch))
                rejected.append(index)
                continue
            }
            if !posted.contains(TransferID(payload.order)) { grants.append(OpenGrant(payload)) }
        }
        candidates = []
        rejected.sort()
    }

    /// The log can't be asked: neither shown nor refused.
    mutating func setAside() { candidates = [] }
}

extension OpenGrant {
    init(_ payload: GrantPayload) {
        self.init(order: payload.order, amount: payload.amount, openedAt: payload.openedAt, app: payload.app)
    }
}
