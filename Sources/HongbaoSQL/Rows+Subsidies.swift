import HongbaoCore
import HongbaoEngine

// Subsidies in rows, in the order of columns of `Query+Subsidies`.
extension PreparedStatement {
    func bind(_ order: OrderNumber, from first: Int32 = 1) {
        bind(first, bits: order.high)
        bind(first + 1, bits: order.low)
    }

    func bindNew(_ subsidy: Subsidy) {
        bind(subsidy.order)
        bind(3, subsidy.amount.fen)
        bind(4, subsidy.at.milliseconds)
        bind(5, subsidy.isUsed ? 2 : 1)
        bind(6, subsidy.packet.map { Int64(bitPattern: $0.rawValue) })
    }

    func bindUsed(_ subsidy: Subsidy) {
        bind(1, subsidy.packet.map { Int64(bitPattern: $0.rawValue) })
        bind(subsidy.order, from: 2)
    }

    func subsidy() throws(StoreError) -> Subsidy {
        let state = integer(4)
        guard state == (isNull(5) ? 1 : 2) else { throw unreadable(4) }
        return Subsidy(
            order: OrderNumber(bits: transferID().bits),
            amount: try amount(2),
            at: time(3),
            packet: isNull(5) ? nil : RedPacketID(bits(5))
        )
    }
}
