import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// What the sandbox knows of each order, and what becomes of it. Pure: time is handed in, and chance comes from the
/// seed and the order's number, so that the same orders fare alike in every run.
///
/// Each change answers the lines to be written to the journal before anybody is told.
struct SandboxBank: Sendable {
    struct Entry: Hashable, Sendable {
        let order: String
        let person: PersonID
        let amount: Amount
        let acceptedAt: Timestamp
        let dueAt: Timestamp
        /// What is paid in the end; `nil` when the order will fail.
        let payout: Amount?
        let callbacks: Int
        var finishedAt: Timestamp?

        var result: PayoutMessages.Result {
            guard finishedAt != nil else {
                return PayoutMessages.Result(order: order, state: .processing, amount: nil)
            }
            return PayoutMessages.Result(order: order, state: payout == nil ? .failed : .paid, amount: payout)
        }
    }

    struct Totals: Hashable, Sendable {
        var processing = 0
        var paid = 0
        var failed = 0
        /// In fen.
        var paidAmount: Int64 = 0
    }

    private let seed: UInt64
    private var entries: [String: Entry] = [:]
    /// In order of acceptance.
    private var orders: [String] = []
    private var due = DueOrders()
    private(set) var totals = Totals()

    init(seed: UInt64) { self.seed = seed }

    /// The same order again gives its present state; with other content it gives `.conflict` and changes nothing.
    mutating func accept(
        _ order: PayoutOrder,
        settings: SandboxSettings,
        now: Timestamp
    ) -> (result: PayoutMessages.Result, line: String) {
        if let earlier = entries[order.order] {
            let isSame = earlier.person == order.person && earlier.amount == order.amount
            let conflict = PayoutMessages.Result(order: order.order, state: .conflict, amount: nil)
            return (isSame ? earlier.result : conflict, "")
        }
        var random = SplitMix64(seed: order.order.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
        let delay = settings.delay(using: &random)
        let isFailure = random.happens(settings.failures)
        let isWrong = random.happens(settings.wrongAmounts)
        let isLost = random.happens(settings.lostCallbacks)
        let isDuplicated = random.happens(settings.duplicateCallbacks)
        let wrong = Amount(fen: 1).flatMap { order.amount.adding($0) }
        let entry = Entry(
            order: order.order,
            person: order.person,
            amount: order.amount,
            acceptedAt: now,
            dueAt: Timestamp(milliseconds: now.milliseconds &+ delay),
            payout: isFailure ? nil : isWrong ? wrong ?? order.amount : order.amount,
            callbacks: isLost ? 0 : isDuplicated ? 3 : 1
        )
        add(entry)
        return (entry.result, Self.line(entry))
    }

    func result(of order: String) -> PayoutMessages.Result {
        entries[order]?.result ?? PayoutMessages.Result(order: order, state: .unknown, amount: nil)
    }

    /// Finishes what is due.
    mutating func finish(now: Timestamp) -> (finished: [Entry], lines: String) {
        var finished: [Entry] = []
        var lines = ""
        while let order = due.removeFirst(until: now) {
            guard let entry = finish(order, at: now) else { continue }
            finished.append(entry)
            lines += "F,\(order),\(now.milliseconds)\n"
        }
        return (finished, lines)
    }

    /// A line for each order that became final in the 24 hours from `start` on.
    func dailyFile(from start: Timestamp) -> String {
        let end = start.advanced(bySeconds: 24 * 3600)
        var text = "order,person,amount,state,finishedAt\n"
        for order in orders {
            guard let entry = entries[order], let at = entry.finishedAt, start <= at, at < end else { continue }
            let result = entry.result
            let amount = (result.amount ?? entry.amount).fen
            text += "\(order),\(entry.person.rawValue),\(amount),\(result.state.rawValue),\(at.milliseconds)\n"
        }
        return text
    }

    private mutating func add(_ entry: Entry) {
        entries[entry.order] = entry
        orders.append(entry.order)
        due.insert(entry.order, at: entry.dueAt)
        totals.processing += 1
    }

    private mutating func finish(_ order: String, at now: Timestamp) -> Entry? {
        guard var entry = entries[order], entry.finishedAt == nil else { return nil }
        entry.finishedAt = now
        entries[order] = entry
        totals.processing -= 1
        if let payout = entry.payout {
            totals.paid += 1
            totals.paidAmount &+= payout.fen
        } else {
            totals.failed += 1
        }
        return entry
    }
}

// MARK: The journal's lines

extension SandboxBank {
    struct Damage: Error, CustomStringConvertible {
        let line: Int
        var description: String { "line \(line) of the sandbox's journal can't be read" }
    }

    /// Written once an order's callback was answered, so that a restart doesn't send it again.
    static func acknowledgement(of order: String) -> String { "C,\(order)\n" }

    /// Reads a journal back. Answers the final orders whose callback nobody has acknowledged.
    mutating func replay(_ text: String) throws(Damage) -> [Entry] {
        var unacknowledged: [String: Entry] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() {
            let words = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            switch (words.first, words.count) {
            case ("A", 8):
                guard let entry = Self.entry(words), entries[entry.order] == nil else { throw Damage(line: number + 1) }
                add(entry)
            case ("F", 3):
                guard let at = Int64(words[2]), let entry = finish(words[1], at: Timestamp(milliseconds: at)) else {
                    throw Damage(line: number + 1)
                }
                if entry.callbacks > 0 { unacknowledged[entry.order] = entry }
            case ("C", 2): unacknowledged[words[1]] = nil
            default: throw Damage(line: number + 1)
            }
        }
        return unacknowledged.values.sorted { $0.order < $1.order }
    }

    private static func line(_ entry: Entry) -> String {
        let words = [
            "A", entry.order, String(entry.person.rawValue), String(entry.amount.fen),
            String(entry.acceptedAt.milliseconds), String(entry.dueAt.milliseconds),
            entry.payout.map { String($0.fen) } ?? "-", String(entry.callbacks),
        ]
        return words.joined(separator: ",") + "\n"
    }

    private static func entry(_ words: [String]) -> Entry? {
        guard let person = UInt64(words[2]), let amount = Int64(words[3]).flatMap(Amount.init(fen:)),
            let acceptedAt = Int64(words[4]), let dueAt = Int64(words[5]), let callbacks = Int(words[7])
        else { return nil }
        let payout = Int64(words[6]).flatMap(Amount.init(fen:))
        guard (payout == nil) == (words[6] == "-") else { return nil }
        return Entry(
            order: words[1],
            person: PersonID(person),
            amount: amount,
            acceptedAt: Timestamp(milliseconds: acceptedAt),
            dueAt: Timestamp(milliseconds: dueAt),
            payout: payout,
            callbacks: callbacks
        )
    }
}

/// Orders in the order of their time: sorted buckets of one millisecond each.
private struct DueOrders: Sendable {
    private var orders: [Timestamp: [String]] = [:]
    private var times: [Timestamp] = []

    mutating func insert(_ order: String, at time: Timestamp) {
        if orders[time] == nil {
            // The earliest is last; new ones are mostly latest, so near the front.
            var low = 0
            var high = times.count
            while low < high {
                let middle = (low + high) / 2
                if times[middle] > time { low = middle + 1 } else { high = middle }
            }
            times.insert(time, at: low)
        }
        orders[time, default: []].append(order)
    }

    mutating func removeFirst(until now: Timestamp) -> String? {
        guard let time = times.last, time <= now, let order = orders[time]?.popLast() else { return nil }
        if orders[time]?.isEmpty == true {
            orders[time] = nil
            times.removeLast()
        }
        return order
    }
}
