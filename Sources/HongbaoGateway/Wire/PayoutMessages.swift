package import HongbaoCore
package import HongbaoEngine

/// The JSON that the platform and a system that gives people money exchange, read and written the same on both sides:
/// payouts, and under their own names transfers and refunds. A refund names the payment that it gives back.
///
///     POST /payouts        {"orders":[{"order","person","amount","payment"?}…]}
///                          → {"results":[{"order","state","amount"?}…]}
///     POST /payouts/query  {"orders":["…"…]} → {"results":[…]}
///     callback             {"order","state","amount"?}
package enum PayoutMessages {
    package static let ordersMax = 1_000
    /// Longest of a withdrawal: `w_`, 20 digits, 5 digits, 10 digits, and separators.
    package static let orderLength = 1...64

    /// What the channel says of one order. `amount` is what it paid.
    package struct Result: Hashable, Sendable {
        package enum State: String, Hashable, Sendable, CaseIterable {
            case processing
            case paid
            case failed
            /// The channel has never seen the order.
            case unknown
            /// The channel has the order with other content, and did nothing.
            case conflict
        }

        package let order: String
        package let state: State
        package let amount: Amount?

        package init(order: String, state: State, amount: Amount?) {
            self.order = order
            self.state = state
            self.amount = amount
        }

        /// A result that makes no sense tells nothing.
        package var report: PayoutReport {
            switch (state, amount) {
            case (.processing, _): .processing
            case (.paid, let amount?): .paid(amount)
            case (.failed, _): .failed
            case (.unknown, _): .unknownOrder
            case (.paid, nil), (.conflict, _): .unreachable
            }
        }
    }

    enum OrdersField: String, CaseIterable { case orders }
    private enum OrderField: String, CaseIterable { case order, person, amount, payment }
    enum ResultsField: String, CaseIterable { case results }
    private enum ResultField: String, CaseIterable { case order, state, amount }
    static let ordersFields = JSONFields<OrdersField>()
    private static let orderFields = JSONFields<OrderField>()
    static let resultsFields = JSONFields<ResultsField>()
    private static let resultFields = JSONFields<ResultField>()

    package static func payRequest(_ orders: [PayoutOrder]) -> [UInt8] {
        list("orders", orders, bytesEach: 100) { json, order in
            json.object {
                $0.field("order", order.order)
                $0.field("person", decimal: order.person.rawValue)
                $0.field("amount", order.amount.fen)
                if let payment = order.payment { $0.field("payment", payment) }
            }
        }
    }

    package static func readPayRequest(_ bytes: [UInt8]) throws(JSONFault) -> [PayoutOrder] {
        try readList(bytes, ordersFields) { (reader) throws(JSONFault) in
            var order: String?
            var person: UInt64?
            var amount: Amount?
            var payment: String?
            try reader.object(orderFields) { (reader, field) throws(JSONFault) in
                switch field {
                case .order: order = try reader.identifier(length: orderLength)
                case .person: person = try reader.decimal(UInt64.self)
                case .amount: amount = try reader.amount()
                case .payment: payment = try reader.identifier(length: orderLength)
                }
            }
            guard let order else { throw .missing(OrderField.order) }
            guard let person else { throw .missing(OrderField.person) }
            guard let amount else { throw .missing(OrderField.amount) }
            return PayoutOrder(order: order, person: PersonID(person), amount: amount, payment: payment)
        }
    }

    package static func queryRequest(_ orders: [String]) -> [UInt8] {
        list("orders", orders, bytesEach: 50) { $0.value($1) }
    }

    package static func readQueryRequest(_ bytes: [UInt8]) throws(JSONFault) -> [String] {
        try readList(bytes, ordersFields) { (reader) throws(JSONFault) in
            try reader.identifier(length: orderLength)
        }
    }

    /// Writes an object whose one field is a list.
    static func list<Element>(
        _ name: StaticString,
        _ elements: [Element],
        bytesEach: Int,
        _ write: (inout JSONWriter, Element) -> Void
    ) -> [UInt8] {
        var json = JSONWriter(capacity: 32 + bytesEach * elements.count)
        json.object {
            $0.key(name)
            $0.array { for element in elements { write(&$0, element) } }
        }
        return json.bytes
    }

    /// Reads an object whose one field is a list of at most `max` elements.
    static func readList<Field, Element>(
        _ bytes: [UInt8],
        _ fields: JSONFields<Field>,
        max: Int = ordersMax,
        _ read: (inout JSONReader) throws(JSONFault) -> Element
    ) throws(JSONFault) -> [Element] {
        var reader = JSONReader(bytes)
        var elements: [Element] = []
        var isThere = false
        try reader.object(fields) { (reader, _) throws(JSONFault) in
            isThere = true
            try reader.array(max: max) { (reader) throws(JSONFault) in elements.append(try read(&reader)) }
        }
        try reader.finish()
        if !isThere, let field = Field.allCases.first { throw .missing(field) }
        return elements
    }

    package static func results(_ results: [Result]) -> [UInt8] {
        list("results", results, bytesEach: 90) { json, result in json.object { write(result, &$0) } }
    }

    package static func readResults(_ bytes: [UInt8]) throws(JSONFault) -> [Result] {
        try readList(bytes, resultsFields, readResult)
    }

    package static func callback(_ result: Result) -> [UInt8] {
        var json = JSONWriter()
        json.object { write(result, &$0) }
        return json.bytes
    }

    package static func readCallback(_ bytes: [UInt8]) throws(JSONFault) -> Result { try readWhole(bytes, readResult) }

    /// Reads one thing, behind which nothing comes.
    static func readWhole<Whole>(
        _ bytes: [UInt8],
        _ read: (inout JSONReader) throws(JSONFault) -> Whole
    ) throws(JSONFault) -> Whole {
        var reader = JSONReader(bytes)
        let whole = try read(&reader)
        try reader.finish()
        return whole
    }

    /// Writes the fields of a result.
    static func write(_ result: Result, _ json: inout JSONWriter) {
        json.field("order", result.order)
        json.field("state", result.state.rawValue)
        if let amount = result.amount { json.field("amount", amount.fen) }
    }

    private static func readResult(_ reader: inout JSONReader) throws(JSONFault) -> Result {
        var order: String?
        var state: Result.State?
        var amount: Amount?
        try reader.object(resultFields) { (reader, field) throws(JSONFault) in
            switch field {
            case .order: order = try reader.identifier(length: orderLength)
            case .state: state = try reader.orderState()
            case .amount: amount = try reader.amount()
            }
        }
        guard let order else { throw .missing(ResultField.order) }
        guard let state else { throw .missing(ResultField.state) }
        return Result(order: order, state: state, amount: amount)
    }
}

extension JSONReader {
    /// Reads a sum of money in fen.
    package mutating func amount() throws(JSONFault) -> Amount {
        guard let amount = Amount(fen: try integer()) else { throw fault(.outOfRange) }
        return amount
    }

    /// Reads the state of an order at an outside system.
    mutating func orderState() throws(JSONFault) -> PayoutMessages.Result.State {
        guard let state = PayoutMessages.Result.State(rawValue: try identifier()) else { throw fault(.outOfRange) }
        return state
    }
}
