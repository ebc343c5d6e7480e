import Foundation
package import HongbaoCore

/// Where the engine learns the time and how it waits; tests and the simulator hand in their own.
package struct WallClock: Sendable {
    package let now: @Sendable () -> Timestamp
    /// What waits and deadlines are measured by. It doesn't jump when `now` does.
    package let timer: any Clock<Duration>
    /// How much time has passed by `timer` since this was made. Whatever waits in this process compares this and not
    /// `now`, which may be set back by hours.
    package let uptime: @Sendable () -> Duration

    package init(timer: any Clock<Duration> = ContinuousClock(), now: @escaping @Sendable () -> Timestamp) {
        self.timer = timer
        self.now = now
        uptime = Self.stopwatch(timer)
    }

    /// Answers how much time has passed since this call.
    private static func stopwatch(_ timer: some Clock<Duration>) -> @Sendable () -> Duration {
        let began = timer.now
        return { began.duration(to: timer.now) }
    }

    /// Waits unless cancelled.
    package func pause(_ duration: Duration) async { await HongbaoEngine.pause(duration, on: timer) }

    package static let system = WallClock {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }
}
