import HongbaoEngine
import Synchronization

/// One transaction that several callers share: each waits here for what became of it.
final class GroupCommit: Sendable {
    private typealias Waiter = CheckedContinuation<Result<Void, StoreError>, Never>

    private enum State {
        case open([Waiter])
        case closed(Result<Void, StoreError>)
    }

    private let state = Mutex(State.open([]))

    /// Returns when everything in the transaction is durable.
    func wait() async throws(StoreError) {
        let result = await withCheckedContinuation { (waiter: Waiter) in
            let known: Result<Void, StoreError>? = state.withLock { state in
                switch state {
                case .closed(let result): return result
                case .open(var waiters):
                    state = .open([])
                    waiters.append(waiter)
                    state = .open(waiters)
                    return nil
                }
            }
            if let known { waiter.resume(returning: known) }
        }
        try result.get()
    }

    func close(_ result: Result<Void, StoreError>) {
        let waiters: [Waiter] = state.withLock { state in
            guard case .open(let waiters) = state else { preconditionFailure("a transaction that ended twice") }
            state = .closed(result)
            return waiters
        }
        for waiter in waiters { waiter.resume(returning: result) }
    }
}

/// An answer that counts only once the transaction it was made in is durable.
struct Promised<Answer: Sendable>: Sendable {
    let answer: Answer
    let commit: GroupCommit

    func durable() async throws(StoreError) -> Answer {
        try await commit.wait()
        return answer
    }
}
