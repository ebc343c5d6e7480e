package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// What came of asking for a campaign's running total.
package enum TotalAnswer: Hashable, Sendable {
    case total(PhaseKind, TotalReading)
    case campaignUnknown
    /// No phase of it has begun.
    case notInPhase
    /// No hot state has answered since the start.
    case unavailable
}

/// The running totals of all campaigns: what was given, over all nodes (CT-1, CT-2).
///
/// What `Granting` has made durable is added here, in memory. At every interval this mint's part goes to both hot
/// states, and what they answer is shown, if it's more. Parts are what the log says, so a flush that fails or is sent
/// twice changes nothing in the end, and a hot state that has lost everything gets it back.
package final class SharedTotals: Service {
    package struct Configuration: Sendable {
        /// Between two flushes. Hot states bear as many calls a second as there are nodes, divided by this (CT-4).
        package var interval = Duration.seconds(1)
        /// Flushes between two comparisons of the hot states.
        package var flushesPerMending = 60
        /// Whether what is shown comes from the backup; `setReadsBackup` changes it later.
        package var readsBackup = false

        package init() {}
    }

    private let mint: MintID
    private let campaigns: Campaigns
    private let hot: HotTotalsPair
    private let clock: WallClock
    private let configuration: Configuration
    private let alarms: Alarms
    private let logger: Logger
    private let totals: Mutex<[BookID: SharedTotal]>
    /// What other mints had given when the log was read, as far as a hot state hasn't been told.
    private let owed: Mutex<[HotTotalsPair.Place: [TotalPart]]>
    /// What each hot state lacked when they were compared last.
    private let doubted: Mutex<[HotTotalsPair.Place: [TotalPart]]>
    private let isReadingBackup: Atomic<Bool>
    private let lastReading: Mutex<Duration>
    private let ageGauge = Gauge(label: "hongbao_totals_age_seconds")
    private let faults: [HotTotalsPair.Place: Counter]
    private let mended: [HotTotalsPair.Place: Counter]

    /// - Parameter given: of each mint, what the log says that it has given.
    init(
        mint: MintID,
        given: GivenTotals,
        campaigns: Campaigns,
        hot: HotTotalsPair,
        clock: WallClock,
        configuration: Configuration,
        alarms: Alarms,
        logger: Logger
    ) {
        self.mint = mint
        self.campaigns = campaigns
        self.hot = hot
        self.clock = clock
        self.configuration = configuration
        self.alarms = alarms
        self.logger = logger
        var totals: [BookID: SharedTotal] = [:]
        var others: [TotalPart] = []
        for part in given.parts {
            if part.mint == mint {
                let before = Mutant.isOn(.forgetsGivenAtStart) ? .zero : part.tally
                totals[part.book] = SharedTotal(book: part.book, part: before)
            } else {
                others.append(part)
            }
        }
        for other in others where totals[other.book] == nil { totals[other.book] = SharedTotal(book: other.book) }
        self.totals = Mutex(totals)
        owed = Mutex([.main: others, .backup: others])
        doubted = Mutex([:])
        isReadingBackup = Atomic(configuration.readsBackup)
        lastReading = Mutex(clock.uptime())
        faults = Self.counters("hongbao_totals_faults_total")
        mended = Self.counters("hongbao_totals_mended_parts_total")
    }

    /// Nothing has been given yet.
    package convenience init(mint: MintID, campaigns: Campaigns, hot: HotTotalsPair, logger: Logger) {
        self.init(
            mint: mint,
            given: GivenTotals(),
            campaigns: campaigns,
            hot: hot,
            clock: .system,
            configuration: Configuration(),
            alarms: Alarms(logger: logger),
            logger: logger
        )
    }

    private static func counters(_ label: String) -> [HotTotalsPair.Place: Counter] {
        Dictionary(
            uniqueKeysWithValues: HotTotalsPair.Place.allCases.map { place in
                (place, Counter(label: label, dimensions: [("hot_state", place.rawValue)]))
            }
        )
    }

    /// The total of a book, which begins at nothing.
    package func total(of book: BookID) -> SharedTotal {
        totals.withLock { totals in
            if let total = totals[book] { return total }
            let total = SharedTotal(book: book)
            totals[book] = total
            return total
        }
    }

    /// Counts grants that have just become durable.
    func add(_ payloads: [GrantPayload]) {
        for (book, tally) in Tally.byBook(payloads) { total(of: book).add(tally) }
    }

    /// The total of the phase that is shown now. Asks nobody.
    package func read(campaign key: String) -> TotalAnswer {
        guard let campaign = campaigns.current.campaign(key) else { return .campaignUnknown }
        guard let phase = campaign.phaseShown(at: clock.now()) else { return .notInPhase }
        guard let reading = total(of: phase.book).reading else { return .unavailable }
        return .total(phase.kind, reading)
    }

    /// Whether what is shown comes from the backup, from the next flush on (an operator's switch; both are written in
    /// any case, CT-3).
    package func setReadsBackup(_ readsBackup: Bool) { isReadingBackup.store(readsBackup, ordering: .relaxed) }

    // MARK: Flushing

    package func run() async throws {
        await cancelOnShutdown {
            var flushes = 0
            while !Task.isCancelled {
                await self.clock.pause(self.configuration.interval)
                if Task.isCancelled { return }
                await self.flush()
                flushes += 1
                let place = flushes % self.configuration.flushesPerMending
                if place == 0 || place == 1 && self.isInDoubt { await self.mend() }
            }
        }
        // What was made durable during the shutdown is shown on other nodes, too.
        await flush()
    }

    /// Tells both hot states what this mint has given, and shows what the one that is read answers.
    ///
    /// Calls may overlap: parts are only raised, and so is what is shown.
    package func flush() async {
        for phase in campaigns.current.campaigns.flatMap(\.phases) { _ = total(of: phase.book) }
        let all = totals.withLock { $0.values.sorted { $0.book < $1.book } }
        let parts = all.map { TotalPart(book: $0.book, mint: mint, tally: $0.gather()) }
        let shownPlace: HotTotalsPair.Place = isReadingBackup.load(ordering: .relaxed) ? .backup : .main
        for place in HotTotalsPair.Place.allCases {
            let owed = owed.withLock { $0[place] ?? [] }
            // The sums that count are those after everything is in.
            guard let sums = await raise(owed + parts, in: place) else {
                if Mutant.isOn(.addsLostFlushAgain) { for part in parts { total(of: part.book).add(part.tally) } }
                continue
            }
            if !owed.isEmpty { self.owed.withLock { $0[place] = nil } }
            if place == shownPlace { show(sums, in: all) }
        }
        let age = clock.uptime() - lastReading.withLock { $0 }
        ageGauge.record(age / .seconds(1))
    }

    private func raise(_ parts: [TotalPart], in place: HotTotalsPair.Place) async -> [BookID: Tally]? {
        do throws(HotTotalsFault) {
            return try await hot[place].raise(parts)
        } catch {
            note(error, of: place)
            return nil
        }
    }

    private func show(_ sums: [BookID: Tally], in totals: [SharedTotal]) {
        let now = clock.now()
        for total in totals {
            if let sum = sums[total.book] { total.show(sum, at: now) }
        }
        lastReading.withLock { $0 = clock.uptime() }
    }

    private func note(_ fault: HotTotalsFault, of place: HotTotalsPair.Place) {
        faults[place]?.increment()
        logger.debug("totals", metadata: ["hot_state": "\(place.rawValue)", "fault": "\(fault)"])
    }

    // MARK: Mending

    /// Compares the hot states, and gives each what only the other one has (CT-3): mostly parts of mints that are gone,
    /// which nobody flushes any more.
    ///
    /// Nodes write to one after the other, so what one lacks may be under way. What it still lacks at the next
    /// comparison isn't: then somebody should know.
    package func mend() async {
        let books = totals.withLock { $0.keys.sorted() }
        guard let main = await parts(of: books, in: .main), let backup = await parts(of: books, in: .backup) else {
            return
        }
        for (place, own, other) in [(HotTotalsPair.Place.main, main, backup), (.backup, backup, main)] {
            let missing = Self.missing(in: own, of: other)
            let doubted = doubted.withLock { doubted in doubted.updateValue(missing, forKey: place) ?? [] }
            let lost = Self.missing(in: own, of: doubted)
            guard !lost.isEmpty else { continue }
            alarms.raise(.totalsDiffer, "the \(place.rawValue) hot state lacks \(lost.count) parts of running totals")
            guard await raise(missing, in: place) != nil else { continue }
            mended[place]?.increment(by: missing.count)
        }
    }

    /// Whether one lacked something when they were compared last.
    private var isInDoubt: Bool { doubted.withLock { $0.values.contains { !$0.isEmpty } } }

    private func parts(of books: [BookID], in place: HotTotalsPair.Place) async -> [TotalPart]? {
        do throws(HotTotalsFault) {
            return try await hot[place].parts(of: books)
        } catch {
            note(error, of: place)
            return nil
        }
    }

    /// The parts of the second that are larger than those of the first.
    private static func missing(in first: [TotalPart], of second: [TotalPart]) -> [TotalPart] {
        struct Key: Hashable {
            let book: BookID
            let mint: MintID
        }
        var known: [Key: Tally] = [:]
        for part in first { known[Key(book: part.book, mint: part.mint)] = part.tally }
        return second.filter { part in
            let tally = known[Key(book: part.book, mint: part.mint)] ?? .zero
            return tally.raised(to: part.tally) != tally
        }
    }
}
