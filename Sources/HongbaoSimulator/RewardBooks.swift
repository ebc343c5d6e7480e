import HongbaoCore
import HongbaoEngine

/// The auditor's own books of coupons: fed with what becomes durable, with what the downstream has given, and with what
/// people are told. It goes by what the requirements say (BU-3 to BU-6, GR-4, GR-6), not by how the core decides.
struct RewardBooks: Sendable {
    private let setup: Setup.Coupons?
    private var accepted: [OrderNumber: RewardChoice] = [:]
    private var rows: [OrderNumber: GivenReward] = [:]
    /// What the downstream has given.
    private var given: [OrderNumber: TemplateID] = [:]
    private var answers: [OrderNumber: Answer] = [:]

    private struct Answer: Hashable, Sendable {
        let rewardID: String?
        let fallback: GivenFallback?
    }

    init(_ setup: Setup) { self.setup = setup.coupons }

    /// Whether what this scene gives are coupons.
    func areGiven(by scene: SceneID) -> Bool { setup != nil && scene.number == Setup.couponScene }

    func isBlessing(_ order: OrderNumber) -> Bool { accepted[order]?.isBlessing ?? false }

    /// How many of a template are accepted.
    func count(of template: TemplateID) -> Int64 {
        Int64(accepted.count { $1.template(in: $0.book) == template })
    }

    // MARK: Rows

    /// A grant becomes durable. Answers everything that's wrong.
    mutating func accept(_ payload: GrantPayload, _ choice: RewardChoice) -> [String] {
        let isCoupon = areGiven(by: payload.scene)
        guard isCoupon == !choice.isMoney else { return ["M4: a scene gives something else than it says"] }
        guard isCoupon, let setup else { return [] }
        accepted[payload.order] = choice
        if payload.amount != .zero { return ["M4: a coupon carries money"] }
        guard let template = choice.template(in: payload.book) else {
            return setup.blessing == nil ? ["BU-4: a blessing that no file says"] : []
        }
        guard let pieces = setup.pieces(of: template.number) else { return ["M4: a coupon that no file says"] }
        return count(of: template) > pieces - setup.reserve(of: template.number)
            ? ["BU-4: more is issued than the inventory without its reserve"] : []
    }

    mutating func take(_ row: GivenReward) -> [String] {
        var wrong: [String] = []
        let before = rows.updateValue(row, forKey: row.id)
        guard let choice = accepted[row.id] else { return ["M4: a coupon that nobody was granted"] }
        if choice.template(in: row.id.book) != row.template {
            wrong.append("M4: another coupon is promised than granted")
        }
        switch row.state {
        case .promised: break
        case .given, .redeemed:
            if given[row.id] != row.template { wrong.append("GR-4: a coupon counts as given that nobody gave") }
            if row.state == .redeemed, before?.state != .given {
                wrong.append("M10: a coupon is used that wasn't given, or was used before")
            }
        case .refused: wrong.append("GR-6: an accepted coupon is given up")
        }
        return wrong
    }

    /// The downstream gives something to somebody.
    mutating func give(_ order: RewardOrder) -> [String] {
        guard let id = OrderNumber(order.order), let row = rows[id] else {
            return ["M15: the downstream got an order that nobody promised"]
        }
        if row.template != order.template || id.person != order.person {
            return ["M4: the downstream gives another coupon than was promised"]
        }
        return given.updateValue(order.template, forKey: id) == nil ? [] : ["GR-4: a coupon is given twice"]
    }

    /// Pools are bounded, kept back and given out in slices.
    func check(_ budget: Budget) -> [String] {
        guard let template = budget.pool.template, let setup else { return [] }
        guard let pieces = setup.pieces(of: template.number), budget.total.fen == pieces else {
            return ["CF-5: an inventory of \(budget.total.fen) that no file says"]
        }
        if budget.allotted.fen > pieces - setup.reserve(of: template.number) {
            return ["BU-4: more is leased than the inventory without its reserve"]
        }
        if let quota = setup.quota, let slice = budget.slice, slice.leased > quota.amount {
            return ["a quota of \(quota.amount.fen) is exceeded: \(slice.leased.fen)"]
        }
        return []
    }

    // MARK: What people are told

    mutating func answered(_ granted: Granted) -> [String] {
        guard areGiven(by: granted.order.scene), let setup, let choice = accepted[granted.order] else { return [] }
        let answer = Answer(rewardID: granted.rewardID, fallback: granted.fallback)
        var wrong: [String] = []
        if let first = answers.updateValue(answer, forKey: granted.order), first != answer {
            wrong.append("M14: a repeat is answered with another coupon")
        }
        let template = choice.template(in: granted.order.book)
        if granted.rewardID != template.map({ Setup.Coupons.key(of: $0.number) }) {
            wrong.append("BU-4: somebody is told of another coupon than was granted")
        }
        let expected: GivenFallback? =
            choice.isBlessing ? setup.blessing.map { .blessing($0) } : choice.isFallback ? .backup : nil
        if granted.fallback != expected { wrong.append("BU-4: somebody is told of another fallback") }
        if granted.status != (choice.isBlessing ? .credited : .processing) {
            wrong.append("M14: a coupon is answered with another status")
        }
        return wrong
    }

    func conflict(_ order: OrderNumber, naming rewardID: String?) -> [String] {
        guard let choice = accepted[order] else { return ["M14: an order was called taken, and never was"] }
        let isSame = rewardID.map { !choice.isBlessing && Setup.Coupons.number(of: $0) == choice.meant } ?? true
        return isSame ? ["M14: an accepted order conflicts with itself"] : []
    }

    /// - Parameter floor: what must be there.
    func shown(_ reading: WalletReading, floor: Set<OrderNumber>) -> [String] {
        var wrong: [String] = []
        var seen: Set<OrderNumber> = []
        for reward in reading.rewards {
            if !seen.insert(reward.order).inserted { wrong.append("M11: a coupon is shown twice") }
            if reward.order.person != reading.person { wrong.append("M11: another's coupon is shown") }
            if reward.order.book != reading.book { wrong.append("M13: a coupon of another phase is shown") }
            if accepted[reward.order]?.template(in: reading.book) != reward.template {
                wrong.append("M11: a coupon is shown that wasn't granted")
            }
            if reward.state == .used, rows[reward.order]?.state != .redeemed {
                wrong.append("M11: a coupon is shown as used")
            }
        }
        guard reading.missing.isEmpty else { return wrong }
        for order in floor where areGiven(by: order.scene) && order.book == reading.book && !isBlessing(order) {
            if !seen.contains(order) { wrong.append("TK-6: a promised coupon isn't shown: \(order)") }
        }
        return wrong
    }

    /// How far a coupon has come; `nil` when it isn't posted.
    func state(of order: OrderNumber) -> GivenReward.State? { rows[order]?.state }

    /// - Parameter before: how far it was when it was asked.
    func redeemed(_ outcome: RedeemOutcome, _ order: OrderNumber, before: GivenReward.State?) -> [String] {
        switch outcome {
        case .redeemed(let reward), .alreadyRedeemed(let reward):
            reward.id == order && rows[order]?.state == .redeemed ? [] : ["M15: a coupon is called used, and isn't"]
        case .notGivenYet:
            before == .given || before == .redeemed ? ["M10: a coupon that was given is called on its way"] : []
        case .refused: ["GR-6: an accepted coupon is refused"]
        case .notFound: before == nil ? [] : ["M15: a coupon isn't found"]
        }
    }

    // MARK: The end

    func settled() -> [String] {
        var wrong: [String] = []
        for (order, choice) in accepted {
            guard let template = choice.template(in: order.book) else { continue }
            guard let row = rows[order] else {
                wrong.append("M5: an accepted coupon isn't posted")
                continue
            }
            if row.state == .promised { wrong.append("M10: a coupon never arrives") }
            if given[order] != template { wrong.append("GR-6: an accepted coupon is never given") }
        }
        return wrong
    }

    /// Whether all that was posted has been given, as far as anybody knows.
    var isOpen: Bool { rows.values.contains { $0.state == .promised } }
}
