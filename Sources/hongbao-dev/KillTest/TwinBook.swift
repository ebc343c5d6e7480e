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
        let twins: Twins
        var people: [PersonID] = []
        /// By stage.
        var orders: [UInt8: OrderNumber] = [:]
        var isDone = false

        /// Of all that was answered, in fen.
        var sum: Int64 { orders.keys.reduce(0) { $0 + twins.amount($1) } }
    }

    private struct State {
        var entries: [Entry] = []
        var breaches = BreachList()
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
            let twins = Twins(number: state.entries.count)
            state.entries.append(Entry(twins: twins))
            return twins
        }
    }

    func unfinished() -> [Twins] {
        state.withLock { state in state.entries.filter { !$0.isDone }.map(\.twins) }
    }

    // MARK: What came back

    func people(_ twins: Twins) -> [PersonID] { state.withLock { $0.entries[twins.number].people } }

    /// That's who they are before anybody knows that they're one.
    func note(_ twins: Twins, people: [PersonID]) {
        state.withLock { state in
            let earlier = state.entries[twins.number].people
            if !earlier.isEmpty, earlier != people {
                state.breaches.add("ID-3: twins \(twins.number) were others before")
            }
            state.entries[twins.number].people = people
        }
    }

    /// A grant that was answered, under whichever name it was asked for: it has one order number for ever.
    func note(_ twins: Twins, _ stage: UInt8, _ order: OrderNumber, isReplay: Bool) {
        state.withLock { state in
            let earlier = state.entries[twins.number].orders[stage]
            if let earlier, earlier != order || !isReplay {
                state.breaches.add("M3, M14: twins \(twins.number) had \(earlier), and now \(order)")
            }
            state.entries[twins.number].orders[stage] = earlier ?? order
        }
    }

    func noteDone(_ twins: Twins) { state.withLock { $0.entries[twins.number].isDone = true } }
    func breach(_ text: String) { state.withLock { $0.breaches.add(text) } }

    /// How many were made one.
    var merged: Int { state.withLock { $0.entries.count(where: \.isDone) } }

    // MARK: Against the ledger

    /// What everybody's wallet is to show, under both names, in fen.
    var incomes: [PersonID: Int64] {
        state.withLock { state in
            var incomes: [PersonID: Int64] = [:]
            for entry in state.entries {
                for person in entry.people { incomes[person] = entry.sum }
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
        var breaches = state.withLock { $0.breaches.texts }
        var rest = booked
        for entry in state.withLock({ $0.entries }) {
            let (twins, number) = (entry.twins, entry.twins.number)
            for (stage, order) in entry.orders where rest.removeValue(forKey: order) != twins.amount(stage) {
                breaches.append("M3: \(order) of twins \(number) isn't booked with its amount")
            }
            for (person, expected) in zip(entry.people, [entry.sum, 0]) {
                let fen = balances[.person(person, in: scene.book)] ?? 0
                if fen != expected { breaches.append("ID-3: twins \(number) have \(fen) of \(expected) fen") }
            }
        }
        breaches += rest.keys.map { "M3: \($0) is booked, and no twin was told of it" }
        return Array(breaches.prefix(BreachList.shownMax))
    }
}
