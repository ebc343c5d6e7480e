package import HongbaoCore
import Logging
import Metrics

// What coupons and pendants ask of their downstreams, and where a store has it.

/// Brings the rewards of one kind to the people they were granted to (GR-6, GR-8).
package typealias RewardWork = OutsideWork<GivenReward>

extension OutsideRows where Order == GivenReward {
    package static func rewards(of kind: RewardKind) -> OutsideRows {
        OutsideRows(
            due: { (snapshot, times, limit) throws(StoreError) in
                try snapshot.rewards(of: kind, toGiveIn: times, limit: limit)
            },
            find: { (snapshot, orders) throws(StoreError) in
                try snapshot.rewards(orders).filter { $0.kind == kind }
            }
        )
    }
}

extension OutsideCalls where Order == GivenReward {
    /// The channel's reports as the machine takes them: what is retryable is asked about again as what is unknown is,
    /// and then turns out never to have been seen, or to be done.
    init(_ channel: any RewardChannel, of kind: RewardKind, logger: Logger) {
        let faults = RewardFaults(kind: kind, logger: logger)
        self.init(
            submit: { orders in faults.note(await channel.give(orders.map { RewardOrder($0) })) },
            query: { orders in faults.note(await channel.query(orders.map(\.order))) }
        )
    }
}

extension RewardOrder {
    init(_ reward: GivenReward) {
        let attempt = Mutant.isOn(.givesUnderNewNumber) ? "\(reward.attempts)" : ""
        self.init(order: reward.order + attempt, person: reward.id.person, template: reward.template)
    }
}

/// Counts what downstreams couldn't do, by code (GR-4).
private struct RewardFaults: Sendable {
    let kind: RewardKind
    let logger: Logger

    func note(_ reports: [RewardReport]) -> [PayoutReport] {
        var counts: [RewardFault: Int] = [:]
        for case .failed(let fault) in reports { counts[fault, default: 0] += 1 }
        for (fault, count) in counts {
            Counter(
                label: "hongbao_reward_faults_total",
                dimensions: [("kind", kind.rawValue), ("fault", fault.kind.rawValue), ("code", fault.code)]
            ).increment(by: count)
            guard fault.kind == .final else { continue }
            logger.error(
                "a downstream refuses rewards",
                metadata: ["kind": "\(kind.rawValue)", "code": "\(fault.code)", "count": "\(count)"]
            )
        }
        return reports.map { PayoutReport($0) }
    }
}

extension PayoutReport {
    fileprivate init(_ report: RewardReport) {
        switch report {
        case .granted: self = .paid(.one)
        case .processing: self = .processing
        case .unknownOrder: self = .unknownOrder
        case .failed(let fault):
            switch fault.kind {
            case .final: self = .failed
            case .retryable, .unknown: self = .unreachable
            }
        }
    }
}
