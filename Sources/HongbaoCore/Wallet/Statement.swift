/// One line of the wallet page (WL-2).
package struct StatementEntry: Hashable, Sendable {
    package enum Kind: UInt8, Hashable, Sendable, CaseIterable { case grant, withdrawal, refund, claim }

    /// How a line looks to its owner. A grant is `credited` from the moment that it's accepted (TK-6), a share of a red
    /// packet from the moment that it's claimed.
    package enum State: UInt8, Hashable, Sendable { case credited, pending, paid, failed }

    package let kind: Kind
    /// The order number of a grant, or the transfer ID of a claim, of a withdrawal and of its refund.
    package let id: TransferID
    /// Signed, in fen: what this line adds to the balance.
    package let amount: Int64
    package let at: Timestamp
    package let state: State

    package init(kind: Kind, id: TransferID, amount: Int64, at: Timestamp, state: State) {
        self.kind = kind
        self.id = id
        self.amount = amount
        self.at = at
        self.state = state
    }

    package var position: StatementCursor { StatementCursor(at: at, id: id, kind: kind) }
}

/// A place between two lines of a statement. It stays where it is while rows arrive and tokens get posted, because a
/// line's position never changes: a grant keeps its opening time when it's posted.
package struct StatementCursor: Hashable, Comparable, Sendable {
    package let at: Timestamp
    package let id: TransferID
    package let kind: StatementEntry.Kind

    package init(at: Timestamp, id: TransferID, kind: StatementEntry.Kind) {
        self.at = at
        self.id = id
        self.kind = kind
    }

    package static func < (a: Self, b: Self) -> Bool {
        (a.at, a.id, a.kind.rawValue) < (b.at, b.id, b.kind.rawValue)
    }
}

/// A grant that the person has been promised and that may not be posted yet.
package struct OpenGrant: Hashable, Sendable {
    package let order: OrderNumber
    package let amount: Amount
    package let openedAt: Timestamp
    package let app: AppID
    /// The number of the coupon's or pendant's reward ID; 0 for money.
    package let given: UInt16

    package init(order: OrderNumber, amount: Amount, openedAt: Timestamp, app: AppID, given: UInt16 = 0) {
        self.order = order
        self.amount = amount
        self.openedAt = openedAt
        self.app = app
        self.given = given
    }
}

/// What one person has in one book, merged from the sources that answered.
///
/// Balance = ledger + unposted tokens; the statement shows each order once (M11). For that the tokens must be read
/// before the snapshot of the ledger: a grant posted in between is then in both and dropped here; in the other order it
/// could be in neither.
package struct WalletView: Sendable {
    /// What can be withdrawn, in fen: posted, less held and paid out, plus not yet posted.
    package let balance: Int64
    /// Everything ever granted, and every share claimed that goes to the wallet.
    package let income: Amount
    /// The part of `balance` that isn't posted yet.
    package let pending: Amount
    private let entries: [StatementEntry]

    /// - Parameters:
    ///   - tokens: the person's open grants in this book, read first; repeated orders count once.
    ///   - posted: all transfers of the person in this book, from one snapshot read afterwards.
    ///   - withdrawals: all withdrawals of the person in this book, from the same snapshot.
    ///   - claims: all of the person's claims in this book, from the same snapshot. Those that go to the wallet count,
    ///   whether or not they are posted: a claim's row is there before its transfer (RP-1, M15).
    package init(
        tokens: [OpenGrant],
        posted: [Transfer],
        withdrawals: [Withdrawal],
        claims: [Claim] = []
    ) {
        var entries: [StatementEntry] = []
        entries.reserveCapacity(tokens.count + posted.count + withdrawals.count + claims.count)
        var income = Int128(0)
        var balance = Int128(0)
        var seen = Set<UInt128>(minimumCapacity: posted.count + tokens.count)
        for transfer in posted {
            // What is for sending red packets is no cash (SU-1).
            guard let order = transfer.id.order, transfer.credit.kind == .person else { continue }
            seen.insert(order.bits)
            income += Int128(transfer.amount.fen)
            entries.append(.grant(transfer.id, transfer.amount, transfer.at))
        }
        var pending = Int128(0)
        for token in tokens where seen.insert(token.order.bits).inserted || Mutant.isOn(.showsPostedTokens) {
            pending += Int128(token.amount.fen)
            entries.append(.grant(TransferID(token.order), token.amount, token.openedAt))
        }
        for claim in claims where claim.kind.destination == .wallet {
            if claim.state == .done {
                income += Int128(claim.share.fen)
            } else {
                pending += Int128(claim.share.fen)
            }
            entries.append(.claim(claim))
        }
        income += pending
        balance = income
        for withdrawal in withdrawals {
            let line = StatementEntry.withdrawal(withdrawal)
            entries.append(line)
            if Mutant.isOn(.hidesRefund), withdrawal.state == .failed { continue }
            if let finalAt = withdrawal.finalAt, withdrawal.state == .failed, !Mutant.isOn(.keepsFailedMoney) {
                entries.append(.refund(withdrawal, at: finalAt))
            } else {
                balance += Int128(line.amount)
            }
        }
        self.balance = Int64(clamping: balance)
        self.income = Amount(fen: Int64(clamping: income)) ?? .zero
        self.pending = Amount(fen: Int64(clamping: pending)) ?? .zero
        self.entries = entries
    }

    /// The next lines, newest first, strictly older than `cursor`; and where to go on, when there is more.
    package func page(after cursor: StatementCursor?, limit: Int)
        -> (entries: [StatementEntry], next: StatementCursor?)
    {
        precondition(limit > 0)
        let older = entries.filter { entry in
            cursor.map { entry.position < $0 || Mutant.isOn(.repeatsLine) && entry.position == $0 } ?? true
        }
        let sorted = older.sorted { $0.position > $1.position }
        let page = Array(sorted.prefix(limit))
        return (page, sorted.count > limit ? page.last?.position : nil)
    }
}

extension StatementEntry {
    static func grant(_ id: TransferID, _ amount: Amount, _ at: Timestamp) -> Self {
        Self(kind: .grant, id: id, amount: amount.fen, at: at, state: .credited)
    }

    static func withdrawal(_ withdrawal: Withdrawal) -> Self {
        let state: State =
            switch withdrawal.state {
            case .pending: .pending
            case .paid: .paid
            case .failed: .failed
            }
        return Self(
            kind: .withdrawal,
            id: withdrawal.transferID,
            amount: -withdrawal.amount.fen,
            at: withdrawal.createdAt,
            state: state
        )
    }

    static func claim(_ claim: Claim) -> Self {
        Self(kind: .claim, id: claim.transferID, amount: claim.share.fen, at: claim.at, state: .credited)
    }

    static func refund(_ withdrawal: Withdrawal, at: Timestamp) -> Self {
        Self(kind: .refund, id: withdrawal.transferID, amount: withdrawal.amount.fen, at: at, state: .credited)
    }
}
