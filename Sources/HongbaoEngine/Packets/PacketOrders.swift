package import HongbaoCore

// What red packets ask of outside systems, and where a store has it.

/// Brings claimed shares to people's change (RP-9).
package typealias Transfers = OutsideWork<Claim>
/// Gives back what came in over the cashier (RP-4).
package typealias Refunds = OutsideWork<Refund>

extension OutsideRows where Order == Claim {
    package static let transfers = OutsideRows(
        due: { (snapshot, times, limit) throws(StoreError) in
            var due: [Claim] = []
            for kind in RedPacketKind.allCases where kind.destination.isOutside {
                due += try snapshot.claims(of: kind, toTransferIn: times, limit: limit - due.count)
            }
            return due
        },
        find: { (snapshot, places) throws(StoreError) in
            var found: [Claim] = []
            for place in places {
                let claims = try snapshot.claims(of: place.packet, from: place.position, limit: 1)
                found += claims.filter { $0.position == place.position }
            }
            return found
        }
    )
}

extension OutsideRows where Order == Refund {
    package static let refunds = OutsideRows(
        due: { (snapshot, times, limit) throws(StoreError) in
            try snapshot.refunds(toCheckIn: times, limit: limit)
        },
        find: { (snapshot, packets) throws(StoreError) in
            var found: [Refund] = []
            for packet in packets { found += try snapshot.refunds(of: packet).suffix(1) }
            return found
        }
    )
}

extension OutsideRows where Order == Payment {
    package static func payments(_ terms: Payment.Terms) -> OutsideRows {
        OutsideRows(
            due: { (snapshot, times, limit) throws(StoreError) in
                try snapshot.packets(toPayIn: times, limit: limit).map { Payment($0, terms) }
            },
            find: { (snapshot, packets) throws(StoreError) in
                var found: [Payment] = []
                for id in packets {
                    guard let packet = try snapshot.packet(id), packet.kind.source.isOutside else { continue }
                    found.append(Payment(packet, terms))
                }
                return found
            }
        )
    }
}

extension PayoutOrder {
    package init(_ claim: Claim) {
        self.init(order: claim.transferOrder, person: claim.key.person, amount: claim.share)
    }

    package init(_ refund: Refund) {
        self.init(
            order: refund.refundOrder,
            person: refund.person,
            amount: refund.amount,
            payment: refund.paymentOrder
        )
    }
}

extension PaymentOrder {
    package init(_ payment: Payment) {
        self.init(
            order: payment.order,
            person: payment.packet.key.sender,
            amount: payment.amount,
            closesAt: payment.closesAt
        )
    }
}
