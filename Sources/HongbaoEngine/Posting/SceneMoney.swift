package import HongbaoCore
import Synchronization

/// What money each scene gives, as its budget in the store says. That never changes, so it's remembered.
///
/// A grant is only accepted when its scene's budget is in the store, so whoever meets a grant finds its kind there.
package final class SceneMoney: Sendable {
    private let store: any Store
    private let kinds = Mutex<[SceneID: MoneyKind]>([:])

    package init(store: any Store) { self.store = store }

    /// What is known without asking the store.
    package var known: [SceneID: MoneyKind] { kinds.withLock { $0 } }

    /// Reads it anew.
    @discardableResult
    package func learn() async throws(StoreError) -> [SceneID: MoneyKind] {
        note(try await store.read { (snapshot) throws(StoreError) in try snapshot.budgets().map(\.0) })
    }

    /// Reads it anew when the scene of one of these isn't known yet.
    func learn(scenesOf orders: [OrderNumber], _ snapshot: any StoreSnapshot) throws(StoreError) {
        let known = known
        guard orders.contains(where: { known[$0.scene] == nil }) else { return }
        _ = note(try snapshot.budgets().map(\.0))
    }

    private func note(_ budgets: [Budget]) -> [SceneID: MoneyKind] {
        kinds.withLock { kinds in
            for budget in budgets { kinds[budget.scene] = budget.kind }
            return kinds
        }
    }

    /// Of all these scenes; reads it anew when one isn't known yet.
    package func kinds(of scenes: Set<SceneID>) async throws(StoreError) -> [SceneID: MoneyKind] {
        let known = known
        return scenes.allSatisfy { known[$0] != nil } ? known : try await learn()
    }
}
