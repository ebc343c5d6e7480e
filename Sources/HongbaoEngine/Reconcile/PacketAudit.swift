import HongbaoCore

/// The part of the audit that is about red packets (M7, M8, RP-10): each packet against its claims, its transfers, its
/// escrow and its seed.
struct PacketAudit {
    private(set) var conserved = AuditCheck(invariant: "M7", title: "packets: sent = claims + refund + left")
    private(set) var settled = AuditCheck(invariant: "M8", title: "packets: sent covers transfers and refund")
    private(set) var shares = AuditCheck(invariant: "RP", title: "shares follow from the committed seeds")

    var subsidies = SubsidyAudit()
    private let vault: SeedVault
    /// Into and out of escrows, until a packet accounts for them.
    private var transfers: [TransferID: Transfer] = [:]
    /// Whether a person is in another database than this one.
    private let isElsewhere: (PersonID) -> Bool
    /// Shares that are done, and must have come to another database.
    private(set) var departed: [Claim] = []
    private static let page = 1024

    init(keyring: Keyring, isElsewhere: @escaping (PersonID) -> Bool) {
        vault = SeedVault(keyring)
        self.isElsewhere = isElsewhere
    }

    static func concerns(_ transfer: Transfer) -> Bool {
        transfer.id.packet != nil || transfer.debit.kind == .escrow || transfer.credit.kind == .escrow
    }

    mutating func note(_ transfer: Transfer) { transfers[transfer.id] = transfer }

    mutating func read(
        _ rows: AuditedRows,
        _ forward: inout AuditCheck,
        _ agreed: inout AuditCheck,
        _ totals: inout AuditReport.Totals
    ) throws(StoreError) {
        try subsidies.read(rows, &totals)
        var last: RedPacketID?
        while true {
            let page = try rows.packets(after: last, limit: Self.page)
            for packet in page {
                let refunds = try rows.refunds(of: packet.id)
                check(refunds, of: packet, &agreed, &forward)
                try read(packet, rows)
                checkStates(packet, &forward)
                subsidies.compare(packet)
                guard packet.state.isFunded else { continue }
                totals.packetsSent += 1
                totals.sentFen += Int128(packet.split.amount.fen)
                totals.transferredFen += Int128(packet.transferred.fen)
                totals.refundedFen += Int128(packet.refunded.fen)
            }
            guard let end = page.last else { break }
            last = end.id
        }
        subsidies.end()
        settled.expect(transfers.isEmpty, "\(transfers.count) transfers of escrows that no packet accounts for")
    }

    private mutating func read(_ packet: RedPacket, _ rows: AuditedRows) throws(StoreError) {
        let place = "packet \(packet.id.rawValue)"
        var tally = Tally()
        let draws: KeyedDraws?
        do {
            draws = try vault.open(packet).draws
        } catch {
            draws = nil
            shares.expect(false, "\(error.message)")
        }
        var position = 0
        while true {
            let claims = try rows.claims(of: packet.id, from: position, limit: Self.page)
            for claim in claims { read(claim, of: packet, draws, &tally) }
            guard let end = claims.last else { break }
            position = end.position + 1
        }
        conserved.expect(
            tally.count == packet.claimedCount && tally.claimed == Int128(packet.claimed.fen)
                && tally.persons.count == tally.count && tally.isGapFree && tally.count <= packet.split.count
                && tally.claimed <= Int128(packet.split.amount.fen),
            "\(place): \(tally.count) claims of \(tally.claimed) fen, "
                + "its row says \(packet.claimedCount) of \(packet.claimed.fen)"
        )
        conserved.expect(
            packet.refunded == .zero || packet.refunded == packet.unclaimed,
            "\(place): \(packet.refunded.fen) fen went back, \(packet.unclaimed.fen) weren't claimed"
        )
        conserved.expect(
            tally.luckiest == packet.luckiest,
            "\(place): the luckiest is at \(tally.luckiest?.position ?? -1), not at \(packet.luckiest?.position ?? -1)"
        )
        checkMoney(packet, tally, try rows.account(packet.escrow), place)
    }

    /// M7: of all refunds one is done or may yet be, the last one, of what is owed. M9: it's done when, and only when,
    /// the ledger has moved its money.
    private mutating func check(
        _ refunds: [Refund],
        of packet: RedPacket,
        _ agreed: inout AuditCheck,
        _ forward: inout AuditCheck
    ) {
        let place = "packet \(packet.id.rawValue)"
        let isOver = packet.state == .closing || packet.state == .closed
        let isOwed = packet.kind.source.isOutside && isOver && packet.unclaimed > .zero
        conserved.expect(
            refunds.dropLast().allSatisfy { $0.state == .failed } && refunds.last?.state != .failed
                && refunds.enumerated().allSatisfy { Int($1.number) == $0 + 1 }
                && (isOwed ? !refunds.isEmpty : refunds.isEmpty || packet.state == .abandoned),
            "\(place): \(packet.state) with \(packet.unclaimed.fen) fen unclaimed and refunds "
                + "\(refunds.map { "\($0.number) \($0.state)" })"
        )
        for refund in refunds {
            conserved.expect(
                refund.person == packet.key.sender && refund.book == packet.key.book
                    && refund.amount == refunds[0].amount && (refund.reason == .unclaimed) == packet.state.isFunded
                    && (refund.reason != .unclaimed || refund.amount == packet.unclaimed),
                "\(place): refund \(refund.number) of \(refund.amount.fen) fen as \(refund.reason)"
            )
            forward.expect(
                (refund.state == .pending) == (refund.finalAt == nil),
                "\(place): refund \(refund.number) is \(refund.state), final at "
                    + "\(refund.finalAt?.milliseconds ?? 0)"
            )
        }
        let done = refunds.first { $0.state == .done }
        guard packet.kind.source.isOutside else { return }
        let moved =
            packet.state.isFunded
            ? transfers[packet.refundID] : transfers.removeValue(forKey: packet.refundID)
        agreed.expect(
            done.map { moved?.movesTheSame(as: $0.transfer(at: $0.createdAt)) ?? false } ?? (moved == nil),
            "\(place): refund \(done.map { "\($0.number) of \($0.amount.fen) fen" } ?? "none") is done, "
                + "\(moved?.amount.fen ?? 0) fen went back"
        )
    }

    private struct Tally {
        var count = 0
        var claimed = Int128(0)
        var transferred = Int128(0)
        var persons = Set<PersonID>()
        var isGapFree = true
        var luckiest: RedPacket.Best?
    }

    private func leaves(_ claim: Claim) -> Bool {
        !claim.kind.destination.isOutside && isElsewhere(claim.key.person)
    }

    private mutating func read(_ claim: Claim, of packet: RedPacket, _ draws: KeyedDraws?, _ tally: inout Tally) {
        let place = "packet \(packet.id.rawValue) position \(claim.position)"
        if claim.position != tally.count { tally.isGapFree = false }
        tally.count += 1
        tally.claimed += Int128(claim.share.fen)
        tally.persons.insert(claim.key.person)
        if tally.luckiest.map({ claim.share > $0.share }) ?? true {
            tally.luckiest = RedPacket.Best(position: claim.position, share: claim.share)
        }
        if let draws, packet.split.positions.contains(claim.position) {
            let share = packet.split.share(at: claim.position, draws)
            shares.expect(share == claim.share, "\(place): \(claim.share.fen) fen, its seed says \(share.fen)")
        }
        let transfer = transfers.removeValue(forKey: claim.transferID)
        switch claim.state {
        case .pending:
            settled.expect(transfer == nil, "\(place): pending, and \(transfer?.amount.fen ?? 0) fen were moved")
        case .done:
            tally.transferred += Int128(claim.share.fen)
            if leaves(claim) { departed.append(claim) }
            settled.expect(
                transfer?.movesTheSame(as: claim.transfer(at: claim.at, isElsewhere: leaves(claim))) ?? false,
                "\(place): done with \(claim.share.fen) fen, \(transfer?.amount.fen ?? 0) were moved"
            )
        }
    }

    private mutating func checkMoney(_ packet: RedPacket, _ tally: Tally, _ escrow: Account, _ place: String) {
        let payment = packet.payment(at: packet.createdAt)
        let funding = transfers.removeValue(forKey: payment.id)
        let isNoted = packet.kind.source == .subsidy ? packet.subsidy != nil : packet.funding == payment.id
        conserved.expect(
            packet.state.isFunded
                ? isNoted && funding?.movesTheSame(as: payment) ?? false : funding == nil && packet.funding == nil,
            "\(place): \(packet.state) and \(funding.map { "funded with \($0.amount.fen) fen" } ?? "not funded")"
        )
        // What went back without ever having been in the escrow was seen with its refund.
        let refund = packet.state.isFunded ? transfers.removeValue(forKey: packet.refundID) : nil
        conserved.expect(
            (refund?.amount ?? .zero) == packet.refunded && (refund.map { $0.credit == packet.refundAccount } ?? true),
            "\(place): \(refund?.amount.fen ?? 0) fen went back, its row says \(packet.refunded.fen)"
        )
        let left = Int128(packet.transferred.fen) + Int128(packet.refunded.fen)
        settled.expect(
            tally.transferred == Int128(packet.transferred.fen) && Int128(escrow.debits.fen) == left
                && escrow.credits == (packet.state.isFunded ? packet.split.amount : .zero),
            "\(place): \(packet.transferred.fen) fen transferred and \(packet.refunded.fen) refunded of "
                + "\(escrow.credits.fen), its escrow gave \(escrow.debits.fen), its claims got \(tally.transferred)"
        )
        settled.expect(
            left <= Int128(packet.split.amount.fen) && (packet.state != .closed || packet.isSettled),
            "\(place): \(packet.state), \(left) of \(packet.split.amount.fen) fen where they belong"
        )
    }

    private func checkStates(_ packet: RedPacket, _ forward: inout AuditCheck) {
        let isComplete =
            switch packet.state {
            case .created, .paying, .abandoned: packet.publishedAt == nil && packet.claimedCount == 0
            case .published: packet.sharesLeft > 0 && packet.expiresAt != nil
            case .exhausted: packet.sharesLeft == 0
            case .expired: packet.sharesLeft > 0
            case .closing, .closed: packet.publishedAt != nil
            }
        forward.expect(
            isComplete && (packet.state == .closed) == (packet.closedAt != nil),
            "packet \(packet.id.rawValue) is \(packet.state) with \(packet.sharesLeft) shares left, "
                + "closed at \(packet.closedAt?.milliseconds ?? 0)"
        )
    }
}
