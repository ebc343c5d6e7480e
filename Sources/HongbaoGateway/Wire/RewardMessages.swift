import HongbaoCore
package import HongbaoEngine

/// The JSON that the platform and a downstream exchange, read and written the same on both sides (GR-4). For the
/// engineers of a downstream it's described in `docs/downstreams.md`.
///
///     POST /rewards        {"orders":[{"order","person","template"}…]}
///                          → {"results":[{"order","state","code"?}…]}
///     POST /rewards/query  {"orders":["…"…]} → {"results":[…]}
///     callback             {"order","state","code"?}
package enum RewardMessages {
    package static let ordersMax = 100
    package static let codeLength = 1...32

    /// What a downstream says of one order.
    package struct Result: Hashable, Sendable {
        package enum State: Hashable, Sendable {
            case granted
            /// From an earlier call; the same as `granted` to us.
            case alreadyGranted
            case processing
            case unknownOrder
            /// Nothing happened; the same order may do later. With the downstream's code.
            case retryable(String)
            /// Nothing happened, and nothing will until a person has changed something. With the downstream's code.
            case final(String)

            fileprivate var word: Word {
                switch self {
                case .granted: .granted
                case .alreadyGranted: .alreadyGranted
                case .processing: .processing
                case .unknownOrder: .unknownOrder
                case .retryable: .retryable
                case .final: .final
                }
            }

            fileprivate var code: String? {
                switch self {
                case .granted, .alreadyGranted, .processing, .unknownOrder: nil
                case .retryable(let code), .final(let code): code
                }
            }
        }

        package let order: String
        package let state: State

        package init(order: String, state: State) {
            self.order = order
            self.state = state
        }

        package var report: RewardReport {
            switch state {
            case .granted, .alreadyGranted: .granted
            case .processing: .processing
            case .unknownOrder: .unknownOrder
            case .retryable(let code): .failed(RewardFault(.retryable, RewardCode(said: code)))
            case .final(let code): .failed(RewardFault(.final, RewardCode(said: code)))
            }
        }
    }

    /// As it's spelled on the wire.
    fileprivate enum Word: String {
        case granted
        case alreadyGranted = "already_granted"
        case processing
        case unknownOrder = "unknown_order"
        case retryable
        case final
    }
    private enum OrderField: String, CaseIterable { case order, person, template }
    private enum ResultField: String, CaseIterable { case order, state, code }
    private static let orderFields = JSONFields<OrderField>()
    private static let resultFields = JSONFields<ResultField>()

    package static func giveRequest(_ orders: [RewardOrder]) -> [UInt8] {
        PayoutMessages.list("orders", orders, bytesEach: 100) { json, order in
            json.object {
                $0.field("order", order.order)
                $0.field("person", decimal: order.person.rawValue)
                $0.field("template", Int64(order.template.rawValue))
            }
        }
    }

    package static func readGiveRequest(_ bytes: [UInt8]) throws(JSONFault) -> [RewardOrder] {
        try PayoutMessages.readList(bytes, PayoutMessages.ordersFields, max: ordersMax) { (reader) throws(JSONFault) in
            var order: String?
            var person: UInt64?
            var template: UInt32?
            try reader.object(orderFields) { (reader, field) throws(JSONFault) in
                switch field {
                case .order: order = try reader.identifier(length: PayoutMessages.orderLength)
                case .person: person = try reader.decimal(UInt64.self)
                case .template: template = try reader.integer(UInt32.self)
                }
            }
            guard let order else { throw .missing(OrderField.order) }
            guard let person else { throw .missing(OrderField.person) }
            guard let template else { throw .missing(OrderField.template) }
            return RewardOrder(order: order, person: PersonID(person), template: TemplateID(template))
        }
    }

    package static func queryRequest(_ orders: [String]) -> [UInt8] { PayoutMessages.queryRequest(orders) }

    package static func readQueryRequest(_ bytes: [UInt8]) throws(JSONFault) -> [String] {
        try PayoutMessages.readList(bytes, PayoutMessages.ordersFields, max: ordersMax) { (reader) throws(JSONFault) in
            try reader.identifier(length: PayoutMessages.orderLength)
        }
    }

    package static func results(_ results: [Result]) -> [UInt8] {
        PayoutMessages.list("results", results, bytesEach: 90) { json, result in json.object { write(result, &$0) } }
    }

    package static func readResults(_ bytes: [UInt8]) throws(JSONFault) -> [Result] {
        try PayoutMessages.readList(bytes, PayoutMessages.resultsFields, max: ordersMax, readResult)
    }

    package static func callback(_ result: Result) -> [UInt8] {
        var json = JSONWriter()
        json.object { write(result, &$0) }
        return json.bytes
    }

    package static func readCallback(_ bytes: [UInt8]) throws(JSONFault) -> Result {
        try PayoutMessages.readWhole(bytes, readResult)
    }

    private static func write(_ result: Result, _ json: inout JSONWriter) {
        json.field("order", result.order)
        json.field("state", result.state.word.rawValue)
        if let code = result.state.code { json.field("code", code) }
    }

    private static func readResult(_ reader: inout JSONReader) throws(JSONFault) -> Result {
        var order: String?
        var word: Word?
        var code: String?
        try reader.object(resultFields) { (reader, field) throws(JSONFault) in
            switch field {
            case .order: order = try reader.identifier(length: PayoutMessages.orderLength)
            case .state:
                guard let known = Word(rawValue: try reader.identifier()) else { throw reader.fault(.outOfRange) }
                word = known
            case .code: code = try reader.rewardCode()
            }
        }
        guard let order else { throw .missing(ResultField.order) }
        let state: Result.State
        switch (word, code) {
        case (.granted, nil): state = .granted
        case (.alreadyGranted, nil): state = .alreadyGranted
        case (.processing, nil): state = .processing
        case (.unknownOrder, nil): state = .unknownOrder
        case (.retryable, let code?): state = .retryable(code)
        case (.final, let code?): state = .final(code)
        case (nil, _): throw .missing(ResultField.state)
        case (.retryable, nil), (.final, nil): throw .missing(ResultField.code)
        case (.granted, _), (.alreadyGranted, _), (.processing, _), (.unknownOrder, _):
            throw JSONFault(.unknownField, field: ResultField.code.rawValue)
        }
        return Result(order: order, state: state)
    }
}

extension JSONReader {
    /// Reads a code of small letters, digits and underscores.
    fileprivate mutating func rewardCode() throws(JSONFault) -> String {
        let bytes = try ascii(length: RewardMessages.codeLength)
        let isPlain = bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard isPlain else { throw fault(.unacceptableCharacter) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The stable codes of what a downstream refused or didn't answer (GR-4). A code is never given another meaning.
package enum RewardCode: String, Hashable, Sendable, CaseIterable {
    // Said by a downstream of an order.
    case busy
    case maintenance
    case templateUnknown = "template_unknown"
    case templateExpired = "template_expired"
    case outOfStock = "out_of_stock"
    case notEligible = "not_eligible"
    case orderConflict = "order_conflict"
    /// Any code that isn't one of these. It's not kept: whatever the outside writes there would get into metrics.
    case other

    // Found out about a whole call.
    case tooManyRequests = "too_many_requests"
    case unavailable
    case unauthorized
    case callRefused = "call_refused"
    case timeout
    case unreachable
    case serverError = "server_error"
    case answerInvalid = "answer_invalid"

    /// Those that a downstream may say of an order.
    private static let said: Set<RewardCode> = [
        .busy, .maintenance, .templateUnknown, .templateExpired, .outOfStock, .notEligible, .orderConflict,
    ]

    init(said code: String) {
        let known = RewardCode(rawValue: code) ?? .other
        self = Self.said.contains(known) ? known : .other
    }
}

extension RewardFault {
    package init(_ kind: Kind, _ code: RewardCode) { self.init(kind, code.rawValue) }
}
