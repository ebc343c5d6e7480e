import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoTesting

/// Query nodes: they show wallets of people for whom others decide, out of a Redis and the database (DP-2, TK-5, WL-3).
extension ClusterRun {
    /// What was acknowledged so long ago is shown, or `tokens` are said to be missing: a node that doesn't answer any
    /// more is believed for ten seconds (decision 0028), and then somebody has to ask.
    static let unseenMax = Duration.seconds(12)

    /// How long it is, after one is killed, until it's back and shows people of every mint all that they have.
    func strikeQuery(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let node = try one(of: world.queries, &random)
        let began = ContinuousClock.now
        try await world.kill(node)
        try await world.start(node)
        return try await untilWalletsShow(world, &random, since: began)
    }

    /// How long it takes until all query nodes show somebody of every mint a wallet with nothing missing.
    func untilWalletsShow(
        _ world: ClusterWorld,
        _ random: inout Seeded,
        since began: ContinuousClock.Instant = .now
    ) async throws -> Duration {
        let division = Division(mints: ClusterWorld.mints)
        let people = (0..<world.clients.grants.peopleCount).map(GrantBook.person).shuffled(using: &random)
        let ofEachMint = Dictionary(people.map { (division.mint(of: $0), $0) }) { first, _ in first }
        for node in world.queries {
            for (mint, person) in ofEachMint {
                while try await shown(person, by: node, in: world)?.complete != true {
                    guard ContinuousClock.now - began < .seconds(60) else {
                        world.clients.grants.breach("WL-3: \(node.name) shows nobody of mint \(mint) all they have")
                        return ContinuousClock.now - began
                    }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
        return ContinuousClock.now - began
    }

    /// Somebody's wallet, as far as it goes.
    private struct Shown: Decodable, Equatable {
        /// In fen: all that was ever given, what of it is left, and what of it isn't posted.
        var income: Int64 = 0
        var balance: Int64 = 0
        var pending: Int64 = 0
        /// Whether nothing is left out that is known to be there.
        var complete = true
    }

    /// `nil` when it isn't shown now.
    private func shown(
        _ person: PersonID,
        by node: ClusterWorld.Member,
        in world: ClusterWorld
    ) async throws -> Shown? {
        do {
            let people = world.clients.personCaller(node.address)
            let answer = try await people.get("/v1/wallet?campaign=\(KillTest.campaign)", as: person)
            if answer.status == 200 { return try JSONDecoder().decode(Shown.self, from: Data(answer.bytes)) }
            if !answer.isPassing { world.clients.grants.breach("\(node.name), a wallet: \(answer.text)") }
            return nil
        } catch is Caller.Unanswered {
            return nil
        }
    }

    /// People look at their wallets while `body` runs.
    func lookAtWallets(
        _ world: ClusterWorld,
        _ seed: UInt64,
        while body: @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, node) in world.queries.enumerated() {
                group.addTask { try await look(world, node, Seeded(seed: seed &+ UInt64(number))) }
            }
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func look(_ world: ClusterWorld, _ node: ClusterWorld.Member, _ seeded: Seeded) async throws {
        var random = seeded
        let clients = world.clients
        while !Task.isCancelled {
            let people = max(clients.grants.peopleCount, 1)
            let asked = (0..<20).map { place in
                // Half of them are being given something just now.
                let number = Int.random(in: (place < 10 ? 0 : max(people - 3, 0))..<people, using: &random)
                return (number: number, acknowledged: clients.grants.sums(ofPerson: number).acknowledged)
            }
            await pause(Self.unseenMax, on: ContinuousClock())
            for one in asked where one.acknowledged > 0 {
                let person = GrantBook.person(one.number)
                guard let shown = try await shown(person, by: node, in: world) else { continue }
                let most = clients.grants.sums(ofPerson: one.number).sent
                let least = shown.complete ? one.acknowledged : 0
                if !(least...most).contains(shown.income) {
                    let name = "\(node.name) shows \(person.rawValue)"
                    clients.grants.breach("WL-3: \(name) \(shown), who got \(least) to \(most) fen")
                }
            }
        }
    }

    /// When all is posted and final, they show what the ledger has.
    func checkWallets(_ world: ClusterWorld, _ random: inout Seeded) async throws {
        if world.queries.isEmpty { return }
        let rows = try await world.clients.readRows()
        var booked: [PersonID: Shown] = [:]
        func add(_ fen: Int64, to person: PersonID) {
            booked[person, default: Shown()].income += fen
            booked[person, default: Shown()].balance += fen
        }
        for (order, fen) in rows.grants where order.scene == world.clients.grants.scene { add(fen, to: order.person) }
        for claim in rows.claims { add(claim.share.fen, to: claim.key.person) }
        for (person, fen) in world.clients.twins?.incomes ?? [:] { add(fen, to: person) }
        for withdrawal in rows.withdrawals where withdrawal.state != .failed {
            booked[withdrawal.key.person, default: Shown()].balance -= withdrawal.amount.fen
        }
        for node in world.queries {
            for (person, expected) in booked.shuffled(using: &random).prefix(200) {
                let end = ContinuousClock.now + .seconds(30)
                var last = try await shown(person, by: node, in: world)
                while last != expected, ContinuousClock.now < end {
                    try await Task.sleep(for: .milliseconds(50))
                    last = try await shown(person, by: node, in: world)
                }
                if last != expected {
                    let text = last.map { "\($0)" } ?? "nothing"
                    let name = "\(node.name) shows \(person.rawValue)"
                    return world.clients.grants.breach("WL-3: \(name) \(text); the ledger has \(expected)")
                }
            }
        }
    }
}

extension ClusterWorld {
    var queries: [Member] { members.filter { $0.role == .query } }
}
