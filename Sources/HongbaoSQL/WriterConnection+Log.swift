import HongbaoCore
import HongbaoEngine

// Appending to the log, through the statements of each back-end.
extension WriterConnection {
    func append(_ group: AppendGroup) throws(StoreError) {
        guard let first = group.batches.first, let last = group.batches.last else {
            guard group.issued.isEmpty else { throw StoreError(.corrupt, "grants without a batch") }
            return
        }
        try group.checkWhole()
        try advanceMint(group, from: first.sequence, to: last.sequence)
        let issue = try prepared(.issueFromLease)
        for (pool, amount) in group.issued.sorted(by: { $0.key < $1.key }) {
            issue.bind(1, amount.fen)
            issue.bind(2, Int64(pool.rawValue))
            issue.bind(3, Int64(group.mint.rawValue))
            issue.bind(4, Int64(group.epoch))
            // M6: an overdrawn lease fails its CHECK; a lease that was reclaimed or isn't there changes no row.
            guard try issue.change() == 1 else {
                throw StoreError(.fenced, "mint \(group.mint.rawValue) has no such lease of pool \(pool.rawValue)")
            }
        }
        try write(group.batches, .addBatch) { $0.bind($1) }
        try prepared(.addBatch).clear()
    }

    private func advanceMint(_ group: AppendGroup, from first: UInt64, to last: UInt64) throws(StoreError) {
        let advance = try prepared(.advanceMint)
        advance.bind(1, bits: last)
        advance.bind(2, Int64(group.mint.rawValue))
        advance.bind(3, Int64(group.epoch))
        advance.bind(4, bits: first &- 1)
        guard let changed = try advance.change() else {
            throw StoreError(.corrupt, "the schema refused to move mint \(group.mint.rawValue) on")
        }
        guard changed != 1 else { return }
        guard let mint = try loadMint(group.mint), mint.epoch <= group.epoch else {
            throw StoreError(.fenced, "mint \(group.mint.rawValue) has left epoch \(group.epoch)")
        }
        guard mint.epoch == group.epoch else {
            throw StoreError(.corrupt, "mint \(group.mint.rawValue) was never in epoch \(group.epoch)")
        }
        throw StoreError(.corrupt, "batch \(first) of mint \(group.mint.rawValue) doesn't follow \(mint.lastSequence)")
    }

    func loadMint(_ id: MintID) throws(StoreError) -> MintRecord? {
        let statement = try loading(.mint)
        statement.bind(1, Int64(id.rawValue))
        return try statement.first { row throws(StoreError) in try row.mint() }
    }
}
