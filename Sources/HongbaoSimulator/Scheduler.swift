import Glibc
import HongbaoCore
import Synchronization

/// Runs all tasks of one simulated world on the thread that calls `step`, in an order drawn from a seed, in virtual
/// time.
///
/// Tasks get here by `Task(executorPreference:)`, and their child tasks inherit it. Every place where a task may give
/// way to others (design, "Evidence") is a choice of the seed: which of the ready jobs runs next. Time only passes when
/// none is ready.
package final class Scheduler: TaskExecutor {
    /// A class, so that moving it in the list is cheap.
    private final class Alarm: Sendable {
        let due: Duration
        let id: UInt64
        let continuation: CheckedContinuation<Void, any Error>

        init(due: Duration, id: UInt64, continuation: CheckedContinuation<Void, any Error>) {
            self.due = due
            self.id = id
            self.continuation = continuation
        }
    }

    private struct State {
        var random: SplitMix64
        var ready: [UnownedJob] = []
        /// Latest first.
        var alarms: [Alarm] = []
        var alarmCount: UInt64 = 0
        var now = Duration.zero
        var steps = 0
        let thread = pthread_self()
        var hasStrayed = false
    }

    private let state: Mutex<State>

    package init(seed: UInt64) { state = Mutex(State(random: SplitMix64(seed: seed))) }

    package var now: Duration { state.withLock { $0.now } }
    /// `now`, in whole milliseconds.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = now.components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }
    /// How many jobs have run.
    package var steps: Int { state.withLock { $0.steps } }

    /// Whether a job came from another thread: then something runs outside of this scheduler, and a seed doesn't decide
    /// everything any more.
    package var hasStrayed: Bool { state.withLock { $0.hasStrayed } }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { state in
            state.ready.append(job)
            if pthread_equal(state.thread, pthread_self()) == 0 { state.hasStrayed = true }
        }
    }

    /// Runs one job that is ready, or lets time pass until the next alarm; `false` when there is neither.
    package func step() -> Bool {
        let job: UnownedJob? = state.withLock { state in
            guard !state.ready.isEmpty else { return nil }
            state.steps += 1
            let place = Int(state.random.next(below: UInt64(state.ready.count)))
            state.ready.swapAt(place, state.ready.count - 1)
            return state.ready.removeLast()
        }
        if let job {
            job.runSynchronously(on: asUnownedTaskExecutor())
            return true
        }
        let alarm: Alarm? = state.withLock { state in
            guard let alarm = state.alarms.popLast() else { return nil }
            state.now = max(state.now, alarm.due)
            return alarm
        }
        alarm?.continuation.resume()
        return alarm != nil
    }

    func sleep(until due: Duration) async throws {
        let id = state.withLock { state in
            state.alarmCount += 1
            return state.alarmCount
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = state.withLock { state in
                    if Task.isCancelled { return true }
                    let place = state.alarms.firstIndex { $0.due <= due } ?? state.alarms.count
                    state.alarms.insert(Alarm(due: due, id: id, continuation: continuation), at: place)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let alarm = state.withLock { state in
                state.alarms.firstIndex { $0.id == id }.map { state.alarms.remove(at: $0) }
            }
            alarm?.continuation.resume(throwing: CancellationError())
        }
    }
}

/// The virtual time of a scheduler.
package struct VirtualClock: Clock {
    package struct Instant: InstantProtocol {
        package let offset: Duration

        package func advanced(by duration: Duration) -> Self { Self(offset: offset + duration) }
        package func duration(to other: Self) -> Duration { other.offset - offset }
        package static func < (a: Self, b: Self) -> Bool { a.offset < b.offset }
    }

    package let scheduler: Scheduler

    package init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    package var now: Instant { Instant(offset: scheduler.now) }
    package var minimumResolution: Duration { .nanoseconds(1) }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        try await scheduler.sleep(until: deadline.offset)
    }
}
