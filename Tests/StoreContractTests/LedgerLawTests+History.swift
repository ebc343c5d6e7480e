import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Synchronization
import Testing

/// The laws about many requests over time: what others see while they're worked on, and what is left in the end.
extension LedgerLawTests {
    /// 1. Conservation (M1): at every moment, each book's accounts sum to zero.
    @Test(arguments: Backend.all, 0..<3 as Range<UInt64>)
    func moneyIsNeitherMadeNorLost(_ backend: Backend, seed: UInt64) async throws {
        try await Self.watch(backend, seed: seed) { rows, _ in
            for (book, accounts) in Dictionary(grouping: rows.accounts.values, by: \.id.book) {
                let sum = accounts.reduce(0) { $0 + $1.credits.fen - $1.debits.fen }
                #expect(sum == 0, "book \(book.rawValue)")
            }
        }
    }

    /// 2. No negative balance (M2, WD-4): nobody ever sees one, although most of what is asked is too much.
    @Test(arguments: Backend.all, 3..<6 as Range<UInt64>)
    func nobodyIsEverOverdrawn(_ backend: Backend, seed: UInt64) async throws {
        try await Self.watch(backend, seed: seed) { rows, _ in
            for account in rows.accounts.values where account.id.kind != .treasury {
                #expect(account.available >= 0, "\(account.id)")
            }
        }
    }

    /// 8. A balance is the sum of its entries at any time, and what is held is the sum of pending holds (M2, LG-1).
    @Test(arguments: Backend.all, 6..<9 as Range<UInt64>)
    func aBalanceIsTheSumOfItsEntriesAtAnyTime(_ backend: Backend, seed: UInt64) async throws {
        try await Self.watch(backend, seed: seed) { rows, _ in #expect(rows.breaches == []) }
    }

    /// 9. History is immutable (M2, LG-1): what was seen once is seen ever after, unchanged; holds end once.
    @Test(arguments: Backend.all, 9..<12 as Range<UInt64>)
    func historyIsImmutable(_ backend: Backend, seed: UInt64) async throws {
        try await Self.watch(backend, seed: seed) { rows, earlier in
            #expect(earlier.transfers.values.allSatisfy { rows.transfers[$0.id] == $0 })
            for hold in earlier.holds.values {
                let now = try #require(rows.holds[hold.id])
                #expect(now.amount == hold.amount && now.debit == hold.debit && now.credit == hold.credit)
                #expect(hold.state == .pending || now.state == hold.state)
            }
            for withdrawal in earlier.withdrawals.values {
                let now = try #require(rows.withdrawals[withdrawal.key])
                #expect(now.amount == withdrawal.amount && now.serial == withdrawal.serial)
                #expect(withdrawal.state == .pending || now == withdrawal)
            }
        }
    }

    /// 10. The balance at a past time can be told from the history, and is what was shown then (LG-6).
    @Test(arguments: Backend.all)
    func aBalanceAtAPastTimeIsThatOfThen(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await LedgerWork.prepare(store)
            let work = LedgerWork(seed: 77)
            var shown: [(at: Timestamp, accounts: [AccountID: Account])] = []
            for number in 1...120 {
                _ = try await work.perform(number, on: store)
                guard number.isMultiple(of: 10) else { continue }
                let at = LedgerWork.start.milliseconds + Int64(number)
                shown.append((Timestamp(milliseconds: at), try await LedgerCheck.read(store).accounts))
            }
            let history = try await LedgerCheck.read(store)
            for (at, accounts) in shown {
                for id in history.accounts.keys {
                    let then = accounts[id].map { $0.credits.fen - $0.debits.fen } ?? 0
                    #expect(history.balance(of: id, at: at) == then, "\(id) at \(at.milliseconds)")
                }
            }
        }
    }

    /// 11. What is seen only goes forward: no sum shrinks, serials have no gap, who was answered sees it, and the log
    /// takes neither a gap nor a sequence twice (M5, M10).
    @Test(arguments: Backend.all, 12..<15 as Range<UInt64>)
    func whatIsSeenOnlyGoesForward(_ backend: Backend, seed: UInt64) async throws {
        try await Self.watch(backend, seed: seed) { rows, earlier in
            for account in earlier.accounts.values {
                let now = rows.account(account.id)
                #expect(now.debits >= account.debits && now.credits >= account.credits)
                #expect(now.holdsStarted >= account.holdsStarted)
            }
            let serials = Dictionary(grouping: rows.withdrawals.values) { row in
                AccountID.person(row.key.person, in: row.key.book)
            }
            for withdrawals in serials.values {
                #expect(withdrawals.map(\.serial).sorted() == Array(1...UInt32(withdrawals.count)))
            }
        }
        try await backend.withStore { store in
            try await store.prepareToMint()
            try await store.append(Fixture.group([1, 2]))
            #expect(try await store.log().map(\.sequence) == [1, 2])
            for wrong in [[2], [1], [4], [4, 5]] as [[UInt64]] {
                await expect(.corrupt) { try await store.append(Fixture.group(wrong)) }
            }
            try await store.append(Fixture.group([3]))
            #expect(try await store.log().map(\.sequence) == [1, 2, 3])
        }
    }

    /// 12. Claims in flight are resolved within 30 s of a crash, although nobody tells the new process of them
    /// (M10, M15).
    @Test(arguments: Backend.all)
    func claimsInFlightAreResolvedAfterACrash(_ backend: Backend) async throws {
        try await backend.withRestart { store in
            try await store.fund(100_000)
            for person in 1...40 as ClosedRange<UInt64> {
                _ = try await store.post([Fixture.grant(to: person)])
                _ = try await store.request(try Fixture.key(person, "w"), 60)
            }
        } then: { store in
            let time = try await PendingPayouts.finish(in: store, from: Fixture.now, over: HonestChannel())
            #expect(time != nil, "after 30 s some are still pending")
            let rows = try await LedgerCheck.read(store)
            #expect(rows.breaches == [])
            #expect(rows.withdrawals.count == 40 && rows.withdrawals.values.allSatisfy { $0.state == .paid })
            #expect(rows.account(.payouts(of: Fixture.book)).credits == Fixture.fen(40 * 60))
        }
    }

    /// 14. Isolation between books (M13): the same people in two books know nothing of each other, and no money
    /// crosses.
    @Test(arguments: Backend.all)
    func booksDoNotKnowEachOther(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await LedgerWork.prepare(store)
            let work = LedgerWork(seed: 14)
            let numbers = (0..<300).filter { work.book(of: $0) == LedgerWork.books[0] }
            let other = try await Self.part(store, of: LedgerWork.books[1])
            _ = try await Self.atOnce(numbers.count) { try await work.perform(numbers[$0], on: store) }
            #expect(try await Self.part(store, of: LedgerWork.books[1]) == other)
            #expect(try await Self.part(store, of: LedgerWork.books[0]) != other)
            // Neither way across, not as a transfer, and not under the other book's number.
            for (from, to) in [(0, 1), (1, 0)].map({ (LedgerWork.books[$0], LedgerWork.books[$1]) }) {
                let accounts = [AccountID.budget(of: LedgerWork.scene(of: from)), .person(PersonID(1), in: to)]
                for book in [from, to] {
                    let order = Fixture.grant(to: 1, rain: 999, scene: LedgerWork.scene(of: book))
                    let transfer = Transfer(
                        id: order.id,
                        debit: accounts[0],
                        credit: accounts[1],
                        amount: Fixture.fen(1),
                        at: Fixture.now,
                        postedAt: Fixture.now
                    )
                    #expect(try await store.post([transfer]) == [.booksDiffer])
                }
            }
            try await Self.expectSound(store)
        }
    }

    // MARK: Watching

    private struct Part: Hashable {
        let accounts: Set<Account>
        let transfers: Set<Transfer>
        let withdrawals: Set<Withdrawal>
    }

    private static func part(_ store: some Store, of book: BookID) async throws -> Part {
        let rows = try await LedgerCheck.read(store)
        return Part(
            accounts: Set(rows.accounts.values.filter { $0.id.book == book }),
            transfers: Set(rows.transfers.values.filter { $0.id.book == book }),
            withdrawals: Set(rows.withdrawals.values.filter { $0.key.book == book })
        )
    }

    /// Works the ledger from many tasks, looks at snapshots of it all the while, and once more after a restart. Each is
    /// held against the one before and against what everybody was told by then.
    private static func watch(
        _ backend: Backend,
        seed: UInt64,
        _ look: @escaping @Sendable (_ rows: LedgerCheck, _ earlier: LedgerCheck) throws -> Void
    ) async throws {
        let work = LedgerWork(seed: seed)
        let seen = Seen()
        @Sendable func lookOnce(_ store: any Store) async throws {
            let known = seen.told.withLock { $0 }
            let rows = try await LedgerCheck.read(store)
            let earlier = seen.last.withLock { $0 }
            try look(rows, earlier ?? rows)
            // Who was answered before the snapshot is in it.
            let missing = known.compactMap { work.breach($0.key, told: $0.value, in: rows) }
            #expect(missing == [], "seed \(seed)")
            seen.last.withLock { $0 = rows }
        }
        try await backend.withRestart { store in
            try await LedgerWork.prepare(store)
            let end = End()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !end.isReached.load(ordering: .sequentiallyConsistent) { try await lookOnce(store) }
                }
                _ = try await atOnce(16) { lane in
                    for number in stride(from: lane, to: 480, by: 16) {
                        let outcome = try await work.perform(number, on: store)
                        seen.told.withLock { $0[number] = outcome }
                    }
                }
                end.isReached.store(true, ordering: .sequentiallyConsistent)
                try await group.waitForAll()
            }
            try await lookOnce(store)
        } then: { store in
            try await lookOnce(store)
            #expect(seen.last.withLock { ($0?.transfers.count ?? 0) > 200 })
        }
    }
}

private final class Seen: Sendable {
    let told = Mutex<[Int: LedgerWork.Outcome]>([:])
    let last = Mutex<LedgerCheck?>(nil)
}

private final class End: Sendable {
    let isReached = Atomic(false)
}

extension LedgerWork {
    func book(of number: Int) -> BookID {
        switch step(number) {
        case .transfer(let transfer): transfer.id.book
        case .withdrawal(let key, _, _): key.book
        }
    }
}
