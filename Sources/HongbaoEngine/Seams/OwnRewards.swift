import HongbaoCore

/// Gives the rewards of a kind that has no downstream: what the books say was granted is given, and there is nothing
/// else that could know or fail. A person shows such a coupon from the wallet.
///
/// Stateless, so it takes whatever it's asked about as given: nobody asks but for what is in the books.
package struct OwnRewards: RewardChannel {
    package init() {}

    package func give(_ orders: [RewardOrder]) async -> [RewardReport] { orders.map { _ in .granted } }
    package func query(_ orders: [String]) async -> [RewardReport] { orders.map { _ in .granted } }
}
