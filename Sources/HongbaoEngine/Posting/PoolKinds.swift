package import HongbaoCore
import Synchronization

/// What is given out of each pool: cash, subsidies, or which kind of coupons or pendants, as its row in the store says.
/// That never changes, so it's remembered.
///
/// A grant is only accepted when its pool is in the store, so whoever meets a grant finds its kind there.
package final class PoolKinds: Sendable {
    private let store: any Store
    private let kinds = Mutex<[PoolID: RewardKind]>([:])

    package init(store: any Store) { self.store = store }

    /// What is known without asking the store.
    package var known: [PoolID: RewardKind] { kinds.withLock { $0 } }

    /// Reads it anew.
    @discardableResult
    package func learn() async throws(StoreError) -> [PoolID: RewardKind] {
        note(try await store.read { (snapshot) throws(StoreError) in try snapshot.budgets().map(\.0) })
    }

    /// Reads it anew when what one of these was given out of isn't known yet.
    func learn(of grants: [OpenGrant], _ snapshot: any StoreSnapshot) throws(StoreError) {
        let known = known
        guard grants.lazy.compactMap(\.pool).contains(where: { known[$0] == nil }) else { return }
        _ = note(try snapshot.budgets().map(\.0))
    }

    private func note(_ budgets: [Budget]) -> [PoolID: RewardKind] {
        kinds.withLock { kinds in
            for budget in budgets { kinds[budget.pool] = budget.kind }
            return kinds
        }
    }

    /// Of all these; reads it anew when one isn't known yet.
    package func kinds(of pools: Set<PoolID>) async throws(StoreError) -> [PoolID: RewardKind] {
        let known = known
        return pools.allSatisfy { known[$0] != nil } ? known : try await learn()
    }
}

extension OpenGrant {
    /// What it was given out of; `nil` for a blessing.
    package var pool: PoolID? {
        let choice = RewardChoice(meant: given, given: given)
        return choice.isMoney ? PoolID(order.scene) : choice.template(in: order.book).map { PoolID($0) }
    }
}
