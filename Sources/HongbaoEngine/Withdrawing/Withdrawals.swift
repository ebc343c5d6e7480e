package import HongbaoCore
import Metrics

/// What a person is told about a withdrawal, in order of precedence.
package enum WithdrawalAnswer: Hashable, Sendable {
    /// The same ID came before with the same amount, and stands as given (M14).
    case replayed(Withdrawal)
    /// The same ID came before with another amount.
    case conflict
    case amountInvalid
    /// The gate isn't open, or not for this person (WD-1).
    case closed
    case insufficientBalance
    /// The money is held and its payout is promised (M15).
    case accepted(Withdrawal)
    /// Nothing is known to have happened. The same request can be repeated safely.
    case unavailable(StoreError)
}

/// Takes money out of a person's wallet: posts what is still in tokens, holds the amount and promises to pay it out.
///
/// The promise is the withdrawal's row, written in the transaction that holds the money (M15). Telling `promised` is
/// only for speed: what gets lost on the way is found by `Payouts`' sweep.
package struct Withdrawals: Sendable {
    /// Puts a person's open tokens into the ledger and returns when they are in it (TK-7).
    package typealias PostNow = @Sendable (PersonID, BookID) async throws(StoreError) -> Void

    private let shards: Shards
    private let store: any Store
    private let aliases: KnownAliases
    private let postNow: PostNow
    private let promised: @Sendable (Withdrawal) -> Void
    private let counters: Counters

    package init(
        _ shards: Shards,
        mint: MintID = .first,
        aliases: KnownAliases = KnownAliases(),
        postNow: @escaping PostNow,
        promised: @escaping @Sendable (Withdrawal) -> Void
    ) {
        self.shards = shards
        store = shards.store(of: mint)
        self.aliases = aliases
        self.postNow = postNow
        self.promised = promised
        counters = Counters()
    }

    /// `isOpen` is the gate of the phase whose book it is, asked at most once. It only keeps new withdrawals out: one
    /// that was accepted answers under its ID for ever (WD-1).
    package func request(
        _ key: WithdrawalKey,
        amount: Amount,
        now: Timestamp,
        isOpen: (PersonID, Timestamp) -> Bool
    ) async -> WithdrawalAnswer {
        var answer: WithdrawalAnswer
        var name: PersonID
        repeat {
            name = aliases.person(key.person)
            do throws(StoreError) {
                answer = try await decide(key, amount: amount, now: now, isOpen: isOpen)
            } catch {
                answer = .unavailable(error)
            }
            // A merge meanwhile may have moved the money away from under it.
        } while answer == .insufficientBalance && aliases.person(key.person) != name
        counters.count(answer)
        if case .accepted(let withdrawal) = answer { promised(withdrawal) }
        return answer
    }

    /// The withdrawal of this ID, under this name of the person's or else under another one (ID-3).
    package func find(_ key: WithdrawalKey) async throws(StoreError) -> Withdrawal? {
        let others = aliases.all(key.person).reversed().filter { $0 != key.person }
        let asked = [key] + others.compactMap { WithdrawalKey(person: $0, book: key.book, id: key.id) }
        let places = shards.indices(of: aliases.all(key.person))
        return try await shards.read(places) { (snapshot) throws(StoreError) in
            for key in asked {
                if let found = try snapshot.withdrawal(key) { return [found] }
            }
            return []
        }.first
    }

    private func decide(
        _ key: WithdrawalKey,
        amount: Amount,
        now: Timestamp,
        isOpen: (PersonID, Timestamp) -> Bool
    ) async throws(StoreError) -> WithdrawalAnswer {
        if let earlier = try await find(key), !Mutant.isOn(.withdrawsAgain) {
            return earlier.amount == amount || Mutant.isOn(.ignoresWithdrawnAmount) ? .replayed(earlier) : .conflict
        }
        guard amount > .zero else { return .amountInvalid }
        guard let key = WithdrawalKey(person: aliases.person(key.person), book: key.book, id: key.id) else {
            preconditionFailure("an ID that was one before")
        }
        guard isOpen(key.person, now) else { return .closed }
        if !Mutant.isOn(.forgetsOpenTokens) { try await postNow(key.person, key.book) }
        // Holding is idempotent by the key.
        let (outcome, isRepeated) = try await store.transactOnceMore(Footprint(withdrawal: key, serial: nil)) { books in
            books.requestWithdrawal(key, amount: amount, now: now)
        }
        switch outcome {
        case .accepted(let withdrawal): return .accepted(withdrawal)
        case .replayed(let withdrawal): return isRepeated ? .accepted(withdrawal) : .replayed(withdrawal)
        case .conflict: return .conflict
        case .amountIsZero: return .amountInvalid
        case .insufficientBalance: return .insufficientBalance
        }
    }

    /// Handles made once; none has a person in a label.
    private struct Counters: Sendable {
        private static let name = "hongbao_withdrawal_requests_total"
        private let accepted = Counter(label: name, dimensions: [("outcome", "accepted")])
        private let replayed = Counter(label: name, dimensions: [("outcome", "replayed")])
        private let conflict = Counter(label: name, dimensions: [("outcome", "conflict")])
        private let amountInvalid = Counter(label: name, dimensions: [("outcome", "amount_invalid")])
        private let closed = Counter(label: name, dimensions: [("outcome", "withdrawal_closed")])
        private let insufficient = Counter(label: name, dimensions: [("outcome", "insufficient_balance")])
        private let unavailable = Counter(label: name, dimensions: [("outcome", "unavailable")])

        func count(_ answer: WithdrawalAnswer) {
            switch answer {
            case .accepted: accepted.increment()
            case .replayed: replayed.increment()
            case .conflict: conflict.increment()
            case .amountInvalid: amountInvalid.increment()
            case .closed: closed.increment()
            case .insufficientBalance: insufficient.increment()
            case .unavailable: unavailable.increment()
            }
        }
    }
}
