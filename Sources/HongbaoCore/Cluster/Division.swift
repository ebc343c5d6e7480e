/// How all people are divided among the mints of a cluster (DP-3): into 4,096 slots by a hash of the person, and these
/// among the mints 1, 2, 3 … in ranges that are equal but for one. What has no person is divided by its own number.
package struct Division: Hashable, Sendable {
    package static let slots = 4_096
    package static let mintsMax = 64
    /// One mint for all: a process by itself.
    package static let whole = Division(mints: 1)

    package let mints: Int

    /// - Precondition: `mints` is from 1 to `mintsMax`.
    package init(mints: Int) {
        precondition((1...Self.mintsMax).contains(mints))
        self.mints = mints
    }

    package static func slot(of number: UInt64) -> Int {
        var mixed = SplitMix64(seed: number)
        return Int(mixed.next(below: UInt64(slots)))
    }

    package func mint(of slot: Int) -> MintID { MintID(UInt32(slot * mints / Self.slots) + 1) }
    package func mint(of person: PersonID) -> MintID { mint(of: Self.slot(of: person.rawValue)) }
    package func mint(of packet: RedPacketID) -> MintID { mint(of: Self.slot(of: packet.rawValue)) }

    package var all: [MintID] { (1...UInt32(mints)).map { MintID($0) } }
}

extension MintID {
    /// That of a process by itself; in a division, one of all, which does besides what is to be done once.
    package static let first = MintID(1)
}
