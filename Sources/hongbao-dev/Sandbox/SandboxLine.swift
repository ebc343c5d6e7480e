import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// A line of the sandbox's journal: words between commas, `-` where there is none.
///
///     A,system,order,person,amount,payment,closesAt,acceptedAt,payable,callbacks,late,next at,next paid
///     F,system,order,at,paid,next at,next paid    it came to this; paid is - when it failed
///     X,system,order,at                           cancelled before it was made
///     C,system,order,at                           the callback about what it came to then was taken
enum SandboxLine {
    case accepted(SandboxEntry)
    case finished(SandboxEntry.Key, SandboxEntry.Event, next: SandboxEntry.Event?)
    case forbidden(SandboxEntry.Key, at: Timestamp)
    case acknowledged(SandboxEntry.Key, at: Timestamp)

    /// `nil` when it can't be read.
    init?(_ text: Substring) {
        var words = Words(text)
        let kind = words.next()
        guard let system = words.next().flatMap({ OutsideSystem(rawValue: $0) }), let order = words.next() else {
            return nil
        }
        let key = SandboxEntry.Key(system: system, order: order)
        switch kind {
        case "A":
            guard let entry = Self.entry(key, &words) else { return nil }
            self = .accepted(entry)
        case "F":
            guard let at = words.time(), let paid = words.optional({ $0.amount() }), let next = words.event() else {
                return nil
            }
            self = .finished(key, SandboxEntry.Event(at: at, paid: paid), next: next)
        case "X", "C":
            guard let at = words.time() else { return nil }
            self = kind == "X" ? .forbidden(key, at: at) : .acknowledged(key, at: at)
        default: return nil
        }
        guard words.isAtEnd else { return nil }
    }

    private static func entry(_ key: SandboxEntry.Key, _ words: inout Words) -> SandboxEntry? {
        guard let person = words.next().flatMap({ UInt64($0) }), let amount = words.amount(),
            let payment = words.optional({ $0.next() }), let closesAt = words.optional({ $0.time() }),
            let acceptedAt = words.time(), let payable = words.amount(),
            let callbacks = words.next().flatMap({ Int($0) }),
            let late = words.optional({ $0.next().flatMap { Int64($0) } }), let next = words.event()
        else { return nil }
        return SandboxEntry(
            key: key,
            terms: SandboxOrder(
                order: key.order,
                person: PersonID(person),
                amount: amount,
                payment: payment,
                closesAt: closesAt
            ),
            acceptedAt: acceptedAt,
            payable: payable,
            callbacks: callbacks,
            lateMilliseconds: late,
            next: next
        )
    }

    private struct Words {
        private var rest: ArraySlice<Substring>

        init(_ text: Substring) { rest = text.split(separator: ",", omittingEmptySubsequences: false)[...] }

        var isAtEnd: Bool { rest.isEmpty }

        mutating func next() -> String? { rest.popFirst().map { String($0) } }
        mutating func time() -> Timestamp? { next().flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) } }
        mutating func amount() -> Amount? { next().flatMap { Int64($0) }.flatMap { Amount(fen: $0) } }

        /// `.some(nil)` for `-`, `nil` for what can't be read.
        mutating func optional<Value>(_ read: (inout Words) -> Value?) -> Value?? {
            if rest.first == "-" {
                rest.removeFirst()
                return .some(nil)
            }
            guard let value = read(&self) else { return nil }
            return .some(value)
        }

        /// Two words: its time and what is paid.
        mutating func event() -> SandboxEntry.Event?? {
            guard let at = optional({ $0.time() }), let paid = optional({ $0.amount() }) else { return nil }
            return .some(at.map { SandboxEntry.Event(at: $0, paid: paid) })
        }
    }
}

extension SandboxBank {
    static func line(accepting entry: SandboxEntry) -> String {
        guard let terms = entry.terms else { return line(forbidding: entry) }
        return line(
            "A",
            entry.key,
            [
                String(terms.person.rawValue), String(terms.amount.fen), terms.payment ?? "-", word(terms.closesAt),
                word(entry.acceptedAt), String(entry.payable.fen), String(entry.callbacks),
                entry.lateMilliseconds.map { String($0) } ?? "-",
            ] + words(entry.next)
        )
    }

    static func line(finishing entry: SandboxEntry) -> String {
        line("F", entry.key, words(entry.final) + words(entry.next))
    }

    static func line(forbidding entry: SandboxEntry) -> String { line("X", entry.key, [word(entry.acceptedAt)]) }

    /// Written once an order's callback was answered, so that a restart doesn't send it again.
    static func line(acknowledging entry: SandboxEntry) -> String { line("C", entry.key, [word(entry.final?.at)]) }

    private static func line(_ kind: String, _ key: SandboxEntry.Key, _ words: [String]) -> String {
        ([kind, key.system.rawValue, key.order] + words).joined(separator: ",") + "\n"
    }

    private static func words(_ event: SandboxEntry.Event?) -> [String] {
        [word(event?.at), event?.paid.map { String($0.fen) } ?? "-"]
    }

    private static func word(_ time: Timestamp?) -> String { time.map { String($0.milliseconds) } ?? "-" }
}
