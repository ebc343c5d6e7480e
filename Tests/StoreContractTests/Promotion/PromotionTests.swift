import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

/// A pilot becomes a cluster (DP-1): its people are divided among mints, and each of these knows what was granted to
/// its own before.
@Suite(.timeLimit(.minutes(10))) struct PromotionTests {
    static func promotion(
        of pilot: Pilot,
        _ store: SQLiteStore,
        to target: any PromotionTarget,
        mints: Int = 3,
        mark: @escaping @Sendable () throws(StoreError) -> Void = {}
    ) -> Promotion {
        Promotion(
            of: store,
            to: target,
            among: Division(mints: mints),
            keyring: pilot.rig.keyring,
            campaigns: { pilot.rig.campaigns },
            markPilot: mark,
            clock: WallClock { pilot.rig.clock.now },
            logger: .silent
        )
    }

    @Test(arguments: [1, 3]) func everybodyFindsWhatTheyHad(mints: Int) async throws {
        let pilot = try await Pilot.made()
        let folder = try TemporaryFolder()
        let target = try await SQLiteTarget(folder)
        let store = try await SQLiteStore.reopened(folder: pilot.rig.folder.path)
        let before = try await store.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        #expect(before.map { $0.lastSequence - $0.postedSequence > 5 } == [true])
        let report = try await Self.promotion(of: pilot, store, to: target, mints: mints).run()
        #expect(report.audit.holds, "\(report.audit.checks.flatMap(\.breaches))")
        // Only a division has these.
        let empty = report.rows.filter { $0.count == 0 }.map(\.table)
        #expect(empty == ["merged_order", "pending_merge"])
        #expect(await target.calls == ["prepare", "begin", "divide", "finish"])
        try await store.close()
        if mints > 1 {
            try await PromotedTown.expectToGoOn(pilot, on: try await target.store(), mints: mints)
        } else {
            try await PromotedTown.run(pilot, on: try await target.store(), mints: 1) { town in
                town.expectDivided(pilot.grants.count)
                try await town.expectWallets()
            }
        }
        try await target.close()
    }

    /// Who was a pilot's can turn out to be a person of another mint.
    @Test func namesOfThePilotAreMergedOn() async throws {
        let pilot = try await Pilot.made(unposted: 0)
        let folder = try TemporaryFolder()
        let target = try await SQLiteTarget(folder)
        let store = try await SQLiteStore.reopened(folder: pilot.rig.folder.path)
        _ = try await Self.promotion(of: pilot, store, to: target, mints: 4).run()
        try await store.close()
        let promoted = try await target.store()
        try await PromotedTown.run(pilot, on: promoted, mints: 4) { town in try await town.expectMerge() }
        let report = try await Audit.run(promoted, keyring: pilot.rig.keyring)
        #expect(report.holds && report.totals.personsMerged == 2, "\(report.checks.flatMap(\.breaches))")
        try await target.close()
    }

    /// A copy that isn't whole is never used, and the pilot goes on.
    @Test(arguments: ["transfer", "merge", "mint"]) func lostRowsAreFound(table: String) async throws {
        let pilot = try await Pilot.made(unposted: 0)
        let folder = try TemporaryFolder()
        let target = try await SQLiteTarget(folder, losing: table)
        let store = try await SQLiteStore.reopened(folder: pilot.rig.folder.path)
        let isMarked = Mutex(false)
        await expect(.corrupt) {
            let promotion = Self.promotion(of: pilot, store, to: target) { isMarked.withLock { $0 = true } }
            _ = try await promotion.run()
        }
        #expect(await !target.calls.contains("finish") && !isMarked.withLock { $0 })
        try await store.close()
        try await target.close()
        try await pilot.rig.run { engine in #expect(engine.granting.orderCount == pilot.grants.count) }
    }

    /// A copy whose books don't add up isn't used either.
    @Test func breachesStopIt() async throws {
        let pilot = try await Pilot.made(unposted: 0)
        let folder = try TemporaryFolder()
        let target = try await SQLiteTarget(folder)
        let store = try await SQLiteStore.reopened(folder: pilot.rig.folder.path)
        // A transfer that no order stands behind.
        #expect(try await store.post([Fixture.grant(to: 1, 5, rain: 999)]) == [.posted])
        let report = try await Self.promotion(of: pilot, store, to: target).run()
        #expect(!report.audit.holds)
        #expect(await !target.calls.contains("finish"))
        try await store.close()
        try await target.close()
    }

    /// What was divided before isn't divided again, and where no server ever ran there is nothing to promote.
    @Test func onlyPilotsArePromoted() async throws {
        let pilot = try await Pilot.made(unposted: 0)
        let (folder, next) = (try TemporaryFolder(), try TemporaryFolder())
        let target = try await SQLiteTarget(folder)
        let store = try await SQLiteStore.reopened(folder: pilot.rig.folder.path)
        _ = try await Self.promotion(of: pilot, store, to: target).run()
        try await store.close()
        try await target.close()
        let divided = try await SQLiteStore.reopened(folder: folder.path)
        let second = try await SQLiteTarget(next)
        await expect(.unavailable) { _ = try await Self.promotion(of: pilot, divided, to: second).run() }
        try await divided.close()
        let empty = try await SQLiteStore.reopened(folder: next.path)
        await expect(.unavailable) { _ = try await Self.promotion(of: pilot, empty, to: second).run() }
        #expect(await second.calls == ["prepare", "prepare"])
        try await empty.close()
    }

    // MARK: The data folder

    /// Refuses with words that tell what to do.
    static func expectRefused(_ words: String, _ open: () async throws -> SQLiteStore) async {
        await #expect {
            _ = try await open()
        } throws: { error in
            "\(error)".contains(words)
        }
    }

    @Test func runningPilotIsRefused() async throws {
        let folder = try TemporaryFolder()
        let data = DataFolder(folder.path)
        await Self.expectRefused("there is no data in") { try await data.openToPromote(to: "there") }
        let (store, _) = try await data.open()
        await Self.expectRefused("is in use by another hongbao process") { try await data.openToPromote(to: "there") }
        try await store.close()
    }

    /// Two stores with the same people must not both go on.
    @Test func promotedPilotIsNotServedAgain() async throws {
        let folder = try TemporaryFolder()
        let data = DataFolder(folder.path)
        try await data.open().store.close()
        try data.markPromoted(to: "mysql://there")
        await Self.expectRefused("says that these data were promoted to mysql://there") {
            try await data.open().store
        }
        await Self.expectRefused("says that these data were promoted to mysql://there") {
            try await data.openToWrite()
        }
        await Self.expectRefused("promoted to another place, mysql://there") {
            try await data.openToPromote(to: "mysql://elsewhere")
        }
        // What was refused has let go of the folder. A promotion that broke off at its end is done again.
        try await data.openToPromote(to: "mysql://there").close()
        // Looking on is allowed.
        try await data.openStore(.readOnly).close()
        try FileManager.default.removeItem(atPath: folder.file("promoted"))
        try await data.openToWrite().close()
    }
}
