package import Crypto
package import HongbaoCore
package import Logging

/// Brings withdrawals to their end at the payout channel (WD-3).
package typealias Payouts = OutsideWork<Withdrawal>
package typealias PayoutMachine = OutsideMachine<Withdrawal>
package typealias PayoutPolicy = OutsidePolicy

extension OutsideWork where Order == Withdrawal {
    package convenience init(
        store: any Store,
        channel: any PayoutChannel,
        policy: PayoutPolicy,
        seed: UInt64,
        digestKey: SymmetricKey,
        surroundings: Surroundings,
        alarms: Alarms,
        logger: Logger
    ) {
        self.init(
            .payouts,
            store: store,
            rows: OutsideRows(
                due: { (snapshot, times, limit) throws(StoreError) in
                    try snapshot.withdrawals(toCheckIn: times, limit: limit)
                },
                find: { (snapshot, ids) throws(StoreError) in
                    var found: [Withdrawal] = []
                    for id in ids {
                        let all = try snapshot.withdrawals(of: id.person, in: id.book)
                        if let withdrawal = all.first(where: { $0.transferID == id }) { found.append(withdrawal) }
                    }
                    return found
                }
            ),
            calls: OutsideCalls(channel) { PayoutOrder($0) },
            policy: policy,
            seed: seed,
            digestKey: digestKey,
            surroundings: surroundings,
            alarms: alarms,
            logger: logger
        )
    }
}
