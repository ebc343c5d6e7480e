import CNATSClient
import Synchronization

/// Messages that are sent and of which nothing is known yet, by the number that the library gives them.
///
/// The library tells of them on its own threads, perhaps when nobody wants to know any more: it has a number that this
/// is found by, not a reference to it.
final class Calls: Sendable {
    private struct State {
        var count = 0
        var waiting: [UInt: CheckedContinuation<Int32, Never>] = [:]
    }

    private struct Weak: Sendable {
        weak var calls: Calls?
    }

    private static let all = Mutex<[UInt64: Weak]>([:])
    private static let numbers = Atomic<UInt64>(0)

    let number = Calls.numbers.add(1, ordering: .relaxed).newValue
    private let state = Mutex(State())

    init() { Self.all.withLock { $0[number] = Weak(calls: self) } }

    deinit { _ = Self.all.withLock { $0.removeValue(forKey: number) } }

    /// What the library calls.
    static let told: nats_client_told = { client, message, code in
        Calls.all.withLock { $0[client]?.calls }?.told(message, code)
    }

    /// Whether there's room for one more.
    func begin(max: Int) -> Bool {
        state.withLock { state in
            guard state.count < max else { return false }
            state.count += 1
            return true
        }
    }

    func end() { state.withLock { $0.count -= 1 } }

    func add(_ message: UInt, _ continuation: CheckedContinuation<Int32, Never>) {
        state.withLock { $0.waiting[message] = continuation }
    }

    func told(_ message: UInt, _ code: Int32) {
        let continuation = state.withLock { state in
            let continuation = state.waiting.removeValue(forKey: message)
            if continuation != nil { state.count -= 1 }
            return continuation
        }
        continuation?.resume(returning: code)
    }

    /// Nobody will tell of them any more.
    func endAll() {
        let waiting = state.withLock { state in
            defer {
                state.count -= state.waiting.count
                state.waiting = [:]
            }
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume(returning: -1) }
    }
}
