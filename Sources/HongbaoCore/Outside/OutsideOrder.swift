/// Something that an outside system is to do for us, once, and that waits for what it says (AS-1, M15).
package protocol OutsideOrder: Hashable, Sendable {
    associatedtype ID: Hashable, Comparable, Sendable

    var id: ID { get }
    /// The number that the outside knows it by: the idempotency key there.
    var order: String { get }
    var amount: Amount { get }
    var createdAt: Timestamp { get }
    /// How often the outside has been asked to do it or asked about it.
    var attempts: UInt32 { get }
    /// Whether it waits for what the outside says.
    var isOpen: Bool { get }
    /// Whether a hint is reason enough to ask about it; an order may be so that isn't open any more.
    var isWorthAsking: Bool { get }
    /// Whether the outside has done what it was asked to do.
    var isDone: Bool { get }
    /// What a person needs to find it, without personal data.
    var summary: String { get }

    /// The inverse of `order`, and of nothing else.
    static func id(of order: String) -> ID?
    /// The rows that reports on these orders touch.
    static func footprint(of orders: [Self]) -> Footprint
    /// Applies what the outside says. Repeating a report changes nothing.
    func apply(
        _ report: PayoutReport,
        to books: inout Books,
        _ now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress
    /// The order as it stands now; what was made in its place, if that's so.
    func present(in books: Books) -> Self?
}

extension OutsideOrder {
    package var isWorthAsking: Bool { isOpen }
}

/// What the outside says of one order.
package enum PayoutReport: Hashable, Sendable {
    /// It has the order and hasn't finished it.
    case processing
    case paid(Amount)
    case failed
    /// It has never seen this order.
    case unknownOrder
    /// No answer, or none that can be read: it may or may not have happened.
    case unreachable
}

/// What a report of the outside did to an order.
package enum OrderProgress: Hashable, Sendable {
    case settled
    /// It won't be done: what was set aside for it is free again.
    case released
    /// It ended, but not as asked for: what was paid goes back. An alarm.
    case returned
    /// It won't be done, and another order was made in its place. An alarm.
    case renewed
    /// The outside refuses it. Asked for again later where that was promised, else at its end. An alarm.
    case refused
    /// To be asked about again later.
    case waiting
    /// To be asked about again later; that it isn't final yet is as expected.
    case inTime
    /// It was final before: nothing changed.
    case alreadyFinal
    /// The outside says something that can't be: another amount, or the opposite of what is final. An alarm.
    case contradiction
    case notFound
}

/// The parts of an order number between its underscores; `nil` unless it begins with this letter and has so many.
func orderParts(_ text: String, _ letter: Unicode.Scalar, count: Int) -> [Substring.UTF8View]? {
    let parts = text.utf8.split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
    guard parts.count == count + 1, parts[0].elementsEqual([UInt8(ascii: letter)]) else { return nil }
    return Array(parts.dropFirst())
}
