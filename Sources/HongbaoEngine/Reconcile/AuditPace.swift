import Dispatch
import Synchronization

/// How fast an audit of a running system reads, and whether it goes on. It's asked between pages, on the thread that
/// reads, and holds that up.
package final class AuditPace: Sendable {
    private struct State {
        var rows = 0
        /// How long it still has to wait for what was read.
        var debt = Duration.zero
        var lastAt: Duration
        var isOver = false
    }

    /// What happens less than this behind time isn't worth a pause.
    private static let least = Duration.milliseconds(2)
    private let rowsPerSecond: Int
    private let uptime: @Sendable () -> Duration
    private let bell = DispatchSemaphore(value: 0)
    private let wait: (@Sendable (Duration) -> Void)?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - rowsPerSecond: 0 without limit.
    ///   - wait: blocks the thread; `nil`: until the time is over or `stop` is called.
    package init(rowsPerSecond: Int = 0, clock: WallClock = .system, wait: (@Sendable (Duration) -> Void)? = nil) {
        self.rowsPerSecond = rowsPerSecond
        self.wait = wait
        uptime = clock.uptime
        state = Mutex(State(lastAt: clock.uptime()))
    }

    /// Read so far: of the log, each grant is one.
    package var rows: Int { state.withLock { $0.rows } }

    /// Ends the audit at its next page.
    package func stop() {
        state.withLock { $0.isOver = true }
        bell.signal()
    }

    /// Some were read. Throws `unavailable` when it's to end.
    func next(_ rows: Int) throws(StoreError) {
        let now = uptime()
        let (isOver, debt) = state.withLock { state -> (Bool, Duration) in
            state.rows += rows
            guard rowsPerSecond > 0 else { return (state.isOver, Duration.zero) }
            // What the reading itself took is part of it; nothing is saved up for later.
            state.debt = max(.zero, state.debt - (now - state.lastAt)) + .seconds(rows) / rowsPerSecond
            state.lastAt = now
            return (state.isOver, state.debt)
        }
        if isOver { throw Self.stopped }
        guard debt >= Self.least else { return }
        pause(debt)
        if state.withLock({ $0.isOver }) { throw Self.stopped }
    }

    private func pause(_ duration: Duration) {
        if let wait { return wait(duration) }
        let microseconds = Int(min(duration, .seconds(3_600)) / .microseconds(1))
        _ = bell.wait(timeout: .now() + .microseconds(microseconds))
    }

    private static let stopped = StoreError(.unavailable, "the audit was told to end")
}
