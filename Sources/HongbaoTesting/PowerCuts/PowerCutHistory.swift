import Foundation
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite

/// One disk and what happens on it: the store is opened, checked, used and closed, and somewhere in between the power
/// goes, a few times over.
struct PowerCutHistory {
    let options: PowerCuts.Options
    let seed: UInt64
    let cuts: Int

    private enum Doing { case opening, working, closing }

    /// `blank`: a folder with a prepared store.
    func run(from blank: TemporaryFolder) async throws -> PowerCutReport {
        let stage = Stage()
        return try await withTaskExecutorPreference(stage) { try await run(from: blank, on: stage) }
    }

    private func run(from blank: TemporaryFolder, on stage: Stage) async throws -> PowerCutReport {
        var random = Seeded(seed: seed)
        var report = PowerCutReport()
        let witness = Witness()
        var storeOptions = SQLiteStore.Options()
        storeOptions.readersMax = 2
        storeOptions.pageCacheBytes = 4 << 20
        storeOptions.syncs = options.syncs
        // Small, so that the log moves into the file often; and now and then never before it's closed.
        storeOptions.checkpointPages = Int.random(in: 4...120, using: &random)
        var folder = try TemporaryFolder()
        try CrashDisk(contentsOf: blank.path, seed: seed).writeSurvivors(to: folder.path)
        for _ in 0..<cuts {
            var diskOptions = CrashDisk.Options()
            diskOptions.cutAt = Self.moment(&random)
            diskOptions.liesAboutSyncs = options.liesAboutSyncs
            diskOptions.isTraced = options.isTraced
            let disk = try CrashDisk(contentsOf: folder.path, seed: random.next(), options: diskOptions)
            let life = Life(stage: stage, disk: disk, folder: folder.path, options: storeOptions, witness: witness)
            let doing = try await live(life, &report, &random)
            guard let doing else { return report }
            count(disk, doing, &report)
            folder = try TemporaryFolder()
            try disk.writeSurvivors(to: folder.path)
        }
        let disk = try CrashDisk(contentsOf: folder.path, seed: random.next())
        let life = Life(stage: stage, disk: disk, folder: folder.path, options: storeOptions, witness: witness)
        _ = try await live(life, &report, &random)
        report.acknowledged = witness.acknowledged
        return report
    }

    private static func moment(_ random: inout Seeded) -> CrashDisk.Moment {
        // Opening writes little, and nothing at all when there is a log to recover from.
        guard random.next(below: 5) > 0 else {
            return CrashDisk.Moment(.anyOperation, from: Int.random(in: 1...6, using: &random))
        }
        let kind = CrashDisk.Moment.Kind.allCases.randomElement(using: &random) ?? .anyOperation
        return CrashDisk.Moment(kind, from: Int.random(in: 1...400, using: &random))
    }

    private struct Life {
        let stage: Stage
        let disk: CrashDisk
        let folder: String
        let options: SQLiteStore.Options
        let witness: Witness
    }

    /// - Returns: what the store was doing when the power went; `nil` if it can't be opened any more.
    private func live(_ life: Life, _ report: inout PowerCutReport, _ random: inout Seeded) async throws -> Doing? {
        CrashVFS.mount(life.disk, at: life.folder)
        defer { CrashVFS.unmount(life.folder) }
        let store: SQLiteStore
        do throws(StoreError) {
            store = try SQLiteStore(folder: life.folder, options: life.options)
        } catch {
            if life.disk.isOff { return .opening }
            report.add(breach(.corrupt, "can't be opened: \(error)", report))
            return nil
        }
        // Reading isn't an operation: the power stays.
        var doing = Doing.opening
        if !life.disk.isOff {
            try await check(store, life, &report)
            doing = .working
            do throws(StoreError) {
                try await work(store, life, &random)
            } catch {
                report.add(breach(.corrupt, "can't be worked with: \(error)", report))
            }
        }
        if !life.disk.isOff { doing = .closing }
        do throws(StoreError) {
            try await store.close()
        } catch {
            if !life.disk.isOff { report.add(breach(.corrupt, "can't be closed: \(error)", report)) }
        }
        // What the closing has not synced can still go.
        life.disk.cutPower()
        return doing
    }

    private func check(_ store: SQLiteStore, _ life: Life, _ report: inout PowerCutReport) async throws {
        do throws(StoreError) {
            for problem in try await store.quickCheck() { report.add(breach(.corrupt, problem, report)) }
            let contents = try await store.read { snapshot throws(StoreError) in try StoreContents(snapshot) }
            let findings = life.witness.compare(with: contents)
            for (kind, text) in findings.breaches { report.add(breach(kind, text, report)) }
            report.untoldKept += findings.untoldKept
            report.untoldGone += findings.untoldGone
        } catch {
            report.add(breach(.corrupt, "can't be read: \(error)", report))
        }
    }

    private func work(_ store: SQLiteStore, _ life: Life, _ random: inout Seeded) async throws(StoreError) {
        var workload = try await PowerCutWorkload(store, life.stage, life.witness)
        life.disk.waitBeforeOperations(for: life.stage.moving)
        defer { life.disk.waitBeforeOperations(for: nil) }
        for _ in 0..<Int.random(in: 1...16, using: &random) where !life.disk.isOff {
            await workload.round(&random)
        }
    }

    private func breach(
        _ kind: PowerCutReport.Breach.Kind,
        _ text: String,
        _ report: PowerCutReport
    ) -> PowerCutReport.Breach {
        PowerCutReport.Breach(kind: kind, seed: seed, cut: report.cuts, text: text)
    }

    private func count(_ disk: CrashDisk, _ doing: Doing, _ report: inout PowerCutReport) {
        report.cuts += 1
        report.operations += disk.operations
        switch doing {
        case .opening: report.whileOpening += 1
        case .working: report.whileWorking += 1
        case .closing: report.whileClosing += 1
        }
        if disk.cut?.file == SQLiteStore.fileName { report.inCheckpoints += 1 }
        if options.isTraced {
            report.trace += disk.trace.map { "\(seed)/\(report.cuts) \($0)" }
            report.trace.append("\(seed)/\(report.cuts) cut while \(doing)")
        }
    }
}
