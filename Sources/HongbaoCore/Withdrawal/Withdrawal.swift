/// What names a withdrawal: the client chooses `id`, which is the idempotency key for that person and book.
package struct WithdrawalKey: Hashable, Sendable {
    package let person: PersonID
    package let book: BookID
    package let id: String

    package static let idLengthMax = 64

    /// `nil` unless `id` has 1 to 64 of `[A-Za-z0-9_-]`.
    package init?(person: PersonID, book: BookID, id: String) {
        guard (1...Self.idLengthMax).contains(id.utf8.count),
            id.utf8.allSatisfy({ byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            })
        else { return nil }
        self.person = person
        self.book = book
        self.id = id
    }
}

/// Money on its way out of a person's wallet (WD-1..4): held, then paid by the payout channel, then settled or
/// released.
package struct Withdrawal: Hashable, Sendable {
    /// Only goes forward (M10). The raw values are stored.
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        /// The money is held and the channel has been promised an order (M15), or has it already.
        case pending = 1
        case paid = 2
        case failed = 3
    }

    package let key: WithdrawalKey
    package let serial: UInt32
    package let amount: Amount
    package let createdAt: Timestamp
    package internal(set) var state: State
    /// How often the channel has been asked to pay or asked about it.
    package internal(set) var attempts: UInt32
    /// When to ask the channel next; meaningless once final.
    package internal(set) var nextCheckAt: Timestamp
    package internal(set) var finalAt: Timestamp?

    package init(
        key: WithdrawalKey,
        serial: UInt32,
        amount: Amount,
        createdAt: Timestamp,
        state: State = .pending,
        attempts: UInt32 = 0,
        nextCheckAt: Timestamp,
        finalAt: Timestamp? = nil
    ) {
        self.key = key
        self.serial = serial
        self.amount = amount
        self.createdAt = createdAt
        self.state = state
        self.attempts = attempts
        self.nextCheckAt = nextCheckAt
        self.finalAt = finalAt
    }

    package var transferID: TransferID { TransferID(person: key.person, book: key.book, serial: serial) }

    /// The order number that the payout channel knows it by: `w_${person}_${book}_${serial}`.
    package var payoutOrder: String { "w_\(key.person.rawValue)_\(key.book.rawValue)_\(serial)" }
}

package enum WithdrawalOutcome: Hashable, Sendable {
    case accepted(Withdrawal)
    /// The same ID came before with the same amount.
    case replayed(Withdrawal)
    /// The same ID came before with another amount.
    case conflict
    case amountIsZero
    case insufficientBalance
}

extension Books {
    /// Holds the amount and records the promise to pay it out, or says why not (WD-2, WD-4, M15).
    package mutating func requestWithdrawal(
        _ key: WithdrawalKey,
        amount: Amount,
        now: Timestamp
    ) -> WithdrawalOutcome {
        if let earlier = withdrawal(key), !Mutant.isOn(.withdrawsAgain) {
            return earlier.amount == amount ? .replayed(earlier) : .conflict
        }
        guard amount > .zero else { return .amountIsZero }
        let account = ledger.account(.person(key.person, in: key.book))
        guard account.holdsStarted < TransferID.serialMax else { return .insufficientBalance }
        let withdrawal = Withdrawal(
            key: key,
            serial: account.holdsStarted + 1,
            amount: amount,
            createdAt: now,
            nextCheckAt: now
        )
        let hold = Hold(
            id: withdrawal.transferID,
            debit: account.id,
            credit: .payouts(of: Mutant.isOn(.paysOutOfAnotherBook) ? BookID(key.book.rawValue ^ 1) : key.book),
            amount: amount,
            at: now
        )
        switch Mutant.isOn(.promisesWithoutHold) ? .done : ledger.place(hold) {
        case .done: break
        case .insufficientFunds, .alreadyDone, .refused: return .insufficientBalance
        }
        if !Mutant.isOn(.holdsWithoutPromise) { put(withdrawal) }
        return .accepted(withdrawal)
    }

    /// Applies what the channel says. Repeating a report changes nothing (WD-3: final exactly once).
    package mutating func apply(
        _ report: PayoutReport,
        to key: WithdrawalKey,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard var withdrawal = withdrawal(key) else { return .notFound }
        let report = Mutant.isOn(.takesSilenceAsFailure) && report == .unreachable ? .failed : report
        if Mutant.isOn(.reopensFinal) { withdrawal.state = .pending }
        switch (withdrawal.state, report) {
        case (.paid, .failed), (.failed, .paid): return .contradiction
        case (.paid, .paid(let amount)) where amount != withdrawal.amount: return .contradiction
        case (.paid, _), (.failed, _): return .alreadyFinal
        case (.pending, .paid(let amount)):
            guard amount == withdrawal.amount || Mutant.isOn(.ignoresPaidAmount) else { return .contradiction }
            precondition(ledger.postHold(withdrawal.transferID, at: now) == .done)
            if !Mutant.isOn(.paysAndStaysOpen) { withdrawal.state = .paid }
            withdrawal.finalAt = now
            put(withdrawal)
            return .settled
        case (.pending, .failed):
            precondition(ledger.voidHold(withdrawal.transferID) == .done)
            withdrawal.state = .failed
            withdrawal.finalAt = now
            put(withdrawal)
            return .released
        case (.pending, .processing), (.pending, .unknownOrder), (.pending, .unreachable):
            withdrawal.attempts &+= 1
            withdrawal.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
            put(withdrawal)
            return .waiting
        }
    }
}

extension Withdrawal: OutsideOrder {
    package var id: TransferID { transferID }
    package var order: String { payoutOrder }
    package var isOpen: Bool { state == .pending }
    package var isDone: Bool { state == .paid }
    package var summary: String { "book \(key.book.rawValue), serial \(serial), \(state)" }

    package static func id(of order: String) -> TransferID? { TransferID(payoutOrder: order) }

    package static func footprint(of withdrawals: [Withdrawal]) -> Footprint {
        var footprint = Footprint()
        var accounts = Set<AccountID>()
        for withdrawal in withdrawals {
            accounts.insert(.person(withdrawal.key.person, in: withdrawal.key.book))
            accounts.insert(.payouts(of: withdrawal.key.book))
            footprint.withdrawals.append(withdrawal.key)
            footprint.holds.append(withdrawal.transferID)
            footprint.transfers.append(withdrawal.transferID)
        }
        footprint.accounts = Array(accounts)
        return footprint
    }

    package func apply(
        _ report: PayoutReport,
        to books: inout Books,
        _ now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        books.apply(report, to: key, now: now, retryAfterSeconds: retryAfterSeconds)
    }

    package func present(in books: Books) -> Withdrawal? { books.withdrawal(key) }
}

extension TransferID {
    /// The inverse of `Withdrawal.payoutOrder`, and of nothing else.
    package init?(payoutOrder text: String) {
        guard let parts = orderParts(text, "w", count: 3), let person = UInt64(canonicalDecimal: parts[0]),
            let book = UInt16(canonicalDecimal: parts[1]), let serial = UInt32(canonicalDecimal: parts[2])
        else { return nil }
        self.init(person: PersonID(person), book: BookID(book), serial: serial)
    }
}
