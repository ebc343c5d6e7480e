/// The keyed hash of a user of one account family. Who doesn't have the key learns nothing from it.
package struct UserKey: Hashable, Comparable, Sendable {
    package let bits: UInt128

    package init(bits: UInt128) { self.bits = bits }

    package static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }
}

/// The keyed hash of a phone number: all that is ever kept of one (ID-4).
package struct PhoneKey: Hashable, Comparable, Sendable {
    package let bits: UInt128

    package init(bits: UInt128) { self.bits = bits }

    package static func < (a: Self, b: Self) -> Bool { a.bits < b.bits }
}

/// A user of one account family, and which person that is (ID-2). All that log in with the same phone are one person;
/// which person a phone is, is nothing but which person its users are, so a phone that everybody has left is free.
package struct Identity: Hashable, Sendable {
    package let key: UserKey
    /// Never one that was merged into another.
    package internal(set) var person: PersonID
    package internal(set) var phone: PhoneKey?
    package let madeAt: Timestamp
    /// When the phone was bound; `nil` when there is none.
    package internal(set) var boundAt: Timestamp?

    package init(key: UserKey, person: PersonID, phone: PhoneKey?, madeAt: Timestamp, boundAt: Timestamp?) {
        precondition((phone == nil) == (boundAt == nil))
        self.key = key
        self.person = person
        self.phone = phone
        self.madeAt = madeAt
        self.boundAt = boundAt
    }
}

/// That two persons have turned out to be one (ID-3). From then on, for good, `source` is another name of `target`:
/// what it has goes there, what it has earned counts as earned.
package struct Merge: Hashable, Sendable {
    package let source: PersonID
    package let target: PersonID
    package let at: Timestamp

    package init(source: PersonID, target: PersonID, at: Timestamp) {
        self.source = source
        self.target = target
        self.at = at
    }
}

/// Whether a user who comes to another person's phone joins that person to their own.
package enum Joining: Hashable, Sendable {
    /// Only if no other user is the same person as they: then nobody else's money goes along.
    case ifAlone
    /// Also if there are others: the user has been asked, and holds both.
    case always
}

/// What became of a question who a user is, in order of precedence.
package enum IdentityOutcome: Hashable, Sendable {
    /// Known before; nothing changed.
    case known(PersonID)
    /// New, and of a phone whose person is known.
    case joined(PersonID)
    /// New, and a person whom nobody knew.
    case made(PersonID)
    /// The phone is theirs from now on; they are who they were.
    case bound(PersonID)
    /// The phone's person is another one, and others are the same person as they: nothing changed.
    case phoneInUse
    /// The phone's person is another one, and both are that one from now on.
    case merged(Merge)
    /// Another person has this number: draw another one.
    case personTaken
    /// What was read before isn't so any more: read again.
    case stale
}

extension Footprint {
    /// The rows that resolving touches.
    ///
    /// - Parameter persons: whose users are loaded, all of them.
    package init(resolving key: UserKey, phone: PhoneKey?, persons: [PersonID]) {
        self.init()
        users = [key]
        phones = phone.map { [$0] } ?? []
        self.persons = persons
    }
}

extension Books {
    /// Says who a user is, making or changing what has to be (ID-2, ID-3): the phone counts first.
    ///
    /// A phone that is changed takes the person along, unless it's another person's. Then the two are one, if nobody
    /// else would lose by that: see `Joining` and decision 0019.
    ///
    /// - Parameters:
    ///   - fresh: drawn by chance, for a person whom nobody knows; among the footprint's persons.
    ///   - expected: whom the user was when the footprint was made; among its persons.
    package mutating func resolve(
        _ key: UserKey,
        phone: PhoneKey?,
        fresh: PersonID,
        expected: PersonID?,
        joining: Joining,
        now: Timestamp
    ) -> IdentityOutcome {
        let owner = phone.flatMap { identities(on: $0).first?.person }
        guard var identity = identity(key) else {
            if expected != nil { return .stale }
            if owner == nil, !identities(of: fresh).isEmpty || merge(of: fresh) != nil { return .personTaken }
            let person = owner ?? fresh
            put(Identity(key: key, person: person, phone: phone, madeAt: now, boundAt: phone.map { _ in now }))
            return owner == nil ? .made(person) : .joined(person)
        }
        let person = identity.person
        guard let phone, phone != identity.phone else { return .known(person) }
        guard person == expected else { return .stale }
        let ranksUser = Mutant.isOn(.ranksUserAbovePhone)
        if let owner, owner != person, !ranksUser {
            let all = identities(of: person)
            guard joining == .always || all.count == 1 || Mutant.isOn(.takesOthersAlong) else { return .phoneInUse }
            let merge = Merge(source: person, target: owner, at: now)
            add(merge)
            for var other in all where other.key != key {
                other.person = owner
                put(other)
            }
            identity.person = owner
            bind(&identity, to: phone, now)
            return .merged(merge)
        }
        bind(&identity, to: phone, now)
        return .bound(person)
    }

    private mutating func bind(_ identity: inout Identity, to phone: PhoneKey, _ now: Timestamp) {
        identity.phone = phone
        identity.boundAt = now
        put(identity)
    }
}
