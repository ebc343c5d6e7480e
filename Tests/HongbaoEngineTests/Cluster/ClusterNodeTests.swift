import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import ServiceLifecycle
import Testing

@testable import HongbaoEngine

/// Nodes that share one store (DP-2, DP-3). Real stores, services and time; only that they are one process is a
/// double's work.
@Suite(.timeLimit(.minutes(15))) struct ClusterNodeTests {
    private static let people = 1...200 as ClosedRange<UInt64>

    /// Asks whichever node has them, and again what nobody answered.
    private static func grant(_ houses: [House], rain: UInt16 = 1) async throws -> [OrderNumber: Granted] {
        var granted: [OrderNumber: Granted] = [:]
        var open = people.map { GrantRequest.forTests(person: $0, rain: rain, amount: 10) }
        while !open.isEmpty {
            for house in houses {
                let answers = await house.engines.grant(open)
                var left: [GrantRequest] = []
                for (request, answer) in zip(open, answers) {
                    switch answer {
                    case .granted(let grant): granted[grant.order] = grant
                    case .unavailable, .refused(.overloaded): left.append(request)
                    case .refused(let refusal): throw Unexpected("\(refusal)")
                    }
                }
                open = left
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        return granted
    }

    @Test func twoShareAndOneIsReplaced() async throws {
        let town = try await Town()
        let (first, second) = (town.house("a"), town.house("b"))
        let before = try await running(first.services) {
            try await House.until([first], have: [4])
            let before = try await Self.grant([first])
            // The second asks for its share, and answers the same to those who ask again (M14).
            try await running(second.services) {
                try await House.until([first, second], have: [2, 2])
                let again = try await Self.grant([first, second])
                #expect(again.mapValues(\.token) == before.mapValues(\.token))
                #expect(again.values.allSatisfy { $0.isReplay })
                _ = try await Self.grant([first, second], rain: 2)
            }
            // It has left what it had.
            try await House.until([first], have: [4])
            #expect(try await Self.grant([first], rain: 2).values.allSatisfy { $0.isReplay })
            return before
        }
        #expect(before.count == 200)
        try await town.expectSound(400)
        try await town.store.close()
    }

    /// FC-8: a node that is killed is replaced after its silence, and nothing that it accepted is lost or given again.
    @Test func theKilledAreTakenOver() async throws {
        let town = try await Town()
        let (first, second) = (town.house("a", silence: .seconds(1)), town.house("b", silence: .seconds(1)))
        try await running(first.services) {
            let before = try await runningUntilKilled(second.services) {
                try await House.until([first, second], have: [2, 2])
                return try await Self.grant([first, second])
            }
            try await House.until([first], have: [4])
            let again = try await Self.grant([first])
            #expect(again.mapValues(\.token) == before.mapValues(\.token))
            #expect(again.values.allSatisfy { $0.isReplay })
        }
        try await town.expectSound(200)
        try await town.store.close()
    }

    /// M3, M6: an engine that was stalled and comes back finds its mint taken: what it decides is never accepted, and
    /// who asks the new one gets what it would have given.
    @Test func theStalledCanAcceptNothing() async throws {
        let town = try await Town()
        let first = town.house("a")
        try await running(first.services) {
            try await House.until([first], have: [4])
            let stale = first.engines.all
            // Another process takes every mint over, as it would after a silence.
            for engine in stale {
                var rig = town.rig
                rig.configuration.seat = Seat(mint: engine.granting.mint, in: town.division, at: "http://c")
                _ = try await rig.start(town.store)
            }
            for engine in stale {
                let own = Self.people.filter { engine.granting.seat.decides(for: PersonID($0)) }
                let answers = await engine.granting.grant(own.map { .forTests(person: $0, amount: 10) })
                for answer in answers {
                    guard case .unavailable = answer else { throw Unexpected("\(answer)") }
                }
            }
        }
        try await town.expectSound(0)
        try await town.store.close()
    }

    /// A person's orders are decided by one mint; any other asks to be asked again.
    @Test func whoDoesNotDecideSaysSo() async throws {
        let town = try await Town()
        let house = town.house("a")
        try await running(house.services) {
            try await House.until([house], have: [4])
            for engine in house.engines.all {
                for person in 1...20 as ClosedRange<UInt64> {
                    let answer = await engine.granting.grant([.forTests(person: person, amount: 10)])[0]
                    if engine.granting.seat.decides(for: PersonID(person)) {
                        guard case .granted = answer else { throw Unexpected("\(answer)") }
                    } else {
                        guard case .refused(.overloaded) = answer else { throw Unexpected("\(answer)") }
                    }
                }
            }
        }
        try await town.expectSound(20)
        try await town.store.close()
    }

    /// How the people are divided is fixed with the first mint: a node that believes otherwise takes nothing.
    @Test func anotherDivisionIsRefused() async throws {
        let town = try await Town()
        let house = town.house("a")
        try await running(house.services) { try await House.until([house], have: [4]) }
        var rig = town.rig
        rig.configuration.seat = Seat(mint: MintID(1), in: Division(mints: 3), at: "http://b")
        await #expect(throws: StoreError.self) { _ = try await rig.start(town.store) }
        rig.configuration.seat = .alone
        await #expect(throws: StoreError.self) { _ = try await rig.start(town.store) }
        try await town.store.close()
    }
}
