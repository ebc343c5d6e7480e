import HongbaoEngine
import Synchronization

/// A bounded number of readers, made when they're first needed. Who finds none free waits for one, the first to come
/// first.
final class ReaderPool: Sendable {
    private let state: Mutex<State>
    private let make: @Sendable (Int) -> Reader

    private struct State {
        var free: [Reader] = []
        var made: [Reader] = []
        var waiting: [CheckedContinuation<Reader?, Never>] = []
        let max: Int
        var isClosed = false
    }

    init(max: Int, make: @escaping @Sendable (Int) -> Reader) {
        precondition(max > 0)
        self.make = make
        state = Mutex(State(max: max))
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        guard let reader = await take() else { throw StoreError(.unavailable, "the store is closed") }
        defer { giveBack(reader) }
        return try await reader.read(body)
    }

    /// The same for one process at a time; `nil` when another is at it.
    func readAlone<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer? {
        guard let reader = await take() else { throw StoreError(.unavailable, "the store is closed") }
        defer { giveBack(reader) }
        return try await reader.readAlone(body)
    }

    private func take() async -> Reader? {
        await withCheckedContinuation { continuation in
            let found: Reader?? = state.withLock { state in
                if state.isClosed { return .some(nil) }
                if let reader = state.free.popLast() { return reader }
                if state.made.count < state.max {
                    let reader = make(state.made.count)
                    state.made.append(reader)
                    return reader
                }
                state.waiting.append(continuation)
                return .none
            }
            if let found { continuation.resume(returning: found) }
        }
    }

    private func giveBack(_ reader: Reader) {
        let next: CheckedContinuation<Reader?, Never>? = state.withLock { state in
            if !state.waiting.isEmpty { return state.waiting.removeFirst() }
            state.free.append(reader)
            return nil
        }
        next?.resume(returning: reader)
    }

    /// Who waits is refused; who reads is waited for.
    func close() async {
        let (readers, waiting) = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return (state.made, state.waiting)
        }
        for continuation in waiting { continuation.resume(returning: nil) }
        for reader in readers {
            await reader.close()
            reader.stop()
        }
    }
}
