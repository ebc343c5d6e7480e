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
        // Who repeats a request after the phase has changed gets the same answer, not a second withdrawal (M14).
        let others = campaign.phases.filter { $0.book != phase.book }
        let key = try await withdrawal(asked.id, of: caller.person, in: others)?.key ?? own
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

    /// The withdrawal of this ID in the first of these phases that has one.
    private func withdrawal(
        _ id: String,
        of person: PersonID,
        in phases: [Phase]
    ) async throws(Problem) -> Withdrawal? {
        for phase in phases {
            guard let key = WithdrawalKey(person: person, book: phase.book, id: id) else { return nil }
            do throws(StoreError) {
                if let found = try await services.findWithdrawal(key) { return found }
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
        let begun = campaign.phases.reversed().filter { $0.window.from <= call.now }
        guard let found = try await withdrawal(String(call.captures[0]), of: caller.person, in: begun) else {
            throw Problem(.notFound)
        }
        return Self.response(found)
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
