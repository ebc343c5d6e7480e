import HongbaoCore
import HongbaoEngine

/// The auditor's own books of subsidies: fed with rows as they become durable, and with what people are told. It goes
/// by what the requirements say (SU-1 to SU-5), not by how the core decides.
struct SubsidyBooks: Sendable {
    private let areGiven: Bool
    private var rows: [OrderNumber: Subsidy] = [:]
    /// What has paid for each packet.
    private var payers: [RedPacketID: OrderNumber] = [:]

    init(_ setup: Setup) { areGiven = setup.givesSubsidies }

    /// What one transaction did, with the ledger as it is after it.
    struct Change {
        let commit: Commit
        let transfer: (TransferID) -> Transfer?
        let sums: (AccountID) -> AuditState.Sums
    }

    /// Whether what this scene gives is for sending packets.
    func areGiven(by scene: SceneID) -> Bool { areGiven && scene.number == Setup.subsidyScene }

    // MARK: Rows

    /// Answers everything that's wrong.
    mutating func take(_ change: Change) -> [String] {
        guard areGiven else { return change.commit.subsidies.isEmpty ? [] : ["SU-1: a subsidy that no scene gives"] }
        var wrong: [String] = []
        for row in change.commit.subsidies { wrong += take(row, change) }
        for packet in change.commit.packets where packet.kind == .b2c { wrong += check(packet) }
        for transfer in change.commit.transfers {
            guard let order = transfer.id.order, areGiven(by: order.scene), rows[order] == nil else { continue }
            wrong.append("SU-1: a subsidy is booked, and nobody can use it")
        }
        for id in change.commit.accounts.map(\.id) where id.kind == .subsidies {
            let own = rows.values.filter { $0.order.person.rawValue == id.owner && $0.order.book == id.book }
            let given = own.reduce(0) { $0 + $1.amount.fen }
            let used = own.reduce(0) { $0 + ($1.packet == nil ? 0 : $1.amount.fen) }
            let sums = change.sums(id)
            if sums.credits != given || sums.debits != used {
                wrong.append("SU-4: what somebody has isn't what they were given, less what they used")
            }
        }
        return wrong
    }

    private mutating func take(_ row: Subsidy, _ change: Change) -> [String] {
        var wrong: [String] = []
        let order = row.order
        let before = rows.updateValue(row, forKey: order)
        if let before {
            if before.amount != row.amount || before.at != row.at { wrong.append("M15: a subsidy was changed") }
            if let packet = before.packet, packet != row.packet { wrong.append("SU-4: a subsidy pays a second time") }
        } else {
            let transfer = change.transfer(TransferID(order))
            if transfer?.amount != row.amount || transfer?.at != row.at || !areGiven(by: order.scene) {
                wrong.append("SU-1: a subsidy that nobody was given")
            }
        }
        guard let id = row.packet, before?.packet == nil else { return wrong }
        if payers.updateValue(order, forKey: id) != nil { wrong.append("SU-4: two subsidies pay for one packet") }
        let payment = change.transfer(TransferID(packet: id, book: order.book, .payment))
        let own = AccountID(book: order.book, kind: .subsidies, owner: order.person.rawValue)
        if payment?.amount != row.amount || payment?.debit != own {
            wrong.append("SU-4: a subsidy is used, and isn't what has paid")
        }
        let packet = change.commit.packets.first { $0.id == id }
        if packet?.kind != .b2c || packet?.key.sender != order.person || packet?.key.book != order.book {
            wrong.append("SU-5: a subsidy pays for another's packet")
        }
        if packet?.split.amount != row.amount { wrong.append("SU-4: a subsidy pays for a packet of another amount") }
        return wrong
    }

    /// M7: what a subsidy pays for is made and paid for at once, or not at all.
    private func check(_ packet: RedPacket) -> [String] {
        switch packet.state {
        case .created, .paying, .abandoned: ["M7: a packet waits for a payment that can't come"]
        case .published, .exhausted, .expired, .closing, .closed:
            payers[packet.id] != nil && payers[packet.id] == packet.subsidy
                ? [] : ["SU-4: a packet is paid for by a subsidy that isn't used"]
        }
    }

    // MARK: What people are told

    /// Of a person, those that are used.
    func used(by person: PersonID) -> Set<OrderNumber> {
        Set(rows.values.filter { $0.order.person == person && $0.packet != nil }.map(\.order))
    }

    /// Whether it's in the ledger.
    func isBooked(_ order: OrderNumber) -> Bool { rows[order] != nil }

    /// - Parameter used: those that were used before it was asked.
    func shown(_ shown: [Subsidy], used: Set<OrderNumber>) -> [String] {
        var wrong: [String] = []
        for subsidy in shown {
            if !areGiven(by: subsidy.order.scene) { wrong.append("SU-1: cash is shown as a subsidy") }
            if let packet = subsidy.packet, payers[packet] != subsidy.order {
                wrong.append("SU-2: a subsidy is shown as used that isn't")
            }
            if subsidy.packet == nil, used.contains(subsidy.order) {
                wrong.append("SU-2: a subsidy is shown as if it could be used")
            }
        }
        return wrong
    }

    func sent(_ packet: RedPacket, by order: OrderNumber) -> [String] {
        if order.person != packet.key.sender { return ["SU-5: somebody sends with another's subsidy"] }
        return payers[packet.id] == order ? [] : ["SU-4: a packet is sent, and its subsidy hasn't paid for it"]
    }

    /// - Parameters:
    ///   - promised: the amount that was promised under this number, if any.
    ///   - wasKnown: whether it must have been there when it was asked for.
    ///   - earlier: what has the same key, if anything.
    func refused(
        _ answer: SendAnswer,
        _ draft: RedPacketDraft,
        _ order: OrderNumber,
        promised: Int64?,
        wasKnown: Bool,
        earlier: RedPacket?
    ) -> [String] {
        let isOwn = order.person == draft.key.sender && order.book == draft.key.book
        switch answer {
        case .subsidyMismatch:
            let fits = isOwn && (promised ?? rows[order]?.amount.fen) == draft.split.amount.fen
            return fits ? ["SU-4: a subsidy that fits is refused"] : []
        case .subsidyUnknown: return wasKnown ? ["SU-2: a subsidy that was given isn't known"] : []
        case .subsidyUsed:
            let isUsed = rows[order]?.packet.map { $0 != earlier?.id } ?? false
            return isUsed ? [] : ["SU-4: a subsidy is called used, and isn't"]
        case .conflict:
            let isSame = earlier.map { $0.draft == draft && $0.subsidy == order } ?? true
            return isSame ? ["M14: a packet conflicts with itself"] : []
        case .sent, .replayed, .unavailable: return ["M14: a refusal that is none"]
        }
    }
}
