/// What rewards are given out of, and leased to nodes in parts: a scene's budget of money (BU-1), or the inventory of a
/// template (BU-3). Amounts of the one are fen, of the other pieces.
package struct PoolID: Hashable, Comparable, Sendable {
    package let rawValue: UInt64

    private static let templateBit = UInt64(1) << 32

    package init(_ scene: SceneID) { rawValue = UInt64(scene.rawValue) }
    package init(_ template: TemplateID) { rawValue = Self.templateBit | UInt64(template.rawValue) }

    package init?(rawValue: UInt64) {
        guard rawValue < 2 * Self.templateBit else { return nil }
        self.rawValue = rawValue
    }

    package var scene: SceneID? {
        rawValue < Self.templateBit ? SceneID(UInt32(truncatingIfNeeded: rawValue)) : nil
    }
    package var template: TemplateID? {
        rawValue < Self.templateBit ? nil : TemplateID(UInt32(truncatingIfNeeded: rawValue))
    }
    package var book: BookID { BookID(UInt16(truncatingIfNeeded: rawValue >> 16)) }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// How much of a pool may be leased in each slice of time, so that it isn't emptied in its first second.
package struct Quota: Hashable, Sendable {
    /// At least 1.
    package let amount: Amount
    /// The length of a slice, at least 1.
    package let seconds: UInt32

    package init(amount: Amount, seconds: UInt32) {
        precondition(amount > .zero && seconds > 0)
        self.amount = amount
        self.seconds = seconds
    }

    /// The number of the slice that an instant is in.
    func slice(at now: Timestamp) -> Int64 { now.milliseconds / (Int64(seconds) * 1000) }
}

/// All that one pool may give away, and how much of it is leased to nodes.
package struct Budget: Hashable, Sendable {
    /// What was leased in the slice of a quota that was leased in last.
    package struct Slice: Hashable, Sendable {
        package let number: Int64
        package let leased: Amount

        package init(number: Int64, leased: Amount) {
            self.number = number
            self.leased = leased
        }
    }

    package let pool: PoolID
    /// Fixed when it's first funded: what was granted stays what it is.
    package let kind: RewardKind
    package internal(set) var total: Amount
    /// The sum of what all leases of this pool are allotted, issued or not.
    package internal(set) var allotted: Amount
    /// The last part, which isn't leased: from there on fallbacks are given (BU-4).
    package internal(set) var reserve: Amount
    package internal(set) var quota: Quota?
    package internal(set) var slice: Slice?

    package init(
        pool: PoolID,
        kind: RewardKind,
        total: Amount,
        allotted: Amount,
        reserve: Amount = .zero,
        quota: Quota? = nil,
        slice: Slice? = nil
    ) {
        self.pool = pool
        self.kind = kind
        self.total = total
        self.allotted = allotted
        self.reserve = reserve
        self.quota = quota
        self.slice = slice
    }

    package var available: Amount { total.subtracting(allotted) ?? .zero }

    /// What can be leased now.
    func leasable(at now: Timestamp) -> Amount {
        let rest = Mutant.isOn(.leasesTheReserve) ? available : available.subtracting(reserve) ?? .zero
        guard let quota, !Mutant.isOn(.ignoresQuota) else { return rest }
        let leased = slice.flatMap { $0.number == quota.slice(at: now) ? $0.leased : nil } ?? .zero
        return min(rest, quota.amount.subtracting(leased) ?? .zero)
    }

    /// A fair part for each of so many who lease: of what is left, or of a slice's quota when that is less. Parts get
    /// smaller as the pool does, so that little of it lies with who doesn't need it when others have used it up (guided
    /// self-scheduling: Polychronopoulos and Kuck, 1987). At least 1 while there is anything.
    package func share(among count: Int) -> Amount {
        let rest = available.subtracting(reserve) ?? .zero
        let part = (min(rest, quota?.amount ?? rest).fen - 1) / Int64(count) + 1
        return rest == .zero ? .zero : Amount(fen: part) ?? rest
    }

    /// Whether nothing can be leased now although something could be later.
    package func isPaused(at now: Timestamp) -> Bool {
        leasable(at: now) == .zero && available > reserve
    }

    mutating func lease(_ amount: Amount, allotted sum: Amount, at now: Timestamp) {
        allotted = sum
        guard let quota else { return slice = nil }
        let number = quota.slice(at: now)
        let before = slice.flatMap { $0.number == number ? $0.leased : nil } ?? .zero
        slice = Slice(number: number, leased: before.adding(amount) ?? before)
    }
}

package struct LeaseID: Hashable, Comparable, Sendable {
    package let pool: PoolID
    package let mint: MintID

    package init(pool: PoolID, mint: MintID) {
        self.pool = pool
        self.mint = mint
    }

    package static func < (a: Self, b: Self) -> Bool { (a.pool, a.mint) < (b.pool, b.mint) }
}

/// The slice of a pool that one mint may issue from without asking anybody (BU-5).
///
/// `issued` grows in the same transaction that makes grants durable, where the schema says `issued <= allotted`: so M6
/// rests on the database, and the slice in memory only saves asking it. The order number of a grant is its reservation:
/// a repeat is answered from the order table and takes nothing.
package struct Lease: Hashable, Sendable {
    package let id: LeaseID
    /// The mint's epoch; a mint with an older one may no longer issue.
    package internal(set) var epoch: UInt32
    package internal(set) var allotted: Amount
    package internal(set) var issued: Amount
    package internal(set) var expiresAt: Timestamp

    package init(id: LeaseID, epoch: UInt32, allotted: Amount, issued: Amount, expiresAt: Timestamp) {
        self.id = id
        self.epoch = epoch
        self.allotted = allotted
        self.issued = issued
        self.expiresAt = expiresAt
    }

    package var unissued: Amount { allotted.subtracting(issued) ?? .zero }

    /// The same where more is known of what was issued.
    package func having(issued: Amount) -> Lease {
        Lease(id: id, epoch: epoch, allotted: allotted, issued: issued, expiresAt: expiresAt)
    }
}

/// What a pool looks like to people (BU-6): issued + leased + available = total, always.
package struct BudgetView: Hashable, Sendable {
    package let pool: PoolID
    package let kind: RewardKind
    package let total: Amount
    package let issued: Amount
    package let leased: Amount
    /// The part of `leased` that is held by leases that have expired: it goes back when the next lease is extended.
    package let stranded: Amount
    /// With `reserve`.
    package let available: Amount
    package let reserve: Amount

    package init(_ budget: Budget, leases: some Sequence<Lease>, at now: Timestamp) {
        pool = budget.pool
        kind = budget.kind
        total = budget.total
        var issued = Amount.zero
        var leased = Amount.zero
        var stranded = Amount.zero
        for lease in leases {
            issued = issued.adding(lease.issued) ?? issued
            leased = leased.adding(lease.unissued) ?? leased
            if lease.expiresAt < now { stranded = stranded.adding(lease.unissued) ?? stranded }
        }
        self.issued = issued
        self.leased = leased
        self.stranded = stranded
        available = budget.available
        reserve = budget.reserve
    }

    /// Whether it's bounded at all (CF-2: inventory control on or off).
    package var isUnlimited: Bool { total == Inventory.unlimited }
}
