import HongbaoCore

/// What the log says at start: every order ever accepted, and the tokens that still have to be posted.
struct Recovery {
    private(set) var orders: OrderTable
    /// Grants that aren't posted.
    private(set) var backlog = 0
    private(set) var lastSequence: UInt64 = 0
    /// Up to which sequence this engine's log is that of the first mint; see `MintRecord.commonSequence`.
    private(set) var commonSequence: UInt64 = 0
    /// What each mint has given.
    private(set) var given = GivenTotals()
    /// Up to where each mint's grants were posted when `backlog` was counted.
    private(set) var posted: [MintID: UInt64] = [:]

    private let pageBatches: UInt64
    private let seat: Seat
    private let aliases: Aliases
    /// Pages that are read and opened at the same time, while another one goes into the table.
    private static let pagesAtOnce = 4

    /// Reads the log of every mint that is this engine's into memory (GR-3: idempotency survives restarts).
    ///
    /// Reading and opening a page of the log depends on no other page, so several are under way at a time; the order
    /// table and the token lists get them in sequence.
    ///
    /// - Throws: `corrupt` when a batch is missing, damaged, or has an order number that another batch has too.
    ///
    /// - Parameters:
    ///   - aliases: who has which names now; what was granted before the people were divided is of whoever decides for
    ///     them today.
    ///   - pageBatches: how many batches are read at a time.
    init(
        shards: Shards,
        reader: LogReader,
        tokens: TokenLists,
        seat: Seat,
        aliases: Aliases,
        seed: UInt64,
        pageBatches: Int
    ) async throws(StoreError) {
        self.pageBatches = UInt64(max(1, pageBatches))
        self.seat = seat
        self.aliases = aliases
        orders = OrderTable(seed: seed)
        let store = shards.store(of: seat.mint)
        let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        for record in mints where seat.keeps(record.id) {
            if record.id == seat.mint {
                lastSequence = record.lastSequence
                commonSequence = record.commonSequence
            }
            if Mutant.isOn(.reusesSequence), lastSequence > 0 { lastSequence -= 1 }
            posted[record.id] = record.postedSequence
            if record.start > 0 {
                let common = Part(mint: .first, start: 0, end: record.start)
                try await read(common, shards.home, reader, tokens)
            }
            let own = Part(
                mint: record.id,
                start: record.start,
                end: record.lastSequence,
                posted: record.postedSequence
            )
            try await read(own, store, reader, tokens)
        }
    }

    /// What is read of a mint's log.
    private struct Part: Sendable {
        let mint: MintID
        /// Behind this sequence it begins.
        let start: UInt64
        let end: UInt64
        /// `nil` of what another engine counts and posts.
        var posted: UInt64?
    }

    private mutating func read(
        _ part: Part,
        _ store: any Store,
        _ reader: LogReader,
        _ tokens: TokenLists
    ) async throws(StoreError) {
        var starts = Array(stride(from: part.start, to: part.end, by: Int(pageBatches)))
        let pageBatches = pageBatches
        if Mutant.isOn(.skipsLastPage), starts.count > 1 { starts.removeLast() }
        // Each task answers one page and its place, so that they can be taken in sequence.
        let fault: StoreError? = await withTaskGroup(of: (Int, Result<[OpenedBatch], StoreError>).self) { group in
            func begin(_ place: Int) {
                guard place < starts.count else { return }
                let after = starts[place]
                group.addTask { (place, await Self.open(part, after: after, limit: pageBatches, store, reader)) }
            }
            for place in 0..<Self.pagesAtOnce { begin(place) }
            var waiting: [Int: Result<[OpenedBatch], StoreError>] = [:]
            var next = 0
            while let (place, page) = await group.next() {
                waiting[place] = page
                while let page = waiting.removeValue(forKey: next) {
                    do throws(StoreError) {
                        try add(try page.get(), posted: part.posted, tokens)
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
        _ part: Part,
        after start: UInt64,
        limit: UInt64,
        _ store: any Store,
        _ reader: LogReader
    ) async -> Result<[OpenedBatch], StoreError> {
        let count = Int(min(limit, part.end - start))
        do throws(StoreError) {
            var opened: [OpenedBatch] = []
            opened.reserveCapacity(count)
            for batch in try await store.batches(of: part.mint, after: start, count: count) {
                opened.append(try reader.open(batch))
            }
            return .success(opened)
        } catch {
            return .failure(error)
        }
    }

    private mutating func add(
        _ page: [OpenedBatch],
        posted: UInt64?,
        _ tokens: TokenLists
    ) throws(StoreError) {
        for batch in page {
            guard let posted else {
                try add(batch)
                continue
            }
            if Mutant.isOn(.skipsLastBatch), batch.sequence == lastSequence { continue }
            if Mutant.isOn(.forgetsPostedOrdersAtStart), batch.sequence <= posted { continue }
            try add(batch)
            given.add(batch.payloads, of: batch.mint)
            if batch.sequence > posted {
                if !Mutant.isOn(.forgetsOpenTokensAtStart) { tokens.add(batch.payloads, batch.choices) }
                backlog += batch.payloads.count
            }
        }
    }

    private mutating func add(_ batch: OpenedBatch) throws(StoreError) {
        let isCommon = batch.sequence <= commonSequence
        for (index, payload) in batch.payloads.enumerated() {
            if isCommon, !seat.decides(for: aliases.person(payload.person)) { continue }
            let isNew = orders.insertIfAbsent(
                payload.order,
                OrderTable.Entry(
                    sequence: batch.sequence,
                    index: index,
                    amount: payload.amount,
                    choice: batch.choices[index],
                    status: payload.status
                )
            )
            guard isNew else { throw StoreError(.corrupt, "batch \(batch.sequence) repeats an order number (M3)") }
        }
    }
}
