import HongbaoCore

/// What the log says at start: every order ever accepted, and the tokens that still have to be posted.
struct Recovery {
    private(set) var orders: OrderTable
    /// Grants that aren't posted.
    private(set) var backlog = 0
    private(set) var lastSequence: UInt64 = 0
    /// Up to where each mint's grants were posted when `backlog` was counted.
    private(set) var posted: [MintID: UInt64] = [:]

    private static let batchesPerRead = 512

    /// Reads the whole log, of this mint and any other, into memory (GR-3: idempotency survives restarts).
    ///
    /// - Throws: `corrupt` when a batch is missing, damaged, or has an order number that another batch has too.
    init(store: any Store, reader: LogReader, tokens: TokenLists, mint: MintID, seed: UInt64) async throws(StoreError) {
        orders = OrderTable(seed: seed)
        let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        for record in mints {
            if record.id == mint { lastSequence = record.lastSequence }
            posted[record.id] = record.postedSequence
            var sequence: UInt64 = 0
            while sequence < record.lastSequence {
                let after = sequence
                let batches = try await store.read { (snapshot) throws(StoreError) in
                    try snapshot.batches(of: record.id, after: after, limit: Self.batchesPerRead)
                }
                for batch in batches where batch.sequence == sequence + 1 {
                    sequence = batch.sequence
                    let opened = try reader.open(batch)
                    try add(opened)
                    if sequence > record.postedSequence {
                        tokens.add(opened.payloads)
                        backlog += opened.payloads.count
                    }
                }
                guard let last = batches.last, last.sequence == sequence else {
                    let place = "batch \(sequence + 1) of mint \(record.id.rawValue)"
                    throw StoreError(.corrupt, "\(place) is missing from the log")
                }
            }
        }
    }

    private mutating func add(_ batch: OpenedBatch) throws(StoreError) {
        for (index, payload) in batch.payloads.enumerated() {
            guard orders.entry(for: payload.order) == nil else {
                throw StoreError(.corrupt, "batch \(batch.sequence) repeats an order number (M3)")
            }
            orders.insert(
                payload.order,
                OrderTable.Entry(
                    sequence: batch.sequence,
                    index: index,
                    amount: payload.amount,
                    reward: batch.rewards[index],
                    status: payload.status
                )
            )
        }
    }
}
