import HongbaoCore
import HongbaoEngine
import Testing

@Suite struct TransactTests {
    @Test(arguments: Backend.all)
    func postingIsIdempotent(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            let first = Fixture.grant(to: 5)
            #expect(try await store.post([first, first]) == [.posted, .alreadyPosted])
            #expect(try await store.post([first, Fixture.grant(to: 6)]) == [.alreadyPosted, .posted])
            #expect(try await store.post([Fixture.grant(to: 5, 101)]) == [.idReusedForAnotherTransfer])
            #expect(try await store.account(.person(PersonID(5), in: Fixture.book)).available == 100)
            #expect(try await store.account(.budget(of: Fixture.scene)).available == 800)
            let found = try await store.read { snapshot throws(StoreError) in
                try snapshot.transfers([first.id, Fixture.grant(to: 7).id])
            }
            #expect(found == [first])
        }
    }

    /// M3: a store that is told that transfers are new finds out when they aren't, alone in its transaction and among
    /// others.
    @Test(arguments: Backend.all)
    func aWrongHintChangesNothing(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(100_000)
            let known = Fixture.grant(to: 5)
            #expect(try await store.post([known]) == [.posted])
            let outcomes = try await withThrowingTaskGroup(of: [TransferOutcome].self) { group in
                for person in 10..<30 as Range<UInt64> {
                    group.addTask {
                        let transfers = [known, Fixture.grant(to: person), Fixture.grant(to: 5, 101)]
                        var footprint = Footprint(posting: transfers)
                        footprint.transfersAreProbablyNew = true
                        return try await store.transact(footprint) { books in transfers.map { books.ledger.post($0) } }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes == Array(repeating: [.alreadyPosted, .posted, .idReusedForAnotherTransfer], count: 20))
            #expect(try await store.account(.person(PersonID(5), in: Fixture.book)).available == 100)
            #expect(try await store.account(.budget(of: Fixture.scene)).available == 100_000 - 21 * 100)
            var footprint = Footprint(posting: [Fixture.grant(to: 40)])
            footprint.transfersAreProbablyNew = true
            #expect(try await store.transact(footprint) { $0.ledger.post(Fixture.grant(to: 40)) } == .posted)
        }
    }

    @Test(arguments: Backend.all)
    func unknownRowsAreEmptyOrAbsent(_ backend: Backend) async throws {
        try await backend.withStore { store in
            let person = AccountID.person(PersonID(1), in: Fixture.book)
            let key = try Fixture.key(1, "a")
            var footprint = Footprint(withdrawal: key, serial: 1)
            footprint.budgets = [PoolID(Fixture.scene)]
            footprint.mints = [Fixture.mint]
            let isEmpty = try await store.transact(footprint) { books in
                books.ledger.account(person) == Account(id: person) && books.withdrawal(key) == nil
                    && books.budget(PoolID(Fixture.scene)) == nil && books.mint(Fixture.mint) == nil
                    && books.ledger.hold(TransferID(person: PersonID(1), book: Fixture.book, serial: 1)) == nil
            }
            #expect(isEmpty)
            let rows = try await store.read { snapshot throws(StoreError) in
                try snapshot.accounts(after: nil, limit: 10).count + snapshot.mints().count + snapshot.budgets().count
            }
            #expect(rows == 0)
        }
    }

    /// WD-2, M10, M15: hold and promise appear together, and each ends once.
    @Test(arguments: Backend.all)
    func withdrawalsRoundTrip(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            _ = try await store.post([Fixture.grant(to: 5, 500)])
            for (index, id) in ["paid", "failed", "waiting"].enumerated() {
                let outcome = try await store.request(try Fixture.key(5, id), Int64(100 + index))
                guard case .accepted = outcome else {
                    Issue.record("\(id): \(outcome)")
                    return
                }
            }
            let paidReport = PayoutReport.paid(Fixture.fen(100))
            #expect(try await store.apply(paidReport, to: try Fixture.key(5, "paid"), serial: 1) == .settled)
            #expect(try await store.apply(.failed, to: try Fixture.key(5, "failed"), serial: 2) == .released)
            #expect(try await store.apply(.processing, to: try Fixture.key(5, "waiting"), serial: 3) == .waiting)
            #expect(try await store.apply(.failed, to: try Fixture.key(5, "failed"), serial: 2) == .alreadyFinal)

            let person = PersonID(5)
            let account = try await store.account(.person(person, in: Fixture.book))
            #expect(account.debits == Fixture.fen(100) && account.held == Fixture.fen(102) && account.holdsStarted == 3)
            let (withdrawals, holds, paid) = try await store.read { snapshot throws(StoreError) in
                (
                    try snapshot.withdrawals(of: person, in: Fixture.book),
                    try snapshot.holds(after: nil, limit: 10),
                    try snapshot.transfers(of: person, in: Fixture.book)
                )
            }
            #expect(withdrawals.map(\.key.id) == ["paid", "failed", "waiting"])
            #expect(withdrawals.map(\.state) == [.paid, .failed, .pending])
            #expect(withdrawals.map(\.finalAt) == [Fixture.later, Fixture.later, nil])
            #expect(withdrawals[2].attempts == 1 && withdrawals[2].nextCheckAt == Fixture.later.advanced(bySeconds: 60))
            #expect(holds.map(\.state) == [.posted, .voided, .pending])
            #expect(paid.map(\.amount.fen) == [100, 500])
        }
    }

    @Test(arguments: Backend.all)
    func dueWithdrawalsComeOldestFirst(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(10_000)
            for person in 1...5 as ClosedRange<UInt64> {
                _ = try await store.post([Fixture.grant(to: person, 100)])
                let at = Fixture.now.advanced(bySeconds: -Int64(person))
                _ = try await store.request(try Fixture.key(person, "w"), 50, now: at)
            }
            _ = try await store.apply(.failed, to: try Fixture.key(4, "w"), serial: 1)
            _ = try await store.apply(.processing, to: try Fixture.key(5, "w"), serial: 1)
            let (first, last) = (Timestamp(milliseconds: .min), Timestamp(milliseconds: .max))
            let due = try await store.read { snapshot throws(StoreError) in
                try snapshot.withdrawals(toCheckIn: first...Fixture.now.advanced(bySeconds: -2), limit: 5)
            }
            #expect(due.map(\.key.person.rawValue) == [3, 2])
            let oldest = try await store.read { snapshot throws(StoreError) in
                try snapshot.withdrawals(toCheckIn: first...Fixture.now, limit: 2)
            }
            #expect(oldest.map(\.key.person.rawValue) == [3, 2])
            let latest = try await store.read { snapshot throws(StoreError) in
                try snapshot.withdrawals(toCheckIn: Fixture.now.advanced(bySeconds: -1)...last, limit: 5)
            }
            #expect(latest.map(\.key.person.rawValue) == [1, 5])
        }
    }

    @Test(arguments: Backend.all)
    func budgetsLeasesMintsAndEpochsRoundTrip(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint(budget: 5_000, lease: 700)
            #expect(try await store.fund(6_000, revision: 2) == .funded)
            #expect(try await store.fund(6_000, revision: 3) == .unchanged)
            #expect(try await store.fund(699, revision: 4) == .belowAllotted)
            try await store.append(Fixture.group([1, 2]))
            var footprint = Footprint()
            footprint.mints = [Fixture.mint]
            footprint.budgets = [PoolID(Fixture.scene)]
            let isReturned = try await store.transact(footprint) { books in
                books.advancePosted(of: Fixture.mint, to: 2)
                return books.returnLease(
                    LeaseID(pool: PoolID(Fixture.scene), mint: Fixture.mint),
                    epoch: 1,
                    amount: Fixture.fen(60)
                )
            }
            #expect(isReturned)
            #expect(try await store.openEpoch().epoch == 2)
            let (mints, epochs, budgets) = try await store.read { snapshot throws(StoreError) in
                (try snapshot.mints(), try snapshot.epochs(), try snapshot.budgets())
            }
            #expect(mints == [MintRecord(id: Fixture.mint, epoch: 2, lastSequence: 2, postedSequence: 2)])
            #expect(epochs.map(\.certificate) == [[1, 2, 1], [1, 2, 2]])
            #expect(epochs.allSatisfy { $0.wrappedDataKey == [] })
            #expect(budgets.map(\.0.total.fen) == [6_000] && budgets.map(\.0.allotted.fen) == [640])
            #expect(budgets.flatMap(\.1).map(\.allotted.fen) == [640] && budgets.flatMap(\.1).map(\.issued.fen) == [40])
        }
    }

    /// DP-3: the node that has a mint is known until another takes it or it gives it up, whatever happens to the log.
    @Test(arguments: Backend.all)
    func whoHasAMintIsKept(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.prepareToMint(budget: 5_000, lease: 700)
            var footprint = Footprint()
            footprint.mints = [Fixture.mint]
            @Sendable func holder() async throws -> MintHolder? {
                try await store.read { snapshot throws(StoreError) in try snapshot.mints() }.first?.holder
            }
            #expect(try await holder() == nil)
            try await store.transact(footprint) { books in
                _ = books.openEpoch(of: Fixture.mint, Fixture.epoch(2), at: "http://a:1")
            }
            let isBeating = try await store.transact(footprint) { books in
                (books.beat(Fixture.mint, by: "http://b:1"), books.beat(Fixture.mint, by: "http://a:1"))
            }
            #expect(isBeating == (false, true))
            try await store.extendLease(epoch: 2, by: 0)
            try await store.append(Fixture.group([1, 2], epoch: 2))
            try await store.transact(footprint) { books in
                books.want(Fixture.mint, by: "http://b:1")
                books.advancePosted(of: Fixture.mint, to: 2)
            }
            #expect(try await holder() == MintHolder(address: "http://a:1", beats: 1, wantedBy: "http://b:1"))
            try await store.transact(footprint) { books in books.leave(Fixture.mint, by: "http://b:1") }
            #expect(try await holder()?.address == "http://a:1")
            try await store.transact(footprint) { books in books.leave(Fixture.mint, by: "http://a:1") }
            #expect(try await holder() == MintHolder(address: "http://b:1"))
            try await store.transact(footprint) { books in books.leave(Fixture.mint, by: "http://b:1") }
            #expect(try await holder() == nil)
        }
    }

    /// WD-4: updates of one account from many tasks are all kept, and never overdraw it.
    @Test(arguments: Backend.all)
    func concurrentUpdatesAreNeverLost(_ backend: Backend) async throws {
        try await backend.withStore { store in
            try await store.fund(1_000)
            let outcomes = try await withThrowingTaskGroup { group in
                for number in 0..<300 as Range<UInt16> {
                    group.addTask { try await store.post([Fixture.grant(to: 5, 4, rain: number)]) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(outcomes.count { $0 == .posted } == 250)
            #expect(outcomes.count { $0 == .insufficientFunds } == 50)
            #expect(try await store.account(.person(PersonID(5), in: Fixture.book)).available == 1_000)
            #expect(try await store.account(.budget(of: Fixture.scene)).available == 0)
        }
    }
}

extension Store {
    func request(
        _ key: WithdrawalKey,
        _ amount: Int64,
        now: Timestamp = Fixture.now
    ) async throws -> WithdrawalOutcome {
        try await transact(Footprint(withdrawal: key, serial: nil)) { books in
            books.requestWithdrawal(key, amount: Fixture.fen(amount), now: now)
        }
    }

    func apply(_ report: PayoutReport, to key: WithdrawalKey, serial: UInt32) async throws -> OrderProgress {
        try await transact(Footprint(withdrawal: key, serial: serial)) { books in
            books.apply(report, to: key, now: Fixture.later, retryAfterSeconds: 60)
        }
    }
}
