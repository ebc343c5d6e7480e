import HongbaoCore
import HongbaoEngine
import HongbaoGateway

/// What one of the sandbox's systems is asked for.
struct SandboxOrder: Hashable, Sendable {
    let order: String
    let person: PersonID
    let amount: Amount
    /// Of a refund: the payment that it gives back.
    let payment: String?
    /// Of a payment: until when it can be paid.
    let closesAt: Timestamp?

    init(order: String, person: PersonID, amount: Amount, payment: String?, closesAt: Timestamp?) {
        self.order = order
        self.person = person
        self.amount = amount
        self.payment = payment
        self.closesAt = closesAt
    }

    init(_ order: PayoutOrder) {
        self.init(
            order: order.order,
            person: order.person,
            amount: order.amount,
            payment: order.payment,
            closesAt: nil
        )
    }

    init(_ order: PaymentOrder) {
        self.init(
            order: order.order,
            person: order.person,
            amount: order.amount,
            payment: nil,
            closesAt: order.closesAt
        )
    }
}

/// An order at one of the sandbox's systems, how it stands and what becomes of it.
struct SandboxEntry: Hashable, Sendable {
    struct Key: Hashable, Sendable {
        let system: OutsideSystem
        let order: String
    }

    /// What an order comes to.
    struct Event: Hashable, Sendable {
        let at: Timestamp
        /// What is paid; `nil` when nothing is and the order has failed.
        let paid: Amount?
    }

    let key: Key
    /// `nil`: it was cancelled before anybody had made it, and so never will be.
    let terms: SandboxOrder?
    let acceptedAt: Timestamp
    /// What is paid if anything is: not always what was asked for.
    let payable: Amount
    /// How often somebody is called back each time that it comes to something.
    let callbacks: Int
    /// How long after its cancellation it's paid all the same.
    let lateMilliseconds: Int64?
    /// What it comes to by itself if nothing happens before.
    var next: Event?
    var final: Event?

    var result: PayoutMessages.Result {
        let state: PayoutMessages.Result.State =
            switch final {
            case nil: .processing
            case let event?: event.paid == nil ? .failed : .paid
            }
        return PayoutMessages.Result(order: key.order, state: state, amount: final?.paid)
    }
}

/// Orders in the order of their time: sorted buckets of one millisecond each.
struct DueOrders: Sendable {
    private var orders: [Timestamp: [SandboxEntry.Key]] = [:]
    private var times: [Timestamp] = []

    mutating func insert(_ order: SandboxEntry.Key, at time: Timestamp) {
        if orders[time] == nil {
            // The earliest is last; new ones are mostly latest, so near the front.
            var low = 0
            var high = times.count
            while low < high {
                let middle = (low + high) / 2
                if times[middle] > time { low = middle + 1 } else { high = middle }
            }
            times.insert(time, at: low)
        }
        orders[time, default: []].append(order)
    }

    mutating func removeFirst(until now: Timestamp) -> (order: SandboxEntry.Key, time: Timestamp)? {
        guard let time = times.last, time <= now, let order = orders[time]?.popLast() else { return nil }
        if orders[time]?.isEmpty == true {
            orders[time] = nil
            times.removeLast()
        }
        return (order, time)
    }
}
