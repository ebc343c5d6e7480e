package import HongbaoCore
package import HongbaoEngine
import Logging
import Synchronization

/// A channel that pays each order once, at once, and knows afterwards which it has.
package final class HonestChannel: PayoutChannel {
    private let paid = Mutex<[String: Amount]>([:])

    package init() {}

    package func pay(_ orders: [PayoutOrder]) async -> [PayoutReport] {
        paid.withLock { paid in
            orders.map { order in
                let amount = paid[order.order] ?? order.amount
                paid[order.order] = amount
                return .paid(amount)
            }
        }
    }

    package func query(_ orders: [String]) async -> [PayoutReport] {
        paid.withLock { paid in orders.map { order in paid[order].map { .paid($0) } ?? .unknownOrder } }
    }
}

/// Brings to their end what a crash has left in flight, as a server does after its start: the real `Payouts`, which was
/// told of nothing and so finds everything by its sweep (M10, M15).
package enum PendingPayouts {
    /// - Parameters:
    ///   - start: what the clock says at first; it goes on in real time.
    ///   - channel: the outside world.
    /// - Returns: how long it took until nothing was pending; `nil` when that took longer than `limit`.
    package static func finish(
        in store: any Store,
        from start: Timestamp,
        over channel: some PayoutChannel,
        within limit: Duration = .seconds(30)
    ) async throws -> Duration? {
        let began = ContinuousClock.now
        let payouts = Payouts(
            OutsideSystem.payouts.rawValue,
            store: store,
            rows: .payouts,
            calls: OutsideCalls(channel) { PayoutOrder($0) },
            policy: PayoutPolicy(),
            seed: 1,
            digestKey: Keyring().identityHash,
            surroundings: Payouts.Surroundings(
                WallClock {
                    let (seconds, attoseconds) = (ContinuousClock.now - began).components
                    return Timestamp(
                        milliseconds: start.milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000
                    )
                }
            ),
            alarms: Alarms(logger: .silent),
            logger: .silent
        )
        return try await runningUntilKilled([payouts]) {
            while try await LedgerCheck.read(store).withdrawals.values.contains(where: { $0.state == .pending }) {
                guard ContinuousClock.now - began < limit else { return nil }
                try await Task.sleep(for: .milliseconds(5))
            }
            return ContinuousClock.now - began
        }
    }
}
