/// A coupon or pendant that somebody was granted, on its way from the downstream that gives it to its use.
///
/// Its row is the promise to the downstream (M15), written in the transaction that posts its grant. It only goes
/// forward: promised, given, redeemed; or promised and refused for good, where a scene's configuration says so.
package struct GivenReward: Hashable, Sendable {
    package enum State: UInt8, Hashable, Sendable, CaseIterable {
        /// Accepted; its downstream doesn't have it yet, or hasn't said so.
        case promised = 1
        case given = 2
        case redeemed = 3
        /// The downstream won't, and the scene isn't retried (CF-2). An alarm has told somebody.
        case refused = 4
    }

    /// The grant's order number, by which the downstream knows it, too.
    package let id: OrderNumber
    package let template: TemplateID
    package let kind: RewardKind
    /// When the person got it.
    package let at: Timestamp
    /// The app in which it was earned, for display only (ID-5).
    package let app: AppID
    /// Whether what the downstream has refused is asked for again until it succeeds (GR-6).
    package let isRetried: Bool
    package internal(set) var state: State
    package internal(set) var attempts: UInt32
    package internal(set) var nextCheckAt: Timestamp
    /// When the downstream was known to have given it.
    package internal(set) var givenAt: Timestamp?
    package internal(set) var redeemedAt: Timestamp?

    package init(
        id: OrderNumber,
        template: TemplateID,
        kind: RewardKind,
        at: Timestamp,
        app: AppID,
        isRetried: Bool = true,
        state: State = .promised,
        attempts: UInt32 = 0,
        nextCheckAt: Timestamp,
        givenAt: Timestamp? = nil,
        redeemedAt: Timestamp? = nil
    ) {
        precondition(!kind.carriesAmount && template.book == id.book)  // M13
        self.id = id
        self.template = template
        self.kind = kind
        self.at = at
        self.app = app
        self.isRetried = isRetried
        self.state = state
        self.attempts = attempts
        self.nextCheckAt = nextCheckAt
        self.givenAt = givenAt
        self.redeemedAt = redeemedAt
    }

    /// Whether both are the same promise, however far they have come.
    func promisesTheSame(as other: GivenReward) -> Bool {
        id == other.id && template == other.template && kind == other.kind
    }
}

/// What came of using a coupon or pendant (核销).
package enum RedeemOutcome: Hashable, Sendable {
    case redeemed(GivenReward)
    case alreadyRedeemed(GivenReward)
    /// Its downstream hasn't given it yet: come back soon.
    case notGivenYet
    case refused
    case notFound
}

extension Books {
    /// Promises what an accepted grant gives. Idempotent by order number, as `Ledger.post` is.
    package mutating func promise(_ reward: GivenReward) -> TransferOutcome {
        if let earlier = self.reward(reward.id), !Mutant.isOn(.promisesAgain) {
            return earlier.promisesTheSame(as: reward) ? .alreadyPosted : .idReusedForAnotherTransfer
        }
        if !Mutant.isOn(.forgetsToPromise) { add(reward) }
        return .posted
    }

    /// Applies what the downstream says. Repeating a report changes nothing.
    package mutating func apply(
        _ report: PayoutReport,
        to order: OrderNumber,
        now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        guard var reward = reward(order) else { return .notFound }
        switch (reward.state, report) {
        case (.given, .failed), (.redeemed, .failed), (.refused, .paid): return .contradiction
        case (.given, _), (.redeemed, _), (.refused, _): return .alreadyFinal
        case (.promised, .paid):
            reward.state = .given
            reward.givenAt = now
            put(reward)
            return .settled
        case (.promised, .failed):
            if !reward.isRetried || Mutant.isOn(.givesUpRefusedRewards) { reward.state = .refused }
            reward.attempts &+= 1
            reward.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
            put(reward)
            return .refused
        case (.promised, .unreachable) where Mutant.isOn(.takesSilenceAsGiven):
            reward.state = .given
            reward.givenAt = now
            put(reward)
            return .settled
        case (.promised, .processing), (.promised, .unknownOrder), (.promised, .unreachable):
            reward.attempts &+= 1
            reward.nextCheckAt = now.advanced(bySeconds: retryAfterSeconds)
            put(reward)
            return .waiting
        }
    }

    /// Uses a coupon, or puts a pendant on: once, from any app (ID-1).
    package mutating func redeem(_ order: OrderNumber, now: Timestamp) -> RedeemOutcome {
        guard var reward = reward(order) else { return .notFound }
        switch reward.state {
        case .promised where !Mutant.isOn(.redeemsPromises): return .notGivenYet
        case .refused: return .refused
        case .redeemed where !Mutant.isOn(.redeemsAgain): return .alreadyRedeemed(reward)
        case .given, .promised, .redeemed:
            reward.state = .redeemed
            reward.redeemedAt = now
            put(reward)
            return .redeemed(reward)
        }
    }
}

extension GivenReward: OutsideOrder {
    package var order: String { id.description }
    package var createdAt: Timestamp { at }
    package var amount: Amount { .one }
    package var isOpen: Bool { state == .promised }
    package var isDone: Bool { state == .given || state == .redeemed }
    package var summary: String { "template \(template.rawValue), \(kind.rawValue), \(state)" }

    package static func id(of order: String) -> OrderNumber? { OrderNumber(order) }

    package static func footprint(of rewards: [GivenReward]) -> Footprint {
        var footprint = Footprint()
        footprint.rewards = rewards.map(\.id)
        return footprint
    }

    package func apply(
        _ report: PayoutReport,
        to books: inout Books,
        _ now: Timestamp,
        retryAfterSeconds: Int64
    ) -> OrderProgress {
        books.apply(report, to: id, now: now, retryAfterSeconds: retryAfterSeconds)
    }

    package func present(in books: Books) -> GivenReward? { books.reward(id) }
}
