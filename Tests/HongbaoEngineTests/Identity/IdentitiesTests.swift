import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Testing

/// The account centre (ID-1..4).
@Suite(.timeLimit(.minutes(5))) struct IdentitiesTests {
    static func login(_ family: String, _ user: String, _ phone: String? = nil) -> Login {
        Login(family: family, user: user, phone: phone.flatMap { PhoneNumber(Array($0.utf8)) })
    }

    /// ID-2: who logs in for the first time everywhere at once is one person.
    @Test func firstLoginsAtOnceGiveOnePerson() async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            let persons = try await withThrowingTaskGroup(of: PersonID.self) { group in
                for number in 0..<60 {
                    group.addTask {
                        let family = number.isMultiple(of: 2) ? "douyin" : "toutiao"
                        let login = Self.login(family, "u\(number % 6)", "13800000000")
                        return try #require(await engine.identities.resolve(login).person)
                    }
                }
                return try await group.reduce(into: Set<PersonID>()) { $0.insert($1) }
            }
            #expect(persons.count == 1)
            let other = try #require(await engine.identities.resolve(Self.login("douyin", "u7")).person)
            #expect(!persons.contains(other))
            #expect(await engine.identities.resolve(Self.login("toutiao", "u7")).person != other)
        }
    }

    /// Lost replies and refused writes: at most one person for one user, and asking again tells which.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func faultsMakeNobodyTwice(seed: UInt64) async throws {
        var rig = try EngineRig()
        let faults = Faults()
        rig.wrap = { FaultyStore($0) { call, number in faults.next(call, number, seed) } }
        try await rig.run { engine in
            faults.begin()
            for number in 0..<10 {
                let login = Self.login("douyin", "u\(number)", number.isMultiple(of: 2) ? "1380000000\(number)" : nil)
                var persons: Set<PersonID> = []
                for _ in 0..<6 {
                    if let person = await engine.identities.resolve(login).person { persons.insert(person) }
                }
                faults.end()
                let last = try #require(await engine.identities.resolve(login).person)
                #expect(persons.isSubset(of: [last]))
                faults.begin()
            }
            faults.end()
        }
    }

    /// ID-4: neither the file nor what stands beside it has the phone or the user's name.
    @Test func phonesAreNotStored() async throws {
        let rig = try EngineRig()
        let person = try await rig.run { engine in
            await engine.identities.resolve(Self.login("douyin", "somebody-unusual", "13812345678")).person
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: rig.folder.path) {
            let bytes = try Data(contentsOf: URL(filePath: rig.folder.file(name)))
            for text in ["13812345678", "somebody-unusual"] {
                #expect(bytes.range(of: Data(text.utf8)) == nil, "\(name)")
            }
        }
        // The hash needs the keyring: with another one nobody is known.
        let again = try await rig.run { engine in
            await engine.identities.resolve(Self.login("toutiao", "x", "13812345678")).person
        }
        #expect(again == person && person != nil)
        let (one, other) = (IdentityKeys(Keyring()), IdentityKeys(Keyring()))
        let phone = try #require(PhoneNumber(Array("13812345678".utf8)))
        #expect(one.phone(phone) != other.phone(phone))
        #expect(one.user("8613812345678", of: "") != UserKey(bits: one.phone(phone).bits))
    }

    @Test func whoIsNotKnownCannotBind() async throws {
        try await EngineRig().run { engine in
            let login = Self.login("douyin", "a", "13800000000")
            #expect(await engine.identities.bind(login, joining: .ifAlone) == .unknown)
            let person = await engine.identities.resolve(Self.login("douyin", "a")).person
            #expect(await engine.identities.bind(login, joining: .ifAlone).person == person)
        }
    }
}

extension IdentityAnswer {
    var person: PersonID? {
        if case .person(let person, _, _) = self { person } else { nil }
    }
}

/// Faults that can be switched on and off.
final class Faults: Sendable {
    private let isOn = LockedFlag()

    func begin() { isOn.set(true) }
    func end() { isOn.set(false) }

    func next(_ call: FaultyStore<SQLiteStore>.Call, _ number: Int, _ seed: UInt64) -> FaultyStore<SQLiteStore>.Fault? {
        guard isOn.get(), call != .append else { return nil }
        var random = Seeded(seed: seed &* 977 &+ UInt64(number) << 1 ^ (call == .read ? 1 : 0))
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return .before
        case 1: return .after
        case 2: return .lost
        default: return nil
        }
    }
}
