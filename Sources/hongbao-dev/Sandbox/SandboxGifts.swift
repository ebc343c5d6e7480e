import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// What the sandbox's downstreams have given and refused. Pure: time and chance are handed in.
///
/// An order is decided on once, when it first comes, and then only becomes due. Each decision answers the line to be
/// written to the journal before anybody is told:
///
///     D,kind,order,person,template,acceptedAt,givenAt,code    code is - unless it's refused
struct SandboxGifts: Sendable {
    struct Key: Hashable, Sendable {
        let kind: RewardKind
        let order: String
    }

    struct Gift: Hashable, Sendable {
        let kind: RewardKind
        let order: RewardOrder
        let acceptedAt: Timestamp
        let givenAt: Timestamp
        /// Why it's refused, if it is.
        let code: String?

        func state(now: Timestamp) -> RewardMessages.Result.State {
            if let code { return .final(code) }
            return givenAt <= now ? .granted : .processing
        }
    }

    struct Totals: Hashable, Sendable {
        var processing = 0
        var granted = 0
        var refused = 0
    }

    static let lineStart = "D,"
    private static let refusals: [RewardCode] = [.templateUnknown, .templateExpired, .outOfStock, .notEligible]

    private var gifts: [Key: Gift] = [:]
    /// In order of acceptance.
    private var orders: [RewardKind: [Key]] = [:]

    /// The same order again gives its present state; with other content it's refused and changes nothing.
    mutating func give(
        _ order: RewardOrder,
        at kind: RewardKind,
        habits: SandboxHabits,
        using random: inout SplitMix64,
        now: Timestamp
    ) -> (result: RewardMessages.Result, line: String) {
        let key = Key(kind: kind, order: order.order)
        func result(_ state: RewardMessages.Result.State) -> RewardMessages.Result {
            RewardMessages.Result(order: order.order, state: state)
        }
        if let earlier = gifts[key] {
            guard earlier.order == order else { return (result(.final(RewardCode.orderConflict.rawValue)), "") }
            let state = earlier.state(now: now)
            return (result(state == .granted ? .alreadyGranted : state), "")
        }
        if random.happens(Int(habits.busy)) { return (result(.retryable(RewardCode.busy.rawValue)), "") }
        let isRefused = random.happens(Int(habits.refusals))
        let code = Self.refusals[Int(random.next(below: UInt64(Self.refusals.count)))]
        let isAlready = random.happens(Int(habits.alreadyGranted))
        let gift = Gift(
            kind: kind,
            order: order,
            acceptedAt: now,
            givenAt: Timestamp(milliseconds: now.milliseconds &+ (isAlready ? 0 : habits.delay)),
            code: isRefused ? code.rawValue : nil
        )
        add(gift, key)
        let state = gift.state(now: now)
        return (result(isAlready && state == .granted ? .alreadyGranted : state), Self.line(gift))
    }

    func result(of order: String, at kind: RewardKind, now: Timestamp) -> RewardMessages.Result {
        let gift = gifts[Key(kind: kind, order: order)]
        return RewardMessages.Result(order: order, state: gift?.state(now: now) ?? .unknownOrder)
    }

    private mutating func add(_ gift: Gift, _ key: Key) {
        gifts[key] = gift
        orders[gift.kind, default: []].append(key)
    }

    // MARK: What there is

    private func all(of kind: RewardKind) -> [Gift] { (orders[kind] ?? []).compactMap { gifts[$0] } }

    func totals(of kind: RewardKind, now: Timestamp) -> Totals {
        var totals = Totals()
        for gift in all(of: kind) {
            if gift.code != nil {
                totals.refused += 1
            } else if gift.givenAt <= now {
                totals.granted += 1
            } else {
                totals.processing += 1
            }
        }
        return totals
    }

    /// A line for each order that was given, in the order of their coming.
    func givenFile(of kind: RewardKind, now: Timestamp) -> String {
        var text = "order,person,template,givenAt\n"
        for gift in all(of: kind) where gift.code == nil && gift.givenAt <= now {
            let order = gift.order
            text += "\(order.order),\(order.person.rawValue),\(order.template.rawValue),\(gift.givenAt.milliseconds)\n"
        }
        return text
    }

    // MARK: The journal

    private static func line(_ gift: Gift) -> String {
        let words = [
            "D", gift.kind.rawValue, gift.order.order, String(gift.order.person.rawValue),
            String(gift.order.template.rawValue), String(gift.acceptedAt.milliseconds),
            String(gift.givenAt.milliseconds), gift.code ?? "-",
        ]
        return words.joined(separator: ",") + "\n"
    }

    private static func gift(_ line: Substring) -> Gift? {
        let words = line.split(separator: ",", omittingEmptySubsequences: false).map { String($0) }
        guard words.count == 8, let kind = RewardKind(rawValue: words[1]), let person = UInt64(words[3]),
            let template = UInt32(words[4]), let acceptedAt = Int64(words[5]), let givenAt = Int64(words[6])
        else { return nil }
        return Gift(
            kind: kind,
            order: RewardOrder(order: words[2], person: PersonID(person), template: TemplateID(template)),
            acceptedAt: Timestamp(milliseconds: acceptedAt),
            givenAt: Timestamp(milliseconds: givenAt),
            code: words[7] == "-" ? nil : words[7]
        )
    }

    /// Reads a journal back; other lines than its own are the bank's.
    mutating func replay(_ text: String) throws(SandboxBank.Damage) {
        for (number, line) in text.split(separator: "\n").enumerated() where line.hasPrefix(Self.lineStart) {
            guard let gift = Self.gift(line) else { throw SandboxBank.Damage(line: number + 1) }
            let key = Key(kind: gift.kind, order: gift.order.order)
            guard gifts[key] == nil else { throw SandboxBank.Damage(line: number + 1) }
            add(gift, key)
        }
    }
}
