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

/// Nodes that share one store, in one process.
struct Town: Sendable {
    let rig: EngineRig
    let store: SQLiteStore
    let division = Division(mints: 4)

    /// - Parameter hotTokens: where nodes put their tokens.
    init(hotTokens: (any HotTokens)? = nil) async throws {
        var rig = try EngineRig()
        rig.hotTokens = hotTokens
        self.rig = rig
        store = try await SQLiteStore.reopened(folder: rig.folder.path)
    }

    /// - Parameter silence: how long others wait before they take over; a busy machine delays beats.
    func house(_ name: String, silence: Duration = .seconds(60)) -> House {
        let engines = Engines(in: division, campaigns: rig.campaigns, clock: .system)
        var configuration = ClusterNode.Configuration(address: "http://\(name)", division: division)
        configuration.beat = .milliseconds(20)
        configuration.silence = silence
        let (rig, store) = (rig, store)
        let node = ClusterNode(configuration, store: store, engines: engines, clock: .system, logger: .silent) {
            (seat, campaigns) throws(StoreError) in
            var own = rig
            own.campaigns = campaigns
            own.configuration.seat = seat
            return try await own.start(store)
        }
        return House(engines: engines, services: [node])
    }

    func expectSound(_ grants: Int) async throws {
        let report = try await Audit.run(store, keyring: rig.keyring)
        #expect(report.holds, "\(report.checks.flatMap(\.breaches))")
        let accepted = try await store.read { (snapshot) throws(StoreError) in
            var count = 0
            for mint in try snapshot.mints() {
                count += try snapshot.batches(of: mint.id, after: 0, limit: 10_000).reduce(0) { $0 + $1.count }
            }
            return count
        }
        #expect(accepted == grants)
    }
}
