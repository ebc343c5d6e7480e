/// Which of a scene's rewards a grant gave. It stands in the log, beside what is signed.
package struct RewardChoice: Hashable, Sendable {
    /// The number of the reward ID that was asked for or drawn. Of money, 0 for the first of its scene.
    package let meant: UInt16
    /// That of the coupon or pendant that was given: what was meant, or a fallback. 0 for money.
    package let given: UInt16

    package init(meant: UInt16, given: UInt16) {
        self.meant = meant
        self.given = given
    }

    /// Stands for no reward but a few kind words: the last rung of every ladder (BU-4).
    package static let blessing = UInt16.max
    /// The scene's first, of money.
    package static let first = Self(meant: 0, given: 0)

    package var isMoney: Bool { given == 0 }
    package var isBlessing: Bool { given == Self.blessing }
    package var isFallback: Bool { given != meant && !isMoney }

    /// What a piece was taken of; `nil` for money and blessings.
    package func template(in book: BookID) -> TemplateID? {
        isMoney || isBlessing ? nil : TemplateID(book: book, number: given)
    }
}

/// What a scene gives when what was meant is used up (BU-4): backups in their order, then a blessing.
package struct Fallback: Hashable, Sendable {
    package let backups: [RewardID]
    /// The text; `nil` when there is none, and the grant is refused.
    package let blessing: String?

    package init(backups: [RewardID], blessing: String?) {
        self.backups = backups
        self.blessing = blessing
    }

    package static let none = Self(backups: [], blessing: nil)
}

/// How likely a draw gives what, for those who name no reward: the rest of the points give the blessing.
package struct DrawShare: Hashable, Sendable {
    package let id: RewardID
    /// Of `Lottery.pointCount`.
    package let points: UInt16

    package init(id: RewardID, points: UInt16) {
        self.id = id
        self.points = points
    }
}

/// Decides draws: each order number has a point of its own that never changes, so that a repeat can't roll again.
///
/// The seed is secret: without it nobody can tell which order number wins. It is no protection against those who see
/// many draws and can choose order numbers, which only services can.
package struct Draws: Hashable, Sendable {
    private let seed: (UInt64, UInt64)

    package init(seed: (UInt64, UInt64)) { self.seed = seed }

    /// From 0 to `Lottery.pointCount` - 1.
    package func point(of order: OrderNumber) -> UInt16 {
        var z = order.low &+ seed.0
        for word in [order.high ^ seed.1, seed.0 ^ seed.1] {
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            z = (z ^ (z >> 31)) &+ word &* 0x9E37_79B9_7F4A_7C15
        }
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        return UInt16(z.multipliedFullWidth(by: UInt64(Lottery.pointCount)).high)
    }

    /// What an order draws; `nil` is the blessing.
    package func drawn(by order: OrderNumber, of shares: [DrawShare]) -> RewardID? {
        var rest = point(of: order)
        for share in shares {
            if rest < share.points { return share.id }
            rest -= share.points
        }
        return nil
    }

    package static func == (a: Self, b: Self) -> Bool { a.seed == b.seed }
    package func hash(into hasher: inout Hasher) {
        hasher.combine(seed.0)
        hasher.combine(seed.1)
    }
}
