import HongbaoCore
import HongbaoEngine
import Synchronization

/// What clients do once nothing goes wrong any more.
extension Client {
    /// Budgets as large as this aren't used up: it would take too long.
    private static let usableMax: Int64 = 20_000

    /// M6: each scene of the current phase can be given away to its last fen; of a large budget, a grant is enough.
    func useUpBudgets() async {
        while phase().map({ $0.kind != .live }) ?? true { await world.pause(milliseconds: 100) }
        while let until = world.leasedUntil, world.now <= until { await world.pause(milliseconds: 100) }
        guard let live = phase() else { return }
        for (place, scene) in live.scenes.enumerated() where scene.kind.carriesAmount {
            await useUp(scene, from: UInt64(place) * 1_000 + 1_000, upTo: Self.usableMax)
        }
    }

    /// M6: what a budget is raised by can be given away at once, to the last fen, also when that is more than all
    /// budgets were when the key epoch began.
    func useRaisedBudget(of someone: Operator) async {
        guard let live = phase() else { return }
        let scene = live.scenes[world.draw(Setup.scenes.count)]
        guard world.auditor.isContent, world.auditor.unissued(of: scene.id) == 0 else { return }
        let all = desk.terms.budgets.reduce(0, +)
        let extra = world.draw(4) == 0 && all < 4 * Self.usableMax ? all + 500 : 100 + Int64(world.draw(1_000))
        await someone.raise(scene.id, by: extra)
        if await !give([request(of: 1, scene: scene.key, by: PersonID(5_000))], mustBeThere: true).isEmpty {
            world.auditor.violation("M6: nothing of a raised budget is given away")
        }
        await useUp(scene, from: 5_001, upTo: .max)
    }

    private func useUp(_ scene: Scene, from first: UInt64, upTo usableMax: Int64) async {
        let cap = desk.terms.cap
        var number = first
        while world.auditor.unissued(of: scene.id) > 0 {
            let left = world.auditor.unissued(of: scene.id)
            let amounts = Self.amounts(of: left, cap: cap)
            let requests = amounts.enumerated().map { index, amount in
                request(of: amount, scene: scene.key, by: PersonID(number + UInt64(index)))
            }
            number += UInt64(requests.count)
            let refused = await give(requests)
            // What was under way when the clients ended may have taken it.
            if let least = refused.compactMap(\.amount).min(), world.auditor.unissued(of: scene.id) >= least {
                return world.auditor.violation("M6: what is left of a budget can't be given away")
            }
            if world.auditor.unissued(of: scene.id) > usableMax { return }
        }
        if await give([request(of: 1, scene: scene.key, by: PersonID(number))], attempts: 1).isEmpty {
            world.auditor.violation("M6: more is given away than there is")
        }
    }

    /// Together at most what is left, and as many as a process takes in one call.
    private static func amounts(of left: Int64, cap: Int64) -> [Int64] {
        var amounts: [Int64] = []
        var left = left
        while left > 0, amounts.count < 8 {
            amounts.append(min(left, cap))
            left -= min(left, cap)
        }
        return amounts
    }

    private func request(of amount: Int64, scene: String, by person: PersonID) -> GrantRequest {
        GrantRequest(
            campaign: Setup.campaign,
            scene: scene,
            rain: RainID(1),
            awardType: 1,
            stage: 0,
            person: person,
            app: Setup.apps[0],
            amount: amount
        )
    }

    /// Asks until all are granted, at most for some seconds; answers those that aren't.
    ///
    /// - Parameter mustBeThere: whether no answer may say that the budget is used up.
    func give(
        _ requests: [GrantRequest],
        attempts: Int = 60,
        mustBeThere: Bool = false
    ) async -> [GrantRequest] {
        var open = requests
        for _ in 0..<attempts {
            guard let book = phase()?.book else { return open }
            for request in open {
                guard let order = order(of: request, in: book) else { return open }
                world.auditor.asked(order, request.amount ?? 0)
            }
            let asked = open
            let answers = await process().call { engine in await engine.granting.grant(asked) }
            open = []
            for (index, request) in asked.enumerated() {
                let answer = answers?[index]
                if case .granted(let granted)? = answer {
                    world.auditor.granted(granted, request, wasAcknowledged: false)
                    continue
                }
                world.auditor.tell(
                    "answer: \(request.amount ?? 0) fen of \(request.scene) aren't granted: "
                        + (answer.map { "\($0)" } ?? "no process")
                )
                if mustBeThere, case .refused(.budgetExhausted)? = answer {
                    world.auditor.violation("M6: a budget that was raised isn't given away")
                    return asked
                }
                open.append(request)
            }
            if open.isEmpty { break }
            await world.pause(milliseconds: 200)
        }
        return open
    }

    /// M11: wallets say what the auditor's own books say.
    func compareWallets() async {
        for number in 1...UInt64(Self.people) {
            let person = PersonID(number)
            for _ in 0..<20 {
                let answer = await process().call { engine in
                    await engine.wallets.read(person: person, campaign: Setup.campaign)
                }
                guard case .wallet(let reading)? = answer, reading.missing.isEmpty else {
                    await world.pause(milliseconds: 200)
                    continue
                }
                world.auditor.shown(reading, floor: world.auditor.floor(of: person), sent: [])
                if reading.view.balance != world.auditor.balance(of: person, in: reading.book) {
                    world.auditor.violation("M11: a wallet's balance isn't what its person has")
                }
                break
            }
        }
    }
}

/// Whether something has come to its end.
final class Ending: Sendable {
    private let state = Mutex(false)

    var hasCome: Bool { state.withLock { $0 } }
    func note() { state.withLock { $0 = true } }
}
