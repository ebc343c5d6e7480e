import HongbaoCore
import Synchronization

/// The red packets that people of a fault run send and claim, and what they were told: to be held against the ledger
/// (RP-7, RP-8, SU-4, M7).
///
/// A subsidy of its own pays for packet `n`. More people claim it than it has shares, each until they know; so every
/// share is somebody's in the end, and their sum is the packet.
final class PacketBook: Sendable {
    struct Plan: Sendable {
        let number: Int
        let subsidy: OrderNumber
        /// Of the subsidy, in fen.
        let amount: Int64
        let claimants: [PersonID]

        var sender: PersonID { subsidy.person }
        /// The sender's ID of it.
        var name: String { "packet\(number)" }
        var split: String { number.isMultiple(of: 2) ? "lucky" : "equal" }
    }

    enum Told: Hashable, Sendable {
        case share(fen: Int64)
        case exhausted
    }

    private struct Entry {
        var id: RedPacketID?
        var told: [PersonID: Told] = [:]

        var shares: [Int64] {
            told.values.compactMap { if case .share(let fen) = $0 { fen } else { nil } }
        }
    }

    private struct State {
        var entries: [Entry] = []
        var breaches = BreachList()
    }

    static let shares = 8
    private static let claimantsOfOne = 12
    /// People of their own, whose wallets have nothing else.
    private static let people: UInt64 = 500
    private static let firstClaimant: UInt64 = 800_000
    private static let firstSender: UInt64 = 900_000

    let scene: SceneID
    private let state = Mutex(State())

    /// - Parameter scene: whose subsidies pay.
    init(scene: SceneID) { self.scene = scene }

    /// One that nobody has sent.
    func take() -> Plan {
        plan(
            state.withLock { state in
                state.entries.append(Entry())
                return state.entries.count - 1
            }
        )
    }

    private func plan(_ number: Int) -> Plan {
        let order = OrderNumber(
            person: PersonID(Self.firstSender + UInt64(number)),
            scene: scene,
            rain: RainID(1),
            awardType: 3,
            stage: 0
        )
        let claimants = (0..<Self.claimantsOfOne)
            .map { PersonID(Self.firstClaimant + UInt64(number * 5 + $0) % Self.people) }
        return Plan(
            number: number,
            subsidy: order,
            amount: Int64(Self.shares + (number &* 7_919) % 1_000),
            claimants: claimants
        )
    }

    /// Those that somebody doesn't know the end of.
    func unfinished() -> [Plan] {
        state.withLock { state in
            state.entries.indices.filter { state.entries[$0].told.count < Self.claimantsOfOne }
        }.map(plan)
    }

    // MARK: What came back

    /// `nil` as long as nobody was told that it's sent.
    func id(of plan: Plan) -> RedPacketID? { state.withLock { $0.entries[plan.number].id } }

    func told(_ plan: Plan, _ person: PersonID) -> Told? { state.withLock { $0.entries[plan.number].told[person] } }

    func noteSent(_ plan: Plan, _ id: RedPacketID) {
        state.withLock { state in
            let earlier = state.entries[plan.number].id
            if let earlier, earlier != id { state.breaches.add("M14: \(plan.name) is two packets") }
            state.entries[plan.number].id = id
        }
    }

    /// Takes down an answer, and holds it against the earlier ones (RP-8, M7, M14).
    func note(_ plan: Plan, _ person: PersonID, _ told: Told) {
        state.withLock { state in
            func expect(_ holds: Bool, _ breach: String) {
                if !holds { state.breaches.add("\(plan.name): \(breach)") }
            }
            let earlier = state.entries[plan.number].told[person]
            expect(earlier == nil || earlier == told, "M14: \(person.rawValue) was told two things")
            state.entries[plan.number].told[person] = told
            let shares = state.entries[plan.number].shares
            expect(shares.count <= Self.shares, "RP-8: \(shares.count) people have shares of \(Self.shares)")
            let sum = shares.reduce(0, +)
            let isRight = shares.count < Self.shares ? sum < plan.amount : sum == plan.amount
            expect(isRight, "M7: \(shares.count) shares of \(plan.amount) fen are \(sum)")
        }
    }

    func breach(_ text: String) { state.withLock { $0.breaches.add(text) } }

    /// Packets, and shares that somebody was told of.
    var counts: (sent: Int, shares: Int) {
        state.withLock { state in
            (state.entries.count { $0.id != nil }, state.entries.reduce(0) { $0 + $1.shares.count })
        }
    }

    // MARK: Against the ledger

    /// What people were told is in the ledger, share by share, and nothing else is; and every share has come to whose
    /// it is, wherever they are (M7, M8, M15). Answers what isn't so.
    ///
    /// - Parameters:
    ///   - claims: all of the ledger's.
    ///   - received: what accounts have got out of packets, in fen.
    func compare(with claims: [Claim], received: [AccountID: Int64]) -> [String] {
        var breaches = state.withLock { $0.breaches.texts }
        var rest = Dictionary(claims.map { ($0.key, $0.share.fen) }) { first, _ in first }
        if rest.count < claims.count { breaches.append("RP-8: the ledger has a claim twice") }
        for (number, entry) in state.withLock({ $0.entries }).enumerated() {
            guard let id = entry.id else { continue }
            for (person, told) in entry.told {
                let fen = rest.removeValue(forKey: ClaimKey(packet: id, person: person))
                let expected: Told = fen.map { .share(fen: $0) } ?? .exhausted
                if told != expected { breaches.append("packet\(number): told \(told), and the ledger has \(expected)") }
            }
        }
        breaches += rest.keys.map { "RP-8: packet \($0.packet.rawValue) has a share that nobody was told of" }
        var due: [AccountID: Int64] = [:]
        for claim in claims { due[claim.account, default: 0] += claim.share.fen }
        for (account, fen) in due where received[account] != fen {
            breaches.append("M15: \(account.owner) got \(received[account] ?? 0) of \(fen) fen out of packets")
        }
        return Array(breaches.prefix(BreachList.shownMax))
    }
}
