import Foundation
import HongbaoCore
import HongbaoEngine
import Logging
import Metrics
import ServiceLifecycle
import UnixSignals

/// Reads the campaign files anew at each SIGHUP, one reload at a time, and puts them in force if they are valid and fit
/// (CF-5, CF-6). Otherwise the running configuration stays, and the log names every problem.
struct CampaignReloads: Service {
    private let loading: CampaignLoading
    private let engines: Engines
    private let hangUps: UnixSignalsSequence
    private let logger: Logger
    private let isSuccessful = Gauge(label: "hongbao_config_last_reload_successful")
    private let lastSuccess = Gauge(label: "hongbao_config_last_reload_timestamp_seconds")

    private enum Result: String, CaseIterable {
        case applied
        /// A file is wrong, or doesn't fit what was issued.
        case refused
        /// The store failed.
        case unavailable
    }

    private let counters: [Result: Counter] = Dictionary(
        uniqueKeysWithValues: Result.allCases.map {
            ($0, Counter(label: "hongbao_config_reloads_total", dimensions: [("result", $0.rawValue)]))
        }
    )

    /// - Parameter hangUps: trapped already; those that came during the start are carried out after it.
    init(_ loading: CampaignLoading, _ engines: Engines, hangUps: UnixSignalsSequence, logger: Logger) {
        self.loading = loading
        self.engines = engines
        self.hangUps = hangUps
        self.logger = logger
        // What was read at the start is in force.
        noteSuccess()
    }

    func run() async throws {
        for await _ in hangUps.cancelOnGracefulShutdown() {
            let result = await reload()
            counters[result]?.increment()
            if result == .applied { noteSuccess() } else { isSuccessful.record(0) }
        }
    }

    private func noteSuccess() {
        isSuccessful.record(1)
        lastSuccess.record(Date().timeIntervalSince1970.rounded(.down))
    }

    private func reload() async -> Result {
        let loaded: CampaignLoading.Loaded
        do throws(CampaignLoading.Refusal) {
            loaded = try loading.load()
        } catch {
            return refuse(error.problems)
        }
        for warning in loaded.warnings { logger.warning("campaign file", metadata: ["problem": "\(warning)"]) }
        switch await engines.reload(loaded.campaigns) {
        case .applied(let old, let new):
            logger.notice("campaigns reloaded", metadata: ["from": "\(old)", "to": "\(new)"])
            return .applied
        case .refused(let problems): return refuse(problems.map { loaded.rendered($0) })
        case .unavailable(let fault):
            logger.error("campaigns not reloaded, try again", metadata: ["error": "\(fault)"])
            return .unavailable
        case .busy:
            logger.error("campaigns not reloaded, another reload is under way")
            return .unavailable
        }
    }

    private func refuse(_ problems: [String]) -> Result {
        for problem in problems { logger.error("campaigns not reloaded", metadata: ["problem": "\(problem)"]) }
        return .refused
    }
}
