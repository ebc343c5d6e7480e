import HongbaoCore

/// The auditor's own books of red packets: fed with rows and transfers as they become durable, and with what people are
/// told. It goes by what the requirements say (RP-1 to RP-11), not by how the core decides.
struct PacketBooks: Sendable {
    private var rows: [RedPacketID: RedPacket] = [:]
    /// By position.
    private var claims: [RedPacketID: [Claim]] = [:]
    private var positions: [ClaimKey: Int] = [:]
    private var acknowledged: [ClaimKey: Amount] = [:]
    /// Then times say nothing of what came before what.
    var clockHasMoved = false

    /// What one transaction did to packets, with the ledger as it is after it.
    struct Change {
        let packets: [RedPacket]
        let claims: [Claim]
        let transfer: (TransferID) -> Transfer?
        let sums: (AccountID) -> AuditState.Sums
    }

    // MARK: Rows

    /// Answers everything that's wrong.
    mutating func take(_ change: Change) -> [String] {
        var wrong: [String] = []
        let touched = Set(change.packets.map(\.id))
        for claim in change.claims {
            // That it has been asked about again is the claim's own affair.
            let before = positions[claim.key].flatMap { claims[claim.key.packet]?[$0] }
            if before?.state != claim.state, !touched.contains(claim.key.packet) {
                wrong.append("M7: a claim changed and its packet didn't")
            }
            wrong += take(claim, change)
        }
        for packet in change.packets { wrong += take(packet, change) }
        return wrong
    }

    private mutating func take(_ claim: Claim, _ change: Change) -> [String] {
        var wrong: [String] = []
        let id = claim.key.packet
        if let position = positions[claim.key] {
            guard let before = claims[id]?[position], before.position == claim.position, before.share == claim.share,
                before.kind == claim.kind
            else { return ["M14: a claim was changed"] }
            if before.state == .done, claim.state != .done { wrong.append("M10: a transfer was undone") }
            claims[id]?[position] = claim
        } else {
            guard let packet = rows[id] else { return ["M7: a claim of a packet that isn't there"] }
            if claim.position != claims[id]?.count ?? 0 { return ["M7: a share is skipped, or given to two"] }
            positions[claim.key] = claim.position
            claims[id, default: []].append(claim)
            if packet.state != .published { wrong.append("M7: a claim of a packet that isn't open") }
            if claim.share.fen < 1 { wrong.append("M7: a share of nothing") }
            if packet.expiresAt.map({ claim.at >= $0 }) ?? true { wrong.append("RP-4: a claim after the end") }
            if !Self.admits(claim.key.person, to: packet) { wrong.append("RP-11: a claim by who may not") }
            if claim.state == .done { wrong.append("RP-9: a claim waited for its transfer") }
        }
        guard claim.state == .done else { return wrong }
        let transfer = change.transfer(claim.transferID)
        let account: AccountID =
            claim.kind == .b2c
            ? .person(claim.key.person, in: claim.book) : AccountID(book: claim.book, kind: .change, owner: 0)
        if transfer?.amount != claim.share || transfer?.credit != account
            || transfer?.debit != .escrow(of: id, in: claim.book)
        {
            wrong.append("RP-9: a share is called transferred, and isn't")
        }
        return wrong
    }

    private mutating func take(_ packet: RedPacket, _ change: Change) -> [String] {
        var wrong: [String] = []
        let before = rows.updateValue(packet, forKey: packet.id)
        let own = claims[packet.id] ?? []
        let claimed = own.reduce(0) { $0 + $1.share.fen }
        let transferred = own.reduce(0) { $0 + ($1.state == .done ? $1.share.fen : 0) }
        if let before, before.draft != packet.draft || before.seal != packet.seal {
            wrong.append("RP-10: a packet's terms were changed after it was sent")
        }
        if !Self.mayGo(from: before?.state, to: packet.state) {
            let from = before.map { "\($0.state)" } ?? "nothing"
            wrong.append("RP-5: a packet went from \(from) to \(packet.state)")
        }
        if packet.claimed.fen != claimed || packet.claimedCount != own.count || packet.transferred.fen != transferred {
            wrong.append("M7: a packet isn't the sum of its claims")
        }
        if own.count > packet.split.count || claimed > packet.split.amount.fen {
            wrong.append("M7: more is claimed than there is")
        }
        let best = own.max { ($0.share, $1.position) < ($1.share, $0.position) }
        if packet.luckiest?.position != best?.position {
            wrong.append("RP-3: the luckiest isn't the first of the best")
        }
        return wrong + money(packet, transferred: transferred, change) + times(packet)
    }

    /// M7: nothing before payment; M8: what left the escrow is what was transferred and refunded.
    private func money(_ packet: RedPacket, transferred: Int64, _ change: Change) -> [String] {
        var wrong: [String] = []
        let escrow = change.sums(.escrow(of: packet.id, in: packet.key.book))
        let refunded = packet.refunded.fen
        if escrow.credits != (Self.isFunded(packet.state) ? packet.split.amount.fen : 0) {
            wrong.append("M7: a packet is \(packet.state) and has got \(escrow.credits) fen")
        }
        if escrow.debits != transferred + refunded { wrong.append("M8: the escrow gave away something else") }
        guard refunded > 0 || packet.state == .closed else { return wrong }
        if packet.state != .closing, packet.state != .closed { wrong.append("M7: a refund before the end") }
        if refunded > 0, refunded != packet.split.amount.fen - packet.claimed.fen {
            wrong.append("M7: a refund of something else than the rest")
        }
        if refunded > 0, let transfer = change.transfer(packet.refundID), !Self.isBackAtItsSource(transfer, packet) {
            wrong.append("RP-4: a refund went elsewhere")
        }
        if packet.state == .closed, transferred + refunded != packet.split.amount.fen {
            wrong.append("M8: a packet is closed, and not all of it is where it belongs")
        }
        return wrong
    }

    private func times(_ packet: RedPacket) -> [String] {
        guard let published = packet.publishedAt, let end = packet.expiresAt else { return [] }
        var wrong: [String] = []
        if end != published.advanced(bySeconds: Setup.packetLifeSeconds) { wrong.append("RP-4: another end") }
        let isEarly = !clockHasMoved && packet.closedAt.map { $0 < end } ?? false
        if isEarly, packet.claimedCount < packet.split.count { wrong.append("RP-4: a refund before the time is over") }
        return wrong
    }

    private static func isFunded(_ state: RedPacket.State) -> Bool {
        switch state {
        case .created, .paying, .abandoned: false
        case .published, .exhausted, .expired, .closing, .closed: true
        }
    }

    /// RP-5, with several steps in one transaction.
    private static func mayGo(from old: RedPacket.State?, to new: RedPacket.State) -> Bool {
        guard let old else { return new == .created || new == .published }
        if old == new { return true }
        if new == .abandoned { return old == .created || old == .paying }
        if old == .abandoned { return false }
        return place(old) < place(new)
    }

    private static func place(_ state: RedPacket.State) -> Int {
        switch state {
        case .created: 0
        case .paying: 1
        case .published: 2
        case .exhausted, .expired: 3
        case .closing: 4
        case .closed, .abandoned: 5
        }
    }

    private static func isBackAtItsSource(_ transfer: Transfer, _ packet: RedPacket) -> Bool {
        guard transfer.debit.kind == .escrow else { return false }
        guard packet.kind == .b2c else { return transfer.credit.kind == .refunds }
        return transfer.credit.kind == .budget && transfer.credit.owner == UInt64(Setup.subsidyScene)
    }

    // MARK: What people are told

    /// RP-11, as the simulated relations are; see `Setup.relation`.
    static func admits(_ person: PersonID, to packet: RedPacket) -> Bool {
        switch packet.scope {
        case .everyone: true
        case .listed(let persons): persons.contains(person)
        case .followers: Setup.relation(of: person, to: packet.key.sender).contains(.follower)
        case .friends: Setup.relation(of: person, to: packet.key.sender).contains(.friend)
        }
    }

    func isFunded(_ id: RedPacketID) -> Bool { rows[id].map { Self.isFunded($0.state) } ?? false }

    func isOpen(_ id: RedPacketID) -> Bool { rows[id]?.state == .published }

    func packet(_ key: SendKey) -> RedPacket? { rows.values.first { $0.key == key } }

    /// What has come into a wallet of shares.
    func received(by person: PersonID, in book: BookID) -> Int64 {
        let own = claims.values.joined().filter { $0.key.person == person && $0.book == book }
        return own.reduce(0) { $0 + ($1.kind == .b2c && $1.state == .done ? $1.share.fen : 0) }
    }

    /// Whether a line of somebody's statement is a share that they have claimed.
    func isShare(_ entry: StatementEntry, of person: PersonID) -> Bool {
        guard case (let id, .claim(let position))? = entry.id.packet, let own = claims[id],
            own.indices.contains(position)
        else { return false }
        let claim = own[position]
        return claim.key.person == person && claim.kind == .b2c && claim.share.fen == entry.amount
    }

    func sent(_ packet: RedPacket, _ draft: RedPacketDraft) -> [String] {
        guard let row = rows[packet.id] else { return ["M15: a packet is answered before it's durable"] }
        return row.draft == draft && packet.draft == draft ? [] : ["M14: another packet was answered"]
    }

    /// A draft whose key another draft has.
    func conflicts(_ draft: RedPacketDraft) -> [String] {
        let isTaken = rows.values.contains { $0.key == draft.key && $0.draft != draft }
        return isTaken ? [] : ["M14: a packet conflicts with itself"]
    }

    /// - Parameter left: shares left after it, as the person is told, also when told again.
    mutating func claimed(_ claim: Claim, left: Int) -> [String] {
        guard let position = positions[claim.key], let row = claims[claim.key.packet]?[position],
            let packet = rows[claim.key.packet]
        else { return ["RP-8: a claim is answered before it's durable"] }
        var wrong: [String] = []
        if row.share != claim.share || row.position != claim.position {
            wrong.append("M14: another share was answered")
        }
        if let before = acknowledged.updateValue(claim.share, forKey: claim.key) {
            if before != claim.share { wrong.append("M14: a repeated claim got another share") }
        }
        if left != packet.split.count - claim.position - 1 { wrong.append("RP-3: a wrong number of shares left") }
        return wrong
    }

    func isAcknowledged(_ key: ClaimKey) -> Bool { acknowledged[key] != nil }

    /// - Parameters:
    ///   - wasFunded: whether the packet was, when it was asked.
    ///   - wasAcknowledged: whether the person had been told of a share then.
    ///   - isOnTime: whether the time is surely not over.
    func refused(
        _ outcome: ClaimOutcome,
        _ key: ClaimKey,
        wasFunded: Bool,
        wasAcknowledged: Bool,
        isOnTime: (Timestamp) -> Bool
    ) -> [String] {
        guard let packet = rows[key.packet] else { return [] }
        if wasAcknowledged { return ["M14: who has a share is refused: \(outcome)"] }
        switch outcome {
        case .unknown: return ["RP-8: a packet isn't known"]
        case .notPublished: return wasFunded ? ["RP-8: a packet that is paid isn't open"] : []
        case .notInScope:
            return Self.admits(key.person, to: packet) ? ["RP-11: who may claim is refused"] : []
        case .exhausted:
            return packet.claimedCount < packet.split.count ? ["RP-3: shares are left, and somebody is refused"] : []
        case .expired:
            let isOpen = packet.state == .published && packet.expiresAt.map(isOnTime) ?? false
            return isOpen ? ["RP-4: refused before the end"] : []
        case .claimed, .alreadyClaimed: return ["M14: a refusal that is none"]
        }
    }

    /// RP-3: the details say what the rows say.
    func looked(_ shown: [Claim], of id: RedPacketID) -> [String] {
        let own = claims[id] ?? []
        let isSame = zip(own, shown).allSatisfy { $0.key == $1.key && $0.share == $1.share }
        return isSame && shown.count <= own.count ? [] : ["RP-3: details that aren't so"]
    }

    // MARK: The end

    /// Whether a packet's time is over, so that it must come to its end. One that was made while the clock was ahead by
    /// hours has hours to go.
    static func isDue(_ packet: RedPacket, at now: Timestamp) -> Bool {
        switch packet.state {
        case .created, .paying: packet.createdAt.advanced(bySeconds: Setup.payWithinSeconds) < now
        case .published: packet.expiresAt.map { $0 < now } ?? true
        case .exhausted, .expired, .closing: true
        case .closed, .abandoned: false
        }
    }

    /// Everything that is due is over, everybody has what they claimed, and the rest is back.
    func settled(at now: Timestamp) -> [String] {
        var wrong: [String] = []
        for packet in rows.values.sorted(by: { $0.id < $1.id }) where Self.isDue(packet, at: now) {
            wrong.append("M10: a packet stays \(packet.state)")
        }
        if claims.values.joined().contains(where: { $0.state != .done }) { wrong.append("M15: a share never arrives") }
        return wrong
    }
}
