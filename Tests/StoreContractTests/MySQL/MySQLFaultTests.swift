#if MySQL
    import Glibc
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Synchronization
    import Testing

    @testable import HongbaoMySQL

    /// What a server's faults mean, and what is left when it's killed.
    @Suite struct MySQLFaultTests {
        @Test func numbersHaveMeanings() {
            func code(_ number: UInt32) -> StoreError.Code { StoreError(ServerFault(number: number, text: "")).code }
            func codeOfCommit(_ number: UInt32) -> StoreError.Code {
                StoreError(commit: ServerFault(number: number, text: "")).code
            }
            for (number, meaning) in ServerFault.meanings {
                let fault = StoreError(ServerFault(number: number, text: ""))
                switch meaning {
                case .deadlock, .lockWait, .lost, .readOnly:
                    #expect(fault.code == .unavailable && fault.isWorthAnotherTry)
                case .keyTaken: #expect(fault.code == .corrupt && fault.isWorthAnotherTry)
                case .refused, .notAsExpected: #expect(fault.code == .corrupt && !fault.isWorthAnotherTry)
                case .unavailable: #expect(fault.code == .unavailable && !fault.isWorthAnotherTry)
                }
                // From COMMIT on nobody knows, but for what the server says that it has undone.
                if meaning == .lost || meaning == .lockWait { #expect(codeOfCommit(number) == .outcomeUnknown) }
            }
            // Disk full, too many connections, read-only, no such server.
            for number: UInt32 in [1021, 1114, 1040, 1290, 2002, 2003, 9_999] { #expect(code(number) == .unavailable) }
            // Error during commit: it may be in the log.
            for number: UInt32 in [1180, 2013, 2006, 1114, 9_999] { #expect(codeOfCommit(number) == .outcomeUnknown) }
            #expect(codeOfCommit(1213) == .unavailable && codeOfCommit(1290) == .unavailable)
            #expect(codeOfCommit(4025) == .corrupt)
        }

        /// A text of the server's may name a person, so it's shown only where it can't.
        @Test func textsNameNobody() {
            let taken = ServerFault(number: 1062, text: "Duplicate entry '8812345-77' for key 'PRIMARY'")
            let wrong = ServerFault(number: 1366, text: "Incorrect string value: '8812345' for column")
            #expect(taken.shown == "the key 'PRIMARY'")
            for fault in [taken, wrong] { #expect(!"\(StoreError(fault))".contains("8812345")) }
        }

        /// A row further on is locked for too long, when others have been sent already: that ends the answer, and the
        /// connection goes on. A client that waited for more would lose it, with whatever others had in the group.
        @Test func aFaultBehindRowsIsTheEndOfTheAnswer() async throws {
            let home = MySQLHome()
            var options = MySQLStore.Options()
            options.lockSeconds = 1
            options.attemptsMax = 1
            let store = try await MySQLStore(try await home.prepare(), options: options)
            try await store.fund(1_000)
            for mint in [MintID(1), MintID(2)] {
                try await store.openEpoch(of: mint)
                try await store.extendLease(of: mint, by: 10)
            }
            let console = SQLConsole(try await home.address())
            try await console.run("BEGIN")
            let pool = PoolID(Fixture.scene).rawValue
            let locked = "SELECT mint FROM lease WHERE pool = \(pool) AND mint = 2 FOR UPDATE"
            #expect(try await console.rows(locked, columns: 1) == [["2"]])
            await expect(.unavailable) { _ = try await store.extendLease(by: 1) }
            try await console.run("COMMIT")
            try await store.extendLease(by: 1)
            let leases = try await store.read { snapshot throws(StoreError) in try snapshot.budgets() }.flatMap(\.1)
            #expect(leases.map(\.allotted.fen) == [11, 10])
            await console.close()
            await store.close()
        }

        /// GR-5, LG-5: the server is killed in the middle of commits and started again, several times. What was
        /// acknowledged is there, what was refused is not, and the store goes on by itself.
        @Test func acknowledgedWorkSurvivesAKilledServer() async throws {
            let server = try await MariaDBServer.started()
            let home = MySQLHome { server }
            let store = try await home.open()
            try await store.prepareToMint(lease: 900_000)
            let mint = Mint()
            for round in 0..<4 {
                try await withThrowingTaskGroup { group in
                    for worker in 0..<4 as Range<UInt64> {
                        group.addTask { try await Self.post(worker, round: UInt64(round), store, mint) }
                    }
                    group.addTask { try await Self.append(store, mint) }
                    group.addTask {
                        // Once there's something to lose.
                        while mint.state.withLock({ $0.acknowledged < 20 * (round + 1) }) {
                            try await Task.sleep(for: .milliseconds(1))
                        }
                        try await server.kill()
                        mint.state.withLock { $0.isDown = true }
                    }
                    try await group.waitForAll()
                }
                try await server.start()
                mint.state.withLock { $0.isDown = false }
                try await Self.check(store, mint)
            }
            let kills = mint.state.withLock { ($0.unknown, $0.refused) }
            #expect(kills.0 + kills.1 > 0)
            await store.close()
            try await server.stop()
        }

        /// What was asked for, and what is known of it.
        private final class Mint: Sendable {
            struct State {
                var posted: Set<UInt64> = []
                var doubtful: Set<UInt64> = []
                var never: Set<UInt64> = []
                /// The last sequence that is certain, and whether the next may be there.
                var sequence: UInt64 = 0
                var isNextDoubtful = false
                var acknowledged = 0
                var unknown = 0
                var refused = 0
                var isDown = false
            }

            let state = Mutex(State())
            var isDown: Bool { state.withLock { $0.isDown } }
        }

        private static func post(_ worker: UInt64, round: UInt64, _ store: MySQLStore, _ mint: Mint) async throws {
            var next = round * 1_000_000 + worker * 100_000 + 1
            while !mint.isDown {
                let person = next
                next += 1
                do throws(StoreError) {
                    _ = try await store.transact(Footprint(posting: [Fixture.grant(to: person)])) { books in
                        books.ledger.post(Fixture.grant(to: person))
                    }
                    mint.state.withLock { state in
                        state.posted.insert(person)
                        state.acknowledged += 1
                    }
                } catch {
                    let code = error.code
                    #expect(error.isRetryable, "\(error)")
                    mint.state.withLock { state in
                        if code == .outcomeUnknown {
                            state.doubtful.insert(person)
                            state.unknown += 1
                        } else {
                            state.never.insert(person)
                            state.refused += 1
                        }
                    }
                }
            }
        }

        private static func append(_ store: MySQLStore, _ mint: Mint) async throws {
            while !mint.isDown {
                let next = mint.state.withLock { $0.sequence + 1 }
                do throws(StoreError) {
                    try await store.append(Fixture.group([next]))
                    mint.state.withLock { state in
                        state.sequence = next
                        state.acknowledged += 1
                    }
                } catch {
                    let code = error.code
                    #expect(error.isRetryable, "\(error)")
                    mint.state.withLock { $0.isNextDoubtful = code == .outcomeUnknown }
                    return
                }
            }
        }

        private static func check(_ store: MySQLStore, _ mint: Mint) async throws {
            let log = try await store.log()
            let transfers = try await store.read { snapshot throws(StoreError) in
                try snapshot.transfers(after: nil, limit: 1_000_000)
            }
            let persons = Set(transfers.compactMap { $0.credit.kind == .person ? $0.credit.owner : nil })
            mint.state.withLock { state in
                #expect(log.map(\.sequence) == log.indices.map { UInt64($0) + 1 })
                let count = UInt64(log.count)
                #expect(count == state.sequence || (state.isNextDoubtful && count == state.sequence + 1))
                state.sequence = count
                state.isNextDoubtful = false
                #expect(state.posted.isSubset(of: persons))
                #expect(persons.isSubset(of: state.posted.union(state.doubtful)))
                #expect(persons.isDisjoint(with: state.never))
                state.posted = persons
                state.doubtful = []
            }
            let budget = try await store.account(.budget(of: Fixture.scene))
            #expect(budget.debits == Fixture.fen(Int64(persons.count) * 100))
            let leases = try await store.leases()
            #expect(leases.map(\.issued.fen) == [Int64(20 * log.count)])
        }
    }
#endif
