import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import ServiceLifecycle
import Testing

@testable import HongbaoEngine

/// One node: its engines, and how to end it.
struct House: Sendable {
    let engines: Engines
    let services: [any Service]

    static func until(_ houses: [House], have counts: [Int]) async throws {
        try await eventually { houses.map { $0.engines.all.count }.sorted() == counts }
    }
}

/// Nodes that share one store, or several, in one process.
struct Town: Sendable {
    let rig: EngineRig
    let store: SQLiteStore
    let stores: [SQLiteStore]
    let shards: Shards
    let division: Division
    private let folders: [TemporaryFolder]

    /// - Parameters:
    ///   - hotTokens: where nodes put their tokens.
    ///   - wrap: puts faults between the engines and a database.
    init(
        databases: Int = 1,
        mints: Int = 4,
        _ campaigns: [Campaign] = [.forTests()],
        hotTokens: (any HotTokens)? = nil,
        wrap: (Int, SQLiteStore) -> any Store = { $1 }
    ) async throws {
        division = Division(mints: mints)
        var rig = try EngineRig(campaigns)
        rig.hotTokens = hotTokens
        self.rig = rig
        folders = try (1..<databases).map { _ in try TemporaryFolder() }
        var stores = [try await SQLiteStore.reopened(folder: rig.folder.path)]
        for folder in folders { stores.append(try await SQLiteStore.reopened(folder: folder.path)) }
        store = stores[0]
        self.stores = stores
        shards = Shards(stores.enumerated().map(wrap), in: division)
    }

    func close() async throws {
        for store in stores { try await store.close() }
    }

    /// - Parameter silence: how long others wait before they take over; a busy machine delays beats.
    func house(_ name: String, silence: Duration = .seconds(60)) -> House {
        let engines = Engines(on: shards, campaigns: rig.campaigns, clock: .system)
        var configuration = ClusterNode.Configuration(address: "http://\(name)")
        configuration.beat = .milliseconds(20)
        configuration.silence = silence
        let (rig, shards) = (rig, shards)
        let node = ClusterNode(configuration, shards: shards, engines: engines, clock: .system, logger: .silent) {
            (seat, campaigns) throws(StoreError) in
            var own = rig
            own.campaigns = campaigns
            own.configuration.seat = seat
            return try await own.start(shards)
        }
        return House(engines: engines, services: [node])
    }

    func expectSound(_ grants: Int) async throws {
        let report = try await Audit.run(Shards(stores, in: division), keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        let counts = try await Shards(stores, in: division).read(Array(stores.indices)) {
            (snapshot) throws(StoreError) in
            try snapshot.mints().map { mint throws(StoreError) in
                try snapshot.batches(of: mint.id, after: 0, limit: 10_000).reduce(0) { $0 + $1.count }
            }
        }
        #expect(counts.reduce(0, +) == grants)
    }
}

extension [House] {
    /// From whichever node decides for the person.
    func grant(
        _ person: PersonID,
        rain: UInt16,
        _ amount: Int64 = 10,
        scene: String = "rain"
    ) async throws -> GrantAnswer {
        let request = GrantRequest.forTests(person: person.rawValue, rain: rain, amount: amount, scene: scene)
        while true {
            for house in self {
                switch await house.engines.grant([request])[0] {
                case .unavailable, .refused(.overloaded): break
                case let answer: return answer
                }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// That of whichever node decides for the person.
    func engine(of concern: Concern) async throws -> Engine {
        while true {
            for house in self {
                if let engine = house.engines.engine(of: concern) { return engine }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func read(_ person: PersonID) async throws -> WalletReading {
        let name = first?.engines.person(person) ?? person
        let answer = try await engine(of: .person(name)).wallets.read(person: name, campaign: "test", tokens: [])
        guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
        return reading
    }

    func balance(_ person: PersonID) async throws -> Int64 { try await read(person).view.balance }
}

/// A user without a phone and one with it, whose persons are apart.
struct Pair: Sendable {
    let user: String
    let phone: String
    let source: PersonID
    let target: PersonID

    /// - Parameter place: where somebody is; in different mints, if it isn't said.
    init(_ number: Int, _ identities: Identities, apart place: (PersonID) -> Int) async throws {
        phone = "1380000\(1_000 + number)"
        target = try await Self.person(IdentitiesTests.login("toutiao", "b\(number)", phone), identities)
        var (attempt, user, source) = (0, "", target)
        while place(source) == place(target) {
            attempt += 1
            user = "a\(number)-\(attempt)"
            source = try await Self.person(IdentitiesTests.login("douyin", user), identities)
        }
        self.user = user
        self.source = source
    }

    init(_ number: Int, _ identities: Identities, _ division: Division) async throws {
        try await self.init(number, identities) { Int(division.mint(of: $0).rawValue) }
    }

    /// Also where the store has faults.
    private static func person(_ login: Login, _ identities: Identities) async throws -> PersonID {
        while true {
            if let person = await identities.resolve(login).person { return person }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    func bind(_ house: House) async throws -> IdentityAnswer {
        let login = IdentitiesTests.login("douyin", user, phone)
        while true {
            let answer = await house.engines.any?.identities.bind(login, joining: .ifAlone)
            guard let answer, case .person = answer else {
                try await Task.sleep(for: .milliseconds(20))
                continue
            }
            return answer
        }
    }
}
