package import HongbaoCore
import Synchronization

/// What this process knows of who is another name of whom (ID-3): all merges of the store, each from the moment that
/// its outcome is known. From before the transaction until then it's in doubt who these persons are.
package final class KnownAliases: Sendable {
    private let state: Mutex<Aliases>
    /// How much goes on under a name that a merge has to wait for.
    private let underWay = Mutex<[PersonID: Int]>([:])

    /// - Parameter pending: merges of whose persons it isn't known yet.
    package init(_ merges: [Merge] = [], pending: [PendingMerge] = []) {
        var aliases = Aliases(merges)
        for merge in pending { aliases.doubt(merge.persons) }
        state = Mutex(aliases)
    }

    package var current: Aliases { state.withLock { $0 } }

    /// `nil` when everybody is who they are, as nearly always.
    var ifAny: Aliases? { state.withLock { $0.isTrivial ? nil : $0 } }

    package var count: Int { state.withLock { $0.count } }

    /// Who it is that has this name.
    package func person(_ name: PersonID) -> PersonID { state.withLock { $0.person(name) } }

    /// All names of whoever has this one; the person last.
    package func all(_ name: PersonID) -> [PersonID] { state.withLock { $0.all(name) } }

    /// Whether both are names of one person.
    package func areSame(_ a: PersonID, _ b: PersonID) -> Bool {
        a == b || state.withLock { $0.person(a) == $0.person(b) }
    }

    /// Begins what depends on who this is until it's in the store: a merge waits for `end`. `false`, and nothing is
    /// begun, while that is in doubt.
    func begin(_ name: PersonID) -> Bool {
        // Counted before it's looked: whoever doubts afterwards finds it.
        underWay.withLock { $0[name, default: 0] += 1 }
        guard isDoubtful(name) else { return true }
        end(name)
        return false
    }

    func end(_ name: PersonID) {
        underWay.withLock { underWay in
            guard let count = underWay[name], count > 1 else { return underWay[name] = nil }
            underWay[name] = count - 1
        }
    }

    /// Whether something that was begun under a name of any of these persons goes on.
    func isUnderWay(_ persons: [PersonID]) -> Bool {
        let names = state.withLock { aliases in persons.flatMap { aliases.all($0) } }
        return underWay.withLock { underWay in names.contains { underWay[$0] != nil } }
    }

    func isDoubtful(_ name: PersonID) -> Bool { state.withLock { $0.isDoubtful(name) } }
    func doubt(_ persons: [PersonID]) { state.withLock { $0.doubt(persons) } }

    /// Ends a doubt, at once with what has come of it.
    func settle(_ persons: [PersonID], _ merges: [Merge]) {
        state.withLock { aliases in
            // Doubts are about persons as they were before.
            aliases.settle(persons)
            for merge in merges { aliases.add(merge) }
        }
    }
}
