import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// The wallet of the person who asks (WL-1..3, TK-4, TK-6). Reading writes nothing.
struct WalletRoutes: Sendable {
    static let statementLimit: ClosedRange<UInt32> = 1...100
    static let statementLimitDefault = 20
    static let tokensMax = Wallets.clientTokensMax
    static let tokenLength = 0...4_096

    private enum TokensField: String, CaseIterable { case tokens }
    private static let tokensFields = JSONFields<TokensField>()

    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.get, "/v1/wallet", isCutOff: false, about: .callersWallet, .person(wallet)),
            Route(.post, "/v1/wallet", body: .json, isCutOff: false, about: .callersWallet, .person(wallet)),
            Route(.get, "/v1/wallet/statement", isCutOff: false, about: .callersWallet, .person(statement)),
        ]
    }

    private func wallet(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let (reading, hasTokens) = try await services.reading(call, caller)
        return .json { json in
            json.object { json in
                json.field("person", decimal: reading.person.rawValue)
                json.field("balance", reading.view.balance)
                json.field("income", reading.view.income.fen)
                json.field("pending", reading.view.pending.fen)
                json.key("coupons")
                json.write(reading.rewards.filter { $0.kind != .pendant }, of: reading)
                json.key("pendants")
                json.write(reading.rewards.filter { $0.kind == .pendant }, of: reading)
                json.write(subsidiesOf: reading)
                json.write(missing: reading)
                if hasTokens { json.write(refusedOf: reading) }
            }
        }
    }

    /// One entry for each token sent; empty, so that it's rejected like any forgery, when it isn't base64url.
    fileprivate static func tokens(_ body: ByteBuffer) throws(Problem) -> [[UInt8]] {
        var reader = JSONReader(body)
        var tokens: [[UInt8]]?
        do throws(JSONFault) {
            try reader.object(tokensFields) { reader, _ throws(JSONFault) in
                var list: [[UInt8]] = []
                try reader.array(max: tokensMax) { reader throws(JSONFault) in
                    list.append(Base64URL.decode(try reader.ascii(length: tokenLength)) ?? [])
                }
                tokens = list
            }
            try reader.finish()
            guard let tokens else { throw .missing(TokensField.tokens) }
            return tokens
        } catch {
            throw Problem(error)
        }
    }

    private func statement(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let query = try Query(call.head, allowed: ["campaign", "limit", "cursor"])
        let campaign = try query.requiredName("campaign")
        let limit = try query.integer("limit", in: Self.statementLimit) ?? Self.statementLimitDefault
        let reading = try await services.reading(of: caller.person, campaign)
        var after: StatementCursor?
        if let text = query["cursor"] {
            after = StatementCursorWire.cursor(text, in: reading.book)
            guard after != nil else {
                throw Problem(.malformed, param: "cursor", detail: "Not a cursor of this statement.")
            }
        }
        let (entries, next) = reading.view.page(after: after, limit: limit)
        return .json(capacity: 128 + entries.count * 160) { json in
            json.object { json in
                json.key("entries")
                json.array { json in
                    for entry in entries { json.write(entry, titledBy: reading.phase) }
                }
                if let next {
                    json.key("next")
                    json.value(ascii: StatementCursorWire.text(next, in: reading.book))
                }
                json.write(missing: reading)
            }
        }
    }
}

extension GatewayServices {
    /// The wallet of who asks, with the tokens that a POST brings along.
    func reading(
        _ call: Call,
        _ caller: PersonCaller
    ) async throws(Problem) -> (reading: WalletReading, hasTokens: Bool) {
        let campaign = try Query(call.head, allowed: ["campaign"]).requiredName("campaign")
        let hasTokens = call.head.method == .post
        let tokens = hasTokens ? try WalletRoutes.tokens(call.body) : []
        return (try await reading(of: caller.person, campaign, tokens), hasTokens)
    }

    func reading(
        of person: PersonID,
        _ campaign: String,
        _ tokens: [[UInt8]] = []
    ) async throws(Problem) -> WalletReading {
        let answer: WalletAnswer
        do throws(StoreError) {
            answer = try await wallet(person, campaign, tokens)
        } catch {
            throw Problem(error)
        }
        switch answer {
        case .wallet(let reading): return reading
        case .campaignUnknown: throw Problem(.campaignUnknown, param: "campaign")
        case .notInPhase: throw Problem(.notInPhase)
        }
    }
}

extension JSONWriter {
    /// Says which sources didn't answer (WL-3).
    mutating func write(missing reading: WalletReading) { write(missing: reading.missing) }

    mutating func write(missing sources: [WalletSource]) {
        field("complete", sources.isEmpty)
        key("missing")
        array { json in
            for source in sources { json.value(source.rawValue) }
        }
    }

    /// Which of the tokens that were sent along aren't good for this person.
    mutating func write(refusedOf reading: WalletReading) {
        key("refused")
        array { json in
            for index in reading.rejectedTokens {
                json.object { json in
                    json.field("index", Int64(index))
                    json.field("code", ErrorCode.tokenInvalid.rawValue)
                }
            }
        }
    }

    fileprivate mutating func write(_ entry: StatementEntry, titledBy phase: Phase) {
        object { json in
            json.key("id")
            json.value(ascii: entry.textID)
            json.field("kind", entry.kind.name)
            json.field("title", entry.title(in: phase))
            json.field("amount", entry.amount)
            json.field("at", entry.at.milliseconds)
            json.field("state", entry.state.name)
        }
    }
}

extension StatementEntry {
    /// The order number of a grant; `c_…` with packet and position for a share; for others `w_…`, with `r_…` for what
    /// came back, so that no two lines share one.
    fileprivate var textID: [UInt8] {
        if let order = id.order { return OrderText.bytes(order) }
        if let (packet, part) = id.packet, case .claim(let position) = part {
            return Array("c_\(packet.rawValue)_\(position)".utf8)
        }
        let serial = UInt32(truncatingIfNeeded: id.low)
        let letter = kind == .refund ? "r" : "w"
        return Array("\(letter)_\(id.person.rawValue)_\(id.book.rawValue)_\(serial)".utf8)
    }

    fileprivate func title(in phase: Phase) -> String {
        switch kind {
        case .grant: id.order.flatMap { phase.scene($0.scene)?.billTitle } ?? "红包"
        case .withdrawal: "提现"
        case .refund: "提现退回"
        case .claim: "红包"
        }
    }
}

extension StatementEntry.Kind {
    var name: String {
        switch self {
        case .grant: "grant"
        case .withdrawal: "withdrawal"
        case .refund: "refund"
        case .claim: "claim"
        }
    }
}

extension StatementEntry.State {
    var name: String {
        switch self {
        case .credited: "credited"
        case .pending: "pending"
        case .paid: "paid"
        case .failed: "failed"
        }
    }
}
