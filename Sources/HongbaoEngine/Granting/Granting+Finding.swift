package import HongbaoCore
import Synchronization

extension Granting {
    /// What is known of an order, or `nil` when it was never accepted.
    package func find(_ order: OrderNumber) async throws(StoreError) -> GrantView? {
        let (entry, durable) = state.withLock { ($0.mint.entry(for: order), $0.mint.durableSequence) }
        guard let entry, entry.mint != nil || entry.sequence <= durable else { return nil }
        if !entry.choice.isMoney { return try await findReward(order, entry) }
        let posted = try await shards.store(of: keeper(of: entry)).read { (snapshot) throws(StoreError) in
            try snapshot.transfers([TransferID(order)]).first
        }
        if let posted {
            return GrantView(
                order: order,
                status: .credited,
                amount: entry.amount,
                openedAt: posted.at,
                postedAt: posted.postedAt
            )
        }
        let open = tokens.tokens(of: order.person, in: order.book).first { $0.order == order }
        guard let openedAt = open?.openedAt else {
            throw StoreError(.unavailable, "the order is in neither the ledger nor the token list")
        }
        return GrantView(order: order, status: .processing, amount: entry.amount, openedAt: openedAt, postedAt: nil)
    }

    /// A coupon or pendant is credited when its downstream has given it, a blessing at once.
    private func findReward(_ order: OrderNumber, _ entry: OrderTable.Entry) async throws(StoreError) -> GrantView {
        let reward = try await shards.store(of: keeper(of: entry)).read { (snapshot) throws(StoreError) in
            try snapshot.rewards([order]).first
        }
        let openedAt: Timestamp
        if let reward {
            openedAt = reward.at
        } else {
            openedAt = try await accepted(order, entry).openedAt
        }
        let isGiven = entry.choice.isBlessing || reward?.isDone ?? false
        return GrantView(
            order: order,
            status: isGiven ? .credited : .processing,
            amount: .zero,
            openedAt: openedAt,
            postedAt: reward?.givenAt
        )
    }

    /// In whose log an order is.
    private func keeper(of entry: OrderTable.Entry) -> MintID { entry.mint ?? keeper(of: entry.sequence) }
}
