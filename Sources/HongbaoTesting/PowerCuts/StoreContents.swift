import HongbaoCore
import HongbaoEngine

/// Everything that a store holds, for comparison with what callers were told.
struct StoreContents {
    /// A row that one transaction wrote, and no other one would.
    enum Row: Hashable {
        case batch(LoggedBatch)
        case transfer(Transfer)
        case withdrawal(Withdrawal)

        /// By key only: records are long.
        func hash(into hasher: inout Hasher) {
            switch self {
            case .batch(let batch):
                hasher.combine(batch.mint)
                hasher.combine(batch.sequence)
            case .transfer(let transfer): hasher.combine(transfer.id.bits)
            case .withdrawal(let withdrawal): hasher.combine(withdrawal.key)
            }
        }
    }

    private(set) var rows: Set<Row> = []
    /// What contradicts something else in the same store.
    private(set) var contradictions: [String] = []

    private static let page = 4_096

    init(_ snapshot: any StoreSnapshot) throws(StoreError) {
        try readLog(snapshot)
        try readLedger(snapshot)
    }

    private mutating func readLog(_ snapshot: any StoreSnapshot) throws(StoreError) {
        var issued: [MintID: Int64] = [:]
        for mint in try snapshot.mints() {
            let batches = try snapshot.batches(of: mint.id, after: 0, limit: Int(Int32.max))
            if batches.map(\.sequence) != Array(0..<mint.lastSequence).map({ $0 + 1 }) {
                contradictions.append("mint \(mint.id.rawValue) says \(mint.lastSequence), its log differs")
            }
            issued[mint.id] = batches.reduce(0) { $0 + $1.total.fen }
            for batch in batches { rows.insert(.batch(batch)) }
        }
        for (_, leases) in try snapshot.budgets() {
            for lease in leases where lease.issued.fen != issued[lease.id.mint] {
                contradictions.append("M6: the lease of mint \(lease.id.mint.rawValue) has issued \(lease.issued.fen)")
            }
        }
    }

    private mutating func readLedger(_ snapshot: any StoreSnapshot) throws(StoreError) {
        let transfers = try snapshot.transfers(after: nil, limit: Self.page)
        let holds = try snapshot.holds(after: nil, limit: Self.page)
        let withdrawals = try snapshot.withdrawals(after: nil, limit: Self.page)
        precondition(max(transfers.count, holds.count, withdrawals.count) < Self.page)
        var sums: [AccountID: (debits: Int64, credits: Int64, held: Int64)] = [:]
        for transfer in transfers {
            sums[transfer.debit, default: (0, 0, 0)].debits += transfer.amount.fen
            sums[transfer.credit, default: (0, 0, 0)].credits += transfer.amount.fen
            // What the store was prepared with is nobody's.
            if transfer.id.order != nil { rows.insert(.transfer(transfer)) }
        }
        for hold in holds { sums[hold.debit, default: (0, 0, 0)].held += hold.amount.fen }
        for withdrawal in withdrawals { rows.insert(.withdrawal(withdrawal)) }
        if Set(holds.map { [$0.id.bits, UInt128($0.amount.fen)] })
            != Set(withdrawals.map { [$0.transferID.bits, UInt128($0.amount.fen)] })
        {
            contradictions.append("M15: withdrawals and holds differ")
        }
        for account in try snapshot.accounts(after: nil, limit: Self.page) {
            let sum = sums.removeValue(forKey: account.id) ?? (0, 0, 0)
            if sum != (account.debits.fen, account.credits.fen, account.held.fen) {
                contradictions.append("M2: \(account) isn't the sum of its entries \(sum)")
            }
        }
        for id in sums.keys.sorted() { contradictions.append("M2: \(id) has entries and no row") }
    }
}
