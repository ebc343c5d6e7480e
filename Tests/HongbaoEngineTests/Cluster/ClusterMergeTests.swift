import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// Persons of different mints turn out to be one (ID-3, DP-3): each order counts once, whoever decided on it.
@Suite(.timeLimit(.minutes(15))) struct ClusterMergeTests {
    @Test func ordersOfBothCountOnce() async throws {
        let town = try await Town()
        let houses = [town.house("a"), town.house("b")]
        try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            let identities = try #require(houses[0].engines.any?.identities)
            let pair = try await Pair(1, identities, town.division)
            let first = try #require(try await houses.grant(pair.source, rain: 1, 100).granted)
            _ = try await houses.grant(pair.target, rain: 2, 200)
            #expect(try await pair.bind(houses[1]) == .person(pair.target, isNew: false, merged: pair.source))
            for name in [pair.source, pair.target] {
                // GR-3, M14: the same answer under either name, from a mint that never accepted it.
                let again = try #require(try await houses.grant(name, rain: 1, 100).granted)
                #expect(again.isReplay && again.token == first.token && again.order == first.order)
                guard case .refused(.orderConflict) = try await houses.grant(name, rain: 1, 101) else {
                    throw Unexpected("another amount was taken")
                }
            }
            let next = try #require(try await houses.grant(pair.source, rain: 3, 300).granted)
            #expect(next.order.person == pair.target)
            try await eventually { try await houses.balance(pair.source) == 600 }
            let found = try await houses.firstFound(first.order, of: pair.target)
            #expect(found?.amount.fen == 100)
        }
        try await town.expectSound(3)
        try await town.store.close()
    }

    /// RP-11: no node acknowledges a merge as long as it does something under either name.
    @Test func whatIsUnderWayAnywhereIsWaitedFor() async throws {
        let town = try await Town()
        let houses = [town.house("a"), town.house("b")]
        try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            let pair = try await Pair(1, try #require(houses[0].engines.any?.identities), town.division)
            let engine = try #require(houses[1].engines.all.last)
            #expect(engine.packets.aliases.begin(pair.source))
            async let bound = pair.bind(houses[0])
            try await eventually {
                let pending = try await town.store.read { (snapshot) throws(StoreError) in
                    try snapshot.pendingMerges()
                }
                return pending.first?.waiting == 1
            }
            try await eventually { engine.packets.aliases.isDoubtful(pair.target) }
            #expect(!engine.packets.aliases.begin(pair.target))
            engine.packets.aliases.end(pair.source)
            #expect(try await bound.person == pair.target)
        }
        try await town.expectSound(0)
        try await town.close()
    }

    /// FC-8: whoever takes a mint over has read what was merged, and what others laid open for it.
    @Test func whoTakesOverKnowsOfIt() async throws {
        let town = try await Town()
        let (first, second) = (town.house("a", silence: .seconds(1)), town.house("b", silence: .seconds(1)))
        try await running(first.services) {
            let pairs = try await runningUntilKilled(second.services) {
                let houses = [first, second]
                try await House.until(houses, have: [2, 2])
                let identities = try #require(first.engines.any?.identities)
                var pairs: [(Pair, [UInt8])] = []
                for number in 0..<6 {
                    let pair = try await Pair(number, identities, town.division)
                    let granted = try #require(try await houses.grant(pair.source, rain: 1).granted)
                    _ = try await pair.bind(first)
                    pairs.append((pair, granted.token))
                }
                return pairs
            }
            try await House.until([first], have: [4])
            for (pair, token) in pairs {
                let again = try #require(try await [first].grant(pair.target, rain: 1).granted)
                #expect(again.isReplay && again.token == token)
            }
        }
        try await town.expectSound(6)
        try await town.store.close()
    }

    /// A merge waits for a mint that nobody has, and is made when somebody has taken it: nothing is earned meanwhile.
    @Test func itWaitsForEveryMint() async throws {
        let town = try await Town()
        let (first, second) = (town.house("a", silence: .seconds(1)), town.house("b", silence: .seconds(1)))
        try await running(first.services) {
            let pair = try await runningUntilKilled(second.services) {
                try await House.until([first, second], have: [2, 2])
                return try await Pair(1, try #require(first.engines.any?.identities), town.division)
            }
            #expect(try await pair.bind(first) == .person(pair.target, isNew: false, merged: pair.source))
            #expect(first.engines.all.count == 4)
            let pending = try await town.store.read { (snapshot) throws(StoreError) in try snapshot.pendingMerges() }
            #expect(pending.isEmpty)
        }
        try await town.expectSound(0)
        try await town.store.close()
    }

    /// Everybody asks for both names' rewards while they become one person: what either had before the merge was
    /// answered is never given again afterwards (M3).
    @Test func nothingIsGivenTwiceMeanwhile() async throws {
        let town = try await Town()
        let houses = [town.house("a"), town.house("b")]
        let count = try await running(houses.flatMap(\.services)) {
            try await House.until(houses, have: [2, 2])
            let identities = try #require(houses[0].engines.any?.identities)
            var accepted = 0
            for number in 0..<8 {
                accepted += try await Self.race(try await Pair(number, identities, town.division), houses)
            }
            return accepted
        }
        try await town.expectSound(count)
        try await town.store.close()
    }

    private struct Given {
        let rain: UInt16
        let grant: Granted
        let asked: ContinuousClock.Instant
        let answered: ContinuousClock.Instant
    }

    /// Answers how many grants were accepted.
    private static func race(_ pair: Pair, _ houses: [House]) async throws -> Int {
        // From before the merge is announced until after all know of it, and not the same at the same time.
        async let sources = grantAll(houses, pair.source, (1...40).reversed(), every: .milliseconds(10))
        async let targets = grantAll(houses, pair.target, Array(1...40), every: .milliseconds(10))
        try await Task.sleep(for: .milliseconds(50))
        _ = try await pair.bind(houses[1])
        let bound = ContinuousClock.now
        var all = try await sources + targets
        for name in [pair.source, pair.target] {
            all += try await grantAll(houses, name, Array(1...40), every: .zero)
        }
        let new = all.filter { !$0.grant.isReplay }
        let known = Set(new.filter { $0.answered < bound }.map(\.rain))
        for given in new where given.asked > bound {
            #expect(!known.contains(given.rain), "rain \(given.rain) is given again")
        }
        return new.count
    }

    private static func grantAll(
        _ houses: [House],
        _ person: PersonID,
        _ rains: [UInt16],
        every interval: Duration
    ) async throws -> [Given] {
        var all: [Given] = []
        for rain in rains {
            try await Task.sleep(for: interval)
            let asked = ContinuousClock.now
            let granted = try #require(try await houses.grant(person, rain: rain).granted)
            all.append(Given(rain: rain, grant: granted, asked: asked, answered: .now))
        }
        return all
    }
}

extension [House] {
    /// What whoever decides for a person knows of an order.
    fileprivate func firstFound(_ order: OrderNumber, of person: PersonID) async throws -> GrantView? {
        for house in self {
            if let engine = house.engines.engine(of: .person(person)) { return try await engine.granting.find(order) }
        }
        return nil
    }
}
