import Synchronization

/// Runs jobs where one connection is at home, never on the cooperative pool, and knows whether more are waiting.
final class ConnectionExecutor: SerialExecutor {
    /// Runs work on the thread or queue of the connection; it's asked once for many jobs.
    private let start: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let state = Mutex(Waiting())

    private struct Waiting {
        var jobs: [UnownedJob] = []
        var next = 0
        var isRunning = false

        mutating func takeNext() -> UnownedJob? {
            guard next < jobs.count else {
                isRunning = false
                return nil
            }
            defer {
                next += 1
                if next == jobs.count {
                    jobs.removeAll(keepingCapacity: true)
                    next = 0
                }
            }
            return jobs[next]
        }
    }

    init(start: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) { self.start = start }

    /// Whether nobody waits behind the job that is running.
    var isIdle: Bool { state.withLock { $0.jobs.isEmpty } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustStart = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { start { self.run() } }
    }

    private func run() {
        while let job = state.withLock({ $0.takeNext() }) {
            job.runSynchronously(on: asUnownedSerialExecutor())
        }
    }
}
