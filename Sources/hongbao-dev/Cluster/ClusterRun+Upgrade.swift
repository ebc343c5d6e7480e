import Foundation
import HongbaoCore
import HongbaoTesting
import Synchronization

/// A new version of the program on all nodes, one after the other, while people are served (FC-8).
extension ClusterRun {
    /// As `docs/operations.md` has it: those that nobody waits for first, gateways last. Answers how long anybody was
    /// refused at most.
    func upgrade(_ world: ClusterWorld, _ seed: UInt64) async throws -> Duration {
        let program = try newProgram(world)
        world.server.withLock { $0 = program }
        let order: [ClusterWorld.Member.Role] = [.reconcile, .async, .query, .core, .gateway]
        let longest = try await longestRefusal(world, seed) {
            var random = Seeded(seed: seed)
            for role in order {
                for member in world.members where member.role == role {
                    try await world.restart(member)
                    _ = try await untilAllAnswer(world, world.gateways.map(\.address), &random)
                }
            }
        }
        if longest > Self.refusedMax {
            world.clients.grants.breach("FC-8: an upgrade, and somebody was refused for \(longest)")
        }
        return longest
    }

    /// How long anybody was refused at most while `body` ran.
    func longestRefusal(
        _ world: ClusterWorld,
        _ seed: UInt64,
        while body: () async throws -> Void
    ) async throws -> Duration {
        try await withThrowingTaskGroup(of: Duration.self) { group in
            let watch = Watch()
            for mint in 0..<ClusterWorld.mints {
                group.addTask { try await watchServing(world, mint, Seeded(seed: seed &+ UInt64(mint)), watch) }
            }
            do {
                try await body()
            } catch {
                group.cancelAll()
                throw error
            }
            watch.end()
            return try await group.reduce(.zero) { max($0, $1) }
        }
    }

    /// The bound of what is planned: whoever asks again for so long is served.
    static let refusedMax = Duration.seconds(15)

    /// The one that was asked for, or a second name of the same one; and back, if they run that. Not a copy: Linux
    /// doesn't start a file that was written just now while a process begun meanwhile still has it open (ETXTBSY).
    private func newProgram(_ world: ClusterWorld) throws -> String {
        let own = options.programs.server
        guard world.server.withLock({ $0 }) == own else { return own }
        if let path = options.upgradeTo { return path }
        let second = "\(options.folder)/hongbao-upgraded"
        if !FileManager.default.fileExists(atPath: second) {
            try FileManager.default.createSymbolicLink(atPath: second, withDestinationPath: own)
        }
        return second
    }

    private final class Watch: Sendable {
        private let isOver = Atomic(false)
        var goesOn: Bool { !isOver.load(ordering: .relaxed) }
        func end() { isOver.store(true, ordering: .relaxed) }
    }

    /// Asks for people of one mint all the time, at each gateway in turn, as a load balancer does. Answers the longest
    /// time between two answers.
    private func watchServing(
        _ world: ClusterWorld,
        _ mint: Int,
        _ random: Seeded,
        _ watch: Watch
    ) async throws -> Duration {
        var random = random
        var longest = Duration.zero
        var servedAt = ContinuousClock.now
        var turn = 0
        while watch.goesOn {
            let gateway = world.gateways[turn % world.gateways.count]
            let isServed = try await world.answers(gateway.address, mint: mint, &random)
            let now = ContinuousClock.now
            longest = max(longest, now - servedAt)
            if isServed {
                servedAt = now
                try await Task.sleep(for: .milliseconds(20))
            } else {
                turn += 1
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        return longest
    }
}

extension ClusterWorld {
    /// Whether a grant to somebody of this mint is answered.
    func answers(_ address: String, mint: Int, _ random: inout Seeded) async throws -> Bool {
        let division = Division(mints: Self.mints)
        let book = clients.grants
        let all = book.sample(400, &random)
        guard let asked = all.first(where: { Int(division.mint(of: $0.order.person).rawValue) == mint + 1 }) else {
            return true
        }
        do {
            return try await clients.grantCaller(address).send([asked], as: .single) == 1
        } catch is Caller.Unanswered {
            return false
        }
    }
}
