import HongbaoCore
import HongbaoEngine

// Users and merges in rows, in the order of columns of `Query+Identities`.
extension PreparedStatement {
    /// Keyed hashes are 16 bytes, the most significant first.
    func bind(_ index: Int32, key: UInt128) {
        bind(index, bytes: stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: key >> UInt128($0)) })
    }

    func bind(_ identity: Identity) {
        bind(1, key: identity.key.bits)
        bind(2, bits: identity.person.rawValue)
        if let phone = identity.phone { bind(3, key: phone.bits) } else { bind(3, nil) }
        bind(4, identity.madeAt.milliseconds)
        bind(5, identity.boundAt?.milliseconds)
    }

    func bind(_ merge: Merge) {
        bind(1, bits: merge.source.rawValue)
        bind(2, bits: merge.target.rawValue)
        bind(3, merge.at.milliseconds)
    }

    func bind(_ merge: PendingMerge) {
        bind(1, bits: merge.source.rawValue)
        bind(2, bits: merge.target.rawValue)
        bind(3, key: merge.user.bits)
        bind(4, key: merge.phone.bits)
        bind(5, merge.joining == .always ? 1 : 0)
        bind(6, merge.at.milliseconds)
        bind(7, Int64(merge.mints))
        bind(8, bits: merge.acknowledged)
        bind(9, Int64(merge.waiting))
    }

    func bind(_ order: MergedOrder) {
        let entry = order.entry
        bind(order.order)
        bind(3, entry.mint.map { Int64($0.rawValue) })
        bind(4, bits: entry.sequence)
        bind(5, Int64(entry.index))
        bind(6, entry.amount.fen)
        bind(7, Int64(entry.choice.meant))
        bind(8, Int64(entry.choice.given))
        bind(9, Int64(entry.status.rawValue))
    }

    private func key(_ column: Int32) throws(StoreError) -> UInt128 {
        let bytes = bytes(column)
        guard bytes.count == 16 else { throw unreadable(column) }
        return bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    func identity() throws(StoreError) -> Identity {
        guard isNull(2) == isNull(4) else { throw unreadable(4) }
        return Identity(
            key: UserKey(bits: try key(0)),
            person: PersonID(bits(1)),
            phone: isNull(2) ? nil : PhoneKey(bits: try key(2)),
            madeAt: time(3),
            boundAt: timeIfAny(4)
        )
    }

    func merge() throws(StoreError) -> Merge {
        Merge(source: PersonID(bits(0)), target: PersonID(bits(1)), at: time(2))
    }

    func pendingMerge() throws(StoreError) -> PendingMerge {
        let mints = integer(6)
        guard (1...Int64(Division.mintsMax)).contains(mints) else { throw unreadable(6) }
        return PendingMerge(
            source: PersonID(bits(0)),
            target: PersonID(bits(1)),
            user: UserKey(bits: try key(2)),
            phone: PhoneKey(bits: try key(3)),
            joining: integer(4) == 1 ? .always : .ifAlone,
            at: time(5),
            mints: Int(mints),
            acknowledged: bits(7)
        )
    }

    func mergedOrder() throws(StoreError) -> MergedOrder {
        guard let status = GrantStatus(rawValue: try number(8)) else { throw unreadable(8) }
        let entry = OrderTable.Entry(
            sequence: bits(3),
            index: Int(try number(4) as UInt8),
            amount: try amount(5),
            choice: RewardChoice(meant: try number(6), given: try number(7)),
            status: status,
            mint: MintID(try number(2))
        )
        return MergedOrder(OrderNumber(bits: transferID().bits), entry)
    }
}
