package import HongbaoEngine
import Synchronization

/// Makes paces and keeps them, so that a test sees how many audits began and how far each came.
package final class Paces: Sendable {
    private let all = Mutex<[AuditPace]>([])
    private let rowsPerSecond: Int

    package init(rowsPerSecond: Int = 0) { self.rowsPerSecond = rowsPerSecond }

    package func make() -> AuditPace {
        let pace = AuditPace(rowsPerSecond: rowsPerSecond)
        all.withLock { $0.append(pace) }
        return pace
    }

    package var count: Int { all.withLock(\.count) }
    package var rows: Int { all.withLock { $0.reduce(0) { $0 + $1.rows } } }
}
