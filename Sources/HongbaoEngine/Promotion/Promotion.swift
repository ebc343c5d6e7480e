package import HongbaoCore
package import Logging

/// Carries the books of a pilot, a process by itself on an embedded store, over into the empty database of a cluster,
/// and divides its people among the mints there (DP-1, DP-2).
///
/// Nothing of it counts until its last step. Broken off, it's done again from the beginning.
package struct Promotion: Sendable {
    package struct Report: Sendable {
        /// How many rows of each table were copied, and found the same afterwards.
        package fileprivate(set) var rows: [(table: String, count: Int)] = []
        /// Of the copy.
        package let audit: AuditReport
    }

    private let pilot: any Store & StoredTables
    private let target: any PromotionTarget
    private let division: Division
    private let keyring: Keyring
    private let campaigns: @Sendable () throws(StoreError) -> CampaignSet
    private let markPilot: @Sendable () throws(StoreError) -> Void
    private let clock: WallClock
    private let logger: Logger
    private let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - pilot: nobody else may write to it.
    ///   - campaigns: asked for when something is left to be posted.
    ///   - markPilot: sees to it that no process serves on the pilot's data from now on.
    ///   - say: told of the progress, a line at a time.
    package init(
        of pilot: any Store & StoredTables,
        to target: any PromotionTarget,
        among division: Division,
        keyring: Keyring,
        campaigns: @escaping @Sendable () throws(StoreError) -> CampaignSet,
        markPilot: @escaping @Sendable () throws(StoreError) -> Void,
        clock: WallClock = .system,
        logger: Logger,
        say: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.pilot = pilot
        self.target = target
        self.division = division
        self.keyring = keyring
        self.campaigns = campaigns
        self.markPilot = markPilot
        self.clock = clock
        self.logger = logger
        self.say = say
    }

    /// When the audit finds a breach, the promotion isn't finished, and the pilot can go on.
    package func run() async throws(StoreError) -> Report {
        try await target.prepare()
        try await postRest()
        let tables = try await target.tables()
        guard try await Set(pilot.tables()) == Set(tables) else {
            throw StoreError(.corrupt, "the tables of the pilot and of the database aren't the same")
        }
        try await target.begin()
        var rows: [(table: String, count: Int)] = []
        let copy = TableCopy(from: pilot, to: target)
        for table in tables { rows.append((table.name, try await self.copy(table, by: copy))) }
        for table in tables { try await copy.compare(table) }
        say("all rows are the same in both")
        try await target.divide(among: division.mints)
        let store = try await target.store()
        var footprint = Footprint()
        footprint.mints = division.all
        try await store.transact(footprint) { $0.divide() }
        say("auditing the copy")
        let report = Report(rows: rows, audit: try await Audit.run(store, keyring: keyring))
        guard report.audit.holds else { return report }
        // In this order: at no moment may both be used.
        try markPilot()
        try await target.finish()
        return report
    }

    /// In a division nobody but the first mint reads the pilot's log for what isn't posted yet.
    private func postRest() async throws(StoreError) {
        let mint = try await soleMint()
        guard mint.postedSequence < mint.lastSequence else { return }
        say("posting the last \(mint.lastSequence - mint.postedSequence) batches of the log")
        let campaigns = try campaigns()
        let reader = LogReader(wrappingKey: keyring.walletWrapping)
        for epoch in try await pilot.read({ (snapshot) throws(StoreError) in try snapshot.epochs() }) {
            try reader.learn(epoch)
        }
        let poster = Poster(
            store: pilot,
            reader: reader,
            tokens: TokenLists(),
            kinds: PoolKinds(store: pilot),
            isRetried: { campaigns.scene($0)?.isRetried ?? true },
            clock: clock,
            alarms: Alarms(logger: logger),
            logger: logger
        )
        while try await !poster.postNext() {}
    }

    private func copy(_ table: StoredTable, by copy: TableCopy) async throws(StoreError) -> Int {
        var said = 0
        let count = try await copy.copy(table) { count in
            guard count - said >= Self.rowsBetweenLines else { return }
            say("\(table.name): \(count) rows so far")
            said = count
        }
        say("\(table.name): \(count) rows")
        return count
    }

    private static let rowsBetweenLines = 500_000

    private func soleMint() async throws(StoreError) -> MintRecord {
        let mints = try await pilot.read { (snapshot) throws(StoreError) in try snapshot.mints() }
        guard let mint = mints.first else { throw StoreError(.unavailable, "no server has ever run on these data") }
        guard mints.count == 1, mint.id == .first, mint.mints == 1, mint.commonSequence == 0 else {
            throw StoreError(.unavailable, "these data are divided among mints already")
        }
        return mint
    }
}
