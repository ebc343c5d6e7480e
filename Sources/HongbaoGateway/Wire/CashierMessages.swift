import HongbaoCore
package import HongbaoEngine

/// The JSON that the platform and a cashier exchange, where it differs from `PayoutMessages`.
///
///     POST /payments         {"orders":[{"order","person","amount","closesAt"}…]}
///                            → {"results":[{"order","state","amount"?,"url"?}…]}
///     POST /payments/query   {"orders":["…"…]} → {"results":[{"order","state","amount"?}…]}
///     POST /payments/cancel  the same; `failed` says that no payment will come any more
///     callback               {"order","state","amount"?}
package enum CashierMessages {
    package static let urlLength = 8...2048

    /// A payment as it stands, and where it can be paid.
    package struct Opened: Hashable, Sendable {
        package let result: PayoutMessages.Result
        /// Of the page where it's paid. Only with http or https, since people will be sent there.
        package let url: String?

        package var order: String { result.order }

        package init(_ result: PayoutMessages.Result, url: String?) {
            self.result = result
            self.url = url
        }
    }

    private enum OrderField: String, CaseIterable { case order, person, amount, closesAt }
    private enum OpenedField: String, CaseIterable { case order, state, amount, url }
    private static let orderFields = JSONFields<OrderField>()
    private static let openedFields = JSONFields<OpenedField>()

    package static func openRequest(_ orders: [PaymentOrder]) -> [UInt8] {
        PayoutMessages.list("orders", orders, bytesEach: 120) { json, order in
            json.object {
                $0.field("order", order.order)
                $0.field("person", decimal: order.person.rawValue)
                $0.field("amount", order.amount.fen)
                $0.field("closesAt", order.closesAt.milliseconds)
            }
        }
    }

    package static func readOpenRequest(_ bytes: [UInt8]) throws(JSONFault) -> [PaymentOrder] {
        try PayoutMessages.readList(bytes, PayoutMessages.ordersFields) { (reader) throws(JSONFault) in
            var order: String?
            var person: UInt64?
            var amount: Amount?
            var closesAt: Int64?
            try reader.object(orderFields) { (reader, field) throws(JSONFault) in
                switch field {
                case .order: order = try reader.identifier(length: PayoutMessages.orderLength)
                case .person: person = try reader.decimal(UInt64.self)
                case .amount: amount = try reader.amount()
                case .closesAt: closesAt = try reader.integer(Int64.self, in: 0...Timestamp.max.milliseconds)
                }
            }
            guard let order else { throw .missing(OrderField.order) }
            guard let person else { throw .missing(OrderField.person) }
            guard let amount else { throw .missing(OrderField.amount) }
            guard let closesAt else { throw .missing(OrderField.closesAt) }
            return PaymentOrder(
                order: order,
                person: PersonID(person),
                amount: amount,
                closesAt: Timestamp(milliseconds: closesAt)
            )
        }
    }

    package static func opened(_ pages: [Opened]) -> [UInt8] {
        PayoutMessages.list("results", pages, bytesEach: 160) { json, page in
            json.object {
                PayoutMessages.write(page.result, &$0)
                if let url = page.url { $0.field("url", url) }
            }
        }
    }

    package static func readOpened(_ bytes: [UInt8]) throws(JSONFault) -> [Opened] {
        try PayoutMessages.readList(bytes, PayoutMessages.resultsFields) { (reader) throws(JSONFault) in
            var order: String?
            var state: PayoutMessages.Result.State?
            var amount: Amount?
            var url: String?
            try reader.object(openedFields) { (reader, field) throws(JSONFault) in
                switch field {
                case .order: order = try reader.identifier(length: PayoutMessages.orderLength)
                case .state: state = try reader.orderState()
                case .amount: amount = try reader.amount()
                case .url: url = try reader.webAddress()
                }
            }
            guard let order else { throw .missing(OpenedField.order) }
            guard let state else { throw .missing(OpenedField.state) }
            return Opened(PayoutMessages.Result(order: order, state: state, amount: amount), url: url)
        }
    }
}

extension JSONReader {
    /// Reads the address of a page: http or https with a host, in the characters that RFC 3986 gives addresses.
    fileprivate mutating func webAddress() throws(JSONFault) -> String {
        let bytes = try ascii(length: CashierMessages.urlLength)
        guard bytes.allSatisfy(\.isInAddress) else { throw fault(.unacceptableCharacter) }
        guard let scheme = ["https://", "http://"].first(where: { bytes.starts(with: $0.utf8) }),
            let host = bytes.dropFirst(scheme.utf8.count).first, host.isInHost
        else { throw fault(.outOfRange) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var isInHost: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "["):
            true
        default: false
        }
    }

    fileprivate var isInAddress: Bool {
        switch self {
        case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "^"),
            UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"):
            false
        default: (0x21...0x7E).contains(self)
        }
    }
}
