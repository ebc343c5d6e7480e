import HongbaoCore
import HongbaoEngine
import Synchronization

/// Where the campaign file lies that processes start with.
final class Desk: Sendable {
    private struct State {
        var terms: Terms
        var campaigns: CampaignSet
        var isChanging = false
        /// Grows when a change begins and when it ends.
        var generation = 0
        var versions = 0
    }

    private let setup: Setup
    private let state: Mutex<State>

    init(_ setup: Setup) {
        self.setup = setup
        state = Mutex(State(terms: setup.first, campaigns: setup.campaigns(setup.first)))
    }

    /// What the file says now.
    var terms: Terms { state.withLock { $0.terms } }
    var campaigns: CampaignSet { state.withLock { $0.campaigns } }

    /// The generation in force; `nil` while it changes.
    var generation: Int? { state.withLock { $0.isChanging ? nil : $0.generation } }

    /// `false`: somebody is changing it already.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isChanging else { return false }
            state.isChanging = true
            state.generation += 1
            return true
        }
    }

    func end() {
        state.withLock { state in
            state.isChanging = false
            state.generation += 1
        }
    }

    func newVersion() -> Int {
        state.withLock { state in
            state.versions += 1
            return state.versions
        }
    }

    func write(_ terms: Terms) {
        let campaigns = setup.campaigns(terms)
        state.withLock { state in
            state.terms = terms
            state.campaigns = campaigns
        }
    }
}

/// Somebody who changes the campaign file while the platform runs.
///
/// A file is written first and reloaded then, as often as it takes; one that is refused is taken back. So a process
/// that starts at any time reads the newest one.
struct Operator: Sendable {
    let world: World
    let setup: Setup
    let desk: Desk
    /// The process that a signal reaches now.
    let process: @Sendable () -> SimulatedProcess

    /// Writes and reloads another file, unless somebody is about it already.
    func change() async {
        guard desk.begin() else { return }
        if world.draw(5) == 0 {
            await tryUnfit()
        } else {
            await put(drawn(from: desk.terms))
        }
        desk.end()
    }

    /// Makes everything open to everyone, as at the first.
    func open() async {
        while !desk.begin() { await world.pause(milliseconds: 20) }
        var open = Terms(budget: 0)
        open.budgets = desk.terms.budgets
        await put(open)
        desk.end()
    }

    func raise(_ scene: SceneID, by fen: Int64) async {
        while !desk.begin() { await world.pause(milliseconds: 20) }
        var raised = desk.terms
        raised.budgets[Terms.place(of: scene)] += fen
        await put(raised)
        desk.end()
    }

    /// One thing is another than before.
    private func drawn(from old: Terms) -> Terms {
        var new = old
        let place = world.draw(old.budgets.count)
        switch world.draw(9) {
        case ..<3: new.budgets[place] += Int64(200 + world.draw(3_000))
        case 3: new.budgets[place] = Int64(1 + world.draw(Int(old.budgets[place])))
        case 4: new.cap = [100, 300, 500, 600][world.draw(4)]
        case 5:
            let people = (1...UInt64(Client.people)).filter { _ in world.draw(3) > 0 }
            new.admitted = world.draw(3) == 0 ? nil : Set(people.map { PersonID($0) })
        case 6: new.isWithdrawalOpen.toggle()
        case 7: new.rainMax = UInt16(4 + world.draw(Int(Setup.rainMax) - 3))
        default: new.switchMilliseconds = [1_500, 2_500, 4_000, 6_000, 10_000][world.draw(5)]
        }
        return new
    }

    /// Returns when the terms are in force, or are taken back because more is issued or leased than they allow.
    private func put(_ terms: Terms) async {
        let old = desk.terms
        var new = terms
        new.version = desk.newVersion()
        let isLower = zip(new.budgets, old.budgets).contains { $0 < $1 }
        write(new)
        if await reload(setup.campaigns(new)) == .refused {
            if !isLower { world.auditor.violation("CF-5: a configuration that fits is refused") }
            write(old)
            // A process may have started with the other one meanwhile.
            if await reload(setup.campaigns(old)) == .refused {
                world.auditor.violation("CF-5: what was in force is refused")
            }
        }
        world.auditor.lastTermsAreInForce()
    }

    private func write(_ terms: Terms) {
        world.auditor.termsMayBeInForce(terms)
        desk.write(terms)
    }

    private enum Fate { case applied, refused }

    private func reload(_ campaigns: CampaignSet) async -> Fate {
        while world.auditor.isContent {
            switch await attempt(campaigns) {
            case .applied: return .applied
            case .refused: return .refused
            case .unavailable, .busy, nil: await world.pause(milliseconds: 20 + world.draw(200))
            }
        }
        return .applied
    }

    private func tryUnfit() async {
        let flaw = Flaw.allCases[world.draw(Flaw.allCases.count)]
        var terms = desk.terms
        terms.version = -1
        if case .applied = await attempt(setup.campaigns(terms, flaw: flaw)) {
            world.auditor.violation("CF-5: a configuration that doesn't fit is taken: \(flaw)")
        }
    }

    /// `nil`: the process has died.
    private func attempt(_ campaigns: CampaignSet) async -> ReloadOutcome? {
        let answer = await process().call { engine in
            let before = engine.campaigns.current.version
            let outcome = await engine.reloads.reload(campaigns)
            return (before: before, outcome: outcome, after: engine.campaigns.current.version)
        }
        guard let answer else { return nil }
        world.auditor.tell("reload: \(answer.outcome)")
        switch answer.outcome {
        case .applied:
            world.auditor.note(1)
            if answer.after != campaigns.version { world.auditor.violation("CF-6: what was applied isn't in force") }
        case .refused, .unavailable, .busy:
            world.auditor.note(0)
            if answer.after != answer.before { world.auditor.violation("CF-5: what wasn't applied is in force") }
        }
        return answer.outcome
    }
}
