import HongbaoCore

/// The part of the audit that is about coupons and pendants (M4, M5, M10): each that was accepted and posted is
/// promised once, as what was chosen; nothing else is; and each is as far as its times say.
struct RewardAudit {
    private(set) var check = AuditCheck(
        invariant: "RW",
        title: "coupons and pendants are promised as they were granted"
    )

    /// Accepted, until a row accounts for it.
    private var accepted: [UInt128: (template: TemplateID?, mustBePosted: Bool)] = [:]
    private static let page = 4096

    /// Answers `false` when the order number was there before.
    mutating func note(_ payload: GrantPayload, _ choice: RewardChoice, isPosted: Bool) -> Bool {
        check.expect(payload.amount == .zero, "a coupon of scene \(payload.scene.rawValue) carries money")
        let entry = (template: choice.template(in: payload.book), mustBePosted: isPosted)
        return accepted.updateValue(entry, forKey: payload.order.bits) == nil
    }

    mutating func read(
        _ rows: AuditedRows,
        _ kinds: [PoolID: RewardKind],
        _ totals: inout AuditReport.Totals
    ) throws(StoreError) {
        var last: OrderNumber?
        while true {
            let page = try rows.rewards(after: last, limit: Self.page)
            for reward in page {
                totals.rewardsPosted += 1
                if reward.isDone { totals.rewardsGiven += 1 }
                let grant = accepted.removeValue(forKey: reward.id.bits)
                check.expect(
                    grant != nil && grant?.template == reward.template
                        && kinds[PoolID(reward.template)] == reward.kind,
                    "\(reward.summary): the log says template \(grant?.template?.rawValue ?? 0)"
                )
                check.expect(
                    reward.isDone == (reward.givenAt != nil)
                        && (reward.state == .redeemed) == (reward.redeemedAt != nil),
                    "\(reward.summary): its times don't fit its state"
                )
            }
            guard let end = page.last else { break }
            last = end.id
        }
        for grant in accepted.values where grant.template != nil && grant.mustBePosted {
            let template = grant.template?.rawValue ?? 0
            check.expect(false, "a piece of template \(template) before the watermark isn't promised")
        }
    }
}
