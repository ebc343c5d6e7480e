import HongbaoCore

/// The part of the audit that is about subsidies (SU-4): each is what was booked, and what is used has paid for one
/// packet; each packet that a subsidy paid for has used it up.
struct SubsidyAudit {
    private(set) var check = AuditCheck(invariant: "SU", title: "subsidies are booked, and used for one packet each")

    /// Booked, until a row accounts for it.
    private var booked: [OrderNumber: Amount] = [:]
    /// Used up, until the packet accounts for it.
    private var used: [RedPacketID: Subsidy] = [:]
    private static let page = 4096

    mutating func note(_ transfer: Transfer, _ order: OrderNumber) { booked[order] = transfer.amount }

    mutating func read(
        _ rows: AuditedRows,
        _ totals: inout AuditReport.Totals
    ) throws(StoreError) {
        var last: OrderNumber?
        while true {
            let page = try rows.subsidies(after: last, limit: Self.page)
            for subsidy in page {
                let amount = booked.removeValue(forKey: subsidy.order)
                check.expect(
                    amount == subsidy.amount,
                    "scene \(subsidy.order.scene.rawValue): a subsidy of \(subsidy.amount.fen) fen, "
                        + "\(amount?.fen ?? 0) were booked"
                )
                guard let packet = subsidy.packet else { continue }
                totals.subsidiesUsed += 1
                totals.subsidiesUsedFen += Int128(subsidy.amount.fen)
                let isFirst = used.updateValue(subsidy, forKey: packet) == nil
                check.expect(isFirst, "packet \(packet.rawValue) is paid for by several subsidies")
            }
            guard let end = page.last else { break }
            last = end.order
        }
        for (order, amount) in booked {
            check.expect(false, "scene \(order.scene.rawValue): \(amount.fen) fen booked as a subsidy that isn't there")
        }
    }

    mutating func compare(_ packet: RedPacket) {
        let subsidy = used.removeValue(forKey: packet.id)
        let isPaid = packet.kind.source == .subsidy && packet.state.isFunded
        guard isPaid || subsidy != nil else { return }
        check.expect(
            isPaid && subsidy?.order == packet.subsidy && subsidy?.amount == packet.split.amount
                && subsidy?.order.person == packet.key.sender,
            "packet \(packet.id.rawValue): \(packet.state) with \(packet.split.amount.fen) fen, "
                + "its subsidy has \(subsidy?.amount.fen ?? 0)"
        )
    }

    /// All packets have been compared.
    mutating func end() {
        check.expect(used.isEmpty, "\(used.count) subsidies are used for packets that aren't there")
    }
}
