package import HongbaoCore
package import HongbaoEngine

/// What must be true of a ledger's rows at every instant, whoever wrote them and however he ended: the laws that one
/// snapshot can show (M1, M2, M9, M10, M13). It adds up by itself and shares nothing with the rules but their types.
package struct LedgerCheck: Sendable {
    package let accounts: [AccountID: Account]
    package let transfers: [TransferID: Transfer]
    package let holds: [TransferID: Hold]
    package let withdrawals: [WithdrawalKey: Withdrawal]
    /// What is wrong already with the rows as such: a key that came twice.
    private var repeated: [String] = []

    private static let pageSize = 1_000

    /// Reads all rows of a store, in one snapshot.
    package static func read(_ store: some Store) async throws(StoreError) -> LedgerCheck {
        try await store.read { (snapshot) throws(StoreError) in try LedgerCheck(snapshot) }
    }

    package init(_ snapshot: any StoreSnapshot) throws(StoreError) {
        let accounts = try Self.all { (last: Account?) throws(StoreError) in
            try snapshot.accounts(after: last?.id, limit: Self.pageSize)
        }
        let transfers = try Self.all { (last: Transfer?) throws(StoreError) in
            try snapshot.transfers(after: last?.id, limit: Self.pageSize)
        }
        let holds = try Self.all { (last: Hold?) throws(StoreError) in
            try snapshot.holds(after: last?.id, limit: Self.pageSize)
        }
        let withdrawals = try Self.all { (last: Withdrawal?) throws(StoreError) in
            try snapshot.withdrawals(after: last?.key, limit: Self.pageSize)
        }
        self.accounts = Dictionary(accounts.map { ($0.id, $0) }) { first, _ in first }
        self.transfers = Dictionary(transfers.map { ($0.id, $0) }) { first, _ in first }
        self.holds = Dictionary(holds.map { ($0.id, $0) }) { first, _ in first }
        self.withdrawals = Dictionary(withdrawals.map { ($0.key, $0) }) { first, _ in first }
        if self.accounts.count < accounts.count { repeated.append("an account has two rows") }
        if self.transfers.count < transfers.count { repeated.append("M3: a transfer has two rows") }
        if self.holds.count < holds.count { repeated.append("a hold has two rows") }
        if self.withdrawals.count < withdrawals.count { repeated.append("M14: a withdrawal has two rows") }
    }

    private static func all<Row>(_ page: (Row?) throws(StoreError) -> [Row]) throws(StoreError) -> [Row] {
        var rows: [Row] = []
        while true {
            let next = try page(rows.last)
            rows += next
            if next.isEmpty { return rows }
        }
    }

    /// Empty when every law holds.
    package var breaches: [String] {
        repeated + conservation + sums + holdsAndTransfers + promises
    }

    package func account(_ id: AccountID) -> Account { accounts[id] ?? Account(id: id) }

    /// Credits less debits, of entries that were posted at this instant or before (LG-6). Holds aren't entries.
    package func balance(of id: AccountID, at instant: Timestamp) -> Int64 {
        transfers.values.reduce(0) { sum, transfer in
            guard transfer.postedAt <= instant else { return sum }
            return sum + (transfer.credit == id ? transfer.amount.fen : 0)
                - (transfer.debit == id ? transfer.amount.fen : 0)
        }
    }

    /// M1, M13: each book by itself sums to zero, and no transfer or hold touches two.
    private var conservation: [String] {
        var breaches: [String] = []
        for (book, accounts) in Dictionary(grouping: accounts.values, by: \.id.book) {
            let sum = accounts.reduce(Int128(0)) { $0 + Int128($1.credits.fen) - Int128($1.debits.fen) }
            if sum != 0 { breaches.append("M1: book \(book.rawValue) sums to \(sum) fen") }
        }
        for transfer in transfers.values
        where transfer.debit.book != transfer.credit.book || transfer.id.book != transfer.debit.book {
            breaches.append("M13: transfer \(transfer.id.bits) touches two books")
        }
        for hold in holds.values where hold.debit.book != hold.credit.book || hold.id.book != hold.debit.book {
            breaches.append("M13: hold \(hold.id.bits) touches two books")
        }
        return breaches
    }

    /// M2: balances are the sums of entries and pending holds, and none is overdrawn.
    private var sums: [String] {
        var expected: [AccountID: (debits: Int64, credits: Int64, held: Int64)] = [:]
        for transfer in transfers.values {
            expected[transfer.debit, default: (0, 0, 0)].debits += transfer.amount.fen
            expected[transfer.credit, default: (0, 0, 0)].credits += transfer.amount.fen
        }
        for hold in holds.values where hold.state == .pending {
            expected[hold.debit, default: (0, 0, 0)].held += hold.amount.fen
        }
        var breaches: [String] = []
        for id in Set(accounts.keys).union(expected.keys) {
            let (row, sum) = (account(id), expected[id] ?? (0, 0, 0))
            let name = "\(id.kind) \(id.owner) of book \(id.book.rawValue)"
            if (row.debits.fen, row.credits.fen, row.held.fen) != sum {
                breaches.append("M2: \(name) isn't the sum of its entries")
            }
            if id.kind != .treasury, id.kind != .cashier, row.credits.fen - row.debits.fen - row.held.fen < 0 {
                breaches.append("M2: \(name) is overdrawn")
            }
        }
        return breaches
    }

    /// M1, M10: a posted hold is one transfer, any other hold is none, and serials have no gap.
    private var holdsAndTransfers: [String] {
        var breaches: [String] = []
        var started: [AccountID: UInt32] = [:]
        for hold in holds.values {
            started[hold.debit, default: 0] += 1
            let transfer = transfers[hold.id]
            let isRight: Bool
            if hold.state == .posted, let transfer {
                isRight =
                    transfer.amount == hold.amount && transfer.debit == hold.debit && transfer.credit == hold.credit
            } else {
                isRight = hold.state != .posted && transfer == nil
            }
            if !isRight { breaches.append("M10: hold \(hold.id.bits) is \(hold.state), its transfer isn't") }
        }
        for transfer in transfers.values
        where transfer.id.order == nil && transfer.id.packet == nil && transfer.id.person != PersonID(0) {
            if holds[transfer.id] == nil { breaches.append("M9: transfer \(transfer.id.bits) was never held") }
        }
        for account in accounts.values where account.holdsStarted != started[account.id] ?? 0 {
            breaches.append("M2: \(account.id.owner) hasn't \(account.holdsStarted) holds")
        }
        return breaches
    }

    /// M9, M15: hold and promise were written together, with the same amount and in states that fit.
    private var promises: [String] {
        var breaches: [String] = []
        var promised = Set<TransferID>()
        for withdrawal in withdrawals.values {
            promised.insert(withdrawal.transferID)
            let state: Hold.State =
                switch withdrawal.state {
                case .pending: .pending
                case .paid: .posted
                case .failed: .voided
                }
            guard let hold = holds[withdrawal.transferID], hold.state == state, hold.amount == withdrawal.amount else {
                breaches.append("M15: withdrawal \(withdrawal.payoutOrder) is \(withdrawal.state) and its hold isn't")
                continue
            }
        }
        for id in holds.keys where !promised.contains(id) {
            breaches.append("M15: hold \(id.bits) has no withdrawal")
        }
        return breaches
    }
}
