import Synchronization

final class LockedFlag: Sendable {
    private let flag = Mutex(false)

    func get() -> Bool { flag.withLock { $0 } }
    func set(_ value: Bool) { flag.withLock { $0 = value } }
}
