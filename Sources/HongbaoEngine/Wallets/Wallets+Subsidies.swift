package import HongbaoCore

// One subsidy, as sending a packet with it needs it; lists of them come with the wallet.
extension Wallets {
    /// A subsidy as it stands: from the token list, or proven by a token, or from the ledger; `nil` when nobody was
    /// given it. Asking posts nothing (SU-2).
    ///
    /// - Parameter sent: tokens that the person's client holds.
    package func subsidy(_ order: OrderNumber, tokens sent: [[UInt8]] = []) async throws(StoreError) -> Subsidy? {
        if let open = try await openSubsidy(order, tokens: sent) {
            return Subsidy(order: order, amount: open.amount, at: open.openedAt)
        }
        return try await shards.read(shards.indices(of: aliases.all(order.person))) { (snapshot) throws(StoreError) in
            try snapshot.subsidies(of: order.person, in: order.book).filter { $0.order == order }
        }.first
    }

    /// Puts a subsidy into the ledger that isn't in it yet. Nothing else is posted (SU-2), and nothing that can't be
    /// proven; the ledger's word counts afterwards.
    func postSubsidy(_ order: OrderNumber, tokens sent: [[UInt8]]) async throws(StoreError) {
        guard case .own(_, let poster) = tokens, let open = try await openSubsidy(order, tokens: sent) else { return }
        try await poster.postFirst([open])
    }

    /// The subsidy's grant when it may not be posted yet: the token list says so, or the list has lost it, and a token
    /// that is in the log proves it.
    private func openSubsidy(_ order: OrderNumber, tokens sent: [[UInt8]]) async throws(StoreError) -> OpenGrant? {
        var open: OpenGrant?
        if case .own(let lists, _) = tokens, !sourcesSwitchedOff.contains(.tokens) {
            open = lists.unposted(of: order.person, in: order.book).first { $0.order == order }
        }
        if open == nil { open = try await proven(order, by: sent) }
        guard let open else { return nil }
        let pool = PoolID(order.scene)
        return try await kinds.kinds(of: [pool])[pool] == .subsidy ? open : nil
    }

    private func proven(_ order: OrderNumber, by sent: [[UInt8]]) async throws(StoreError) -> OpenGrant? {
        guard !sent.isEmpty else { return nil }
        let (person, book) = (order.person, order.book)
        var sent = ClientTokens(sent, names: [person], book: book, verifier: verifier, now: clock.now())
        sent.keep(only: order)
        guard !sent.orders.isEmpty else { return nil }
        let (reader, asked) = (reader, sent)
        let found = try await shards.read(shards.indices(of: aliases.all(person))) { (snapshot) throws(StoreError) in
            [(log: try asked.lookUp(in: snapshot, reader), posted: try snapshot.transfers([TransferID(order)]))]
        }
        let log = found.reduce(into: [:]) { $0.merge($1.log) { first, _ in first } }
        sent.judge(by: log, posted: Set(found.flatMap(\.posted).compactMap(\.id.order)))
        alarms.raiseForged(sent.forgedIn)
        return sent.grants.first
    }
}

extension [Subsidy] {
    /// Adds those that aren't posted yet, each order once, and sorts: the newest first.
    mutating func merge(_ open: [OpenGrant]) {
        var seen = Set(map(\.order))
        for grant in open where seen.insert(grant.order).inserted || Mutant.isOn(.listsPostedSubsidies) {
            append(Subsidy(order: grant.order, amount: grant.amount, at: grant.openedAt))
        }
        sort { ($0.at, $0.order) > ($1.at, $1.order) }
    }
}
