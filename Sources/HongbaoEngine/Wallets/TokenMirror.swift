import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Brings what enters and leaves the token lists of an engine into a hot state (TK-5), behind grants and postings.
///
/// Whatever the hot state may have lost is written anew from the lists: a part that didn't take a write, or of which
/// more changed than is kept. Until it's complete again, nobody reads it.
package final class TokenMirror: Service {
    package struct Configuration: Sendable {
        package var interval = Duration.milliseconds(20)
        /// How often a part is written in which nothing changes: well within its validity.
        package var beat = Duration.seconds(2)
        /// How often all of a part is written, so that nothing is forgotten that waits for long.
        package var refresh = Duration.seconds(1_200)
        /// How long the hot state is left alone after a fault.
        package var pause = Duration.milliseconds(500)
        /// Tokens in one write.
        package var changesMax = 500
        /// Tokens that are written anew at a time.
        package var anewMax = 20_000

        package init() {}
    }

    /// Why a part is written anew.
    private enum Reason: String, CaseIterable { case start, overflow, fault, lost }

    private struct Part {
        var why: Reason? = .start
        var round: UInt64 = 0
        var number: UInt64 = 0
        var wroteAt = Duration.zero
        var wroteAllAt = Duration.zero
    }

    /// What is to be written to a part, and how much of it has been.
    private struct Work {
        let part: Int
        let begins: Bool
        var added: ArraySlice<OpenGrant>
        var removed: ArraySlice<OrderNumber>
        var isBegun = false
        var isDone: Bool { isBegun && added.isEmpty && removed.isEmpty }
    }

    private let tokens: TokenLists
    private let hot: any HotTokens
    private let mint: MintID
    private let epoch: UInt32
    private let clock: WallClock
    private let configuration: Configuration
    private let logger: Logger
    private let parts: Mutex<[Part]>
    /// When everything that the lists had was in the hot state.
    private let upToDateAt: Mutex<Duration>
    private let lag: Gauge
    private let anew: [Reason: Counter]
    private let faults = Counter(label: "hongbao_hot_tokens_faults_total", dimensions: [("call", "write")])

    /// - Parameter epoch: the mint's when its engine started.
    package init(
        _ tokens: TokenLists,
        to hot: any HotTokens,
        seat: Seat,
        epoch: UInt32,
        clock: WallClock,
        configuration: Configuration = Configuration(),
        logger: Logger
    ) {
        self.tokens = tokens
        self.hot = hot
        mint = seat.mint
        self.epoch = epoch
        self.clock = clock
        self.configuration = configuration
        self.logger = logger
        parts = Mutex(Array(repeating: Part(), count: TokenPart.count))
        upToDateAt = Mutex(clock.uptime())
        lag = Gauge(label: "hongbao_hot_tokens_lag_seconds", dimensions: seat.dimensions)
        anew = Dictionary(
            uniqueKeysWithValues: Reason.allCases.map {
                ($0, Counter(label: "hongbao_hot_tokens_anew_total", dimensions: [("reason", $0.rawValue)]))
            }
        )
    }

    /// Until graceful shutdown, and then once more: what was accepted last is shown while the mint is handed over.
    package func run() async throws {
        await cancelOnShutdown {
            var isAway = false
            while !Task.isCancelled {
                let isWell = await self.flush()
                if !isWell, !isAway { self.logger.warning("tokens aren't in the hot state") }
                if isWell, isAway { self.logger.notice("all tokens are in the hot state again") }
                isAway = !isWell
                await self.clock.pause(isWell ? self.configuration.interval : self.configuration.pause)
            }
        }
        _ = await flush()
        for part in 0..<TokenPart.count { tokens.end(part) }
    }

    /// Answers whether everything that the lists had when it began is in the hot state now.
    package func flush() async -> Bool {
        let began = clock.uptime()
        var isWell = await write(changes(began), began)
        while isWell {
            let work = begin(began)
            guard !work.isEmpty else { break }
            isWell = await write(work, began)
        }
        let upToDateAt = upToDateAt.withLock { time in
            if isWell { time = began }
            return time
        }
        let age = clock.uptime() - upToDateAt
        lag.record(age / .seconds(1))
        return isWell
    }

    /// What has changed in parts that are complete.
    private func changes(_ now: Duration) -> [Work] {
        var works: [Work] = []
        for index in 0..<TokenPart.count {
            let part = parts.withLock { $0[index] }
            guard part.why == nil else { continue }
            guard let changes = tokens.takeChanges(of: index) else {
                abandon([index], .overflow)
                continue
            }
            let refreshes = now - part.wroteAllAt >= configuration.refresh
            guard refreshes || !changes.isEmpty || now - part.wroteAt >= configuration.beat else { continue }
            let added = refreshes ? tokens.unposted(in: index) : Array(changes.added.values)
            if refreshes { parts.withLock { $0[index].wroteAllAt = now } }
            works.append(Work(part: index, begins: false, added: added[...], removed: Array(changes.removed)[...]))
        }
        return works
    }

    /// The next parts that are to be written anew, all of them.
    private func begin(_ now: Duration) -> [Work] {
        var works: [Work] = []
        var count = 0
        for index in 0..<TokenPart.count where count < configuration.anewMax {
            let why = parts.withLock { parts -> Reason? in
                guard let why = parts[index].why else { return nil }
                parts[index].why = nil
                parts[index].round += 1
                parts[index].wroteAllAt = now
                return why
            }
            guard let why else { continue }
            anew[why]?.increment()
            let all = tokens.begin(index)
            count += all.count
            works.append(Work(part: index, begins: true, added: all[...], removed: []))
        }
        return works
    }

    private func write(_ works: [Work], _ now: Duration) async -> Bool {
        var works = works
        var isWell = true
        while !works.isEmpty {
            let writes = works.indices.map { next(&works[$0], now) }
            do throws(HotTokensFault) {
                let outcomes = try await hot.write(writes)
                for (write, outcome) in zip(writes, outcomes) where outcome != .written {
                    let begun = works.first { $0.part == write.part.number }?.begins ?? false
                    works.removeAll { $0.part == write.part.number }
                    abandon([write.part.number], .lost)
                    // What is lost while it's written anew, or is another engine's, isn't tried again at once.
                    if begun || outcome == .superseded { isWell = false }
                }
            } catch {
                faults.increment()
                logger.debug("tokens weren't written", metadata: ["error": "\(error)"])
                abandon(works.map(\.part), .fault)
                return false
            }
            works.removeAll(where: \.isDone)
        }
        return isWell
    }

    /// The next piece, and what is left behind it.
    private func next(_ work: inout Work, _ now: Duration) -> TokenWrite {
        let removed = work.removed.prefix(configuration.changesMax)
        let added = work.added.prefix(configuration.changesMax - removed.count)
        work.removed = work.removed.dropFirst(removed.count)
        work.added = work.added.dropFirst(added.count)
        let begins = work.begins && !work.isBegun
        work.isBegun = true
        let isLast = work.isDone
        let (round, number) = parts.withLock { parts in
            parts[work.part].number += 1
            parts[work.part].wroteAt = now
            return (parts[work.part].round, parts[work.part].number)
        }
        return TokenWrite(
            TokenPart(mint: mint, number: work.part),
            epoch: epoch,
            round: round,
            number: number,
            begins: begins,
            completes: work.begins && isLast,
            added: Array(added),
            removed: Array(removed)
        )
    }

    /// They have to be written anew; until then nobody takes note of what changes in them.
    private func abandon(_ numbers: [Int], _ why: Reason) {
        for number in numbers { tokens.end(number) }
        parts.withLock { parts in
            for number in numbers { parts[number].why = why }
        }
    }
}
