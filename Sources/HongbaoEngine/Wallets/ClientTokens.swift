import HongbaoCore

/// The tokens that a client sent along, on their way to being believed.
struct ClientTokens: Sendable {
    private var candidates: [(index: Int, token: VerifiedToken, payload: GrantPayload)] = []
    private(set) var grants: [OpenGrant] = []
    private(set) var rejected: [Int] = []
    /// The epoch of each token that verifies and was never issued.
    private(set) var forgedIn: [MintEpoch] = []

    /// Keeps those that verify for this book and for the person who has these names (TK-9).
    init(_ tokens: [[UInt8]], names: [PersonID], book: BookID, verifier: TokenVerifier, now: Timestamp) {
        for (index, bytes) in tokens.enumerated() {
            if index < Wallets.clientTokensMax,
                case .valid(let token) = verifier.verify(bytes, now: now, names: names, book: book),
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

    /// Only this one is asked about.
    mutating func keep(only order: OrderNumber) { candidates.removeAll { $0.payload.order != order } }

    var orders: [OrderNumber] { candidates.map(\.payload.order) }

    /// What the log has at a place: what was signed, and which reward was chosen.
    struct Logged: Hashable, Sendable {
        let payload: GrantPayload
        let choice: RewardChoice

        var grant: OpenGrant { OpenGrant(payload, choice) }
    }

    /// What the log says about the places that the tokens name.
    ///
    /// - Parameter isHere: whether the log of a mint is in that database.
    func lookUp(
        in snapshot: any StoreSnapshot,
        _ reader: LogReader,
        _ isHere: (MintID) -> Bool = { _ in true }
    ) throws(StoreError) -> [ThinToken: Logged] {
        var found: [ThinToken: Logged] = [:]
        for (_, token, _) in candidates where isHere(token.mint) {
            let thin = ThinToken(mint: token.mint, sequence: token.sequence, index: token.index)
            let logged = try snapshot.batches(of: token.mint, after: token.sequence - 1, limit: 1).first
            guard let logged, logged.sequence == token.sequence, token.index < logged.count else { continue }
            let opened = try reader.open(logged)
            found[thin] = Logged(payload: opened.payloads[token.index], choice: opened.choices[token.index])
        }
        return found
    }

    /// Shows what was issued and isn't posted; what was never issued is a forgery by somebody with a minting key
    /// (TK-8).
    ///
    /// - Parameter posted: the orders that the store has, in the ledger or among the rewards.
    mutating func judge(by log: [ThinToken: Logged], posted: Set<OrderNumber>) {
        guard !candidates.isEmpty else { return }
        for (index, token, payload) in candidates {
            let thin = ThinToken(mint: token.mint, sequence: token.sequence, index: token.index)
            let logged = log[thin]
            guard logged?.payload == payload || Mutant.isOn(.trustsTokens) else {
                forgedIn.append(MintEpoch(mint: token.mint, epoch: token.epoch))
                rejected.append(index)
                continue
            }
            let choice = logged?.choice ?? .first
            if !choice.isBlessing, !posted.contains(payload.order) { grants.append(OpenGrant(payload, choice)) }
        }
        candidates = []
        rejected.sort()
    }

    /// The log can't be asked: neither shown nor refused.
    mutating func setAside() { candidates = [] }
}

extension OpenGrant {
    init(_ payload: GrantPayload, _ choice: RewardChoice) {
        self.init(
            order: payload.order,
            amount: payload.amount,
            openedAt: payload.openedAt,
            app: payload.app,
            given: choice.given
        )
    }
}

extension Alarms {
    /// - Parameter epochs: of tokens that verify and were never issued.
    func raiseForged(_ epochs: [MintEpoch]) {
        for epoch in epochs {
            raise(
                .forgedToken,
                "a token of mint \(epoch.mint.rawValue) epoch \(epoch.epoch) verifies but was never issued: "
                    + "somebody else has its key; revoke the epoch"
            )
        }
    }
}
