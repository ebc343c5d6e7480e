import HongbaoCore
import Synchronization

/// What people have asked to withdraw, and what they were told: to be held against the ledger and the channel's file.
///
/// Withdrawal `n` has the ID `<prefix><n>`.
final class WithdrawalBook: Sendable {
    struct Asked: Hashable, Sendable {
        let index: Int
        let id: String
        let person: PersonID
        let amount: Int64
        /// What was known of it when it was asked.
        let known: Told?
    }

    /// What an answer says. A refusal for lack of money promises nothing: it may be accepted when asked again.
    enum Told: String, Sendable { case pending, paid, failed, refused }

    private struct Entry {
        let person: PersonID
        let amount: Int64
        var told: Told?

        var isAccepted: Bool { told.map { $0 != .refused } ?? false }
    }

    private struct State {
        var entries: [Entry] = []
        var replayed = 0
        var breaches: [String] = []
    }

    let prefix: String
    private let state = Mutex(State())

    init(prefix: String) { self.prefix = prefix }

    /// A new withdrawal, or, one time in six, one that was asked before; `nil` as long as there is nobody to ask.
    func take(of people: Int, _ random: inout some RandomNumberGenerator) -> Asked? {
        guard people > 0 else { return nil }
        let person = GrantBook.person(Int.random(in: 0..<people, using: &random))
        let amount = Int64.random(in: 1...2_000, using: &random)
        let again = Int.random(in: 0..<6, using: &random) == 0
        let position = random.next()
        return state.withLock { state in
            if again, !state.entries.isEmpty {
                let index = Int(position % UInt64(state.entries.count))
                return asked(index, state)
            }
            state.entries.append(Entry(person: person, amount: amount))
            return asked(state.entries.count - 1, state)
        }
    }

    /// Everything that was asked and never answered.
    func unanswered() -> [Asked] {
        all { $0 == nil }
    }

    /// Everything accepted that nobody was told the end of.
    func open() -> [Asked] {
        all { $0 == .pending }
    }

    private func all(_ isWanted: (Told?) -> Bool) -> [Asked] {
        state.withLock { state in
            state.entries.indices.filter { isWanted(state.entries[$0].told) }.map { asked($0, state) }
        }
    }

    private func asked(_ index: Int, _ state: State) -> Asked {
        let entry = state.entries[index]
        return Asked(
            index: index,
            id: "\(prefix)\(index)",
            person: entry.person,
            amount: entry.amount,
            known: entry.told
        )
    }

    /// Takes down an answer, and holds it against every earlier one (M10, M14).
    func note(_ asked: Asked, _ told: Told) {
        state.withLock { state in
            // Answers overtake each other, so what counts is what was known when it was asked.
            switch (asked.known, told) {
            case (.pending, .refused), (.paid, .refused), (.failed, .refused):
                state.breaches.append("withdrawal \(asked.index): accepted, and then refused")
            case (.paid, .failed), (.failed, .paid), (.paid, .pending), (.failed, .pending):
                state.breaches.append("withdrawal \(asked.index): it was final, and then \(told)")
            default: break
            }
            let earlier = state.entries[asked.index].told
            if earlier != nil { state.replayed += 1 }
            switch (earlier, told) {
            case (.paid, .failed), (.failed, .paid):
                state.breaches.append("withdrawal \(asked.index): paid and failed")
            case (.paid, _), (.failed, _), (.pending, .refused): break
            default: state.entries[asked.index].told = told
            }
        }
    }

    func breach(_ text: String) { state.withLock { $0.breaches.append(text) } }

    var counts: (asked: Int, accepted: Int, replayed: Int) {
        state.withLock { ($0.entries.count, $0.entries.count(where: \.isAccepted), $0.replayed) }
    }

    var breaches: [String] { state.withLock { $0.breaches } }

    // MARK: Against ledger and channel

    /// A line of the channel's daily file.
    struct ChannelRow: Hashable, Sendable {
        let person: String
        let amount: Int64
        let state: String
    }

    struct Comparison: Sendable {
        var paid = 0
        var failed = 0
        /// In the ledger, though the answer was lost.
        var untold = 0

        /// What the ledger has is final and in the channel's file, order by order, once, and the other way round (M9,
        /// M15). Answers what isn't so.
        ///
        /// - Parameters:
        ///   - paidOut: what the ledger's payouts accounts have received, in fen.
        ///   - file: the channel's, by order.
        mutating func compare(_ withdrawals: [Withdrawal], paidOut: Int64, file: [String: ChannelRow]) -> [String] {
            var breaches: [String] = []
            var unpaired = file
            var paidFen: Int64 = 0
            for row in withdrawals {
                switch row.state {
                case .pending: breaches.append("M10: \(row.payoutOrder) is still pending")
                case .paid:
                    paid += 1
                    paidFen += row.amount.fen
                case .failed: failed += 1
                }
                let person = "\(row.key.person.rawValue)"
                let expected = ChannelRow(person: person, amount: row.amount.fen, state: "\(row.state)")
                if unpaired.removeValue(forKey: row.payoutOrder) != expected {
                    breaches.append("M9: \(row.payoutOrder) is \(row.state), and the channel's file says otherwise")
                }
            }
            breaches += unpaired.keys.map { "M9: the channel has \($0), and the ledger doesn't" }
            if paidOut != paidFen { breaches.append("M9: \(paidFen) fen are paid, \(paidOut) booked as paid") }
            return Array(breaches.prefix(20))
        }
    }

    /// What was accepted is in the ledger with its amount and the end that was told; nothing else is.
    func compare(with withdrawals: [Withdrawal], _ comparison: inout Comparison) {
        var rest = Dictionary(withdrawals.map { ($0.key.id, $0) }) { first, _ in first }
        if rest.count < withdrawals.count { breach("M14: the ledger has an ID twice") }
        for (index, entry) in state.withLock({ $0.entries }).enumerated() {
            guard let row = rest.removeValue(forKey: "\(prefix)\(index)") else {
                if entry.isAccepted { breach("withdrawal \(index): accepted and not in the ledger") }
                continue
            }
            if !entry.isAccepted { comparison.untold += 1 }
            if row.amount.fen != entry.amount || row.key.person != entry.person {
                breach("withdrawal \(index): the ledger has another amount or person")
            }
            if let told = entry.told, told == .paid || told == .failed, told.rawValue != "\(row.state)" {
                breach("withdrawal \(index): told \(told), and the ledger has \(row.state)")
            }
        }
        for id in rest.keys.prefix(10) { breach("withdrawal \(id) is in the ledger and was never asked") }
    }
}
