import HongbaoCore
import HongbaoEngine
import Synchronization

@testable import HongbaoSimulator

/// The simulator's tables with nothing between: what the simulator finds says something of a real store only as far as
/// both keep one contract.
///
/// Each call lets others go first, as waiting for a real store does: who only read in a loop would otherwise keep the
/// threads of those whom they wait for.
final class SimulatedHome: StoreHome, Store {
    private let tables = Mutex(Tables())

    /// What is committed is durable.
    func open() -> SimulatedHome { self }
    func close(_ store: SimulatedHome) {}

    func append(_ group: AppendGroup) async throws(StoreError) {
        await Task.yield()
        _ = try tables.withLock { tables throws(StoreError) in try tables.append(group) }
    }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        await Task.yield()
        return try tables.withLock { tables throws(StoreError) in
            var books = tables.load(footprint)
            let answer = decide(&books)
            _ = try tables.save(books)
            return answer
        }
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        await Task.yield()
        return try body(TableSnapshot(tables: tables.withLock { $0 }))
    }
}
