/// What a rain gives somebody to send one red packet with (补贴, SU-1, SU-4).
///
/// Granted like cash, under an order number; its money waits in the person's subsidies account, and this row says
/// whether it's still there. Only goes forward: granted, then used, by one packet.
package struct Subsidy: Hashable, Sendable {
    package let order: OrderNumber
    package let amount: Amount
    /// When the person got it.
    package let at: Timestamp
    /// The packet that it has paid for; `nil` while it's still to be used.
    package internal(set) var packet: RedPacketID?

    package init(order: OrderNumber, amount: Amount, at: Timestamp, packet: RedPacketID? = nil) {
        self.order = order
        self.amount = amount
        self.at = at
        self.packet = packet
    }

    package var isUsed: Bool { packet != nil }
}

extension Books {
    /// Posts an accepted grant (LG-1). What is for sending a packet gets its row, too.
    package mutating func grant(_ transfer: Transfer) -> TransferOutcome {
        let outcome = ledger.post(transfer)
        if outcome == .posted, transfer.credit.kind == .subsidies, let order = transfer.id.order {
            add(Subsidy(order: order, amount: transfer.amount, at: transfer.at))
        }
        return outcome
    }
}
