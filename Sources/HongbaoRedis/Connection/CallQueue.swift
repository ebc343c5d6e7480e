import NIOCore

/// The calls of one server, from being asked to being answered, and the state of its connection: decides, and leaves
/// reading, writing and waking to others.
///
/// A server answers in the order of the commands, so an answer belongs to the call that was sent first. A connection
/// is made when something is to be sent; while attempts fail, calls are refused without waiting.
struct CallQueue<Waiter: Sendable>: Sendable {
    struct Call: Sendable {
        let id: UInt64
        /// What is to be sent, all of it or nothing.
        let bytes: [UInt8]
        /// So many commands are in there.
        let answersMax: Int
        let deadline: NIODeadline
        /// `nil` when it was told that there's no answer: what comes is for nobody.
        var waiter: Waiter?

        init(id: UInt64, bytes: [UInt8], answersMax: Int, deadline: NIODeadline, waiter: Waiter) {
            precondition(answersMax > 0)
            self.id = id
            self.bytes = bytes
            self.answersMax = answersMax
            self.deadline = deadline
            self.waiter = waiter
        }
    }

    private enum Phase: Sendable {
        /// Not connected; the first call connects, but not before then.
        case apart(until: NIODeadline)
        case connecting(since: NIODeadline)
        case open(heardAt: NIODeadline)
        case closed
    }

    /// What to tell whom.
    struct Failure: Sendable {
        let waiter: Waiter
        let fault: RedisFault
    }

    enum Next: Sendable { case nothing, connect(attempt: Int), flush, refuse(RedisFault) }

    private let settings: RedisSettings
    private var phase = Phase.apart(until: .distantPast)
    private var unsent: [Call] = []
    private var sent = CircularBuffer<Call>()
    /// What has been answered to the call that was sent first, while it's not all.
    private var gathered: [RESPValue] = []
    private var bytes = 0
    /// A flush is on its way.
    private var isFlushing = false
    private var failures = 0
    private var lastRefusal = "not connected"

    init(_ settings: RedisSettings) { self.settings = settings }

    var isWaiting: Bool { !unsent.isEmpty || !sent.isEmpty }
    var isConnecting: Bool { if case .connecting = phase { true } else { false } }
    /// That of the connection that counts, if there is one.
    private(set) var attempt = 0

    // MARK: From callers

    mutating func add(_ call: Call, now: NIODeadline) -> Next {
        guard call.deadline > now else { return .refuse(RedisFault(.unsent, "the time was over before it was sent")) }
        guard unsent.count + sent.count < settings.callsMax, bytes + call.bytes.count <= settings.bytesMax else {
            return .refuse(RedisFault(.full, "too many calls wait for the server"))
        }
        switch phase {
        case .closed: return .refuse(RedisFault(.unreachable, "the connection was closed for good"))
        case .apart(let until) where now < until: return .refuse(RedisFault(.unreachable, lastRefusal))
        case .apart:
            append(call)
            phase = .connecting(since: now)
            attempt += 1
            return .connect(attempt: attempt)
        case .connecting:
            append(call)
            return .nothing
        case .open:
            append(call)
            if isFlushing { return .nothing }
            isFlushing = true
            return .flush
        }
    }

    private mutating func append(_ call: Call) {
        unsent.append(call)
        bytes += call.bytes.count
    }

    /// The caller has gone. It's not sent if it wasn't, and its answer is for nobody if it was.
    mutating func cancel(_ id: UInt64) -> Failure? {
        if let index = unsent.firstIndex(where: { $0.id == id }) {
            let call = unsent.remove(at: index)
            bytes -= call.bytes.count
            return call.waiter.map { Failure(waiter: $0, fault: RedisFault(.unsent, "cancelled before it was sent")) }
        }
        guard let index = sent.firstIndex(where: { $0.id == id }), let waiter = sent[index].waiter else { return nil }
        sent[index].waiter = nil
        return Failure(waiter: waiter, fault: RedisFault(.outcomeUnknown, "cancelled after it was sent"))
    }

    // MARK: From the connection

    /// The server has let us in. Answers `false` when that's too late.
    mutating func opened(_ attempt: Int, now: NIODeadline) -> Bool {
        guard attempt == self.attempt, case .connecting = phase else { return false }
        phase = .open(heardAt: now)
        failures = 0
        isFlushing = true
        return true
    }

    /// What is to be written now: from here on it counts as sent.
    mutating func takeUnsent(now: NIODeadline) -> [[UInt8]] {
        isFlushing = false
        guard case .open(let heardAt) = phase else { return [] }
        // Silence counts from when somebody first waits.
        phase = .open(heardAt: sent.isEmpty ? now : heardAt)
        sent.append(contentsOf: unsent)
        let commands = unsent.map(\.bytes)
        unsent.removeAll(keepingCapacity: true)
        return commands
    }

    mutating func heard(now: NIODeadline) {
        if case .open = phase { phase = .open(heardAt: now) }
    }

    enum Answered: Sendable {
        case nothing
        case whole(Waiter, [RESPValue])
        /// Nobody asked: the stream is out of step.
        case unasked
    }

    /// The next answer in the order of the commands.
    mutating func answered(_ value: RESPValue) -> Answered {
        guard let first = sent.first else { return .unasked }
        gathered.append(value)
        guard gathered.count == first.answersMax else { return .nothing }
        let answers = gathered
        gathered = []
        sent.removeFirst()
        bytes -= first.bytes.count
        return first.waiter.map { .whole($0, answers) } ?? .nothing
    }

    /// The connection has ended, or none could be made.
    ///
    /// - Parameter jitter: from 0 to 255, how much of the pause before the next attempt is left out, up to half.
    mutating func lost(_ attempt: Int, why: String, now: NIODeadline, jitter: UInt8) -> [Failure] {
        guard attempt == self.attempt else { return [] }
        let unsentFault: RedisFault
        switch phase {
        case .apart, .closed: return []
        case .connecting:
            lastRefusal = why
            unsentFault = RedisFault(.unreachable, why)
            let doubled = settings.firstPause * (1 << min(failures, 16))
            let pause = min(doubled, settings.pauseMax)
            failures += 1
            phase = .apart(until: now + TimeAmount(pause - pause * Int(jitter) / 512))
        case .open:
            unsentFault = RedisFault(.unsent, why)
            phase = .apart(until: .distantPast)
        }
        return failAll(unsent: unsentFault, sent: RedisFault(.outcomeUnknown, "it was sent, but \(why)"))
    }

    private mutating func failAll(unsent unsentFault: RedisFault, sent sentFault: RedisFault) -> [Failure] {
        let failures =
            sent.compactMap { $0.waiter.map { Failure(waiter: $0, fault: sentFault) } }
            + unsent.compactMap { $0.waiter.map { Failure(waiter: $0, fault: unsentFault) } }
        sent.removeAll()
        unsent.removeAll()
        gathered = []
        bytes = 0
        isFlushing = false
        return failures
    }

    // MARK: Time

    /// Tells those whose time is over. `isHung` when the connection must be given up.
    mutating func expire(now: NIODeadline) -> (failures: [Failure], isHung: Bool) {
        var failures: [Failure] = []
        for index in sent.indices where sent[index].deadline <= now {
            guard let waiter = sent[index].waiter else { continue }
            sent[index].waiter = nil
            failures.append(Failure(waiter: waiter, fault: RedisFault(.outcomeUnknown, "no answer in time")))
        }
        if unsent.contains(where: { $0.deadline <= now }) {
            for call in unsent where call.deadline <= now {
                bytes -= call.bytes.count
                guard let waiter = call.waiter else { continue }
                let fault = RedisFault(.unsent, "the time was over before it was sent")
                failures.append(Failure(waiter: waiter, fault: fault))
            }
            unsent.removeAll { $0.deadline <= now }
        }
        switch phase {
        case .connecting(let since): return (failures, now - since > TimeAmount(settings.connectTimeout))
        case .open(let heardAt):
            return (failures, !sent.isEmpty && now - heardAt > TimeAmount(settings.silenceMax))
        case .apart, .closed: return (failures, false)
        }
    }

    mutating func close() -> [Failure] {
        phase = .closed
        attempt += 1
        let why = "the connection was closed for good"
        return failAll(unsent: RedisFault(.unreachable, why), sent: RedisFault(.outcomeUnknown, why))
    }
}
