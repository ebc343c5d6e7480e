#if MySQL
    import HongbaoCore
    import HongbaoEngine
    import HongbaoMySQL
    import Synchronization
    import Testing

    /// What writers were told, one grant to each person.
    final class Notes: Sendable {
        private struct State {
            var acknowledged: Set<UInt64> = []
            var doubtful: Set<UInt64> = []
        }

        private let state = Mutex(State())

        static func whileWriting(to store: MySQLStore, _ body: (Notes) async throws -> Void) async throws -> Notes {
            let notes = Notes()
            try await withThrowingTaskGroup { group in
                for worker in 0..<4 as Range<UInt64> {
                    group.addTask { await notes.write(from: worker * 1_000_000 + 1, to: store) }
                }
                try await body(notes)
                group.cancelAll()
                try await group.waitForAll()
            }
            return notes
        }

        private func write(from first: UInt64, to store: MySQLStore) async {
            for person in first... {
                if Task.isCancelled { return }
                await write(person, to: store)
            }
        }

        func write(_ person: UInt64, to store: MySQLStore) async {
            do throws(StoreError) {
                let grant = Fixture.grant(to: person)
                let outcome = try await store.transact(Footprint(posting: [grant])) { $0.ledger.post(grant) }
                #expect(outcome == .posted)
                _ = state.withLock { $0.acknowledged.insert(person) }
            } catch {
                #expect(error.isRetryable, "\(error)")
                if error.code == .outcomeUnknown { _ = state.withLock { $0.doubtful.insert(person) } }
            }
        }

        /// Until so many more are acknowledged.
        func more(_ count: Int) async throws {
            let goal = state.withLock { $0.acknowledged.count } + count
            while state.withLock({ $0.acknowledged.count }) < goal { try await Task.sleep(for: .milliseconds(5)) }
        }

        func check(_ store: MySQLStore) async throws {
            let transfers = try await store.read { snapshot throws(StoreError) in
                try snapshot.transfers(after: nil, limit: 1_000_000)
            }
            let persons = transfers.compactMap { $0.credit.kind == .person ? $0.credit.owner : nil }
            let there = Set(persons)
            #expect(there.count == persons.count)
            let (acknowledged, doubtful) = state.withLock { ($0.acknowledged, $0.doubtful) }
            #expect(acknowledged.subtracting(there) == [])
            #expect(there.subtracting(acknowledged).subtracting(doubtful) == [])
            let budget = try await store.account(.budget(of: Fixture.scene))
            #expect(budget.debits == Fixture.fen(Int64(persons.count) * 100))
        }
    }
#endif
