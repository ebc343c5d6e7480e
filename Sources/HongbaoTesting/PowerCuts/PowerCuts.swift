import HongbaoCore
import HongbaoEngine
package import HongbaoSQLite

/// Cuts the power under the real store again and again, at operations chosen by seeds, and holds that what survives is
/// what was acknowledged, whole (GR-5, M5).
package struct PowerCuts: Sendable {
    package struct Options: Sendable {
        package var cuts = 10_000
        /// Of the first disk; the next ones have the next numbers.
        package var seed: UInt64 = 1
        /// How many power cuts one disk lives through.
        package var cutsPerDisk = 10
        package var syncs = SQLiteStore.Syncs.withEachCommit
        package var liesAboutSyncs = false
        /// Disks at the same time: more than processors, as a disk's threads often wait for each other.
        package var width = 8
        /// Keeps all operations of the disks, and prints them.
        package var isTraced = false

        package init() {}
    }

    package let options: Options

    package init(options: Options) { self.options = options }

    /// `onProgress` is called after each disk with the report so far.
    package func run(onProgress: (PowerCutReport) -> Void = { _ in }) async throws -> PowerCutReport {
        let blank = try await Self.blankFolder()
        var left = (0..<(options.cuts + options.cutsPerDisk - 1) / options.cutsPerDisk).makeIterator()
        var report = PowerCutReport()
        try await withThrowingTaskGroup(of: PowerCutReport.self) { group in
            func startNext() {
                guard let index = left.next() else { return }
                let cuts = min(options.cutsPerDisk, options.cuts - index * options.cutsPerDisk)
                let history = PowerCutHistory(options: options, seed: options.seed &+ UInt64(index), cuts: cuts)
                group.addTask { try await history.run(from: blank) }
            }
            for _ in 0..<options.width { startNext() }
            while let part = try await group.next() {
                report.add(part)
                onProgress(report)
                startNext()
            }
        }
        return report
    }

    /// A new store, made on the real disk, with budgets and mints.
    private static func blankFolder() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let store = try await SQLiteStore.reopened(folder: folder.path)
        try await PowerCutWorkload.prepare(store)
        try await store.close()
        return folder
    }
}

/// What power cuts did.
package struct PowerCutReport: Hashable, Sendable {
    package struct Breach: Hashable, Sendable {
        package enum Kind: String, Sendable, CaseIterable {
            /// What was acknowledged, or seen after an earlier cut, is gone.
            case lost
            /// A part of a transaction is there.
            case half
            /// What was said not to have happened, or was gone after an earlier cut, is there.
            case ghost
            /// The file isn't sound, the books contradict themselves, or the store can't be opened.
            case corrupt
        }

        package let kind: Kind
        /// Of the disk.
        package let seed: UInt64
        /// The cut after which it was found.
        package let cut: Int
        package let text: String
    }

    package var cuts = 0
    /// Cuts by what the store was doing.
    package var whileOpening = 0
    package var whileWorking = 0
    package var whileClosing = 0
    /// Of all cuts, those that fell on the file itself, as a checkpoint or the closing moves the log into it.
    package var inCheckpoints = 0
    /// Writes, syncs and the like, until the cuts.
    package var operations = 0
    /// Transactions.
    package var acknowledged = 0
    /// Transactions without an answer: those that were there afterwards, and those that weren't.
    package var untoldKept = 0
    package var untoldGone = 0
    /// Of disks with breaches.
    package var seeds: Set<UInt64> = []
    package var breaches: [Breach.Kind: Int] = [:]
    /// The first ones.
    package var examples: [Breach] = []
    package var trace: [String] = []

    package init() {}

    static let examplesMax = 20

    package var breachCount: Int { breaches.values.reduce(0, +) }
    package func count(_ kind: Breach.Kind) -> Int { breaches[kind] ?? 0 }

    mutating func add(_ breach: Breach) {
        breaches[breach.kind, default: 0] += 1
        seeds.insert(breach.seed)
        if examples.count < Self.examplesMax { examples.append(breach) }
    }

    mutating func add(_ other: Self) {
        cuts += other.cuts
        whileOpening += other.whileOpening
        whileWorking += other.whileWorking
        whileClosing += other.whileClosing
        inCheckpoints += other.inCheckpoints
        operations += other.operations
        acknowledged += other.acknowledged
        untoldKept += other.untoldKept
        untoldGone += other.untoldGone
        seeds.formUnion(other.seeds)
        breaches.merge(other.breaches, uniquingKeysWith: +)
        examples += other.examples.prefix(Self.examplesMax - examples.count)
        trace += other.trace
    }
}
