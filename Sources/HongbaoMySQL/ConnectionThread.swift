import CMySQLClient
import Dispatch
import Foundation
import Synchronization

/// A thread of its own for one connection: the client library blocks and keeps data for each thread, so it's never
/// called on the cooperative pool.
final class ConnectionThread: Sendable {
    private let queue = Queue()

    init(name: String) {
        let thread = Thread { [queue] in queue.run() }
        thread.name = name
        thread.stackSize = 8 << 20
        thread.start()
    }

    deinit { stop() }

    /// Runs work after all that was asked for earlier. When the thread has ended, the work runs elsewhere, one after
    /// the other if its sender sees to that: it finds that there's no connection any more.
    func run(_ work: @escaping @Sendable () -> Void) { queue.add(work) }

    /// Ends the thread when it has done what it was asked for.
    func stop() { queue.add(nil) }

    private final class Queue: Sendable {
        private struct State {
            /// `nil` ends it.
            var waiting: [(@Sendable () -> Void)?] = []
            var hasEnded = false
        }

        private let state = Mutex(State())
        private let arrivals = DispatchSemaphore(value: 0)

        func add(_ work: (@Sendable () -> Void)?) {
            let hasEnded = state.withLock { state in
                if !state.hasEnded { state.waiting.append(work) }
                return state.hasEnded
            }
            if !hasEnded {
                arrivals.signal()
            } else if let work {
                DispatchQueue.global().async(execute: work)
            }
        }

        func run() {
            let hasBegun = ClientLibrary.isReady && client_begin_thread() == 0
            defer { if hasBegun { client_end_thread() } }
            while true {
                arrivals.wait()
                if let work = state.withLock({ $0.waiting.removeFirst() }) {
                    work()
                    continue
                }
                let late = state.withLock { state in
                    state.hasEnded = true
                    defer { state.waiting = [] }
                    return state.waiting
                }
                for work in late { work?() }
                return
            }
        }
    }
}

extension ConnectionExecutor {
    /// Runs jobs on a connection's own thread.
    convenience init(on thread: ConnectionThread) { self.init { work in thread.run(work) } }
}
