/// A request that makes sense: its names resolved, its order number made.
package struct GrantDraft: Hashable, Sendable {
    /// What is given.
    package enum Gift: Hashable, Sendable {
        /// Money out of the scene's budget. The number is that of the reward ID, or 0 for the first of its scene, which
        /// is nearly always meant.
        case money(reward: UInt16)
        /// A piece of the first of these templates that has one; then a blessing, or nothing.
        ///
        /// - Parameters:
        ///   - rungs: what is meant, then the scene's backups (BU-4). Empty: a blessing was drawn.
        ///   - isNamed: the caller asked for just this one; a repeat that names another is a conflict.
        case pieces(rungs: [UInt16], isNamed: Bool, isBlessed: Bool)
    }

    package let order: OrderNumber
    package let amount: Amount
    package let app: AppID
    package let openedAt: Timestamp
    package let gift: Gift
    /// The key of the reward ID that is meant; `nil` when a blessing was drawn.
    package let rewardID: String?
    package let posting: PostingMode
    /// Why this can't be granted if it wasn't before. A replay is answered all the same (GR-3: "spread over days").
    package let refusalIfNew: GrantRefusal?
    package let cap: Amount
    /// Who `refusalIfNew` is about, and the gift was drawn for: whoever has the name in the request.
    package let recipient: PersonID

    /// The same under another name of the recipient's (ID-3).
    package func given(to person: PersonID) -> GrantDraft {
        GrantDraft(
            order: order.given(to: person),
            amount: amount,
            app: app,
            openedAt: openedAt,
            gift: gift,
            rewardID: rewardID,
            posting: posting,
            refusalIfNew: refusalIfNew,
            cap: cap,
            recipient: recipient
        )
    }

    /// Whether it's the grant that was accepted under its number before (GR-3).
    package func isRepeat(of entry: OrderTable.Entry) -> Bool {
        guard entry.amount == amount else { return false }
        switch gift {
        case .money(let reward): return entry.choice.isMoney && entry.choice.meant == reward
        case .pieces(let rungs, let isNamed, _):
            return !entry.choice.isMoney && (!isNamed || rungs.first == entry.choice.meant)
        }
    }
}
