package import HongbaoCore
package import HongbaoEngine

/// Work on a ledger that follows from a seed and a number: grants, gifts from person to person, withdrawals that are
/// paid, fail or stay open, in two books of the same people. Whoever knows the seed knows what was asked.
package struct LedgerWork: Sendable {
    package enum Step: Hashable, Sendable {
        case transfer(Transfer)
        /// With what the payout channel will say of it; `nil` when it stays pending.
        case withdrawal(WithdrawalKey, Amount, ending: PayoutReport?)
    }

    package enum Outcome: String, Hashable, Sendable, CaseIterable {
        /// The transfer is in the ledger, now or since an earlier time.
        case posted
        /// There isn't the money for it, and nothing was changed.
        case refused
        case pending, paid, failed
    }

    /// The ledger answered what can't be.
    package struct Contradiction: Error, CustomStringConvertible {
        package let description: String
    }

    package static let books = [
        BookID(campaign: 7, phase: .rollout), BookID(campaign: 7, phase: .live),
    ]
    package static let people: ClosedRange<UInt64> = 1...12
    package static let start = Timestamp(milliseconds: 1_643_630_400_000)

    package let seed: UInt64

    package init(seed: UInt64) { self.seed = seed }

    package static func scene(of book: BookID) -> SceneID { SceneID(book: book, number: 1) }

    /// Funds both books. May be repeated.
    ///
    /// - Parameter budget: of each book, in fen. By default so little that work of some hundred steps uses it up.
    package static func prepare(_ store: some Store, budget: Int64 = 50_000) async throws(StoreError) {
        guard let total = Amount(fen: budget) else { preconditionFailure("a negative budget") }
        for book in books {
            let funding = Funding(pool: PoolID(scene(of: book)), total: total, revision: 1)
            _ = try await store.transact(Footprint(funding: [funding])) { $0.fund(funding, now: start) }
        }
    }

    /// - Parameter number: from 0 to 2^32 − 1; each has order numbers of its own.
    package func step(_ number: Int) -> Step {
        var random = Seeded(seed: seed &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15)
        let book = Self.books[Int.random(in: 0..<Self.books.count, using: &random)]
        let person = UInt64.random(in: Self.people, using: &random)
        let at = Timestamp(milliseconds: Self.start.milliseconds + Int64(number))
        let fen = Int64.random(in: 1...200, using: &random)
        guard let amount = Amount(fen: fen) else { preconditionFailure("a negative amount") }
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4:
            return .transfer(transfer(number, from: .budget(of: Self.scene(of: book)), to: person, book, amount, at))
        case 4..<7:
            // Anybody but the receiver.
            let count = Self.people.upperBound
            let other = (person - 1 + UInt64.random(in: 1..<count, using: &random)) % count + 1
            return .transfer(
                transfer(number, from: .person(PersonID(other), in: book), to: person, book, amount, at)
            )
        default:
            guard let key = WithdrawalKey(person: PersonID(person), book: book, id: "w\(number)") else {
                preconditionFailure("a bad withdrawal ID")
            }
            let endings: [PayoutReport?] = [.paid(amount), .paid(amount), .failed, nil]
            return .withdrawal(key, amount, ending: endings[Int.random(in: 0..<endings.count, using: &random)])
        }
    }

    private func transfer(
        _ number: Int,
        from debit: AccountID,
        to person: UInt64,
        _ book: BookID,
        _ amount: Amount,
        _ at: Timestamp
    ) -> Transfer {
        let order = OrderNumber(
            person: PersonID(person),
            // Gifts have a number that no scene has.
            scene: debit.kind == .budget ? Self.scene(of: book) : SceneID(book: book, number: 99),
            rain: RainID(UInt16(truncatingIfNeeded: number >> 16)),
            awardType: UInt8(truncatingIfNeeded: number >> 8),
            stage: UInt8(truncatingIfNeeded: number)
        )
        return Transfer(
            id: TransferID(order),
            debit: debit,
            credit: .person(PersonID(person), in: book),
            amount: amount,
            at: at,
            postedAt: at
        )
    }

    /// Asks for a step. It may be repeated; when the outcome is unknown, it must be.
    package func perform(_ number: Int, on store: some Store) async throws -> Outcome {
        switch step(number) {
        case .transfer(let transfer):
            let outcome = try await store.transact(Footprint(posting: [transfer])) { $0.ledger.post(transfer) }
            switch outcome {
            case .posted, .alreadyPosted: return .posted
            case .insufficientFunds: return .refused
            default: throw Contradiction(description: "step \(number): \(outcome)")
            }
        case .withdrawal(let key, let amount, let ending):
            let at = Timestamp(milliseconds: Self.start.milliseconds + Int64(number))
            let outcome = try await store.transact(Footprint(withdrawal: key, serial: nil)) {
                $0.requestWithdrawal(key, amount: amount, now: at)
            }
            switch outcome {
            case .accepted(let withdrawal), .replayed(let withdrawal):
                guard let ending else { return .pending }
                return try await end(number, withdrawal, ending, at, store)
            case .insufficientBalance: return .refused
            case .conflict, .amountIsZero: throw Contradiction(description: "step \(number): \(outcome)")
            }
        }
    }

    private func end(
        _ number: Int,
        _ withdrawal: Withdrawal,
        _ ending: PayoutReport,
        _ at: Timestamp,
        _ store: some Store
    ) async throws -> Outcome {
        let (key, serial) = (withdrawal.key, withdrawal.serial)
        let progress = try await store.transact(Footprint(withdrawal: key, serial: serial)) {
            $0.apply(ending, to: key, now: at, retryAfterSeconds: 1)
        }
        switch (progress, ending) {
        case (.settled, .paid), (.alreadyFinal, .paid): return .paid
        case (.released, .failed), (.alreadyFinal, .failed): return .failed
        default: throw Contradiction(description: "step \(number): \(progress) after \(ending)")
        }
    }

    /// What is wrong with a step as it's found in the rows.
    ///
    /// - Parameter told: what whoever asked was answered; `nil` without an answer: then all of it or nothing is right.
    package func breach(_ number: Int, told: Outcome?, in rows: LedgerCheck) -> String? {
        let found: Outcome?
        switch step(number) {
        case .transfer(let transfer):
            let row = rows.transfers[transfer.id]
            if let row, !row.movesTheSame(as: transfer) { return "step \(number): another transfer is booked" }
            found = row == nil ? nil : .posted
        case .withdrawal(let key, let amount, let ending):
            let row = rows.withdrawals[key]
            if let row, row.amount != amount { return "step \(number): \(row.amount.fen) fen are withdrawn" }
            found = row.map { row in
                switch row.state {
                case .pending: .pending
                case .paid: .paid
                case .failed: .failed
                }
            }
            if found == .paid, ending == .failed { return "step \(number): paid, and the channel said failed" }
            if found == .failed, ending != .failed { return "step \(number): failed, and the channel didn't say so" }
            // Who was told nothing may have got as far as the first half. What stays open may be ended by anybody.
            if told == .pending, found == .paid { return nil }
        }
        switch (told, found) {
        case (nil, _), (.refused, nil): return nil
        default: return told == found ? nil : "step \(number): told \(told.text), and it is \(found.text)"
        }
    }
}

extension LedgerWork.Outcome? {
    fileprivate var text: String { map(\.rawValue) ?? "nothing" }
}
