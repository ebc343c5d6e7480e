import HongbaoCore
import Synchronization

// Where several engines grant, each to its own part of the people: what one tells the others of who was merged.
extension Granting {
    /// All orders of a person who has these names and is in doubt, so that there are no new ones; `nil` while it isn't
    /// known of all whether they will be durable.
    func orders(of names: [PersonID]) async -> [MergedOrder]? {
        let names = Set(names)
        var orders = state.withLock { $0.mint.adopted(of: names) }
        for segment in 0..<OrderTable.segmentCount {
            // The table is large, and grants go on meanwhile.
            if segment % 16 == 15 { await Task.yield() }
            let (found, durable) = state.withLock { state in
                (state.mint.orders.orders(of: names, inSegment: segment), state.mint.durableSequence)
            }
            guard found.allSatisfy({ $0.entry.sequence <= durable }) else { return nil }
            orders += found.map { MergedOrder($0.order, $0.entry.accepted(by: keeper(of: $0.entry.sequence))) }
        }
        return orders
    }

    /// From now on these are known: of people whom this mint decides for since they were merged.
    func adopt(_ orders: [MergedOrder]) {
        state.withLock { $0.mint.adopt(orders) }
    }
}

extension OrderTable.Entry {
    fileprivate func accepted(by mint: MintID) -> Self {
        Self(sequence: sequence, index: index, amount: amount, choice: choice, status: status, mint: mint)
    }
}
