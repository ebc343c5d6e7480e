import AsyncHTTPClient
import Foundation
import HongbaoTesting
import NIOCore
import NIOHTTP1

/// Blows to those who compare, and to what is compared: hot states and audits (CT-3, RC-5).
extension ClusterRun {
    /// How long it is, after it's back and empty, until all nodes show what was acknowledged by then.
    func strikeHotMaster(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let master = try await world.hotCluster.holder()
        let struck = try master ?? one(of: world.hotCluster.servers, &random)
        try await struck.kill()
        _ = try await untilAllAnswer(world, world.gateways.map(\.address), &random)
        // Long enough for the others to take it for lost.
        try await Task.sleep(for: .seconds(4))
        try await struck.start()
        let began = ContinuousClock.now
        let count = world.clients.grants.counts.acknowledged
        if try await !world.showsTotal(within: .seconds(60), { $0 >= count }) {
            world.clients.grants.breach("CT-3: a minute later some node shows less than \(count) grants")
        }
        return ContinuousClock.now - began
    }

    /// Also in the middle of an audit. How long it is, after it's back, until it has come to the end of one.
    func strikeReconciler(_ world: ClusterWorld, _ random: inout Seeded) async throws -> Duration {
        let node = try one(of: world.reconcilers, &random)
        try await world.kill(node)
        try await world.start(node)
        let began = ContinuousClock.now
        try await world.untilAudited(node)
        return ContinuousClock.now - began
    }
}

extension ClusterWorld {
    var reconcilers: [Member] { members.filter { $0.role == .reconcile } }

    // MARK: Audits

    private static let clean = #"hongbao_reconcile_rounds_total{outcome="clean"}"#

    /// Whether it audited all that there was when this was asked.
    func untilAudited(_ node: Member) async throws {
        let caller = clients.grantCaller(node.address)
        let before = try await caller.metric(Self.clean)
        // An audit takes as long as there is data, and one may have begun before.
        let end = ContinuousClock.now + .seconds(900)
        while try await caller.metric(Self.clean) < before + 2 {
            guard ContinuousClock.now < end else {
                return clients.grants.breach("RC-5: \(node.name) has come to the end of no audit in 15 minutes")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// No audit has found anything in all that time, and one has seen the end.
    func checkAudits() async throws {
        // With several of them, one does all.
        if reconcilers.count == 1 { for node in reconcilers { try await untilAudited(node) } }
        for node in reconcilers {
            let log = FileManager.default.contents(atPath: "\(clients.folder)/\(node.name)/log") ?? Data()
            let lines = String(decoding: log, as: UTF8.self).split(separator: "\n")
            for line in lines where line.contains("audit_breach") {
                clients.grants.breach("RC-5: \(node.name) says: \(line)")
            }
        }
    }

    // MARK: Running totals

    /// All nodes that have people show the same as the ledger has.
    func checkTotals() async throws {
        let booked = try await clients.readRows().grants.count
        if try await !showsTotal(within: .seconds(60), { $0 == booked }) {
            clients.grants.breach("CT-2: \(booked) grants are booked; nodes show \(try await totals())")
        }
    }

    /// Whether all core nodes come to show it.
    func showsTotal(within limit: Duration, _ isEnough: (Int) -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + limit
        while true {
            if try await totals().allSatisfy({ $0.map(isEnough) ?? false }) { return true }
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// What each core node shows, in grants; `nil` when it shows nothing.
    private func totals() async throws -> [Int?] {
        struct View: Decodable { let count: Int }
        var totals: [Int?] = []
        for core in cores {
            let request = HTTPClientRequest(url: "\(core.address)/v1/totals/\(KillTest.campaign)")
            let response = try await clients.client.execute(request, timeout: .seconds(30))
            let bytes = try await response.body.collect(upTo: 1 << 16)
            guard response.status == .ok else {
                totals.append(nil)
                continue
            }
            totals.append(try JSONDecoder().decode(View.self, from: Data(bytes.readableBytesView)).count)
        }
        return totals
    }
}
