import Dispatch
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite

/// What callers do to a store until the power goes: append batches, post transfers, hold withdrawals, read, and ask for
/// what must be refused; many at a time, so that they share transactions.
struct PowerCutWorkload {
    private static let book = BookID(campaign: 7, phase: .live)
    private static let scene = SceneID(book: book, number: 1)
    private static let mints = [MintID(1), MintID(2)]
    private static let persons: ClosedRange<UInt64> = 1...12
    private static let now = Timestamp(milliseconds: 1_643_630_400_000)

    private let store: SQLiteStore
    private let stage: Stage
    private let witness: Witness
    private var sequences: [MintID: UInt64] = [:]

    private static func fen(_ fen: Int) -> Amount {
        guard let amount = Amount(fen: Int64(fen)) else { preconditionFailure("a negative amount") }
        return amount
    }

    /// Budgets and leases that no run exhausts.
    static func prepare(_ store: SQLiteStore) async throws {
        let funding = Funding(pool: PoolID(scene), total: fen(1_000_000_000), revision: 1)
        _ = try await store.transact(Footprint(funding: [funding])) { $0.fund(funding, now: now) }
        for mint in mints {
            var footprint = Footprint()
            footprint.mints = [mint]
            footprint.budgets = [PoolID(scene)]
            _ = try await store.transact(footprint) { books in
                _ = books.openEpoch(
                    of: mint,
                    EpochRecord(mint: mint, epoch: 1, certificate: [1], wrappedDataKey: [], isRevoked: false)
                )
                return books.extendLease(
                    LeaseID(pool: PoolID(scene), mint: mint),
                    epoch: 1,
                    by: fen(100_000_000),
                    now: now,
                    expiresAt: now
                )
            }
        }
    }

    init(_ store: SQLiteStore, _ stage: Stage, _ witness: Witness) async throws(StoreError) {
        self.store = store
        self.stage = stage
        self.witness = witness
        let mints = try await store.read { snapshot throws(StoreError) in try snapshot.mints() }
        for mint in mints { sequences[mint.id] = mint.lastSequence }
    }

    /// Some callers with a few transactions each. Returns when all have their answers.
    mutating func round(_ random: inout Seeded) async {
        var callers: [[Request]] = []
        for mint in Self.mints where random.next(below: 3) > 0 {
            callers.append((0..<Int.random(in: 1...2, using: &random)).map { _ in append(mint, &random) })
        }
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            callers.append((0..<Int.random(in: 1...2, using: &random)).map { _ in post(&random) })
        }
        if random.next(below: 3) == 0 { callers.append([withdraw(&random)]) }
        if random.next(below: 6) == 0 { callers.append([.append(group(Self.mints[0], epoch: 0, from: 1, &random))]) }
        if random.next(below: 6) == 0 { callers.append([misdirected(&random)]) }
        if random.next(below: 4) == 0 { callers.append([.read]) }
        callers.shuffle(using: &random)
        let caller = Caller(store: store, stage: stage, witness: witness)
        let longRead = random.next(below: 4) == 0 ? LongRead(while: stage) : nil
        await withDiscardingTaskGroup { [callers] outer in
            if let longRead { outer.addTask { await caller.read(longRead) } }
            await withDiscardingTaskGroup { group in
                for requests in callers {
                    group.addTask { for request in requests where await !caller.make(request) { return } }
                }
            }
            longRead?.release()
        }
    }

    // MARK: Requests

    enum Request: Sendable {
        case append(AppendGroup)
        case post([Transfer])
        case withdraw(WithdrawalKey, Amount)
        case read
    }

    private mutating func append(_ mint: MintID, _ random: inout Seeded) -> Request {
        let first = (sequences[mint] ?? 0) + 1
        let group = group(mint, epoch: 1, from: first, &random)
        sequences[mint] = first + UInt64(group.batches.count) - 1
        return .append(group)
    }

    private func group(
        _ mint: MintID,
        epoch: UInt32,
        from first: UInt64,
        _ random: inout Seeded
    ) -> AppendGroup {
        var batches: [LoggedBatch] = []
        for offset in 0..<random.next(below: 3) + 1 {
            // Most fit into a page, some need several.
            let bytes = random.next(below: 4) == 0 ? 12_000 : 900
            var record = [UInt8](
                repeating: UInt8(truncatingIfNeeded: random.next()),
                count: 8 + Int.random(in: 0...bytes, using: &random)
            )
            withUnsafeBytes(of: witness.nextSerial()) { record.replaceSubrange(0..<8, with: $0) }
            let count = Int.random(in: 1...256, using: &random)
            batches.append(
                LoggedBatch(
                    mint: mint,
                    epoch: epoch,
                    sequence: first + offset,
                    count: count,
                    total: Self.fen(count * 3),
                    at: Self.now,
                    record: record
                )
            )
        }
        let total = batches.reduce(0) { $0 + Int($1.total.fen) }
        return AppendGroup(mint: mint, epoch: epoch, batches: batches, issued: [PoolID(Self.scene): Self.fen(total)])
    }

    private func post(_ random: inout Seeded) -> Request {
        .post(
            (0..<Int.random(in: 1...4, using: &random)).map { _ in
                let person = PersonID(UInt64.random(in: Self.persons, using: &random))
                return transfer(to: person, numberedFor: person, &random)
            }
        )
    }

    /// M3: pays another person than its number names, after one that is right; the schema refuses both.
    private func misdirected(_ random: inout Seeded) -> Request {
        .post([
            transfer(to: PersonID(1), numberedFor: PersonID(1), &random),
            transfer(to: PersonID(2), numberedFor: PersonID(3), &random),
        ])
    }

    private func transfer(
        to person: PersonID,
        numberedFor named: PersonID,
        _ random: inout Seeded
    ) -> Transfer {
        let serial = witness.nextSerial()
        let order = OrderNumber(
            person: named,
            scene: Self.scene,
            rain: RainID(UInt16(truncatingIfNeeded: serial)),
            awardType: UInt8(truncatingIfNeeded: serial >> 16),
            stage: UInt8(truncatingIfNeeded: serial >> 24)
        )
        return Transfer(
            id: TransferID(order),
            debit: .budget(of: Self.scene),
            credit: .person(person, in: Self.book),
            amount: Self.fen(Int.random(in: 1...1_000, using: &random)),
            at: Self.now,
            postedAt: Self.now,
            app: AppID(3)
        )
    }

    private func withdraw(_ random: inout Seeded) -> Request {
        let person = PersonID(UInt64.random(in: Self.persons, using: &random))
        guard let key = WithdrawalKey(person: person, book: Self.book, id: "w\(witness.nextSerial())") else {
            preconditionFailure("an ID that isn't one")
        }
        return .withdraw(key, Self.fen(Int.random(in: 1...100, using: &random)))
    }

    // MARK: Callers

    private struct Caller: Sendable {
        let store: SQLiteStore
        let stage: Stage
        let witness: Witness

        /// - Returns: whether to go on with the next.
        func make(_ request: Request) async -> Bool {
            switch request {
            case .append(let group):
                return await witnessed(Witness.Deed(rows: group.batches.map { .batch($0) })) { () throws(StoreError) in
                    try await store.append(group)
                }
            case .post(let transfers):
                return await witnessed(Witness.Deed(rows: transfers.map { .transfer($0) })) { () throws(StoreError) in
                    let outcomes = try await store.transact(Footprint(posting: transfers)) { books in
                        transfers.map { books.ledger.post($0) }
                    }
                    if outcomes.contains(where: { $0 != .posted }) { witness.saw("\(outcomes) for new transfers") }
                }
            case .withdraw(let key, let amount): return await withdraw(key, amount)
            case .read: return await read()
            }
        }

        private func witnessed(
            _ deed: Witness.Deed,
            _ work: () async throws(StoreError) -> Void
        ) async -> Bool {
            witness.begins(deed)
            do throws(StoreError) {
                try await work()
                witness.succeeded(deed)
                return true
            } catch {
                witness.failed(deed, error)
                return false
            }
        }

        /// What that writes is known once it's decided, before it's committed.
        private func withdraw(_ key: WithdrawalKey, _ amount: Amount) async -> Bool {
            do throws(StoreError) {
                let deed = try await store.transact(Footprint(withdrawal: key, serial: nil)) { books -> Witness.Deed? in
                    guard case .accepted(let withdrawal) = books.requestWithdrawal(key, amount: amount, now: now) else {
                        return nil
                    }
                    let deed = Witness.Deed(rows: [.withdrawal(withdrawal)])
                    witness.begins(deed)
                    return deed
                }
                if let deed { witness.succeeded(deed) }
                return true
            } catch {
                // If it was decided, it stays open.
                return false
            }
        }

        /// While it's on its way it counts as moving.
        private func read() async -> Bool {
            stage.moving.enter()
            defer { stage.moving.leave() }
            do throws(StoreError) {
                _ = try await store.read { snapshot throws(StoreError) in try snapshot.account(.budget(of: scene)) }
                return true
            } catch {
                return false
            }
        }

        /// Stays on its snapshot while others write.
        func read(_ long: LongRead) async {
            stage.moving.enter()
            defer { stage.moving.leave() }
            do throws(StoreError) {
                try await store.read { snapshot throws(StoreError) in
                    let before = try snapshot.account(.budget(of: scene))
                    long.park()
                    if try snapshot.account(.budget(of: scene)) != before { witness.saw("a snapshot that changed") }
                }
            } catch {
                // The power is off: there is nothing to see.
            }
        }
    }
}
