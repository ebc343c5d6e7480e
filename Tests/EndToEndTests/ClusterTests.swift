#if MySQL
    import HongbaoTesting
    import Testing

    @testable import hongbao_dev

    /// A cluster of real processes on a real MariaDB (DP-2). Its suites are two, each of one test at a time: a cluster
    /// is twenty processes, and how long people are refused has bounds, which six clusters on a machine can't keep.
    private func clusterRun(
        _ blows: [ClusterRun.Blow],
        stallSeconds: Int = 6,
        gateways: Int = 1,
        times: Int = 1
    ) async throws -> ClusterRun.Report {
        let folder = try TemporaryFolder()
        var options = ClusterRun.Options(programs: try FaultWorld.Programs.built(), folder: folder.path)
        options.campaignFile = "\(BuiltProgram.package)/campaigns/spring-festival-2022.yaml"
        options.times = times
        options.blows = blows
        options.gateways = gateways
        options.asyncs = ClusterWorld.asyncsByDefault
        options.stallSeconds = stallSeconds
        options.wait = .milliseconds(20)
        return try await ClusterRun(options: options).run()
    }

    /// Members are lost.
    @Suite(.serialized, .timeLimit(.minutes(15))) struct ClusterTests {
        /// M3, M9: a node that is stopped for half a minute, replaced, and goes on where it was can neither accept nor
        /// pay anything twice.
        @Test func theStalledCanDoNothingTwice() async throws {
            let report = try await clusterRun([.coreStalled], stallSeconds: 30)
            #expect(report.verdict.breaches.isEmpty, "\(report.verdict.breaches)")
            #expect(report.verdict.acknowledged > 1_000 && report.verdict.withdrawals.paid > 0)
            let recovery = try #require(report.recoveries[.coreStalled]?.first)
            // Others have taken over before it went on.
            #expect(recovery < .seconds(30))
        }

        /// GR-5, FC-5, FC-8, WL-3: what is killed is replaced, posting goes on without the queue and without one of
        /// those who post, wallets say what they leave out, and the ledger has what the clients were told.
        @Test func theKilledAreReplaced() async throws {
            let posting: [ClusterRun.Blow] = [.queueLeaderKilled, .queueKilled, .asyncKilled]
            let report = try await clusterRun([.coreKilled, .databaseKilled, .coreRestarted, .queryKilled] + posting)
            #expect(report.verdict.breaches.isEmpty, "\(report.verdict.breaches)")
            #expect(report.verdict.booked >= report.verdict.acknowledged)
            #expect(report.recoveries.count == (ClusterWorld.asyncsByDefault > 0 ? 7 : 4))
            let longest = posting.flatMap { report.recoveries[$0] ?? [] }.max() ?? .zero
            #expect(longest < .seconds(20))
        }

        /// DP-3, CT-3, RC-5, FC-8: the primary is lost under load, alone and with one of everything, and comes back as
        /// a replica. Nothing that was acknowledged is lost; while the replica is away, nothing is acknowledged. A
        /// master of the Redis Cluster that lost everything gets it back; a reconcile node that was killed in its work
        /// begins anew, and no audit takes what is under way for broken.
        @Test func theBackupTakesOver() async throws {
            let databases: [ClusterRun.Blow] = [.databaseLost, .databaseSwitched, .replicaKilled, .cellLost]
            let report = try await clusterRun(databases + [.hotMasterKilled, .reconcilerKilled], gateways: 2)
            #expect(report.verdict.breaches.isEmpty, "\(report.verdict.breaches)")
            #expect(report.recoveries.count == 6 && report.verdict.booked >= report.verdict.acknowledged)
        }
    }

    /// What an operator does while people are served.
    @Suite(.serialized, .timeLimit(.minutes(15))) struct ClusterChangeTests {
        /// DP-3, FC-8: the database of a part of the people is moved to another server and back under load, also past a
        /// node that is stopped; and a node that starts meanwhile finds it from settings that name the old one.
        @Test func aPartIsMoved() async throws {
            let report = try await clusterRun([.shardMoved, .shardMovedUnseen, .coreKilled], times: 2)
            #expect(report.verdict.breaches.isEmpty, "\(report.verdict.breaches)")
            #expect(report.recoveries.values.map(\.count) == [2, 2, 2])
            #expect(report.verdict.acknowledged > 1_000 && report.verdict.booked >= report.verdict.acknowledged)
        }

        /// FC-8: all nodes run another program in the end, and whoever asked again for fifteen seconds was served.
        @Test func anUpgradeRefusesNobodyForLong() async throws {
            let report = try await clusterRun([.upgraded], gateways: 2)
            #expect(report.verdict.breaches.isEmpty, "\(report.verdict.breaches)")
            #expect(report.recoveries.count == 1 && report.verdict.booked >= report.verdict.acknowledged)
        }
    }
#endif
