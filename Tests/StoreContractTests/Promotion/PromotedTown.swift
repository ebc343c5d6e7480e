import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// The mints of a division, all in this process, on the store that a pilot was promoted to.
struct PromotedTown: Sendable {
    let division: Division
    let engines: [Engine]
    let pilot: Pilot

    /// Starts all engines with all their services, and ends them gracefully.
    static func run(
        _ pilot: Pilot,
        on store: any Store,
        mints: Int,
        _ body: @escaping @Sendable (PromotedTown) async throws -> Void
    ) async throws {
        let division = Division(mints: mints)
        var rig = pilot.rig
        rig.hotTotals = .inMemory
        var engines: [Engine] = []
        for mint in division.all {
            rig.configuration.seat = Seat(mint: mint, in: division, at: "http://\(mint.rawValue)")
            engines.append(try await rig.start(store))
        }
        let town = PromotedTown(division: division, engines: engines, pilot: pilot)
        try await running(engines.flatMap(\.services)) { try await body(town) }
    }

    func engine(of name: PersonID) throws -> Engine {
        let mint = division.mint(of: pilot.names[name] ?? name)
        return try #require(engines.first { $0.granting.mint == mint })
    }

    /// M14: what was granted is answered as it was, by whoever decides for the person, and by nobody else.
    func expectReplays(_ grants: [(request: GrantRequest, answer: Granted)]) async throws {
        for (request, first) in grants {
            let own = try engine(of: request.person)
            guard case .granted(let answer) = try #require(await own.granting.grant([request]).first) else {
                throw Odd("not answered: \(request)")
            }
            let expected = Granted(
                order: first.order,
                status: first.status,
                amount: first.amount,
                rewardID: first.rewardID,
                fallback: first.fallback,
                token: first.token,
                isReplay: true
            )
            #expect(answer == expected)
            let other = try #require(engines.first { $0.granting.mint != own.granting.mint })
            guard case .refused(.overloaded) = try #require(await other.granting.grant([request]).first) else {
                throw Odd("two mints decide for \(request)")
            }
        }
    }

    /// M3: another amount under the same number.
    func expectConflicts() async throws {
        for (request, first) in pilot.grants where request.amount != nil {
            var changed = request
            changed.amount = first.amount.fen + 1
            let answer = try #require(await engine(of: request.person).granting.grant([changed]).first)
            guard case .refused(.orderConflict) = answer else { throw Odd("\(answer)") }
        }
    }

    func expectWallets() async throws {
        for (person, before) in pilot.wallets {
            let now = try await Pilot.wallet(of: person, try engine(of: person))
            #expect(now == before, "person \(person.rawValue)")
        }
    }

    /// CT-1: what the pilot gave is in one mint's part.
    func expectTotal() async throws {
        for engine in engines { await engine.totals.flush() }
        for engine in engines.reversed() { await engine.totals.flush() }
        let readings = engines.map { $0.totals.total(of: Pilot.book).reading }
        #expect(readings.allSatisfy { $0?.amount == pilot.given?.amount && $0?.count == pilot.given?.count })
    }

    /// One order table each, without what others decide.
    func expectDivided(_ count: Int) {
        let counts = engines.map(\.granting.orderCount)
        #expect(counts.reduce(0, +) == count && counts.allSatisfy { $0 > 0 }, "\(counts)")
    }

    /// Something new for everybody, also for those with two names.
    func grant(rain: UInt16) async throws -> [(request: GrantRequest, answer: Granted)] {
        var all: [(request: GrantRequest, answer: Granted)] = []
        for person in pilot.wallets.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            let request = GrantRequest.forTests(person: person.rawValue, rain: rain, amount: 7)
            // Under its other name it was given already.
            let isNew = pilot.names[person] == nil
            let answer = try #require(await engine(of: person).granting.grant([request]).first)
            guard case .granted(let grant) = answer else { throw Odd("\(answer)") }
            if isNew { all.append((request, grant)) }
        }
        for engine in engines { try await engine.drain() }
        return all
    }

    /// ID-3: who had two names in the pilot becomes somebody of another mint, who answers for all that these names had.
    func expectMerge() async throws {
        let identities = try #require(engines.first?.identities)
        let (former, person) = try #require(pilot.names.first)
        var target = person
        var phone = 0
        while division.mint(of: target) == division.mint(of: person) {
            phone += 1
            target = try await Pilot.login("toutiao", "new\(phone)", "1390000\(1_000 + phone)", engines[0])
        }
        let move = Pilot.user("toutiao", "b", "1390000\(1_000 + phone)")
        let answer = await identities.bind(move, joining: .always)
        #expect(answer == .person(target, isNew: false, merged: person))
        let own = try #require(engines.first { $0.granting.mint == division.mint(of: target) })
        let theirs = pilot.grants.filter { [former, person].contains($0.request.person) }
        #expect(theirs.count > 3)
        for (request, first) in theirs {
            var again = GrantAnswer.refused(.overloaded)
            while case .refused(.overloaded) = again { again = await own.granting.grant([request])[0] }
            guard case .granted(let grant) = again else { throw Odd("\(again)") }
            #expect(grant.isReplay && grant.token == first.token && grant.order == first.order)
        }
    }

    static func expectSound(_ store: any Store, _ pilot: Pilot, grants: Int) async throws {
        let report = try await Audit.run(store, keyring: pilot.rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        #expect(report.totals.grantsAccepted == grants && report.totals.personsMerged == 1)
    }

    /// All of it: as the pilot was left, with more grants, and after all engines have ended and begun again.
    static func expectToGoOn(_ pilot: Pilot, on store: any Store, mints: Int) async throws {
        let count = pilot.grants.count
        try await expectSound(store, pilot, grants: count)
        let new = Granteds()
        try await run(pilot, on: store, mints: mints) { town in
            town.expectDivided(count)
            try await town.expectWallets()
            try await town.expectTotal()
            try await town.expectReplays(pilot.grants)
            try await town.expectConflicts()
            town.expectDivided(count)
            await new.add(try await town.grant(rain: 900))
        }
        let added = await new.all
        try await expectSound(store, pilot, grants: count + added.count)
        try await run(pilot, on: store, mints: mints) { town in
            town.expectDivided(count + added.count)
            try await town.expectReplays(pilot.grants + added)
        }
        try await expectSequences(store, mints: mints)
    }

    /// M5: each log goes on where the common one ended.
    private static func expectSequences(_ store: any Store, mints: Int) async throws {
        let records = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        #expect(records.map(\.id) == Division(mints: mints).all && records.allSatisfy { $0.mints == mints })
        let common = try #require(records.first).commonSequence
        for record in records {
            let log = try await store.read { (snapshot) throws(StoreError) in
                try snapshot.batches(of: record.id, after: 0, limit: 100_000).map(\.sequence)
            }
            let first: UInt64 = record.id == .first ? 1 : common + 1
            #expect(record.commonSequence == common && common > 0)
            try #require(record.lastSequence > common)
            #expect(log == Array(first...record.lastSequence))
        }
    }
}

private actor Granteds {
    private(set) var all: [(request: GrantRequest, answer: Granted)] = []

    func add(_ more: [(request: GrantRequest, answer: Granted)]) { all += more }
}
