/// A merge that all mints of a cluster have to know of before it's made (ID-3, DP-3).
///
/// Each mint has the orders of its own part of the people, and nobody has all. From its acknowledgement on a mint gives
/// neither person anything new, until it learns what has come of it; the last acknowledgement makes the merge.
package struct PendingMerge: Hashable, Sendable {
    package let source: PersonID
    package let target: PersonID
    /// Who came to which phone, and so caused it.
    package let user: UserKey
    package let phone: PhoneKey
    package let joining: Joining
    package let at: Timestamp
    /// Among how many everybody is divided.
    package let mints: Int
    /// Of mint 1 the lowest bit.
    package internal(set) var acknowledged: UInt64

    /// - Precondition: `mints` is from 1 to `Division.mintsMax`.
    package init(
        source: PersonID,
        target: PersonID,
        user: UserKey,
        phone: PhoneKey,
        joining: Joining,
        at: Timestamp,
        mints: Int,
        acknowledged: UInt64 = 0
    ) {
        precondition((1...Division.mintsMax).contains(mints))
        self.source = source
        self.target = target
        self.user = user
        self.phone = phone
        self.joining = joining
        self.at = at
        self.mints = mints
        self.acknowledged = acknowledged
    }

    package var persons: [PersonID] { [source, target] }

    /// How many mints have still to acknowledge it.
    package var waiting: Int { mints - acknowledged.nonzeroBitCount }

    package func isAcknowledged(by mint: MintID) -> Bool { acknowledged & Self.bit(of: mint) != 0 }

    fileprivate static func bit(of mint: MintID) -> UInt64 { 1 << UInt64(mint.rawValue - 1) }
}

/// An order of somebody who was merged, laid open by the mint that accepted it: from then on another one may decide for
/// that person, which hasn't got it in its own log.
package struct MergedOrder: Hashable, Sendable {
    package let order: OrderNumber
    /// With the mint in whose log it is.
    package let entry: OrderTable.Entry

    package init(_ order: OrderNumber, _ entry: OrderTable.Entry) {
        precondition(entry.mint != nil)
        self.order = order
        self.entry = entry
    }
}

extension Footprint {
    /// The rows that an acknowledgement touches; that of the last mint makes the merge.
    ///
    /// - Parameter names: all of the source's, whose orders are laid open.
    package init(acknowledging merge: PendingMerge, by mint: MintID, names: [PersonID]) {
        self.init(resolving: merge.user, phone: merge.phone, persons: merge.persons)
        mints = [mint]
        pendingMerges = [merge.source]
        mergedOrders = names
    }
}

extension Books {
    /// Notes that a merge is to be made as soon as all mints know of it. Answers `false`, and changes nothing, when its
    /// source is about to be merged already.
    package mutating func announce(_ merge: PendingMerge) -> Bool {
        guard pendingMerge(of: merge.source) == nil else { return false }
        put(merge)
        return true
    }

    /// A mint will give neither person anything new. If it's the last one to say so, the merge is made, unless users
    /// and phones aren't any more as they were when it was announced; in either case it's pending no longer.
    ///
    /// - Parameter orders: all of the source's that the mint has, if it's the one that decides for them.
    package mutating func acknowledge(
        _ source: PersonID,
        by mint: MintID,
        layingOpen orders: [MergedOrder],
        now: Timestamp
    ) {
        guard var pending = pendingMerge(of: source), !pending.isAcknowledged(by: mint) else { return }
        precondition(Int(mint.rawValue) <= pending.mints)
        for order in orders { layOpen(order) }
        pending.acknowledged |= PendingMerge.bit(of: mint)
        put(pending)
        guard pending.waiting == 0 else { return }
        var merged = self
        let outcome = merged.resolve(
            pending.user,
            phone: pending.phone,
            fresh: source,
            expected: source,
            joining: pending.joining,
            now: now
        )
        if case .merged(let merge) = outcome, merge.target == pending.target { self = merged }
        end(pending)
    }
}
