import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Audits everything again and again while the system runs: the role `reconcile` of a node (DP-2, RC-5).
///
/// Each audit is of one snapshot, so what it finds is broken and not just under way.
package final class Reconciler: Service {
    package struct Configuration: Hashable, Sendable {
        /// From the end of one audit to the beginning of the next.
        package var every = Duration.seconds(3_600)
        /// After one that came to no end, as when the store failed.
        package var again = Duration.seconds(10)
        /// 0 without limit.
        package var rowsPerSecond = 50_000
        /// How often it looks whether its turn has come.
        package var interval = Duration.seconds(1)
        /// How often it says how far it is.
        package var progressInterval = Duration.seconds(30)

        package init() {}
    }

    private struct State {
        var turns: AuditTurns
        /// Of the audit that is under way.
        var pace: AuditPace?
        /// Of that one's rows, what is counted.
        var counted = 0
        /// When the newest state was there that was found clean.
        var cleanAt: Duration
        var saidAt: Duration
    }

    private let shards: Shards
    private let keyring: Keyring
    private let configuration: Configuration
    private let clock: WallClock
    private let alarms: Alarms
    private let logger: Logger
    private let makePace: @Sendable () -> AuditPace
    /// The log is mostly what it was in the round before.
    private let signatures = VerifiedSignatures()
    private let state: Mutex<State>
    private let rows = Counter(label: "hongbao_reconcile_rows_total")
    private let roundSeconds = Gauge(label: "hongbao_reconcile_round_seconds")
    private let breaches = Gauge(label: "hongbao_reconcile_breaches")
    private let cleanAge = Gauge(label: "hongbao_reconcile_clean_age_seconds")

    /// - Parameters:
    ///   - pace: that of each audit; `nil`: as the configuration says.
    ///   - seed: random, for jitter.
    package init(
        _ shards: Shards,
        keyring: Keyring,
        configuration: Configuration = Configuration(),
        clock: WallClock = .system,
        pace: (@Sendable () -> AuditPace)? = nil,
        seed: UInt64,
        alarms: Alarms,
        logger: Logger
    ) {
        self.shards = shards
        self.keyring = keyring
        self.configuration = configuration
        self.clock = clock
        self.alarms = alarms
        self.logger = logger
        makePace = pace ?? { AuditPace(rowsPerSecond: configuration.rowsPerSecond, clock: clock) }
        let now = clock.uptime()
        let turns = AuditTurns(every: configuration.every, again: configuration.again, seed: seed, now: now)
        state = Mutex(State(turns: turns, cleanAt: now, saidAt: now))
        for outcome in Outcome.allCases { outcome.counter.increment(by: 0) }
    }

    /// Until graceful shutdown, also in the middle of an audit.
    package func run() async throws {
        await cancelOnShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.auditInTurn() }
                group.addTask { await self.tellInTime() }
            }
        }
    }

    private func auditInTurn() async {
        while !Task.isCancelled {
            if state.withLock({ $0.turns.isDue(clock.uptime()) }) {
                await audit()
            } else {
                await lookAtOthers()
            }
            await clock.pause(configuration.interval)
        }
    }

    private func lookAtOthers() async {
        do throws(StoreError) {
            guard try await shards.home.isReadAlone() else { return }
            state.withLock { $0.turns.sawAnother(clock.uptime()) }
        } catch {
            logger.debug("not known who audits", metadata: ["error": "\(error)"])
        }
    }

    // MARK: A round

    /// What became of one.
    private enum Outcome: String, CaseIterable {
        case clean, breach
        /// It came to no end.
        case broken
        /// Another process was at it.
        case left

        var counter: Counter { Counter(label: "hongbao_reconcile_rounds_total", dimensions: [("outcome", rawValue)]) }
    }

    private func audit() async {
        let pace = makePace()
        let began = clock.uptime()
        state.withLock { state in
            state.pace = pace
            state.counted = 0
            state.saidAt = began
        }
        let result = await withTaskCancellationHandler {
            await audited(pace)
        } onCancel: {
            pace.stop()
        }
        count()
        let now = clock.uptime()
        state.withLock { $0.pace = nil }
        let seconds = (now - began) / .seconds(1)
        let metadata: Logger.Metadata = ["rows": "\(pace.rows)", "seconds": "\(Int(seconds))"]
        switch result {
        case .success(let report?):
            roundSeconds.record(seconds)
            breaches.record(report.checks.reduce(0) { $0 + $1.breachCount })
            (report.holds ? Outcome.clean : .breach).counter.increment()
            state.withLock { state in
                state.turns.ended(now)
                if report.holds { state.cleanAt = began }
            }
            if report.holds { return logger.info("audited, every invariant holds", metadata: metadata) }
            tell(report)
        case .success(nil):
            Outcome.left.counter.increment()
            state.withLock { $0.turns.sawAnother(now) }
        case .failure where Task.isCancelled:
            Outcome.broken.counter.increment()
            logger.info("audit ended before its end", metadata: metadata)
        case .failure(let error):
            Outcome.broken.counter.increment()
            state.withLock { $0.turns.brokeOff(now) }
            logger.error("no audit", metadata: metadata.merging(["error": "\(error)"]) { $1 })
        }
        tellAge()
    }

    private func audited(_ pace: AuditPace) async -> Result<AuditReport?, StoreError> {
        do throws(StoreError) {
            return .success(
                try await Audit.runAlone(shards, keyring: keyring, signatures: signatures, pace: pace)
            )
        } catch {
            return .failure(error)
        }
    }

    private func tell(_ report: AuditReport) {
        let broken = report.checks.filter { $0.breachCount > 0 }
        for check in broken {
            let metadata: Logger.Metadata = [
                "invariant": "\(check.invariant)", "breaches": "\(check.breachCount)",
                "first": .array(check.breaches.map { "\($0)" }),
            ]
            logger.error("broken: \(check.title)", metadata: metadata)
        }
        let names = broken.map { "\($0.invariant) (\($0.breachCount))" }.joined(separator: ", ")
        alarms.raise(.auditBreach, "\(names): \(broken.first?.breaches.first ?? "")")
    }

    // MARK: How it goes

    private func tellInTime() async {
        while !Task.isCancelled {
            count()
            tellAge()
            await clock.pause(configuration.interval)
        }
    }

    private func tellAge() { cleanAge.record((clock.uptime() - state.withLock { $0.cleanAt }) / .seconds(1)) }

    private func count() {
        let now = clock.uptime()
        let (new, all, isToSay) = state.withLock { state in
            guard let pace = state.pace else { return (0, 0, false) }
            let all = pace.rows
            let new = all - state.counted
            state.counted = all
            let isToSay = now - state.saidAt >= configuration.progressInterval
            if isToSay { state.saidAt = now }
            return (new, all, isToSay)
        }
        rows.increment(by: new)
        if isToSay { logger.info("auditing", metadata: ["rows": "\(all)"]) }
    }
}
