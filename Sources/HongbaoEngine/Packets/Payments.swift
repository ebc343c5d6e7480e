package import HongbaoCore

/// What a sender is told who wants to pay.
package enum PaymentAnswer: Hashable, Sendable {
    /// The address of the page where the sender pays.
    case page(url: String)
    /// Nothing is lost: the cashier can't be reached or the store can't write now; or the packet doesn't wait for a
    /// payment, or not any more.
    case unavailable
}

/// Has the cashier take what senders pay for red packets (RP-2), and finds out by itself whether they did.
package struct Payments: Sendable {
    package typealias Work = OutsideWork<Payment>

    /// To be run as a service.
    package let work: Work
    private let shards: Shards
    /// Which of the databases `work` is about.
    private let own: Int
    private let cashier: any Cashier
    private let surroundings: OutsideSurroundings
    private let terms: Payment.Terms
    /// How long after it was sent to the cashier the sweep asks about a payment.
    private static let checkAfterSeconds: Int64 = 5

    package init(
        _ shards: Shards,
        at index: Int,
        cashier: any Cashier,
        surroundings: OutsideSurroundings,
        terms: Payment.Terms,
        work: Work
    ) {
        self.shards = shards
        own = index
        self.cashier = cashier
        self.surroundings = surroundings
        self.terms = terms
        self.work = work
    }

    /// Asks the cashier for the page where this packet can be paid for. The same packet has the same page again.
    ///
    /// That it may be paid is written before the cashier is asked, so that no payment is overlooked (M15).
    package func open(_ packet: RedPacket) async -> PaymentAnswer {
        let now = surroundings.clock.now()
        guard packet.kind.source.isOutside, now < Payment(packet, terms).closesAt else { return .unavailable }
        do throws(StoreError) {
            let next = now.advanced(bySeconds: Self.checkAfterSeconds)
            let step = try await shards.store(of: packet.id).transactOnceMore(Footprint(packet: packet.id)) { books in
                books.startPaying(packet.id, nextCheckAt: next)
            }
            switch step.answer {
            case .unknown, .illegal: return .unavailable
            case .alreadyDone(let paying): return await page(Payment(paying, terms))
            case .done(let paying):
                let payment = Payment(paying, terms)
                let answer = await page(payment)
                // In another database the sweep there finds it.
                if shards.index(of: packet.id) == own { work.submitted(payment) }
                return answer
            }
        } catch {
            return .unavailable
        }
    }

    private func page(_ payment: Payment) async -> PaymentAnswer {
        let cashier = cashier
        let url = await withDeadline(surroundings.channelDeadline, on: surroundings.clock.timer) {
            await cashier.open(PaymentOrder(payment))
        }
        return (url ?? nil).map { .page(url: $0) } ?? .unavailable
    }
}

extension OutsideCalls where Order == Payment {
    /// What the cashier has never seen is opened again; nobody is told the page, but it knows the order then. When the
    /// time to pay is over, asking is cancelling.
    package init(_ cashier: any Cashier, _ clock: WallClock) {
        self.init(
            submit: { payments in
                await withTaskGroup(of: (Int, PayoutReport).self) { group in
                    for (index, payment) in payments.enumerated() {
                        group.addTask {
                            (index, await cashier.open(PaymentOrder(payment)) == nil ? .unreachable : .processing)
                        }
                    }
                    return await group.reduce(into: payments.map { _ in .unreachable }) { $0[$1.0] = $1.1 }
                }
            },
            query: { payments in
                let now = clock.now()
                let isOver = payments.map { $0.packet.state == .abandoned || now >= $0.closesAt }
                let (asked, cancelled) = (orders(of: payments, isOver, false), orders(of: payments, isOver, true))
                async let answers = asked.isEmpty ? [] : cashier.query(asked)
                let ends = cancelled.isEmpty ? [] : await cashier.cancel(cancelled)
                var (open, over) = (await answers.makeIterator(), ends.makeIterator())
                return isOver.compactMap { isOver in
                    guard isOver else { return open.next() }
                    // Cancelled before it ever came there, and after its time: it won't be taken any more.
                    return over.next().map { $0 == .unknownOrder ? .failed : $0 }
                }
            }
        )
    }
}

private func orders(of payments: [Payment], _ isOver: [Bool], _ wanted: Bool) -> [String] {
    zip(payments, isOver).compactMap { $1 == wanted ? $0.order : nil }
}
