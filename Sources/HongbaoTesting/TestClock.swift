package import HongbaoCore
import Synchronization

/// A clock that stands still until a test moves it.
package final class TestClock: Sendable {
    private let instant: Mutex<Timestamp>

    package init(_ start: Timestamp = Timestamp(milliseconds: 1_643_630_400_000)) { instant = Mutex(start) }

    package var now: Timestamp { instant.withLock { $0 } }

    package func advance(seconds: Int64) { advance(byMilliseconds: seconds * 1000) }

    /// Answers the new time. Moving backwards is allowed: clocks do it.
    @discardableResult
    package func advance(byMilliseconds span: Int64) -> Timestamp {
        instant.withLock { instant in
            instant = Timestamp(milliseconds: instant.milliseconds + span)
            return instant
        }
    }
}
