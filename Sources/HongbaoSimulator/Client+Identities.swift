import HongbaoCore
import HongbaoEngine

/// What apps ask of the account centre: users log in, with and without phones, and bind them at any moment (ID-2,
/// ID-3).
extension Client {
    private static let users: Int = 5
    private static let phones: Int = 4

    func identify() async {
        let number = world.draw(Self.users)
        let digits = world.draw(4) == 0 ? nil : "1380000000\(world.draw(Self.phones))"
        let login = Login(
            family: Setup.apps[number % Setup.apps.count],
            user: "u\(number)",
            phone: digits.flatMap { PhoneNumber(Array($0.utf8)) }
        )
        let joining = world.draw(3) == 0 ? Joining.always : .ifAlone
        let binds = login.phone != nil && world.draw(2) == 0
        let keys = IdentityKeys(setup.keyring)
        let key = keys.user(login.user, of: login.family)
        let wasKnown = world.auditor.isKnown(key)
        world.auditor.identityAsked(key, login.phone.map { keys.phone($0) }, binds ? joining : .ifAlone)
        // Often in the middle of it.
        if world.faults.kills > 0, world.draw(8) == 0 { killSoon() }
        let target = process()
        let answer = await target.call { engine in
            binds
                ? await engine.identities.bind(login, joining: joining) : await engine.identities.resolve(login)
        }
        switch answer {
        case .person(let person, _, _):
            // One that was taken over reads what its successor may not have heard of yet.
            if target === process() { world.auditor.identified(key, as: person, user: number) }
        case .unknown: if wasKnown { world.auditor.violation("ID-2: a user who is known isn't") }
        case .phoneInUse: world.auditor.note(-11)
        case .unavailable, nil: world.auditor.note(-12)
        }
    }
}
