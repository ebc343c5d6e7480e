import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// What the sandbox's four systems know of each order, and what becomes of it. Pure: time is handed in, and chance
/// comes from the seed and the order's number, so that the same orders fare alike in every run.
///
/// All systems are one: an order comes to something by itself when it's due. Only of payments it's known from outside,
/// too: people pay them, or give them up, and the platform cancels them. Each change answers the lines to be written to
/// the journal before anybody is told.
struct SandboxBank: Sendable {
    /// What has just changed.
    struct Changes: Sendable {
        /// To be called back about.
        var entries: [SandboxEntry] = []
        var lines = ""
    }

    struct Totals: Hashable, Sendable {
        var processing = 0
        var paid = 0
        var failed = 0
        /// In fen.
        var paidAmount: Int64 = 0
    }

    private let seed: UInt64
    private var entries: [SandboxEntry.Key: SandboxEntry] = [:]
    /// In order of acceptance.
    private var orders: [OutsideSystem: [SandboxEntry.Key]] = [:]
    private var due = DueOrders()
    private var totals: [OutsideSystem: Totals] = [:]
    /// Of each payment, what refunds have given back or will.
    private var refunded: [String: Amount] = [:]

    init(seed: UInt64) { self.seed = seed }

    subscript(key: SandboxEntry.Key) -> SandboxEntry? { entries[key] }

    func totals(of system: OutsideSystem) -> Totals { totals[system] ?? Totals() }

    func result(of key: SandboxEntry.Key) -> PayoutMessages.Result {
        entries[key]?.result ?? PayoutMessages.Result(order: key.order, state: .unknown, amount: nil)
    }

    /// The same order again gives its present state; with other content it gives `.conflict` and changes nothing.
    mutating func accept(
        _ order: SandboxOrder,
        at system: OutsideSystem,
        settings: SandboxSettings,
        now: Timestamp
    ) -> (result: PayoutMessages.Result, line: String) {
        let key = SandboxEntry.Key(system: system, order: order.order)
        if let earlier = entries[key] {
            // One that was cancelled before it came has failed, whatever its content.
            let isSame = earlier.terms == nil || earlier.terms == order
            let conflict = PayoutMessages.Result(order: order.order, state: .conflict, amount: nil)
            return (isSame ? earlier.result : conflict, "")
        }
        let entry = entry(of: order, key, settings: settings, now: now)
        add(entry)
        return (entry.result, Self.line(accepting: entry))
    }

    private func entry(
        of order: SandboxOrder,
        _ key: SandboxEntry.Key,
        settings: SandboxSettings,
        now: Timestamp
    ) -> SandboxEntry {
        var random = SplitMix64(seed: order.order.utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
        let delay = settings.delay(using: &random)
        let isFailure = random.happens(settings.failures)
        let isWrong = random.happens(settings.wrongAmounts)
        let isLost = random.happens(settings.lostCallbacks)
        let isDuplicated = random.happens(settings.duplicateCallbacks)
        let isLate = random.happens(settings.latePayments)
        let paysByItself = random.happens(settings.autoPays)
        let payable = isWrong ? Self.wrong(order.amount, at: key.system) : order.amount
        let dueAt = Timestamp(milliseconds: now.milliseconds &+ delay)
        var next = SandboxEntry.Event(at: dueAt, paid: isFailure ? nil : payable)
        if let closesAt = order.closesAt, !paysByItself || dueAt >= closesAt {
            next = SandboxEntry.Event(at: closesAt, paid: nil)
        }
        if key.system == .refunds, !mayGiveBack(payable, order) {
            next = SandboxEntry.Event(at: dueAt, paid: nil)
        }
        return SandboxEntry(
            key: key,
            terms: order,
            acceptedAt: now,
            payable: payable,
            callbacks: isLost ? 0 : isDuplicated ? 3 : 1,
            lateMilliseconds: isLate ? delay : nil,
            next: next
        )
    }

    /// One fen too many; of refunds one too few, since never more is given back than was paid.
    private static func wrong(_ amount: Amount, at system: OutsideSystem) -> Amount {
        guard let fen = Amount(fen: 1) else { return amount }
        return (system == .refunds ? amount.subtracting(fen) : amount.adding(fen)) ?? amount
    }

    /// A refund goes to who has paid, and all refunds of a payment together are at most what was paid.
    private func mayGiveBack(_ amount: Amount, _ order: SandboxOrder) -> Bool {
        guard let name = order.payment, let payment = entries[SandboxEntry.Key(system: .payments, order: name)],
            let paid = payment.final?.paid, payment.terms?.person == order.person,
            let sum = (refunded[name] ?? .zero).adding(amount)
        else { return false }
        return sum <= paid
    }

    // MARK: What happens to orders

    /// Finishes what is due.
    mutating func finish(now: Timestamp) -> Changes {
        var changes = Changes()
        while let (key, time) = due.removeFirst(until: now) {
            // What has happened before may have put something else in its place.
            guard let next = entries[key]?.next, next.at == time else { continue }
            come(key, to: SandboxEntry.Event(at: now, paid: next.paid), next: nil, &changes)
        }
        return changes
    }

    /// A person pays at the cashier's page. Nothing happens when it's too late.
    mutating func pay(_ order: String, now: Timestamp) -> Changes {
        var changes = Changes()
        let key = SandboxEntry.Key(system: .payments, order: order)
        guard let entry = entries[key], entry.final == nil, let closesAt = entry.terms?.closesAt, now < closesAt else {
            return changes
        }
        come(key, to: SandboxEntry.Event(at: now, paid: entry.payable), next: nil, &changes)
        return changes
    }

    /// A person gives up at the cashier's page.
    mutating func giveUp(_ order: String, now: Timestamp) -> Changes {
        var changes = Changes()
        let key = SandboxEntry.Key(system: .payments, order: order)
        guard let entry = entries[key], entry.final == nil else { return changes }
        come(key, to: SandboxEntry.Event(at: now, paid: nil), next: nil, &changes)
        return changes
    }

    /// The platform cancels a payment: none can come any more, unless the settings want one to come late. One that was
    /// never made is remembered, so that it can't come after this.
    mutating func cancel(_ order: String, now: Timestamp) -> Changes {
        var changes = Changes()
        let key = SandboxEntry.Key(system: .payments, order: order)
        guard let entry = entries[key] else {
            let entry = Self.neverMade(key, at: now)
            add(entry)
            changes.lines = Self.line(forbidding: entry)
            return changes
        }
        guard entry.final == nil else { return changes }
        let late = entry.lateMilliseconds.map {
            SandboxEntry.Event(at: Timestamp(milliseconds: now.milliseconds &+ $0), paid: entry.payable)
        }
        come(key, to: SandboxEntry.Event(at: now, paid: nil), next: late, &changes)
        return changes
    }

    private static func neverMade(_ key: SandboxEntry.Key, at time: Timestamp) -> SandboxEntry {
        SandboxEntry(
            key: key,
            terms: nil,
            acceptedAt: time,
            payable: .zero,
            callbacks: 0,
            lateMilliseconds: nil,
            final: SandboxEntry.Event(at: time, paid: nil)
        )
    }

    private mutating func come(
        _ key: SandboxEntry.Key,
        to event: SandboxEntry.Event,
        next: SandboxEntry.Event?,
        _ changes: inout Changes
    ) {
        guard let entry = set(key, event, next) else { return }
        changes.entries.append(entry)
        changes.lines += Self.line(finishing: entry)
    }

    // MARK: The tables

    private mutating func add(_ entry: SandboxEntry) {
        entries[entry.key] = entry
        orders[entry.key.system, default: []].append(entry.key)
        count(entry, 1)
        if let next = entry.next { due.insert(entry.key, at: next.at) }
        if let payment = entry.terms?.payment, let paid = entry.next?.paid {
            refunded[payment] = (refunded[payment] ?? .zero).adding(paid) ?? paid
        }
    }

    private mutating func set(
        _ key: SandboxEntry.Key,
        _ event: SandboxEntry.Event,
        _ next: SandboxEntry.Event?
    ) -> SandboxEntry? {
        guard var entry = entries[key] else { return nil }
        count(entry, -1)
        entry.final = event
        entry.next = next
        count(entry, 1)
        entries[key] = entry
        if let next { due.insert(key, at: next.at) }
        return entry
    }

    private mutating func count(_ entry: SandboxEntry, _ sign: Int) {
        var sums = totals(of: entry.key.system)
        switch entry.final {
        case nil: sums.processing += sign
        case let event?:
            if let paid = event.paid {
                sums.paid += sign
                sums.paidAmount &+= paid.fen &* Int64(sign)
            } else {
                sums.failed += sign
            }
        }
        totals[entry.key.system] = sums
    }

    /// A line for each order that became what it is in the 24 hours from `start` on.
    func dailyFile(of system: OutsideSystem, from start: Timestamp) -> String {
        let end = start.advanced(bySeconds: 24 * 3600)
        var text = "order,person,amount,state,finishedAt\n"
        for key in orders[system] ?? [] {
            guard let entry = entries[key], let terms = entry.terms, let final = entry.final,
                start <= final.at, final.at < end
            else { continue }
            let amount = (final.paid ?? terms.amount).fen
            let state = entry.result.state.rawValue
            text += "\(key.order),\(terms.person.rawValue),\(amount),\(state),\(final.at.milliseconds)\n"
        }
        return text
    }
}

// MARK: Reading a journal back

extension SandboxBank {
    struct Damage: Error, CustomStringConvertible {
        let line: Int
        var description: String { "line \(line) of the sandbox's journal can't be read" }
    }

    /// Answers the entries that have come to something and whose callback nobody has acknowledged.
    mutating func replay(_ text: String) throws(Damage) -> [SandboxEntry] {
        var unacknowledged: [SandboxEntry.Key: SandboxEntry] = [:]
        for (number, line) in text.split(separator: "\n").enumerated() where !line.hasPrefix(SandboxGifts.lineStart) {
            guard let line = SandboxLine(line) else { throw Damage(line: number + 1) }
            switch line {
            case .accepted(let entry):
                guard entries[entry.key] == nil else { throw Damage(line: number + 1) }
                add(entry)
            case .finished(let key, let event, let next):
                guard let entry = set(key, event, next) else { throw Damage(line: number + 1) }
                if entry.callbacks > 0 { unacknowledged[key] = entry }
            case .forbidden(let key, let time):
                guard entries[key] == nil else { throw Damage(line: number + 1) }
                add(Self.neverMade(key, at: time))
            case .acknowledged(let key, let time):
                if unacknowledged[key]?.final?.at == time { unacknowledged[key] = nil }
            }
        }
        return unacknowledged.values.sorted { a, b in
            (a.key.system.rawValue, a.key.order) < (b.key.system.rawValue, b.key.order)
        }
    }
}
