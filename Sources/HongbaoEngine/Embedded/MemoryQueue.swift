import Synchronization

/// A queue in the memory of this process.
package final class MemoryQueue: WorkQueue {
    package struct Configuration: Sendable {
        package var itemsMax = 10_000
        /// What isn't acknowledged by then is delivered again.
        package var acknowledgeWithin = Duration.seconds(30)
        /// How long an ID is known.
        package var repeatsKnownFor = Duration.seconds(120)

        package init() {}
    }

    private struct Entry {
        let item: WorkItem
        var attempts = 0
        /// `nil`: it waits for somebody. Else it's with somebody, or put off, until then.
        var awayUntil: Duration?
    }

    private struct State {
        /// By number, which is the order in which they came.
        var entries: [UInt64: Entry] = [:]
        var waiting: [UInt64] = []
        var oldest: UInt64 = 0
        var next: UInt64 = 0
        /// When each ID came, and in that order.
        var known: [String: Duration] = [:]
        var ids: [(id: String, at: Duration)] = []
        var bells: [UInt64: Doorbell] = [:]
        var isClosed = false
    }

    private let configuration: Configuration
    private let clock: WallClock
    private let state = Mutex(State())

    package init(_ configuration: Configuration = Configuration(), clock: WallClock = .system) {
        self.configuration = configuration
        self.clock = clock
    }

    package func publish(_ item: WorkItem) async throws(QueueUnavailable) {
        let now = clock.uptime()
        let bells = try state.withLock { (state) throws(QueueUnavailable) in
            if state.isClosed { throw Self.closed }
            forget(&state, now)
            guard state.known.updateValue(now, forKey: item.id) == nil else { return [Doorbell]() }
            state.ids.append((item.id, now))
            state.entries[state.next] = Entry(item: item)
            state.waiting.append(state.next)
            state.next += 1
            while state.entries.count > configuration.itemsMax {
                state.entries[state.oldest] = nil
                state.oldest += 1
            }
            return Array(state.bells.values)
        }
        for bell in bells { bell.ring() }
    }

    /// IDs whose time is over, or of which there are too many.
    private func forget(_ state: inout State, _ now: Duration) {
        let count = state.ids.count { now - $0.at >= configuration.repeatsKnownFor }
        let tooMany = max(count, state.ids.count - 2 * configuration.itemsMax)
        guard tooMany > 0 else { return }
        for (id, _) in state.ids.prefix(tooMany) { state.known[id] = nil }
        state.ids.removeFirst(tooMany)
    }

    package func receive(upTo limit: Int, wait: Duration) async throws(QueueUnavailable) -> [Delivery] {
        let end = clock.uptime() + wait
        let bell = Doorbell()
        let number = state.withLock { state in
            state.next += 1
            state.bells[state.next] = bell
            return state.next
        }
        defer { state.withLock { $0.bells[number] = nil } }
        while true {
            let now = clock.uptime()
            let (taken, next) = try state.withLock { (state) throws(QueueUnavailable) in
                if state.isClosed { throw Self.closed }
                return take(limit, &state, now)
            }
            if !taken.isEmpty || now >= end || Task.isCancelled { return taken }
            await withDeadline(min(end, next ?? end) - now, on: clock.timer) { await bell.wait() }
        }
    }

    /// Those whose turn it is, and when the next of the others comes back.
    private func take(_ limit: Int, _ state: inout State, _ now: Duration) -> ([Delivery], next: Duration?) {
        var next: Duration?
        for (number, entry) in state.entries {
            guard let until = entry.awayUntil else { continue }
            if until <= now {
                state.entries[number]?.awayUntil = nil
                state.waiting.append(number)
            } else {
                next = min(next ?? until, until)
            }
        }
        var taken: [Delivery] = []
        while taken.count < limit, !state.waiting.isEmpty {
            let number = state.waiting.removeFirst()
            guard var entry = state.entries[number] else { continue }
            entry.attempts += 1
            entry.awayUntil = now + configuration.acknowledgeWithin
            state.entries[number] = entry
            taken.append(Delivery(entry.item, attempt: entry.attempts, receipt: "\(number) \(entry.attempts)"))
        }
        return (taken, next)
    }

    package func acknowledge(_ delivery: Delivery) {
        state.withLock { state in
            if let number = current(delivery, state) { state.entries[number] = nil }
        }
    }

    package func giveBack(_ delivery: Delivery, after delay: Duration) {
        let bells = state.withLock { state in
            if let number = current(delivery, state) { state.entries[number]?.awayUntil = clock.uptime() + delay }
            return Array(state.bells.values)
        }
        for bell in bells { bell.ring() }
    }

    /// Its number, unless it's gone, or has been delivered to somebody else meanwhile.
    private func current(_ delivery: Delivery, _ state: State) -> UInt64? {
        let parts = delivery.receipt.split(separator: " ")
        guard parts.count == 2, let number = UInt64(parts[0]), let entry = state.entries[number],
            entry.awayUntil != nil, parts[1] == "\(entry.attempts)"
        else { return nil }
        return number
    }

    package func close() async {
        let bells = state.withLock { state in
            state.isClosed = true
            return Array(state.bells.values)
        }
        for bell in bells { bell.ring() }
    }

    private static let closed = QueueUnavailable("the queue is closed")
}
