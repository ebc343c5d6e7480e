import HongbaoCore

/// The auditor's own books of who is who: fed with rows as they become durable, and with what people are told. It goes
/// by what the requirements say (ID-2, ID-3), not by how the core decides.
struct IdentityBooks: Sendable {
    private var users: [UserKey: Identity] = [:]
    private var targets: [PersonID: PersonID] = [:]
    /// Who each user was before.
    private var formerly: [UserKey: Set<PersonID>] = [:]
    /// Merged persons of whom somebody has been told, so that everybody must go by it.
    private var told: Set<PersonID> = []
    private var asked: [UserKey: [(phone: PhoneKey?, joining: Joining)]] = [:]
    /// Grows with whatever is asked and told, so that it can be said what came first.
    private(set) var moment = 0
    private var toldAt: [PersonID: Int] = [:]

    var isTrivial: Bool { targets.isEmpty }
    var merged: Dictionary<PersonID, PersonID>.Keys { targets.keys }

    mutating func nextMoment() -> Int {
        moment += 1
        return moment
    }

    // MARK: Names

    func person(_ name: PersonID) -> PersonID {
        guard !targets.isEmpty else { return name }
        var name = name
        while let target = targets[name] { name = target }
        return name
    }

    /// Whether both are one, by what is durable.
    func areSame(_ a: PersonID, _ b: PersonID) -> Bool { a == b || person(a) == person(b) }

    /// Whether both are one, and somebody has been told so.
    func areKnownSame(_ a: PersonID, _ b: PersonID) -> Bool { a == b || knownPerson(a) == knownPerson(b) }

    private func knownPerson(_ name: PersonID) -> PersonID {
        guard !told.isEmpty else { return name }
        var name = name
        while told.contains(name), let target = targets[name] { name = target }
        return name
    }

    /// All that are one with this name, by what is durable; the name itself too.
    func names(_ name: PersonID) -> [PersonID] {
        guard !targets.isEmpty else { return [name] }
        let root = person(name)
        return ([root] + targets.keys.filter { person($0) == root }).sorted()
    }

    /// When the last was told of all that makes these two one; `nil` when that isn't so.
    func knownSince(_ a: PersonID, _ b: PersonID) -> Int? {
        guard a != b, areKnownSame(a, b) else { return nil }
        return names(a).compactMap { toldAt[$0] }.max()
    }

    func isMove(_ transfer: Transfer) -> Bool {
        transfer.debit.kind == .person && transfer.credit.kind == .person
            && transfer.id.person.rawValue == transfer.debit.owner
            && targets[PersonID(transfer.debit.owner)]?.rawValue == transfer.credit.owner
    }

    // MARK: Rows

    /// Answers everything that's wrong.
    mutating func take(_ commit: Commit) -> [String] {
        guard !commit.identities.isEmpty || !commit.merges.isEmpty else { return [] }
        var wrong: [String] = []
        let before = users
        for merge in commit.merges {
            if targets[merge.source] != nil || targets[merge.target] != nil { wrong.append("ID-3: merged twice") }
            targets[merge.source] = merge.target
            wrong += check(merge, commit.identities, before)
        }
        for row in commit.identities { users[row.key] = row }
        for row in commit.identities { wrong += check(row, before, commit.merges) }
        return wrong
    }

    private func check(_ merge: Merge, _ rows: [Identity], _ before: [UserKey: Identity]) -> [String] {
        let all = before.values.filter { $0.person == merge.source }
        let movers = rows.filter { row in before[row.key].map { $0.phone != row.phone } ?? false }
        guard let mover = movers.first, movers.count == 1, before[mover.key]?.person == merge.source else {
            return ["ID-3: two are made one, and nobody's phone says so"]
        }
        if all.count > 1, !wasAsked(mover.key, mover.phone, .always) {
            return ["ID-3: somebody takes others along who weren't asked"]
        }
        let owners = before.values.filter { $0.phone != nil && $0.phone == mover.phone }
        return owners.contains { $0.person == merge.target } ? [] : ["ID-2: the phone doesn't rank first"]
    }

    private mutating func check(_ row: Identity, _ before: [UserKey: Identity], _ merges: [Merge]) -> [String] {
        var wrong: [String] = []
        let others = users.values.filter { $0.key != row.key }
        if row.phone != nil, others.contains(where: { $0.phone == row.phone && $0.person != row.person }) {
            wrong.append("ID-2: a phone is two persons")
        }
        if targets[row.person] != nil { wrong.append("ID-3: a user is a person who was merged") }
        guard let old = before[row.key] else {
            let hasOwner = row.phone != nil && others.contains { $0.phone == row.phone }
            if !hasOwner, others.contains(where: { $0.person == row.person }) {
                wrong.append("ID-2: two who have nothing in common are one person")
            }
            if !wasAsked(row.key, row.phone, nil) { wrong.append("ID-2: a user whom nobody asked for") }
            return wrong
        }
        if old.person != row.person {
            if !merges.contains(where: { $0.source == old.person && $0.target == row.person }) {
                wrong.append("ID-3: a user becomes another person without a merge")
            }
            formerly[row.key, default: []].insert(old.person)
        }
        if old.phone != row.phone, !wasAsked(row.key, row.phone, nil) {
            wrong.append("ID-3: a phone is bound that nobody asked for")
        }
        return wrong
    }

    private func wasAsked(_ key: UserKey, _ phone: PhoneKey?, _ joining: Joining?) -> Bool {
        asked[key, default: []].contains { $0.phone == phone && (joining == nil || $0.joining == joining) }
            || phone == nil && asked[key] != nil
    }

    // MARK: What people are told

    mutating func ask(_ key: UserKey, _ phone: PhoneKey?, _ joining: Joining) {
        asked[key, default: []].append((phone, joining))
    }

    /// Whether somebody has logged in as this user.
    func isKnown(_ key: UserKey) -> Bool { users[key] != nil }

    mutating func identified(_ key: UserKey, as answer: PersonID) -> [String] {
        guard let row = users[key] else { return ["ID-2: a user is told who they are, and that isn't durable"] }
        if person(answer) != row.person { return ["ID-2: a user is told that they are somebody else"] }
        for former in formerly[key] ?? [] {
            var name = former
            while name != answer, let target = targets[name] { name = target }
            // Whoever answers so goes by all that leads there.
            guard name == answer else { continue }
            name = former
            while name != answer, let target = targets[name] {
                if told.insert(name).inserted { toldAt[name] = nextMoment() }
                name = target
            }
        }
        return []
    }
}
