/// The double-entry rules over the rows that a decision may touch.
///
/// Pure and synchronous: the same transfers in the same order give the same outcomes on every store and machine.
/// The rows come from a store, which afterwards writes back `changedAccounts`, `newTransfers` and `changedHolds`.
/// Touching an account that wasn't loaded is a bug, so it traps.
package struct Ledger: Sendable {
    private var accounts: [AccountID: Slot] = [:]
    private var transfers: [TransferID: Transfer] = [:]
    private var holds: [TransferID: Hold] = [:]
    package private(set) var newTransfers: [Transfer] = []
    private var changedHoldIDs: Set<TransferID> = []

    private struct Slot: Sendable {
        var account: Account
        var isChanged = false

        mutating func change(_ body: (inout Account) -> Void) {
            body(&account)
            isChanged = true
        }
    }

    package init() {}

    package init(accounts: some Sequence<Account>, transfers: some Sequence<Transfer>, holds: some Sequence<Hold>) {
        self.accounts.reserveCapacity(accounts.underestimatedCount)
        for account in accounts { self.accounts[account.id] = Slot(account: account) }
        for transfer in transfers { self.transfers[transfer.id] = transfer }
        for hold in holds { self.holds[hold.id] = hold }
    }

    package var changedAccounts: [Account] { accounts.values.lazy.filter(\.isChanged).map(\.account) }
    package var changedHolds: [Hold] { changedHoldIDs.compactMap { holds[$0] } }

    package func account(_ id: AccountID) -> Account {
        guard let slot = accounts[id] else { preconditionFailure("an account outside the footprint") }
        return slot.account
    }

    package func transfer(_ id: TransferID) -> Transfer? { transfers[id] }
    package func hold(_ id: TransferID) -> Hold? { holds[id] }

    package mutating func post(_ transfer: Transfer) -> TransferOutcome {
        if let earlier = transfers[transfer.id], !Mutant.isOn(.postsAgain) {
            return earlier.movesTheSame(as: transfer) ? .alreadyPosted : .idReusedForAnotherTransfer
        }
        if transfer.amount == .zero { return .amountIsZero }
        if transfer.debit == transfer.credit { return .accountsAreTheSame }
        guard transfer.debit.book == transfer.credit.book || Mutant.isOn(.paysOutOfAnotherBook),
            transfer.id.book == transfer.debit.book
        else {
            return .booksDiffer
        }
        let debitPlace = place(of: transfer.debit)
        let creditPlace = place(of: transfer.credit)
        let debit = accounts.values[debitPlace].account
        guard debit.canDebit(transfer.amount) else { return .insufficientFunds }
        guard
            let debits = debit.debits.adding(transfer.amount),
            let credits = accounts.values[creditPlace].account.credits.adding(transfer.amount)
        else { return .balanceWouldOverflow }

        // From here on the transfer must succeed (M1: both sides or neither).
        if !Mutant.isOn(.forgetsDebit) { accounts.values[debitPlace].change { $0.debits = debits } }
        if !Mutant.isOn(.forgetsCredit) { accounts.values[creditPlace].change { $0.credits = credits } }
        if Mutant.isOn(.creditsTwice), let twice = credits.adding(transfer.amount) {
            accounts.values[creditPlace].change { $0.credits = twice }
        }
        transfers[transfer.id] = transfer
        newTransfers.append(transfer)
        return .posted
    }

    /// Sets money aside (LG-3). The ID must be `TransferID(person:book:serial:)` with the account's next serial.
    package mutating func place(_ hold: Hold) -> HoldOutcome {
        precondition(hold.state == .pending)
        if let earlier = holds[hold.id] { return earlier == hold ? .alreadyDone : .refused }
        let debit = account(hold.debit)
        guard hold.amount > .zero,
            hold.debit.book == hold.credit.book || Mutant.isOn(.paysOutOfAnotherBook), hold.id.book == hold.debit.book,
            debit.holdsStarted < TransferID.serialMax
        else { return .refused }
        guard debit.canDebit(hold.amount), let held = debit.held.adding(hold.amount) else {
            return .insufficientFunds
        }
        change(hold.debit) {
            $0.held = held
            $0.holdsStarted += 1
        }
        holds[hold.id] = hold
        changedHoldIDs.insert(hold.id)
        return .done
    }

    /// Moves all that is available from one person's account to another's, under the first one's next serial number
    /// (ID-3). Answers how much; nothing when there is nothing, or the other can't hold it.
    package mutating func moveAvailable(from debit: AccountID, to credit: AccountID, at now: Timestamp) -> Amount {
        let source = account(debit)
        var free = source.available
        if Mutant.isOn(.movesHeldMoney) { free += source.held.fen }
        guard free > 0, let amount = Amount(fen: free), source.holdsStarted < TransferID.serialMax else {
            return .zero
        }
        let id = TransferID(person: PersonID(debit.owner), book: debit.book, serial: source.holdsStarted + 1)
        switch post(Transfer(id: id, debit: debit, credit: credit, amount: amount, at: now, postedAt: now)) {
        case .posted:
            if !Mutant.isOn(.reusesMoveNumbers) { change(debit) { $0.holdsStarted += 1 } }
            return amount
        case .balanceWouldOverflow, .insufficientFunds: return .zero
        case .alreadyPosted, .idReusedForAnotherTransfer, .amountIsZero, .accountsAreTheSame, .booksDiffer:
            preconditionFailure("a number that nobody has used moves nothing")
        }
    }

    /// Turns a hold into a transfer with the same ID.
    package mutating func postHold(_ id: TransferID, at now: Timestamp) -> HoldOutcome {
        guard var hold = holds[id], hold.state != .voided else { return .refused }
        guard hold.state == .pending else { return .alreadyDone }
        if !Mutant.isOn(.keepsHeldWhenPosted) { release(hold) }
        hold.state = Mutant.isOn(.notesPostedAsVoided) ? .voided : .posted
        holds[id] = hold
        changedHoldIDs.insert(id)
        let outcome = post(
            Transfer(
                id: id,
                debit: hold.debit,
                credit: hold.credit,
                amount: hold.amount,
                at: hold.at,
                postedAt: now
            )
        )
        precondition(outcome == .posted)  // What was held can be posted.
        return .done
    }

    /// Gives held money back to the account that it was taken from.
    package mutating func voidHold(_ id: TransferID) -> HoldOutcome {
        guard var hold = holds[id], hold.state != .posted else { return .refused }
        guard hold.state == .pending else { return .alreadyDone }
        if !Mutant.isOn(.keepsHeldWhenVoided) { release(hold) }
        if Mutant.isOn(.voidsTwice) { release(hold) }
        hold.state = .voided
        holds[id] = hold
        changedHoldIDs.insert(id)
        return .done
    }

    private mutating func release(_ hold: Hold) {
        guard let held = account(hold.debit).held.subtracting(hold.amount) else {
            preconditionFailure("an account holds less than its holds")
        }
        change(hold.debit) { $0.held = held }
    }

    private mutating func change(_ id: AccountID, _ body: (inout Account) -> Void) {
        accounts.values[place(of: id)].change(body)
    }

    private func place(of id: AccountID) -> Dictionary<AccountID, Slot>.Index {
        guard let place = accounts.index(forKey: id) else { preconditionFailure("an account outside the footprint") }
        return place
    }
}
