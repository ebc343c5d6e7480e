package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Brings what comes to somebody's former names to who they are now (ID-3). It's a standing rule, not a task that ends:
/// tokens get posted, withdrawals fail and shares arrive long after a merge.
///
/// Each move is one transaction that takes what is free then, so doing it again moves nothing twice, and a process that
/// dies leaves nothing half done. Names that were merged lately, or still wait for something, are looked at each time,
/// all others in turn.
package final class MergeSweeps: Service {
    package struct Configuration: Sendable {
        package var intervalMilliseconds: Int64 = 500
        /// How many names that wait for nothing are looked at each time.
        package var pageMax = 256

        package init() {}
    }

    private struct State {
        /// Names that may get something soon.
        var busy: Set<PersonID> = []
        /// The last of the others that was looked at.
        var last: PersonID?
        /// Persons of whom it isn't known whether they were merged, pair by pair.
        var doubts: [[PersonID]] = []
        /// What is known to have come to another database.
        var brought: Set<TransferID> = []
    }

    private let shards: Shards
    /// Which of the databases it sweeps.
    private let own: Int
    private let clock: WallClock
    private let tokens: TokenLists
    package let aliases: KnownAliases
    private let configuration: Configuration
    private let logger: Logger
    private let state: Mutex<State>
    private let work = Doorbell()
    private let moved = Counter(label: "hongbao_merge_moves_total")
    private let faults = Counter(label: "hongbao_merge_store_faults_total")
    private let known = Gauge(label: "hongbao_merged_persons")

    package init(
        _ shards: Shards,
        at index: Int,
        clock: WallClock,
        tokens: TokenLists,
        aliases: KnownAliases,
        configuration: Configuration = Configuration(),
        logger: Logger
    ) {
        self.shards = shards
        own = index
        self.clock = clock
        self.tokens = tokens
        self.aliases = aliases
        self.configuration = configuration
        self.logger = logger
        // What a process before this one has left is looked at first.
        state = Mutex(State(busy: Set(aliases.current.sources.sorted().prefix(configuration.pageMax))))
        known.record(Int64(aliases.count))
    }

    /// Runs until graceful shutdown.
    package func run() async throws {
        await cancelOnShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    while !Task.isCancelled {
                        await self.clock.pause(.milliseconds(self.configuration.intervalMilliseconds))
                        self.work.ring()
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        await self.sweep()
                        await self.work.wait()
                    }
                }
            }
        }
    }

    // MARK: Merges

    /// A doubt is over: the merge is there, or isn't.
    func settle(_ doubt: [PersonID], _ merge: Merge?) {
        aliases.settle(doubt, [merge].compactMap(\.self))
        known.record(Int64(aliases.count))
        guard let merge else { return }
        state.withLock { state in
            // What was merged into the source before moves on, too.
            state.busy.formUnion(aliases.all(merge.source).dropLast())
        }
        work.ring()
    }

    /// It may or may not have been merged; the sweep finds out.
    func leave(_ doubt: [PersonID]) {
        state.withLock { $0.doubts.append(doubt) }
        work.ring()
    }

    private func clearDoubts() async throws(StoreError) {
        let doubts = state.withLock { state in
            defer { state.doubts = [] }
            return state.doubts
        }
        guard !doubts.isEmpty else { return }
        let merges: [Merge]
        do throws(StoreError) {
            merges = try await shards.home.read { (snapshot) throws(StoreError) in try snapshot.merges() }
        } catch {
            state.withLock { $0.doubts += doubts }
            throw error
        }
        for doubt in doubts { settle(doubt, merges.first { $0.source == doubt[0] }) }
    }

    // MARK: Moving

    /// Does all that is due now. A fault is logged, and the next sweep tries again.
    package func sweep() async {
        do throws(StoreError) {
            try await clearDoubts()
            try await moveAll()
        } catch {
            faults.increment()
            logger.error("the sweep of merges failed", metadata: ["error": "\(error)"])
        }
    }

    /// What one name has in one book.
    private struct Finding: Sendable {
        let name: PersonID
        let book: BookID
        let isFree: Bool
        /// Whether there is something that may come back or arrive.
        let isWaiting: Bool
    }

    private func moveAll() async throws(StoreError) {
        let current = aliases.current
        guard !current.isTrivial else { return }
        let names = state.withLock { next($0, current) }
        let found = try await findings(names)
        state.withLock { state in
            state.last = names.others.last
            state.busy.formUnion(found.filter { $0.isFree || $0.isWaiting }.map(\.name))
        }
        var atRest = Set(names.busy)
        for (name, findings) in Dictionary(grouping: found, by: \.name).sorted(by: { $0.key < $1.key }) {
            let free = findings.filter(\.isFree).map(\.book)
            if let target = current.target(of: name) {
                let move = Move(from: name, to: target)
                if !free.isEmpty { try await self.move([move], in: free, at: own) }
                // What an earlier process has sent and not brought is found here, too.
                try await bring(move, in: findings.map(\.book), from: own)
            }
            let mayComeBack = !free.isEmpty || findings.contains(where: \.isWaiting)
            if mayComeBack && !Mutant.isOn(.movesOnlyOnce) {
                atRest.remove(name)
            }
        }
        state.withLock { $0.busy.subtract(atRest) }
    }

    private func next(_ state: State, _ aliases: Aliases) -> (busy: [PersonID], others: [PersonID]) {
        let busy = state.busy.sorted()
        if Mutant.isOn(.movesOnlyOnce) { return (busy, []) }
        let others = aliases.sources.sorted().filter { !state.busy.contains($0) }
        let place = state.last.flatMap { last in others.firstIndex { $0 > last } } ?? 0
        return (busy, Array(others[place...].prefix(configuration.pageMax)))
    }

    private func findings(_ names: (busy: [PersonID], others: [PersonID])) async throws(StoreError) -> [Finding] {
        try await shards.stores[own].read { (snapshot) throws(StoreError) in
            var found: [Finding] = []
            for book in Set(try snapshot.budgets().map(\.0.pool.book)).sorted() {
                for name in names.busy + names.others {
                    let account = try snapshot.account(.person(name, in: book))
                    var isWaiting = account.held > .zero || !tokens.unposted(of: name, in: book).isEmpty
                    if !isWaiting, names.busy.contains(name) {
                        let claims = try snapshot.claims(of: name, in: book)
                        isWaiting = claims.contains { $0.state == .pending && !$0.kind.destination.isOutside }
                    }
                    found.append(
                        Finding(name: name, book: book, isFree: account.available > 0, isWaiting: isWaiting)
                    )
                }
            }
            return found
        }
    }

    /// Moves everything that a person has in one book to who they are now, and returns when it's there: before a
    /// withdrawal.
    package func gather(_ name: PersonID, in book: BookID) async throws(StoreError) {
        let moves = aliases.current.moves(of: name)
        if moves.isEmpty { return }
        if shards.isOne { return try await move(moves, in: [book], at: own) }
        for move in moves {
            // What is in a database that is away comes later.
            for index in shards.stores.indices where !shards.isAway(index) {
                try await self.move([move], in: [book], at: index)
                try await bring(move, in: [book], from: index)
            }
        }
    }

    /// Whoever doesn't know what came of it does it once more: then there is nothing left to move.
    private func move(_ moves: [Move], in books: [BookID], at index: Int) async throws(StoreError) {
        let now = clock.now()
        let shards = shards
        let isElsewhere: @Sendable (PersonID) -> Bool = { shards.index(of: $0) != index }
        let footprint = Footprint(moving: moves, in: books, isElsewhere: isElsewhere)
        let count = try await shards.stores[index].transactOnceMore(footprint) { rows in
            books.count { rows.move(moves, in: $0, isElsewhere: isElsewhere, now: now) > .zero }
        }.answer
        moved.increment(by: count)
    }

    /// Brings what has left a database by a move into that of whoever it's for, unless it's there.
    private func bring(_ move: Move, in books: [BookID], from index: Int) async throws(StoreError) {
        let place = shards.index(of: move.target)
        guard place != index, !shards.isAway(place) else { return }
        let now = clock.now()
        let known = state.withLock { $0.brought }
        for book in books {
            let departures = try await shards.stores[index].read { (snapshot) throws(StoreError) in
                try snapshot.transfers(of: move.source, in: book)
            }
            let arrivals = departures.compactMap { departure in
                Arrival(of: departure, from: index)?.transfer(departure, to: move.target, at: now)
            }.filter { !known.contains($0.id) }
            guard !arrivals.isEmpty else { continue }
            try await shards.bring(arrivals, to: place)
            state.withLock { $0.brought.formUnion(arrivals.map(\.id)) }
        }
    }
}
