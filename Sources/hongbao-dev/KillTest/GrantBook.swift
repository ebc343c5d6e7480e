import HongbaoCore
import Synchronization

/// What the clients of a kill test have asked for, and what they were told: the other side of the ledger.
///
/// Order `n` and its amount follow from `n`, so that a million of them cost little memory.
final class GrantBook: Sendable {
    /// An order to be sent, with what was known of it at that moment.
    struct Asked: Sendable {
        let index: Int
        let order: OrderNumber
        let amount: Int64
        let wasAcknowledged: Bool
    }

    private struct Entry {
        /// A digest of the grant token in the first answer; `nil` as long as there is no answer.
        var token: Int?
        var wasNew = false
        /// How often it was sent, less how often it was answered.
        var unansweredCount = 0
    }

    private struct State {
        var entries: [Entry] = []
        var acknowledged = 0
        var replayed = 0
        var breaches = BreachList()
    }

    let scene: SceneID
    private let ordersPerPerson: Int
    private let state = Mutex(State())

    private static let firstPerson: UInt64 = 1_000

    init(scene: SceneID) {
        self.scene = scene
        ordersPerPerson = 20 * 2 * 10
    }

    /// The order numbers of the shipped campaign's rain: rounds 1 to 20, award types 1 and 2, stages 0 to 9.
    private func order(_ index: Int) -> OrderNumber {
        let (person, part) = index.quotientAndRemainder(dividingBy: ordersPerPerson)
        return OrderNumber(
            person: Self.person(person),
            scene: scene,
            rain: RainID(UInt16(part / 20 + 1)),
            awardType: UInt8(part % 20 / 10 + 1),
            stage: UInt8(part % 10)
        )
    }

    /// The people who were sent grants, from 0 on.
    static func person(_ number: Int) -> PersonID { PersonID(firstPerson + UInt64(number)) }

    /// How many people have been sent all the grants they can get, or have begun to.
    var peopleCount: Int { (counts.sent + ordersPerPerson - 1) / ordersPerPerson }

    /// What somebody was sent, and what of that was acknowledged, in fen.
    ///
    /// - Parameter number: as of `person(_:)`.
    func sums(ofPerson number: Int) -> (sent: Int64, acknowledged: Int64) {
        state.withLock { state in
            let orders = number * ordersPerPerson..<(number + 1) * ordersPerPerson
            return orders.clamped(to: state.entries.indices).reduce(into: (0, 0)) { sums, index in
                sums.sent += Self.amount(index)
                if state.entries[index].token != nil { sums.acknowledged += Self.amount(index) }
            }
        }
    }

    /// 1 to 20,000 fen: the scene's cap.
    private static func amount(_ index: Int) -> Int64 { Int64(1 + (index &* 7_919) % 20_000) }

    /// Orders to send: about one in eight was sent before, whether it was answered or not, the rest are new.
    func take(_ count: Int, _ random: inout some RandomNumberGenerator) -> [Asked] {
        state.withLock { state in
            var taken = Set<Int>()
            for _ in 0..<count {
                var index = state.entries.count
                if index > 0, Int.random(in: 0..<8, using: &random) == 0 {
                    index = Int.random(in: 0..<index, using: &random)
                    // Mostly what was sent lately: that's where a crash could have torn something.
                    if Bool.random(using: &random) { index = max(index, state.entries.count - 200) }
                } else {
                    state.entries.append(Entry())
                }
                taken.insert(index)
            }
            return taken.sorted().map { ask($0, &state) }
        }
    }

    /// Everything that was sent and never answered.
    func unanswered() -> [Asked] {
        state.withLock { state in
            state.entries.indices.filter { state.entries[$0].token == nil }.map { ask($0, &state) }
        }
    }

    /// Some of what was acknowledged.
    func sample(_ count: Int, _ random: inout some RandomNumberGenerator) -> [Asked] {
        state.withLock { state in
            guard !state.entries.isEmpty else { return [] }
            return (0..<count).map { _ in Int.random(in: state.entries.indices, using: &random) }
                .filter { state.entries[$0].token != nil }
                .map { ask($0, &state) }
        }
    }

    private func ask(_ index: Int, _ state: inout State) -> Asked {
        state.entries[index].unansweredCount += 1
        return Asked(
            index: index,
            order: order(index),
            amount: Self.amount(index),
            wasAcknowledged: state.entries[index].token != nil
        )
    }

    // MARK: What came back

    /// Takes down an answer, and holds it against every earlier one for the same order (GR-3, M14).
    func note(_ asked: Asked, order: String, amount: Int64, token: [UInt8], isReplay: Bool) {
        let token = token.hashValue
        state.withLock { state in
            func expect(_ holds: Bool, _ breach: String) {
                if !holds { state.breaches.add("order \(asked.index): \(breach)") }
            }
            let earlier = state.entries[asked.index]
            state.entries[asked.index].unansweredCount -= 1
            expect(order == "\(asked.order)", "answered as \(order)")
            expect(amount == asked.amount, "\(asked.amount) fen asked, \(amount) answered")
            expect(!asked.wasAcknowledged || isReplay, "acknowledged before, and granted again")
            expect(earlier.token == nil || earlier.token == token, "another token than in the first answer")
            expect(isReplay || !earlier.wasNew, "granted twice")
            if earlier.token == nil { state.acknowledged += 1 }
            if isReplay { state.replayed += 1 } else { state.entries[asked.index].wasNew = true }
            state.entries[asked.index].token = token
        }
    }

    func breach(_ text: String) { state.withLock { $0.breaches.add(text) } }

    var counts: (sent: Int, acknowledged: Int, replayed: Int, breaches: Int) {
        state.withLock { ($0.entries.count, $0.acknowledged, $0.replayed, $0.breaches.count) }
    }

    var breaches: [String] { state.withLock { $0.breaches.texts } }

    // MARK: Against the ledger

    /// Every acknowledged grant is booked once with its amount; nothing is booked that was never sent (GR-5, M3 to M5).
    ///
    /// - Parameters:
    ///   - booked: the grants of the ledger by order number.
    ///   - others: books of other phases. What they sent and nobody answered may have been worked on later, when the
    ///     server's clock stood in this phase.
    /// - Returns: how many are booked that nobody was told of: accepted, but the answer died with the server.
    func compare(with booked: [OrderNumber: Int64], others: [GrantBook] = []) -> Int {
        var rest = booked
        let count = state.withLock { $0.entries.count }
        var untold = 0
        for index in 0..<count {
            let fen = rest.removeValue(forKey: order(index))
            let isAcknowledged = state.withLock { $0.entries[index].token != nil }
            if let fen {
                if fen != Self.amount(index) { breach("order \(index): \(Self.amount(index)) fen sent, \(fen) booked") }
                if !isAcknowledged { untold += 1 }
            } else if isAcknowledged {
                breach("order \(index): acknowledged and not booked")
            }
        }
        let strays = rest.filter { order, fen in !others.contains { $0.hasLost(order, fen) } }
        for order in strays.keys.prefix(10) { breach("\(order) is booked and was never sent") }
        return untold + rest.count - strays.count
    }

    /// Whether it sent what would be this order in another phase, and got no answer.
    private func hasLost(_ order: OrderNumber, _ fen: Int64) -> Bool {
        let (person, first) = (order.person.rawValue, Self.firstPerson)
        guard person >= first, order.rain.rawValue > 0, order.awardType > 0 else { return false }
        let part = (Int(order.rain.rawValue) - 1) * 20 + (Int(order.awardType) - 1) * 10 + Int(order.stage)
        let index = Int(person - first) * ordersPerPerson + part
        return state.withLock { index < $0.entries.count && $0.entries[index].unansweredCount > 0 }
            && Self.amount(index) == fen
    }
}
