package import HongbaoCore

/// Brings withdrawals to their end at the payout channel (WD-3).
package typealias Payouts = OutsideWork<Withdrawal>
package typealias PayoutMachine = OutsideMachine<Withdrawal>
package typealias PayoutPolicy = OutsidePolicy

extension OutsideRows where Order == Withdrawal {
    package static let payouts = OutsideRows(
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
    )
}
