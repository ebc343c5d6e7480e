package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Drains the log into the ledger: many transfers in one transaction, each scene's budget account updated once (LG-4).
///
/// The log is the truth and the watermark of each mint moves in the same transaction as the transfers, so a crash at
/// any moment posts nothing twice and leaves nothing out (M3, M5).
package final class Poster: Service {
    /// What a poster is there for.
    package enum Duty: Hashable, Sendable {
        /// Posts what this process accepts.
        case posts
        /// Others post: it learns from the store what they have posted.
        case follows
        /// Posts what other processes accept, which list and count it themselves. It has no loop: it's told when.
        case helps
    }

    package struct Configuration: Sendable {
        package var duty = Duty.posts
        /// How often it's learnt what others have posted.
        package var followInterval = Duration.milliseconds(250)
        /// Batches of the log in one transaction while grants come in: they wait behind it for the store's one writer.
        package var batchesMax = 24
        /// Batches in one transaction when none came in meanwhile. Large transactions write each page of the ledger
        /// less often, so what has piled up drains two to three times as fast.
        package var quietBatchesMax = 256
        /// How long a posted token stays listed, for readers whose snapshot is older than the posting.
        package var graceSeconds: Int64 = 10
        /// At most so many postings a second; 0 is without limit. What the ledger bears is for SREs to say.
        package var ratePerSecond = 0

        package init() {}
    }

    /// How far posting is behind; for metrics and readiness.
    package struct Progress: Hashable, Sendable {
        package var posted = 0
        /// When the oldest batch that isn't posted was accepted; `nil` when all are.
        package var oldestUnposted: Timestamp?
    }

    let store: any Store
    let reader: LogReader
    let tokens: TokenLists
    private let kinds: PoolKinds
    let seat: Seat
    private let isRetried: @Sendable (SceneID) -> Bool
    let clock: WallClock
    let configuration: Configuration
    private let alarms: Alarms
    let logger: Logger
    private let hints: PostingHints?
    private let work = Doorbell()
    private let isPaused = Mutex(false)
    private let state: Mutex<Progress>
    let connection = Mutex(Connection())
    private let lanes = Mutex<[MintID: Lane]>([:])
    /// The sequence of each mint up to which the token lists and the accept path know what is posted.
    let noted = Mutex<[MintID: UInt64]>([:])
    let postedCounter = Counter(label: "hongbao_postings_total")
    private let ageGauge: Gauge
    private let transactionTimer = Timer(label: "hongbao_posting_transaction_duration_seconds")

    package init(
        store: any Store,
        reader: LogReader,
        tokens: TokenLists,
        kinds: PoolKinds,
        seat: Seat = .alone,
        isRetried: @escaping @Sendable (SceneID) -> Bool = { _ in true },
        clock: WallClock,
        configuration: Configuration = Configuration(),
        hints: PostingHints? = nil,
        alarms: Alarms,
        logger: Logger
    ) {
        self.store = store
        self.hints = hints
        self.reader = reader
        self.tokens = tokens
        self.kinds = kinds
        self.seat = seat
        ageGauge = Gauge(label: "hongbao_oldest_unposted_seconds", dimensions: seat.dimensions)
        self.isRetried = isRetried
        self.clock = clock
        self.configuration = configuration
        self.alarms = alarms
        self.logger = logger
        state = Mutex(Progress())
    }

    package var progress: Progress { state.withLock { $0 } }

    /// There is something new in this mint's log, up to this sequence.
    package func logged(_ mint: MintID, upTo sequence: UInt64) {
        work.ring()
        hints?.logged(mint, upTo: sequence)
    }

    /// Pauses and resumes posting (an operator's switch; the backlog grows meanwhile, and wallets don't show it).
    package func setPaused(_ paused: Bool) {
        isPaused.withLock { $0 = paused }
        work.ring()
    }

    struct Connection {
        var listedUpTo: (@Sendable (MintID) -> UInt64?) = { _ in nil }
        var whenPosted: (@Sendable (Int) -> Void) = { _ in }
        var promised: (@Sendable ([GivenReward]) -> Void) = { _ in }
    }

    /// Connects the accept path.
    ///
    /// - Parameters:
    ///   - promised: told of coupons and pendants right after the transaction that promises them.
    ///   - listedUpTo: the last sequence whose grants are in the token lists, where this process lists them. What is in
    ///     the log and not listed yet isn't posted: its tokens would be listed after their posting, and stay for ever.
    ///   - whenPosted: told how many grants of the log have been posted.
    ///   - posted: of each mint, the sequence up to which the accept path knows what is posted. Another process may
    ///     have gone on meanwhile.
    func connect(
        posted: [MintID: UInt64],
        listedUpTo: @escaping @Sendable (MintID) -> UInt64?,
        whenPosted: @escaping @Sendable (Int) -> Void,
        promised: @escaping @Sendable ([GivenReward]) -> Void = { _ in }
    ) {
        noted.withLock { $0 = posted }
        connection.withLock { connection in
            connection = Connection(listedUpTo: listedUpTo, whenPosted: whenPosted, promised: promised)
        }
    }

    package func run() async throws {
        await cancelOnShutdown {
            guard self.configuration.duty == .posts else { return await self.follow() }
            await withDiscardingTaskGroup { group in
                group.addTask { await self.postWhenRung() }
                // Also when nothing comes in: the age of what waits grows, and grace times run out.
                while !Task.isCancelled {
                    await self.clock.pause(.seconds(1))
                    self.work.ring()
                }
            }
        }
    }

    private func postWhenRung() async {
        var delay = Duration.milliseconds(10)
        while !Task.isCancelled {
            do {
                let isDrained: Bool
                if isPaused.withLock({ $0 }) {
                    // The age of what waits is told all the same.
                    try await noteOldest()
                    tokens.sweep(now: clock.uptime())
                    isDrained = true
                } else {
                    isDrained = try await postNextInTime()
                }
                delay = .milliseconds(10)
                if isDrained { await work.wait() }
            } catch {
                if Task.isCancelled { return }
                logger.error("posting failed", metadata: ["error": "\(error)"])
                await clock.pause(delay)
                delay = min(delay * 2, .seconds(5))
            }
        }
    }

    /// Posts the next batches no faster than it may.
    package func postNextInTime() async throws(StoreError) -> Bool {
        let began = ContinuousClock.now
        let before = progress.posted
        let isDrained = try await postNext()
        tokens.sweep(now: clock.uptime())
        await keepPace(progress.posted - before, since: began)
        return isDrained
    }

    /// Waits for the time that so many postings take at the configured rate.
    private func keepPace(_ count: Int, since began: ContinuousClock.Instant) async {
        guard configuration.ratePerSecond > 0, count > 0 else { return }
        let due = Duration.seconds(count) / configuration.ratePerSecond
        let rest = due - began.duration(to: .now)
        if rest > .zero { await clock.pause(rest) }
    }

    // MARK: The log

    /// What is remembered of a mint from one transaction to the next.
    private struct Lane {
        var lastSequence: UInt64 = 0
        var batchesMax: Int
        /// How many transactions in a row met no grant that was posted ahead of its turn.
        var newOnlyCount = 0
        /// Prepared while the transaction before ran; of no use if that failed.
        var ahead: Prepared?
    }

    /// What there is to do for one mint.
    private struct Pending: Sendable {
        let mint: MintRecord
        /// Posted by another process, or in a transaction whose answer was lost.
        let unnoted: Unnoted
        /// `nil` when nothing is left, or when more was posted than could be taken note of.
        let next: Prepared?
        let batchesMax: Int
        /// The last sequence that may be posted now.
        let last: UInt64
        var isDrained: Bool { unnoted.isAll && next.map { $0.last == last } ?? true }
    }

    /// Batches that follow each other in the log, ready to be posted.
    private struct Prepared: Sendable {
        let first: UInt64
        let last: UInt64
        let acceptedAt: Timestamp
        let postings: Postings
        /// All that is settled by them, blessings too.
        let orders: [OrderNumber]
    }

    /// What grants become: money moves, coupons and pendants are promised. Both in order of key, which is that of the
    /// rows on disk.
    private struct Postings: Sendable {
        private(set) var transfers: [Transfer] = []
        private(set) var rewards: [GivenReward] = []

        /// Of the moneys, then of the others.
        func post(to books: inout Books) -> [TransferOutcome] {
            transfers.map { books.grant($0) } + rewards.map { books.promise($0) }
        }

        var footprint: Footprint {
            var footprint = Footprint(posting: transfers)
            footprint.rewards = rewards.map(\.id)
            return footprint
        }

        mutating func add(_ transfer: Transfer) { transfers.append(transfer) }
        mutating func add(_ reward: GivenReward) { rewards.append(reward) }

        /// The one at that place of `post`'s outcomes, for alarms.
        func summary(_ place: Int) -> String {
            guard place < transfers.count else { return rewards[place - transfers.count].summary }
            let transfer = transfers[place]
            return "scene \(transfer.id.order?.scene.rawValue ?? 0), amount \(transfer.amount.fen)"
        }

        mutating func sort() {
            transfers.sort { $0.id < $1.id }
            rewards.sort { $0.id < $1.id }
        }
    }

    /// Posts the next batches of each mint; answers whether nothing was left.
    package func postNext() async throws(StoreError) -> Bool {
        let pending = try await pending()
        for mint in pending {
            try await note(mint.unnoted)
            if let next = mint.next { try await post(next, of: mint) }
        }
        return pending.allSatisfy(\.isDrained)
    }

    private func pending() async throws(StoreError) -> [Pending] {
        let listedUpTo = connection.withLock { $0.listedUpTo }
        var all: [Pending] = []
        let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        for mint in mints where seat.keeps(mint.id) {
            if configuration.duty == .helps { try await reader.learn(upTo: mint.epoch, of: mint.id, from: store) }
            let listed = Mutant.isOn(.postsUnlisted) ? nil : listedUpTo(mint.id)
            let last = min(mint.lastSequence, listed ?? .max)
            let unnoted = try await unnoted(of: mint, listedUpTo: last)
            let (ahead, batchesMax) = look(at: mint)
            var next = unnoted.isAll ? ahead : nil
            if next == nil, unnoted.isAll {
                let batches = try await read(mint.id, after: mint.postedSequence, upTo: last, limit: batchesMax)
                next = try await prepare(batches)
            }
            all.append(Pending(mint: mint, unnoted: unnoted, next: next, batchesMax: batchesMax, last: last))
        }
        note(oldest: all.compactMap { $0.next?.acceptedAt }.min())
        return all
    }

    /// What was prepared for the mint as it now is, and how large a transaction may be.
    private func look(at mint: MintRecord) -> (ahead: Prepared?, batchesMax: Int) {
        lanes.withLock { lanes in
            var lane = lanes[mint.id] ?? Lane(batchesMax: configuration.batchesMax)
            // With a rate to keep, large transactions would only make it uneven.
            let isQuiet = lane.lastSequence == mint.lastSequence && configuration.ratePerSecond == 0
            let quietMax = max(configuration.batchesMax, configuration.quietBatchesMax)
            lane.batchesMax = isQuiet ? min(2 * lane.batchesMax, quietMax) : configuration.batchesMax
            lane.lastSequence = mint.lastSequence
            let ahead = lane.ahead.flatMap { $0.first == mint.postedSequence + 1 ? $0 : nil }
            lane.ahead = nil
            lanes[mint.id] = lane
            return (ahead, lane.batchesMax)
        }
    }

    func read(
        _ mint: MintID,
        after: UInt64,
        upTo last: UInt64,
        limit: Int
    ) async throws(StoreError) -> [LoggedBatch] {
        guard last > after else { return [] }
        return try await store.batches(of: mint, after: after, count: Int(min(last - after, UInt64(limit))))
    }

    private func prepare(_ batches: [LoggedBatch]) async throws(StoreError) -> Prepared? {
        guard let first = batches.first, let last = batches.last else { return nil }
        let now = clock.now()
        var kinds = self.kinds.known
        var postings = Postings()
        var orders: [OrderNumber] = []
        orders.reserveCapacity(batches.count * BatchHeader.countMax)
        for batch in batches {
            let opened = try open(batch)
            let count = opened.payloads.count - (Mutant.isOn(.leavesOutLastGrant) ? 1 : 0)
            for (payload, choice) in zip(opened.payloads, opened.choices).prefix(count) {
                let grant = OpenGrant(payload, choice)
                if let pool = grant.pool, kinds[pool] == nil { kinds = try await self.kinds.learn() }
                try add(grant, kinds, at: now, to: &postings)
                orders.append(payload.order)
            }
        }
        postings.sort()
        return Prepared(
            first: first.sequence,
            last: last.sequence,
            acceptedAt: first.at,
            postings: postings,
            orders: orders
        )
    }

    private func add(
        _ grant: OpenGrant,
        _ kinds: [PoolID: RewardKind],
        at now: Timestamp,
        to postings: inout Postings
    ) throws(StoreError) {
        guard let pool = grant.pool else { return }
        guard let kind = kinds[pool] else {
            alarms.raise(.postingStuck, "pool \(pool.rawValue) isn't in the books")
            throw StoreError(.corrupt, "a grant out of pool \(pool.rawValue), which isn't in the books")
        }
        if let template = pool.template {
            postings.add(
                GivenReward(
                    id: grant.order,
                    template: template,
                    kind: kind,
                    at: grant.openedAt,
                    app: grant.app,
                    isRetried: isRetried(grant.order.scene),
                    nextCheckAt: now
                )
            )
        } else if let account = kind.account(of: grant.order.person, in: grant.order.book) {
            postings.add(Transfer(grant, to: account, postedAt: now))
        } else {
            throw StoreError(.corrupt, "money out of pool \(pool.rawValue), which gives \(kind.rawValue)")
        }
    }

    private func post(_ next: Prepared, of pending: Pending) async throws(StoreError) {
        let id = pending.mint.id
        async let ahead = prepareAhead(id, after: next.last, upTo: pending.last, limit: pending.batchesMax)
        try await post(next, of: id)
        let prepared = await ahead
        lanes.withLock { $0[id]?.ahead = prepared }
    }

    /// What follows in the log, prepared while the writer is busy. What can't be read now is read when its turn has
    /// come, and is an error then.
    private func prepareAhead(_ mint: MintID, after: UInt64, upTo last: UInt64, limit: Int) async -> Prepared? {
        do {
            return try await prepare(try await read(mint, after: after, upTo: last, limit: limit))
        } catch {
            return nil
        }
    }

    private func post(_ prepared: Prepared, of mint: MintID) async throws(StoreError) {
        let postings = prepared.postings
        var footprint = postings.footprint
        footprint.mints = [mint]
        footprint.transfersAreProbablyNew = lanes.withLock { $0[mint]?.newOnlyCount ?? 0 } >= Self.newOnlyMin
        let began = ContinuousClock.now
        if Mutant.isOn(.movesWatermarkFirst) {
            try await store.transact(footprint) { $0.advancePosted(of: mint, to: prepared.last) }
        }
        if Mutant.isOn(.marksBeforePosting) {
            tokens.markPosted(prepared.orders, keptUntil: clock.uptime())
        }
        let outcomes = try await store.transact(footprint) { books in
            // Not one is posted unless all can be: the watermark says "everything up to here".
            let outcomes = postings.post(to: &books)
            let last = Mutant.isOn(.movesWatermarkTooFar) ? books.mint(mint)?.lastSequence : prepared.last
            guard let last, !Mutant.isOn(.forgetsWatermark) else { return outcomes }
            if outcomes.allSatisfy(\.isSettled) { books.advancePosted(of: mint, to: last) }
            return outcomes
        }
        transactionTimer.record(duration: began.duration(to: .now))
        try raiseAlarms(outcomes, postings)
        noted.withLock { $0[mint] = prepared.last }
        postedCounter.increment(by: prepared.orders.count)
        let areNew = outcomes.allSatisfy { $0 == .posted }
        lanes.withLock { lanes in
            let count = lanes[mint]?.newOnlyCount ?? 0
            lanes[mint]?.newOnlyCount = areNew ? count + 1 : 0
        }
        finish(prepared.orders)
        connection.withLock { $0.promised }(postings.rewards)
    }

    /// After so many, a transaction doesn't look for earlier postings first; when it meets one, it's done twice.
    private static let newOnlyMin = 2

    func open(_ batch: LoggedBatch) throws(StoreError) -> OpenedBatch {
        do {
            return try reader.open(batch)
        } catch {
            alarms.raise(.corruptData, "\(error)")
            throw error
        }
    }

    /// - Throws: when an accepted grant can't be posted: the watermark stays before it, and people are called (M5).
    private func raiseAlarms(_ outcomes: [TransferOutcome], _ postings: Postings) throws(StoreError) {
        for (index, outcome) in outcomes.enumerated() {
            switch outcome {
            case .posted, .alreadyPosted: break
            case .idReusedForAnotherTransfer: alarms.raise(.postingConflict, postings.summary(index))
            case .amountIsZero, .accountsAreTheSame, .booksDiffer, .insufficientFunds, .balanceWouldOverflow:
                alarms.raise(.postingStuck, "\(outcome): \(postings.summary(index))")
                throw StoreError(.corrupt, "an accepted grant can't be posted: \(outcome)")
            }
        }
    }

    func finish(_ orders: [OrderNumber]) {
        tokens.markPosted(orders, keptUntil: clock.uptime() + .seconds(configuration.graceSeconds))
        state.withLock { $0.posted += orders.count }
        connection.withLock { $0.whenPosted }(orders.count)
    }

    /// Reads no more of the log than it takes to tell its age.
    func noteOldest() async throws(StoreError) {
        let listedUpTo = connection.withLock { $0.listedUpTo }
        let oldest = try await store.read { (snapshot) throws(StoreError) in
            var oldest: Timestamp?
            for mint in try snapshot.mints()
            where seat.keeps(mint.id) && min(mint.lastSequence, listedUpTo(mint.id) ?? .max) > mint.postedSequence {
                let next = try snapshot.batches(of: mint.id, after: mint.postedSequence, limit: 1).first
                oldest = [oldest, next?.at].compactMap(\.self).min()
            }
            return oldest
        }
        note(oldest: oldest)
    }

    private func note(oldest: Timestamp?) {
        state.withLock { $0.oldestUnposted = oldest }
        let age = oldest.map { max(0, clock.now().milliseconds - $0.milliseconds) } ?? 0
        ageGauge.record(Double(age) / 1000)
    }

    // MARK: Ahead of the log

    /// Posts a person's open cash in one book now (TK-7). The log's poster finds it already posted.
    package func postNow(_ person: PersonID, in book: BookID) async throws(StoreError) {
        let open = tokens.unposted(of: person, in: book)
        let kinds = try await kinds.kinds(of: Set(open.compactMap(\.pool)))
        try await postFirst(open.filter { $0.pool.flatMap { kinds[$0] } == .cash })
    }

    /// Posts grants that are in the log, ahead of their turn.
    package func postFirst(_ grants: [OpenGrant]) async throws(StoreError) {
        guard !grants.isEmpty else { return }
        let now = clock.now()
        let kinds = try await kinds.kinds(of: Set(grants.compactMap(\.pool)))
        var gathered = Postings()
        for grant in grants { try add(grant, kinds, at: now, to: &gathered) }
        gathered.sort()
        let postings = gathered
        let outcomes = try await store.transact(postings.footprint) { books in postings.post(to: &books) }
        try raiseAlarms(outcomes, postings)
        tokens.markPosted(
            grants.map(\.order),
            keptUntil: clock.uptime() + .seconds(configuration.graceSeconds)
        )
        connection.withLock { $0.promised }(postings.rewards)
    }
}

extension TransferOutcome {
    /// The grant's number is in the ledger, whether by this transfer or, with an alarm, by another.
    fileprivate var isSettled: Bool {
        switch self {
        case .posted, .alreadyPosted, .idReusedForAnotherTransfer: true
        case .amountIsZero, .accountsAreTheSame, .booksDiffer, .insufficientFunds, .balanceWouldOverflow: false
        }
    }
}

extension Transfer {
    /// Budget account → one of the person's two accounts (LG-1).
    fileprivate init(_ grant: OpenGrant, to account: AccountID, postedAt: Timestamp) {
        let order = grant.order
        let other = SceneID(book: order.book, number: order.scene.number ^ 3)
        let scene = Mutant.isOn(.debitsAnotherScene) ? other : order.scene
        let otherAccount = AccountID(book: account.book, kind: account.kind, owner: account.owner &+ 1)
        let amount = Mutant.isOn(.postsHalf) ? Amount(fen: grant.amount.fen / 2) ?? .zero : grant.amount
        let new = TransferID(person: order.person, book: order.book, serial: UInt32(truncatingIfNeeded: order.bits))
        let number = Mutant.isOn(.postsUnderNewNumber) ? new : TransferID(order)
        self.init(
            id: number,
            debit: .budget(of: scene),
            credit: Mutant.isOn(.paysAnotherPerson) ? otherAccount : account,
            amount: amount,
            at: grant.openedAt,
            postedAt: postedAt,
            app: grant.app
        )
    }
}
