import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// Money out of the wallet (WD-1..4). The client's ID makes a repeated request harmless.
struct WithdrawalRoutes: Sendable {
    private enum Field: String, CaseIterable { case campaign, id, amount }
    private static let fields = JSONFields<Field>()

    let services: GatewayServices

    var routes: [Route] {
        [
            Route(.post, "/v1/wallet/withdrawals", body: .json, .person(request)),
            Route(.get, "/v1/wallet/withdrawals/{id}", .person(find)),
        ]
    }

    private func request(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let asked = try Self.read(call.body)
        guard let campaign = services.campaigns().campaign(asked.campaign) else {
            throw Problem(.campaignUnknown, param: "campaign")
        }
        guard let phase = campaign.phaseShown(at: call.now) else { throw Problem(.notInPhase) }
        guard let own = WithdrawalKey(person: caller.person, book: phase.book, id: asked.id) else {
            throw Problem(.malformed, param: "id", detail: "1 to 64 of A-Z, a-z, 0-9, dash, underscore.")
        }
        let key = try await earlier(own, in: campaign) ?? own
        let isOpen = phase.withdrawalState(for: caller.person, at: call.now)?.isOpen ?? false
        switch await services.requestWithdrawal(key, asked.amount, call.now, isOpen) {
        case .accepted(let withdrawal), .replayed(let withdrawal): return Self.response(withdrawal)
        case .conflict: throw Problem(.orderConflict, param: "id")
        case .amountInvalid: throw Problem(.amountInvalid, param: "amount")
        case .closed: throw Problem(.withdrawalClosed)
        case .insufficientBalance: throw Problem(.insufficientBalance, param: "amount")
        case .unavailable(let fault): throw Problem(fault)
        }
    }

    /// The withdrawal that a request repeats which was accepted in another phase: who repeats it after the phase has
    /// changed gets the same answer, not a second withdrawal (M14).
    private func earlier(_ key: WithdrawalKey, in campaign: Campaign) async throws(Problem) -> WithdrawalKey? {
        for phase in campaign.phases where phase.book != key.book {
            guard let other = WithdrawalKey(person: key.person, book: phase.book, id: key.id) else { continue }
            do throws(StoreError) {
                if try await services.findWithdrawal(other) != nil { return other }
            } catch {
                throw Problem(error)
            }
        }
        return nil
    }

    private static func read(_ body: ByteBuffer) throws(Problem) -> (campaign: String, id: String, amount: Amount) {
        var reader = JSONReader(body)
        var cache = NameCache()
        var (campaign, id): (String?, String?)
        var amount: Int64?
        do throws(JSONFault) {
            try reader.object(fields) { reader, field throws(JSONFault) in
                switch field {
                case .campaign: campaign = try reader.name(&cache)
                case .id:
                    let text = try reader.ascii(length: 1...WithdrawalKey.idLengthMax)
                    id = String(decoding: text, as: UTF8.self)
                case .amount: amount = try reader.integer(Int64.self, in: 1...Int64.max)
                }
            }
            try reader.finish()
            guard let campaign else { throw .missing(Field.campaign) }
            guard let id else { throw .missing(Field.id) }
            guard let amount = amount.flatMap({ Amount(fen: $0) }) else { throw .missing(Field.amount) }
            return (campaign, id, amount)
        } catch {
            throw Problem(error)
        }
    }

    /// Looks in every phase that has begun: one that was accepted before the next phase began is still found.
    private func find(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let name = try Query(call.head, allowed: ["campaign"]).requiredName("campaign")
        guard let campaign = services.campaigns().campaign(name) else {
            throw Problem(.campaignUnknown, param: "campaign")
        }
        for phase in campaign.phases.reversed() where phase.window.from <= call.now {
            guard let key = WithdrawalKey(person: caller.person, book: phase.book, id: String(call.captures[0])) else {
                throw Problem(.notFound)
            }
            do throws(StoreError) {
                if let found = try await services.findWithdrawal(key) { return Self.response(found) }
            } catch {
                throw Problem(error)
            }
        }
        throw Problem(.notFound)
    }

    private static func response(_ withdrawal: Withdrawal) -> Response {
        .json { json in
            json.object { json in
                json.field("id", withdrawal.key.id)
                json.field("amount", withdrawal.amount.fen)
                json.field("state", withdrawal.state.name)
            }
        }
    }
}

extension Withdrawal.State {
    fileprivate var name: String {
        switch self {
        case .pending: "pending"
        case .paid: "paid"
        case .failed: "failed"
        }
    }
}
