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
}
