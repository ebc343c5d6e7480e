import HongbaoCore

/// What the simulated campaign's file says, as far as its operator changes it. The auditor reads the same, and knows
/// nothing of what the engine makes of it.
struct Terms: Hashable, Sendable {
    /// Another one for each that was ever written.
    var version = 0
    /// In fen; first the scenes of the rollout, then those of the live phase.
    var budgets: [Int64]
    var cap = Setup.cap
    /// Who may take part; `nil` is everyone.
    var admitted: Set<PersonID>?
    var isWithdrawalOpen = true
    var rainMax = Setup.rainMax
    /// When the live phase begins, after the start of the world.
    var switchMilliseconds = Setup.switchMilliseconds

    init(budget: Int64) { budgets = Array(repeating: budget, count: 2 * Setup.scenes.count) }

    /// Where the scene's budget is in `budgets`.
    static func place(of scene: SceneID) -> Int {
        Int(scene.number) - 1 + (scene.book.phase == .live ? Setup.scenes.count : 0)
    }

    func admits(_ person: PersonID) -> Bool { admitted?.contains(person) ?? true }
}

/// What makes a file unfit for a running platform.
enum Flaw: CaseIterable, Sendable {
    case otherNumber, otherApps, sceneGone, phaseGone
}

/// What has been announced to be in force, in the auditor's own notes.
struct Announcements: Sendable {
    /// In order of time; the same terms may come again.
    private(set) var all: [Terms]
    /// Nothing before is in force any more.
    private(set) var first = 0

    init(_ terms: Terms) { all = [terms] }

    mutating func mayBeInForce(_ terms: Terms) { all.append(terms) }

    /// The last one is, and no other.
    mutating func lastIsInForce() { first = all.count - 1 }

    var last: Terms { all[all.count - 1] }

    /// What may have been in force at some time since `earliest` was the first that may.
    func since(_ earliest: Int?) -> ArraySlice<Terms> { all[min(earliest ?? first, first)...] }
}
