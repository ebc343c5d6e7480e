import Dispatch
import Synchronization

/// One thread for all who call the store, and the means to wait until each of them waits for the store.
///
/// With the disk's `waitBeforeOperations(for:)` either the callers move or the writer does, never both, so the same
/// seed gives the same operations in the same order.
final class Stage: TaskExecutor {
    /// Those that move.
    let moving = DispatchGroup()
    private let queue = DispatchQueue(label: "hongbao.stage")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        moving.enter()
        queue.async {
            job.runSynchronously(on: self.asUnownedTaskExecutor())
            self.moving.leave()
        }
    }
}

/// A read that stays on its snapshot while others write, so that the log can't be started anew.
final class LongRead: Sendable {
    private enum State { case running, parked, released }

    private let stage: Stage
    private let state = Mutex(State.running)
    private let isReleased = DispatchSemaphore(value: 0)

    init(while stage: Stage) { self.stage = stage }

    /// Inside the read: doesn't move until it's released.
    func park() {
        let mustWait = state.withLock { state in
            guard state == .running else { return false }
            state = .parked
            return true
        }
        guard mustWait else { return }
        stage.moving.leave()
        isReleased.wait()
    }

    func release() {
        let wasParked = state.withLock { state in
            defer { state = .released }
            return state == .parked
        }
        guard wasParked else { return }
        stage.moving.enter()
        isReleased.signal()
    }
}
