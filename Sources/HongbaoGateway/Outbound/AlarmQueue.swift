import HongbaoCore
import HongbaoEngine

/// What a chat is told of the alarms, and when: of each kind one message in a window, the first at once.
///
/// Bounded: at most one message of each kind waits, with the details of `detailsMax` alarms and the number of all.
/// Times are those of `WallClock.uptime`.
struct AlarmQueue: Sendable {
    static let detailsMax = 5
    static let detailLengthMax = 500

    /// All alarms of a kind that nobody was told of yet.
    struct Message: Hashable, Sendable {
        let kind: Alarms.Kind
        /// Different ones, the oldest first.
        var details: [String]
        /// Of all alarms, also of those whose detail isn't here.
        var count: Int
        let firstAt: Timestamp
    }

    private let window: Duration
    private var waiting: [Alarms.Kind: Message] = [:]
    private var notBefore: [Alarms.Kind: Duration] = [:]

    init(window: Duration) { self.window = window }

    /// Answers whether the alarm's detail will be told, and not only that there was one more.
    mutating func add(_ kind: Alarms.Kind, _ detail: () -> String, at time: Timestamp) -> Bool {
        var message = waiting[kind] ?? Message(kind: kind, details: [], count: 0, firstAt: time)
        message.count += 1
        defer { waiting[kind] = message }
        // Nobody makes details that won't be told: alarms may come in floods.
        guard message.details.count < Self.detailsMax else { return false }
        let text = String(detail().prefix(Self.detailLengthMax))
        if !message.details.contains(text) { message.details.append(text) }
        return true
    }

    /// The message that has waited longest of those that may be sent now. Its kind is silent for a window from now on.
    mutating func take(now: Duration) -> Message? {
        let ready = waiting.values.filter { (notBefore[$0.kind] ?? .zero) <= now }
        guard let message = ready.min(by: { ($0.firstAt, $0.kind.rawValue) < ($1.firstAt, $1.kind.rawValue) }) else {
            return nil
        }
        waiting[message.kind] = nil
        notBefore[message.kind] = now + window
        return message
    }

    /// When `take` has something again; `nil` when nothing waits.
    var nextTime: Duration? { waiting.keys.map { notBefore[$0] ?? .zero }.min() }

    /// A message that couldn't be sent is told together with the next of its kind.
    mutating func putBack(_ message: Message) {
        var merged = message
        if let newer = waiting[message.kind] {
            merged.count += newer.count
            for detail in newer.details where !merged.details.contains(detail) {
                guard merged.details.count < Self.detailsMax else { break }
                merged.details.append(detail)
            }
        }
        waiting[message.kind] = merged
    }

    /// All that wait, also those that should wait longer: for the end.
    mutating func takeAll() -> [Message] {
        defer { waiting = [:] }
        return waiting.values.sorted { ($0.firstAt, $0.kind.rawValue) < ($1.firstAt, $1.kind.rawValue) }
    }
}
