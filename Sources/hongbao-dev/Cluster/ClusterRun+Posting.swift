import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoTesting

extension ClusterRun.Blow {
    var isToPosting: Bool { [.queueLeaderKilled, .queueKilled, .asyncKilled].contains(self) }
    var isToShard: Bool { [.shardKilled, .shardStalled, .shardMoved, .shardMovedUnseen].contains(self) }
    /// What is measured.
    var recovered: String {
        switch self {
        case .hotMasterKilled: "totals have caught up after"
        case .queryKilled: "wallets are shown after"
        case .reconcilerKilled: "an audit is clean after"
        case .shardKilled, .shardStalled: "the other people are served after"
        case .upgraded, .shardMoved: "nobody asked in vain for longer than"
        default: isToPosting ? "all is posted after" : "all are served after"
        }
    }
}

/// Blows to those who post for others, and to the queue that tells them what (DP-4, FC-5).
extension ClusterRun {
    /// Those that there is somebody for.
    var blows: [Blow] {
        options.blows.filter { blow in
            (options.asyncs > 0 || !blow.isToPosting) && (options.reconcilers > 0 || blow != .reconcilerKilled)
                && (options.queries > 0 || blow != .queryKilled) && (options.databases > 1 || !blow.isToShard)
        }
    }

    /// Does it, and answers how long it was until all that was accepted by then was posted. Then everything is as
    /// before.
    func strikePosting(_ blow: Blow, _ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        guard let queue = world.queue else { throw KillTestFault("there is no queue") }
        switch blow {
        case .queueLeaderKilled:
            let leader = await queue.leader() ?? 0
            try await queue.kill(leader)
            let recovery = try await untilPosted(world)
            try queue.start(leader)
            return recovery
        case .queueKilled:
            let began = ContinuousClock.now
            try await queue.killAll()
            let recovery = try await untilPosted(world)
            try await Task.sleep(until: began + .seconds(options.stallSeconds))
            // While it's away, too.
            _ = try await untilPosted(world)
            try await queue.startAll()
            return recovery
        default:
            let node = try one(of: world.members.filter { $0.role == .async }, &random)
            try await world.kill(node)
            let recovery = try await untilPosted(world)
            try await world.start(node)
            return recovery
        }
    }

    /// How long it takes until what is accepted by now is posted.
    private func untilPosted(_ world: ClusterWorld, within limit: Duration = .seconds(60)) async throws -> Duration {
        let began = ContinuousClock.now
        let accepted = try await world.mints { $0.lastSequence }
        while true {
            let posted = try await world.mints { $0.postedSequence }
            if accepted.allSatisfy({ posted[$0.key, default: 0] >= $0.value }) { return ContinuousClock.now - began }
            guard ContinuousClock.now - began < limit else {
                world.clients.grants.breach("M5: what was accepted isn't posted \(limit) later")
                return limit
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension ClusterWorld {
    /// Some, in a build that has a queue for them.
    static var asyncsByDefault: Int {
        #if NATS
            2
        #else
            0
        #endif
    }

    /// What a member does: core nodes post only when nobody else does.
    func roles(_ member: Member) -> String {
        member.role == .core && queue == nil ? "core,async" : member.role.rawValue
    }

    func mints(_ number: @Sendable (MintRecord) -> UInt64) async throws -> [MintID: UInt64] {
        try await Self.reading(clients.environment["HONGBAO_STORE_URL"] ?? "") { store in
            let mints = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
            return Dictionary(uniqueKeysWithValues: mints.map { ($0.id, number($0)) })
        }
    }
}
