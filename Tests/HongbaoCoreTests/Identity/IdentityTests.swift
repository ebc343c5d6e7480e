import HongbaoCore
import HongbaoTesting
import Testing

/// Who is who: the pure rules (ID-2, ID-3), and decision 0019.
@Suite struct IdentityTests {
    /// All rows, as a store has them.
    private struct World {
        var identities: [UserKey: Identity] = [:]
        var merges: [PersonID: Merge] = [:]
        var drawn: UInt64 = 0

        mutating func resolve(_ user: UInt64, _ phone: UInt64?, _ joining: Joining = .ifAlone) -> IdentityOutcome {
            drawn += 1
            let (key, phone) = (UserKey(bits: UInt128(user)), phone.map { PhoneKey(bits: UInt128($0)) })
            let expected = identities[key]?.person
            var books = Books(identities: Array(identities.values), merges: Array(merges.values))
            let outcome = books.resolve(
                key,
                phone: phone,
                fresh: PersonID(drawn),
                expected: expected,
                joining: joining,
                now: Timestamp(milliseconds: Int64(drawn))
            )
            for identity in books.changedIdentities { identities[identity.key] = identity }
            for merge in books.newMerges { merges[merge.source] = merge }
            return outcome
        }

        func person(_ user: UInt64) -> UInt64? { identities[UserKey(bits: UInt128(user))]?.person.rawValue }
    }

    /// Letters are users, numbers are phones; the person is the number of the step that made it.
    @Test(arguments: [
        // The same user is the same person; without a phone, two users are two.
        "a=1 a=1 b=3 a=1",
        // One phone, one person, whoever comes first.
        "a7=1 b7=1 c7=1 b=1",
        // A phone bound later: its person counts.
        "a=1 b7=2 a7=2 a=2",
        // A phone that nobody has: the user keeps their person.
        "a=1 a7=1 b7=1",
        // A phone that is changed takes the person along, and is free for somebody new.
        "a7=1 a8=1 b7=3 a=1",
        // Changed to another person's phone, and alone: they are one.
        "a7=1 b8=2 a8=2 c7=4",
        // Others share the person: nothing goes along with one of them, nobody loses.
        "a7=1 b7=1 c8=3 a8=! a=1 b=1 c=3 b7=1",
        // They have been asked.
        "a7=1 b7=1 c8=3 a8+3 b=3 d7=3",
        // Others share the person, and the phone is nobody's: the user keeps the person.
        "a7=1 b7=1 a8=1 b=1 c8=1 d7=1",
        // Chains: whoever was merged comes along with the next merge.
        "a=1 b7=2 a7=2 c8=4 b8=! b8+4 a=4",
    ])
    func whoIsWho(story: String) {
        var world = World()
        for (index, step) in story.split(separator: " ").enumerated() {
            let parts = Array(step.utf8)
            let mark = parts.firstIndex { "=+".utf8.contains($0) } ?? 0
            let phone = mark == 2 ? UInt64(parts[1] - UInt8(ascii: "0")) : nil
            let user = UInt64(parts[0])
            let before = world.person(user)
            world.drawn = UInt64(index)
            let outcome = world.resolve(user, phone, parts[mark] == UInt8(ascii: "+") ? .always : .ifAlone)
            if parts[mark + 1] == UInt8(ascii: "!") {
                #expect(outcome == .phoneInUse && world.person(user) == before, "\(story): \(step)")
            } else {
                #expect(world.person(user) == UInt64(parts[mark + 1] - UInt8(ascii: "0")), "\(story): \(step)")
            }
        }
    }

    /// Whatever happens: a phone is one person, nobody is a person who was merged, users become others by merges only,
    /// and repeating a question changes nothing.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyHistoryKeepsTheRules(seed: UInt64) {
        var random = Seeded(seed: seed)
        var world = World()
        for _ in 0..<60 {
            let user = UInt64.random(in: 1...8, using: &random)
            let phone = Bool.random(using: &random) ? UInt64.random(in: 1...5, using: &random) : nil
            let joining = [Joining.ifAlone, .ifAlone, .always].randomElement(using: &random) ?? .ifAlone
            let before = world
            let outcome = world.resolve(user, phone, joining)
            check(world, after: before, outcome, joining)
            let after = world
            let again = world.resolve(user, phone, joining)
            #expect(world.identities == after.identities && world.merges == after.merges)
            if outcome == .phoneInUse {
                #expect(after.identities == before.identities && again == .phoneInUse)
            } else {
                #expect(again == world.person(user).map { .known(PersonID($0)) })
            }
        }
        let aliases = Aliases(world.merges.values)
        for (source, merge) in world.merges {
            #expect(aliases.person(source) == aliases.person(merge.target) && aliases.person(source) != source)
        }
    }

    private func check(_ world: World, after before: World, _ outcome: IdentityOutcome, _ joining: Joining) {
        for (phone, users) in Dictionary(grouping: world.identities.values.filter { $0.phone != nil }, by: \.phone) {
            #expect(Set(users.map(\.person)).count == 1, "phone \(String(describing: phone)) is several persons")
        }
        for identity in world.identities.values {
            #expect(world.merges[identity.person] == nil)
            guard let earlier = before.identities[identity.key], earlier.person != identity.person else { continue }
            #expect(world.merges[earlier.person]?.target == identity.person)
            #expect(before.merges[earlier.person] == nil)
        }
        #expect(world.merges.count - before.merges.count <= 1)
        guard case .merged(let merge) = outcome else { return #expect(world.merges == before.merges) }
        let all = before.identities.values.filter { $0.person == merge.source }
        #expect(joining == .always || all.count == 1)
    }

    @Test func whatWasReadIsCheckedAgain() {
        var world = World()
        _ = world.resolve(1, 7)
        let key = UserKey(bits: 1)
        var books = Books(identities: Array(world.identities.values))
        let other = PhoneKey(bits: 8)
        func ask(_ key: UserKey, _ fresh: UInt64, _ expected: PersonID?) -> IdentityOutcome {
            books.resolve(
                key,
                phone: other,
                fresh: PersonID(fresh),
                expected: expected,
                joining: .ifAlone,
                now: Timestamp(milliseconds: 1)
            )
        }
        #expect(ask(key, 9, PersonID(5)) == .stale)
        #expect(ask(key, 9, nil) == .stale)
        #expect(ask(UserKey(bits: 2), 9, PersonID(5)) == .stale)
        #expect(ask(UserKey(bits: 2), 1, nil) == .personTaken)
        #expect(books.changedIdentities.isEmpty && books.newMerges.isEmpty)
    }

    // MARK: Phones

    @Test(arguments: [
        ("13800000000", "8613800000000"), ("+8613800000000", "8613800000000"), ("008613800000000", "8613800000000"),
        ("8613800000000", "8613800000000"), ("+14155550100", "14155550100"), ("+13800000000", "13800000000"),
        ("12345", "12345"), ("1234", nil), ("", nil), ("+", nil), ("+0123456", nil), ("0123456", nil),
        ("+1234567890123456", nil), ("138-0000-0000", nil), ("1380000000x", nil), ("++8613800000000", nil),
        ("00+8613800000000", nil), ("１３８００００００００", nil),
    ])
    func phonesHaveOneForm(text: String, expected: String?) {
        let phone = PhoneNumber(Array(text.utf8))
        #expect(phone.map { String(decoding: $0.digits, as: UTF8.self) } == expected)
        // ID-4: whoever prints one by mistake prints nothing.
        if let phone { #expect(!"\(phone)".contains("8") && !String(reflecting: phone).contains("38")) }
    }
}
