/// Which persons are other names of which (ID-3). A value that is rebuilt from all merges; nearly always empty, and
/// then it costs nearly nothing to ask.
package struct Aliases: Hashable, Sendable {
    private var targets: [PersonID: PersonID] = [:]
    /// By surviving person: all names merged into it, those that others were merged into after those others.
    private var names: [PersonID: [PersonID]] = [:]
    /// Persons of whom it isn't known at present whether they are merged, and how often it was asked for.
    private var doubtful: [PersonID: Int] = [:]

    package init() {}

    package init(_ merges: some Sequence<Merge>) {
        for merge in merges { add(merge) }
    }

    /// Whether everybody is who they are.
    package var isTrivial: Bool { targets.isEmpty && doubtful.isEmpty }
    package var count: Int { targets.count }

    /// Whether a name is the only one of its person, and nobody doubts it.
    package func isOnlyName(_ name: PersonID) -> Bool {
        targets[name] == nil && names[name] == nil && (doubtful.isEmpty || doubtful[name] == nil)
    }

    /// Adding the same merge again changes nothing.
    package mutating func add(_ merge: Merge) {
        if let known = targets.updateValue(merge.target, forKey: merge.source) {
            precondition(known == merge.target)  // ID-3: for good.
            return
        }
        let root = person(merge.target)
        precondition(root != merge.source)
        // What was merged into the source earlier has to go there first.
        let own = names.removeValue(forKey: merge.source) ?? []
        let before = names[root] ?? []
        // Before the target itself, if that's a name too.
        let place = before.firstIndex(of: merge.target) ?? before.count
        names[root] = Array(before[..<place]) + own + [merge.source] + Array(before[place...])
    }

    /// Who it is that has this name.
    package func person(_ name: PersonID) -> PersonID {
        guard !targets.isEmpty else { return name }
        var name = name
        while let target = targets[name] { name = target }
        return name
    }

    /// What this name was merged into, if it was.
    package func target(of name: PersonID) -> PersonID? { targets[name] }

    /// All names of whoever has this one: those merged into others first, each before what it was merged into; the
    /// person last.
    package func all(_ name: PersonID) -> [PersonID] {
        guard !targets.isEmpty else { return [name] }
        let root = person(name)
        return (names[root] ?? []) + [root]
    }

    /// Names that were merged into another.
    package var sources: Dictionary<PersonID, PersonID>.Keys { targets.keys }

    // MARK: Doubt

    /// From now on it isn't known who these are, until `settle` is called as often.
    package mutating func doubt(_ persons: [PersonID]) {
        for person in persons { doubtful[person, default: 0] += 1 }
    }

    package mutating func settle(_ persons: [PersonID]) {
        for person in persons {
            guard let count = doubtful[person] else { preconditionFailure("nobody doubts who that is") }
            doubtful[person] = count > 1 ? count - 1 : nil
        }
    }

    package func isDoubtful(_ name: PersonID) -> Bool { !doubtful.isEmpty && doubtful[person(name)] != nil }
}
