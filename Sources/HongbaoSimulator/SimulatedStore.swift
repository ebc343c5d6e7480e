import HongbaoCore
import HongbaoEngine
import Synchronization

/// A database that survives processes, reached over connections that lose requests and replies.
final class SimulatedStore: Sendable {
    private let tables = Mutex(Tables())
    private let auditor: Auditor

    init(auditor: Auditor) { self.auditor = auditor }

    var snapshot: TableSnapshot { TableSnapshot(tables: tables.withLock { $0 }) }

    fileprivate func append(_ group: AppendGroup) throws(StoreError) {
        let commit = try tables.withLock { tables throws(StoreError) in try tables.append(group) }
        auditor.committed(commit)
    }

    fileprivate func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) throws(StoreError) -> Answer {
        let (answer, commit) = try tables.withLock { tables throws(StoreError) in
            var books = tables.load(footprint)
            let answer = decide(&books)
            return (answer, try tables.save(books))
        }
        auditor.committed(commit)
        return answer
    }
}

/// One process's way to the database.
struct StoreConnection: Store {
    let base: SimulatedStore
    let world: World
    let life: Life
    let thief: Thief

    func append(_ group: AppendGroup) async throws(StoreError) {
        do throws(StoreError) {
            try await carry(world.faults.writes) { () throws(StoreError) in try base.append(group) }
        } catch {
            thief.take(group, from: base.snapshot)
            throw error
        }
    }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await carry(world.faults.writes) { () throws(StoreError) in try base.transact(footprint, decide) }
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        await world.dawdle(world.faults.slowStore)
        guard life.isAlive, !world.happens(world.faults.reads) else { throw StoreError(.unavailable, "no answer") }
        let answer = try body(base.snapshot)
        await world.dawdle(world.faults.slowStore)
        return answer
    }

    /// A write on its way there and back. A dead process's writes reach nothing.
    private func carry<Answer: Sendable>(
        _ rate: Double,
        _ write: () throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        await world.dawdle(world.faults.slowStore)
        guard life.isAlive else { throw StoreError(.unavailable, "dead") }
        if world.happens(rate) { throw StoreError(.unavailable, "refused") }
        if world.happens(rate) { throw StoreError(.outcomeUnknown, "the request was lost") }
        let answer: Answer
        do throws(StoreError) {
            answer = try write()
        } catch {
            // A mint of the newest epoch has all its leases: it knows what it may issue.
            if error.code == .corrupt || error.message == Tables.overdrawn {
                world.auditor.violation("\(error.message) (refused by the store)")
            }
            throw error
        }
        await world.dawdle(world.faults.slowStore)
        if world.happens(rate) { throw StoreError(.outcomeUnknown, "the reply was lost") }
        return answer
    }
}

/// Whether a simulated process still runs.
final class Life: Sendable {
    private let alive = Mutex(true)

    var isAlive: Bool { alive.withLock { $0 } }
    func end() { alive.withLock { $0 = false } }
}
