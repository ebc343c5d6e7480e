import HongbaoCore

/// What the log says at start: every order ever accepted, and the tokens that still have to be posted.
struct Recovery {
    private(set) var orders: OrderTable
    /// Grants that aren't posted.
    private(set) var backlog = 0
    private(set) var lastSequence: UInt64 = 0
    /// Up to where each mint's grants were posted when `backlog` was counted.
    private(set) var posted: [MintID: UInt64] = [:]

    /// About 3 MB of full batches.
    private static let batchesPerPage: UInt64 = 256
    /// Pages that are read and opened at the same time, while another one goes into the table.
    private static let pagesAtOnce = 4

    /// Reads the whole log, of this mint and any other, into memory (GR-3: idempotency survives restarts).
    ///
    /// Reading and opening a page of the log depends on no other page, so several are under way at a time; the order
    /// table and the token lists get them in sequence.
    ///
    /// - Throws: `corrupt` when a batch is missing, damaged, or has an order number that another batch has too.
    init(store: any Store, reader: LogReader, tokens: TokenLists, mint: MintID, seed: UInt64) async throws(StoreError) {
        orders = OrderTable(seed: seed)
        let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        for record in mints {
            if record.id == mint { lastSequence = record.lastSequence }
            posted[record.id] = record.postedSequence
            try await read(record, store, reader, tokens)
        }
    }

    private mutating func read(
        _ mint: MintRecord,
        _ store: any Store,
        _ reader: LogReader,
        _ tokens: TokenLists
    ) async throws(StoreError) {
        let starts = Array(stride(from: 0, to: mint.lastSequence, by: Int(Self.batchesPerPage)))
        // Each task answers one page and its place, so that they can be taken in sequence.
        let fault: StoreError? = await withTaskGroup(of: (Int, Result<[OpenedBatch], StoreError>).self) { group in
            func begin(_ place: Int) {
                guard place < starts.count else { return }
                let after = starts[place]
                group.addTask { (place, await Self.open(mint, after: after, store, reader)) }
            }
            for place in 0..<Self.pagesAtOnce { begin(place) }
            var waiting: [Int: Result<[OpenedBatch], StoreError>] = [:]
            var next = 0
            while let (place, page) = await group.next() {
                waiting[place] = page
                while let page = waiting.removeValue(forKey: next) {
                    do throws(StoreError) {
                        try add(try page.get(), posted: mint.postedSequence, tokens)
                    } catch {
                        group.cancelAll()
                        return error
                    }
                    begin(next + Self.pagesAtOnce)
                    next += 1
                }
            }
            return nil
        }
        if let fault { throw fault }
    }

    /// The batches of one page, all of them.
    private static func open(
        _ mint: MintRecord,
        after start: UInt64,
        _ store: any Store,
        _ reader: LogReader
    ) async -> Result<[OpenedBatch], StoreError> {
        let count = Int(min(batchesPerPage, mint.lastSequence - start))
        do throws(StoreError) {
            let batches = try await store.read { (snapshot) throws(StoreError) in
                try snapshot.batches(of: mint.id, after: start, limit: count)
            }
            var opened: [OpenedBatch] = []
            opened.reserveCapacity(count)
            var sequence = start
            for batch in batches where batch.sequence == sequence + 1 {
                sequence = batch.sequence
                opened.append(try reader.open(batch))
            }
            guard opened.count == count else {
                throw StoreError(.corrupt, "batch \(sequence + 1) of mint \(mint.id.rawValue) is missing from the log")
            }
            return .success(opened)
        } catch {
            return .failure(error)
        }
    }

    private mutating func add(
        _ page: [OpenedBatch],
        posted: UInt64,
        _ tokens: TokenLists
    ) throws(StoreError) {
        for batch in page {
            try add(batch)
            if batch.sequence > posted {
                tokens.add(batch.payloads)
                backlog += batch.payloads.count
            }
        }
    }

    private mutating func add(_ batch: OpenedBatch) throws(StoreError) {
        for (index, payload) in batch.payloads.enumerated() {
            let isNew = orders.insertIfAbsent(
                payload.order,
                OrderTable.Entry(
                    sequence: batch.sequence,
                    index: index,
                    amount: payload.amount,
                    reward: batch.rewards[index],
                    status: payload.status
                )
            )
            guard isNew else { throw StoreError(.corrupt, "batch \(batch.sequence) repeats an order number (M3)") }
        }
    }
}
