import HongbaoCore
import Synchronization

/// People who turn out to be one, with what they had under two names and what they were told (ID-3, M3, M14): to be
/// held against the ledger.
final class TwinBook: Sendable {
    /// Two users of different families; the second binds the first one's phone.
    struct Twins: Sendable {
        let number: Int

        var users: [(app: String, user: String)] {
            [("douyin", "twin-\(number)-first"), ("toutiao", "twin-\(number)-second")]
        }
        var phone: String { "+861390000\(String(10_000 + number).suffix(4))" }
        func amount(_ stage: UInt8) -> Int64 { Int64(1 + (number * 31 + Int(stage) * 7) % 500) }
    }

    /// Whose name a grant is asked for under.
    enum Name: Int, Sendable { case first, second }

    private struct Entry {
        var people: [PersonID] = []
        /// By stage.
        var orders: [UInt8: OrderNumber] = [:]
        var isDone = false
    }

    private struct State {
        var entries: [Entry] = []
        var breaches: [String] = []
    }

    /// Phones have so many numbers.
    private static let most = 10_000

    let scene: SceneID
    private let state = Mutex(State())

    /// - Parameter scene: that nobody else is granted anything of.
    init(scene: SceneID) { self.scene = scene }

    /// `nil` when there are enough.
    func take() -> Twins? {
        state.withLock { state in
            guard state.entries.count < Self.most else { return nil }
            state.entries.append(Entry())
            return Twins(number: state.entries.count - 1)
        }
    }

    func unfinished() -> [Twins] {
        state.withLock { state in
            state.entries.indices.filter { !state.entries[$0].isDone }.map { Twins(number: $0) }
        }
    }

    // MARK: What came back

    func people(_ twins: Twins) -> [PersonID] { state.withLock { $0.entries[twins.number].people } }

    /// That's who they are before anybody knows that they're one.
    func note(_ twins: Twins, people: [PersonID]) {
        state.withLock { state in
            let earlier = state.entries[twins.number].people
            if !earlier.isEmpty, earlier != people {
                Self.add("ID-3: twins \(twins.number) were others before", to: &state)
            }
            state.entries[twins.number].people = people
        }
    }

    /// A grant that was answered, under whichever name it was asked for: it has one order number for ever.
    func note(_ twins: Twins, _ stage: UInt8, _ order: OrderNumber, isReplay: Bool) {
        state.withLock { state in
            let earlier = state.entries[twins.number].orders[stage]
            if let earlier, earlier != order || !isReplay {
                Self.add("M3, M14: twins \(twins.number) had \(earlier), and now \(order)", to: &state)
            }
            state.entries[twins.number].orders[stage] = earlier ?? order
        }
    }

    func noteDone(_ twins: Twins) { state.withLock { $0.entries[twins.number].isDone = true } }
    func breach(_ text: String) { state.withLock { Self.add(text, to: &$0) } }

    private static func add(_ text: String, to state: inout State) {
        if state.breaches.count < 20 { state.breaches.append(text) }
    }

    /// How many were made one.
    var merged: Int { state.withLock { $0.entries.count(where: \.isDone) } }

    // MARK: Against the ledger

    /// What everybody's wallet is to show, under both names, in fen.
    var incomes: [PersonID: Int64] {
        state.withLock { state in
            var incomes: [PersonID: Int64] = [:]
            for (number, entry) in state.entries.enumerated() {
                let sum = entry.orders.keys.reduce(0) { $0 + Twins(number: number).amount($1) }
                for person in entry.people { incomes[person] = sum }
            }
            return incomes
        }
    }

    /// All that either was given is booked once, and lies with the first. Answers what isn't so.
    ///
    /// - Parameters:
    ///   - booked: the grants of the scene.
    ///   - balances: what accounts have, in fen.
    func compare(with booked: [OrderNumber: Int64], balances: [AccountID: Int64]) -> [String] {
        var breaches = state.withLock { $0.breaches }
        var rest = booked
        for (number, entry) in state.withLock({ $0.entries }).enumerated() {
            let twins = Twins(number: number)
            for (stage, order) in entry.orders where rest.removeValue(forKey: order) != twins.amount(stage) {
                breaches.append("M3: \(order) of twins \(number) isn't booked with its amount")
            }
            let sum = entry.orders.keys.reduce(0) { $0 + twins.amount($1) }
            for (person, expected) in zip(entry.people, [sum, 0]) {
                let fen = balances[.person(person, in: scene.book)] ?? 0
                if fen != expected { breaches.append("ID-3: twins \(number) have \(fen) of \(expected) fen") }
            }
        }
        breaches += rest.keys.map { "M3: \($0) is booked, and no twin was told of it" }
        return Array(breaches.prefix(20))
    }
}
