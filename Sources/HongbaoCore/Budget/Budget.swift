/// The money that one scene may give away in one phase (BU-1), and how much of it is leased to nodes.
package struct Budget: Hashable, Sendable {
    package let scene: SceneID
    /// Fixed when it's first funded: what was granted stays what it is.
    package let kind: MoneyKind
    package internal(set) var total: Amount
    /// The sum of what all leases of this scene are allotted, issued or not.
    package internal(set) var allotted: Amount

    package init(scene: SceneID, kind: MoneyKind, total: Amount, allotted: Amount) {
        self.scene = scene
        self.kind = kind
        self.total = total
        self.allotted = allotted
    }

    package var available: Amount { total.subtracting(allotted) ?? .zero }
}

package struct LeaseID: Hashable, Comparable, Sendable {
    package let scene: SceneID
    package let mint: MintID

    package init(scene: SceneID, mint: MintID) {
        self.scene = scene
        self.mint = mint
    }

    package static func < (a: Self, b: Self) -> Bool { (a.scene, a.mint) < (b.scene, b.mint) }
}

/// The slice of a scene's budget that one mint may issue from without asking anybody (BU-5).
///
/// `issued` grows in the same transaction that makes grants durable, where the schema says `issued <= allotted`: so M6
/// rests on the database, and the slice in memory only saves asking it.
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
}

/// What a scene's budget looks like to people (BU-6): issued + leased + available = budget, always.
package struct BudgetView: Hashable, Sendable {
    package let scene: SceneID
    package let budget: Amount
    package let issued: Amount
    package let leased: Amount
    package let available: Amount

    package init(_ budget: Budget, leases: some Sequence<Lease>) {
        scene = budget.scene
        self.budget = budget.total
        var issued = Amount.zero
        var leased = Amount.zero
        for lease in leases {
            issued = issued.adding(lease.issued) ?? issued
            leased = leased.adding(lease.unissued) ?? leased
        }
        self.issued = issued
        self.leased = leased
        available = budget.available
    }
}
