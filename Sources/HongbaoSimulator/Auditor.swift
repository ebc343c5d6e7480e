import HongbaoCore
import HongbaoEngine
import Synchronization

/// Decides what is right: a second, simpler book-keeping, fed with what becomes durable and with what clients and the
/// payout channel are told. It shares the engine's nouns, and none of its rules.
final class Auditor: Sendable {
    private let state: Mutex<AuditState>
    private let trace: (@Sendable (String) -> Void)?

    init(_ setup: Setup, trace: (@Sendable (String) -> Void)?) {
        self.trace = trace
        state = Mutex(AuditState(setup, trace: trace))
    }

    /// Notes what happens, for somebody who looks at one seed.
    func tell(_ text: @autoclosure () -> String) {
        if let trace { trace(text()) }
    }

    func violation(_ text: String) { state.withLock { $0.fail(text) } }
    var isContent: Bool { state.withLock { $0.violations.isEmpty } }
    var violations: [String] { state.withLock { $0.violations } }
    /// A digest of everything that happened, in order: equal for equal runs.
    var history: UInt64 { state.withLock { $0.history } }

    func note(_ values: Int64...) { state.withLock { state in for value in values { state.remember(value) } } }

    func committed(_ commit: Commit) {
        tell("commit: \(commit)")
        state.withLock { $0.take(commit) }
    }

    func submitted(_ order: PayoutOrder, to system: OutsideSystem, willPay: Bool) {
        tell("the channel gets \(order.order), \(order.amount.fen) fen, and \(willPay ? "will pay" : "won't pay")")
        state.withLock { $0.submitted(order, to: system, willPay) }
    }

    // MARK: Configurations

    /// The file says so from now on: whoever starts or is asked to reload may go by it.
    func termsMayBeInForce(_ terms: Terms) {
        tell("the file says: \(terms)")
        state.withLock { $0.announcements.mayBeInForce(terms) }
    }

    /// Nobody goes by another file any more.
    func lastTermsAreInForce() { state.withLock { $0.announcements.lastIsInForce() } }

    // MARK: Grants

    func asked(_ order: OrderNumber, _ amount: Int64) {
        state.withLock { state in
            state.asked[order, default: []].insert(amount)
            if state.askedSince[order] == nil { state.askedSince[order] = state.announcements.first }
            if state.askedAt[order] == nil { state.askedAt[order] = state.identities.nextMoment() }
        }
    }

    /// Whether an order was acknowledged before; to be asked when a request is sent.
    func isAcknowledged(_ order: OrderNumber, _ amount: Int64) -> Bool {
        state.withLock { $0.acknowledged[order]?.amount == amount }
    }

    /// Whether it was acknowledged under another name of the person's, and everybody must know that it's theirs.
    func isAcknowledgedToOtherName(_ order: OrderNumber) -> Bool {
        state.withLock { state in
            state.names(of: order).contains { name in
                name != order && state.acknowledged[name] != nil
                    && state.identities.areKnownSame(name.person, order.person)
            }
        }
    }

    func granted(_ granted: Granted, _ request: GrantRequest, wasAcknowledged: Bool) {
        tell("answer: \(granted.order) \(granted.isReplay ? "was" : "is") granted, \(granted.amount.fen) fen")
        state.withLock { $0.granted(granted, request, wasAcknowledged) }
    }

    func conflict(_ order: OrderNumber, _ amount: Int64) {
        tell("answer: \(order) of \(amount) fen conflicts")
        state.withLock { state in
            state.conflicts[order, default: []].insert(amount)
            if state.acknowledged[order]?.amount == amount {
                state.fail("M14: an accepted order conflicts with itself")
            }
            if !state.names(of: order).contains(where: { !(state.asked[$0] ?? []).subtracting([amount]).isEmpty }) {
                state.fail("GR-3: a conflict with nothing")
            }
        }
    }

    // MARK: Coupons

    /// An order was called taken by another reward than the one that was asked for.
    func conflict(_ order: OrderNumber, naming rewardID: String?) {
        tell("answer: \(order) for \(rewardID ?? "any coupon") conflicts")
        state.withLock { state in for text in state.rewards.conflict(order, naming: rewardID) { state.fail(text) } }
    }

    func isCoupon(_ order: OrderNumber) -> Bool { state.withLock { $0.rewards.areGiven(by: order.scene) } }
    var isRewardOpen: Bool { state.withLock { $0.rewards.isOpen } }
    func couponCount(of template: TemplateID) -> Int64 { state.withLock { $0.rewards.count(of: template) } }
    func rewardState(of order: OrderNumber) -> GivenReward.State? { state.withLock { $0.rewards.state(of: order) } }

    /// The downstream gives somebody a coupon.
    func gave(_ order: RewardOrder) {
        tell("the downstream gives \(order.order) template \(order.template.number)")
        state.withLock { state in for text in state.rewards.give(order) { state.fail(text) } }
    }

    /// - Parameter before: how far it was when it was asked.
    func redeemed(_ outcome: RedeemOutcome, _ order: OrderNumber, before: GivenReward.State?) {
        tell("answer: coupon \(order): \(outcome)")
        state.withLock { state in
            for text in state.rewards.redeemed(outcome, order, before: before) { state.fail(text) }
        }
    }

    // MARK: Wallets

    /// What a person must at least be shown, unless the token lists get lost meanwhile.
    struct Floor: Sendable {
        let orders: Set<OrderNumber>
        /// Subsidies that are used.
        let used: Set<OrderNumber>
        let flushes: Int
    }

    func floor(of person: PersonID) -> Floor {
        state.withLock { state in
            let known = state.acknowledged.keys.filter {
                state.identities.areKnownSame($0.person, person) && !state.flushed.contains($0)
            }
            return Floor(orders: Set(known), used: state.subsidies.used(by: person), flushes: state.flushes)
        }
    }

    func shown(_ reading: WalletReading, floor: Floor, sent: Set<OrderNumber>) {
        tell("wallet of \(reading.person.rawValue): \(reading.view.balance) fen")
        state.withLock { state in
            let orders = state.flushes == floor.flushes ? floor.orders.union(sent) : sent
            state.shown(reading, floor: orders, used: reading.missing.isEmpty ? floor.used : [])
        }
    }

    /// The token lists are lost: what isn't in the ledger is known to clients only, until it's posted.
    func flushedTokens() {
        tell("the token lists are lost")
        state.withLock { state in
            for asked in state.asked.keys {
                // It may have been given under another name than it was asked for.
                for order in state.names(of: asked)
                where state.transfers[TransferID(order)] == nil && state.rewards.state(of: order) == nil {
                    state.flushed.insert(order)
                }
            }
            state.flushes += 1
        }
    }

    // MARK: Withdrawals

    func withdrawalAsked(_ key: WithdrawalKey, _ amount: Int64) {
        state.withLock { state in
            state.withdrawalsAsked[key, default: []].insert(amount)
            if state.withdrawalsAskedSince[key] == nil { state.withdrawalsAskedSince[key] = state.announcements.first }
            if state.withdrawalsAskedAt[key] == nil { state.withdrawalsAskedAt[key] = state.identities.nextMoment() }
        }
    }

    func withdrawalAccepted(_ withdrawal: Withdrawal, _ amount: Int64) {
        tell("answer: withdrawal \(withdrawal.payoutOrder) of \(amount) fen is accepted")
        state.withLock { state in
            if withdrawal.amount.fen != amount { state.fail("M14: a withdrawal of another amount than was asked for") }
            if state.withdrawals[withdrawal.key]?.amount != amount {
                state.fail("M15: a withdrawal was accepted and isn't durable")
            }
            state.withdrawalsAcknowledged.insert(withdrawal.key)
        }
    }

    func withdrawalConflict(_ key: WithdrawalKey, _ amount: Int64) {
        state.withLock { state in
            let earlier = state.identities.names(key.person).compactMap { name in
                WithdrawalKey(person: name, book: key.book, id: key.id).flatMap { state.withdrawals[$0]?.amount }
            }
            if state.withdrawals[key]?.amount == amount || earlier.allSatisfy({ $0 == amount }) {
                state.fail("M14: a withdrawal conflicts with itself")
            }
        }
    }

    /// The sum of what a person has been told is granted.
    func surelyGranted(_ person: PersonID, in book: BookID) -> Int64 {
        state.withLock { $0.surelyGranted(person, in: book) }
    }

    func refusedAsInsufficient(_ key: WithdrawalKey, _ amount: Int64, surelyGranted: Int64) {
        state.withLock { state in
            let others = state.withdrawalsAsked.filter {
                state.identities.areSame($0.key.person, key.person) && $0.key.book == key.book && $0.key != key
            }
            let left = surelyGranted - others.reduce(0) { $0 + ($1.value.max() ?? 0) }
            if left >= amount, state.flushes == 0 { state.fail("M15: what is surely there can't be withdrawn") }
        }
    }

    // MARK: Identities

    func identityAsked(_ key: UserKey, _ phone: PhoneKey?, _ joining: Joining) {
        state.withLock { $0.identities.ask(key, phone, joining) }
    }

    func isKnown(_ key: UserKey) -> Bool { state.withLock { $0.identities.isKnown(key) } }
    func areSame(_ a: PersonID, _ b: PersonID) -> Bool { state.withLock { $0.identities.areSame(a, b) } }
    func hasOtherNames(_ person: PersonID) -> Bool { state.withLock { $0.identities.names(person).count > 1 } }
    var isLeftBehind: Bool { state.withLock { $0.isLeftBehind } }

    func identified(_ key: UserKey, as person: PersonID, user: Int) {
        tell("answer: user \(user) is person \(person.rawValue)")
        note(Int64(user), Int64(person.rawValue))
        state.withLock { state in for text in state.identities.identified(key, as: person) { state.fail(text) } }
    }

    // MARK: Red packets

    /// Somebody has set the wall clock.
    func clockMoved(_ text: String) {
        tell(text)
        state.withLock { $0.packets.clockHasMoved = true }
    }

    /// Whether the cashier has taken something that isn't in the ledger.
    var isPaymentUnnoticed: Bool {
        let (paid, booked) = state.withLock { $0.atCashier }
        return paid != booked
    }

    /// The cashier has taken a payment.
    func paid(_ order: String, _ amount: Int64) {
        tell("the cashier takes \(amount) fen for \(order)")
        state.withLock { state in
            if state.paid.updateValue(amount, forKey: order) != nil { state.fail("M9: an order was paid twice") }
        }
    }

    func sent(_ packet: RedPacket, _ draft: RedPacketDraft) {
        tell("answer: packet \(packet.id.rawValue) is \(packet.state)")
        // It may have been sent under another name of the sender's.
        var draft = draft
        let sender = packet.key.sender
        if areSame(sender, draft.key.sender),
            let key = SendKey(sender: sender, book: draft.key.book, id: draft.key.id)
        {
            draft = RedPacketDraft(
                key: key,
                kind: draft.kind,
                split: draft.split,
                scope: draft.scope,
                cover: draft.cover
            )
        }
        let asked = draft
        check { $0.sent(packet, asked) }
    }

    func sent(_ packet: RedPacket, _ draft: RedPacketDraft, by subsidy: OrderNumber) {
        sent(packet, draft)
        state.withLock { state in for text in state.subsidies.sent(packet, by: subsidy) { state.fail(text) } }
    }

    func isSubsidy(_ order: OrderNumber) -> Bool { state.withLock { $0.subsidies.areGiven(by: order.scene) } }
    func isBooked(_ subsidy: OrderNumber) -> Bool { state.withLock { $0.subsidies.isBooked(subsidy) } }

    /// - Parameters:
    ///   - wasBooked: whether the subsidy was in the ledger before it was asked.
    ///   - floor: of its owner, before it was asked.
    func refused(
        _ answer: SendAnswer,
        _ draft: RedPacketDraft,
        _ order: OrderNumber,
        wasBooked: Bool,
        floor: Floor
    ) {
        tell("answer: a packet with subsidy \(order) isn't sent: \(answer)")
        // It was asked for under another name than the sender's, or may have been.
        if hasOtherNames(draft.key.sender) { return }
        state.withLock { state in
            let isListed = floor.orders.contains(order) && floor.flushes == state.flushes
            let wrong = state.subsidies.refused(
                answer,
                draft,
                order,
                promised: state.acknowledged[order]?.amount,
                wasKnown: wasBooked || isListed && order.person == draft.key.sender,
                earlier: state.packets.packet(draft.key)
            )
            for text in wrong { state.fail(text) }
        }
    }

    func conflicts(_ draft: RedPacketDraft) {
        if !hasOtherNames(draft.key.sender) { check { $0.conflicts(draft) } }
    }

    /// Whether a packet was open for claims, or is over, by what is durable.
    func isFunded(_ id: RedPacketID) -> Bool { state.withLock { $0.packets.isFunded(id) } }
    func isOpen(_ id: RedPacketID) -> Bool { state.withLock { $0.packets.isOpen(id) } }
    func isAcknowledged(_ key: ClaimKey) -> Bool { state.withLock { $0.packets.isAcknowledged(key) } }
    /// The same under any name of the person's.
    func isAcknowledgedToAnyName(_ key: ClaimKey) -> Bool {
        state.withLock { state in
            state.identities.names(key.person).contains { name in
                state.identities.areKnownSame(name, key.person)
                    && state.packets.isAcknowledged(ClaimKey(packet: key.packet, person: name))
            }
        }
    }

    func claimed(_ claim: Claim, _ key: ClaimKey, left: Int, isReplay: Bool) {
        tell("answer: \(key.person.rawValue) \(isReplay ? "had" : "gets") \(claim.share.fen) fen, \(left) shares left")
        note(claim.share.fen, Int64(left))
        if claim.key.packet != key.packet || !areSame(claim.key.person, key.person) {
            violation("M14: another's claim was answered")
        }
        check { $0.claimed(claim, left: left) }
    }

    func refused(
        _ outcome: ClaimOutcome,
        _ key: ClaimKey,
        wasFunded: Bool,
        wasAcknowledged: Bool,
        isOnTime: (Timestamp) -> Bool
    ) {
        tell("answer: \(key.person.rawValue) gets no share: \(outcome)")
        check { books in
            books.refused(
                outcome,
                key,
                wasFunded: wasFunded,
                wasAcknowledged: wasAcknowledged,
                isOnTime: isOnTime
            )
        }
    }

    func looked(_ claims: [Claim], of id: RedPacketID) { check { $0.looked(claims, of: id) } }

    private func check(_ body: (inout PacketBooks) -> [String]) {
        state.withLock { state in for text in body(&state.packets) { state.fail(text) } }
    }

    // MARK: Running totals

    /// A screen of a process shows this. - Parameters: as those of `TotalBooks.look`.
    func showed(
        _ tally: Tally,
        in book: BookID,
        before: Tally?,
        isCurrent: Bool,
        at now: Duration,
        lateness: Duration?
    ) {
        if tally != before { tell("a screen shows \(tally.amount.fen) fen in \(tally.count) grants") }
        state.withLock { state in
            if tally != before { state.remember(tally.amount.fen) }
            let wrong = state.totals.look(
                tally,
                in: book,
                before: before,
                isCurrent: isCurrent,
                at: now,
                lateness: lateness
            )
            for text in wrong { state.fail(text) }
        }
    }

    /// What is in the log.
    func accepted(in book: BookID) -> TotalBooks.Sum { state.withLock { $0.totals.accepted[book] ?? TotalBooks.Sum() } }

    // MARK: The end

    func balance(of person: PersonID, in book: BookID) -> Int64 { state.withLock { $0.balance(of: person, in: book) } }
    func unissued(of scene: SceneID) -> Int64 { state.withLock { $0.unissued(of: scene) } }

    /// Checks what must be so once faults have stopped and everything had time (liveness).
    func settled(_ tables: Tables, at now: Timestamp) { state.withLock { $0.settled(tables, at: now) } }
}
