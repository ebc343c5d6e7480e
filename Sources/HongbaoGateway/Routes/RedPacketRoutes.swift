import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// Red packets of the person who asks: sent, looked at, claimed (RP-2, RP-3, RP-7, RP-11).
struct RedPacketRoutes: Sendable {
    static let pageLimit: ClosedRange<UInt32> = 1...1_000
    static let pageLimitDefault = 50

    let packets: PacketServices
    let person: @Sendable (PersonID) -> PersonID
    let campaigns: @Sendable () -> CampaignSet
    let limits: RedPacketLimits
    let takesPayments: Bool

    var routes: [Route] {
        [
            // Neither is cut off: who is told nothing of a packet or a share would have to guess.
            Route(.post, "/v1/red-packets", body: .json, isCutOff: false, .person(send)),
            Route(.get, "/v1/red-packets/{packet}", about: .capturedPacket, .person(look)),
            Route(
                .post,
                "/v1/red-packets/{packet}/claims",
                body: .json,
                isCutOff: false,
                about: .capturedPacket,
                .person(claim)
            ),
            Route(.get, "/v1/red-packets/{packet}/claims", about: .capturedPacket, .person(claims)),
        ]
    }

    // MARK: Sending

    private func send(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let asked = try RedPacketRequest(call.body, limits)
        guard takesPayments || asked.subsidy != nil else { throw Problem(.paymentClosed, param: "kind") }
        let draft = try await draft(asked, by: caller.person, at: call.now)
        switch await packets.send(draft, asked.subsidy) {
        case .sent(let packet), .replayed(let packet): return try await answer(packet, at: call.now)
        case .conflict: throw Problem(.orderConflict, param: "id")
        case .subsidyMismatch: throw Problem(.subsidyMismatch, param: "subsidy")
        case .subsidyUnknown: throw Problem(.notFound, param: "subsidy")
        case .subsidyUsed: throw Problem(.subsidyUsed, param: "subsidy")
        case .unavailable(let fault): throw Problem(fault)
        }
    }

    /// A packet that waits for its payment comes with the address where it's paid, now as before.
    private func answer(_ packet: RedPacket, at now: Timestamp) async throws(Problem) -> Response {
        var page: String?
        if packet.state == .created || packet.state == .paying {
            page = await packets.openPayment(packet)
            guard page != nil else { throw Problem(.paymentUnavailable) }
        }
        return .json { json in
            json.object { json in
                json.field("packet", decimal: packet.id.rawValue)
                json.field("state", packet.stateName(at: now))
                if let page {
                    json.key("payment")
                    json.object { json in
                        json.field("id", packet.paymentOrder)
                        json.field("url", page)
                    }
                }
                json.field("commitment", packet.seal.commitment.hex)
            }
        }
    }

    private func draft(
        _ asked: RedPacketRequest,
        by person: PersonID,
        at now: Timestamp
    ) async throws(Problem) -> RedPacketDraft {
        let (book, amount) =
            if let subsidy = asked.subsidy {
                try await terms(of: subsidy, asked, person)
            } else {
                try terms(asked, person, now)
            }
        guard let key = SendKey(sender: person, book: book, id: asked.id) else {
            throw Problem(.malformed, param: "id", detail: "1 to 64 of A-Z, a-z, 0-9, dash, underscore.")
        }
        guard let split = Split(asked.split, amount: amount, count: asked.count) else {
            throw Problem(.amountInvalid, param: "amount", detail: "Less than one fen for each share.")
        }
        guard let cover = RedPacket.Cover(greeting: asked.greeting, video: asked.video) else {
            throw Problem(.malformed, param: "greeting", detail: "Too long.")
        }
        return RedPacketDraft(key: key, kind: asked.kind, split: split, scope: asked.scope, cover: cover)
    }

    /// The book and the amount of a packet that a person pays for: those of the campaign that is on.
    private func terms(
        _ asked: RedPacketRequest,
        _ person: PersonID,
        _ now: Timestamp
    ) throws(Problem) -> (BookID, Amount) {
        guard let amount = asked.amount else { throw Problem(.amountInvalid, param: "amount") }
        let campaigns = campaigns()
        let campaign: Campaign
        if let key = asked.campaign {
            guard let named = campaigns.campaign(key) else { throw Problem(.campaignUnknown, param: "campaign") }
            campaign = named
        } else {
            let on = campaigns.campaigns.filter { $0.phase(at: now) != nil }
            guard on.count <= 1 else {
                throw Problem(.malformed, param: "campaign", detail: "Several campaigns are on: name one.")
            }
            guard let only = on.first else { throw Problem(.notInPhase) }
            campaign = only
        }
        guard let phase = campaign.phase(at: now), phase.verdict(on: person).isAdmitted else {
            throw Problem(.notInPhase)
        }
        return (phase.book, amount)
    }

    /// Those of a packet that a subsidy pays for: all that it is worth, in the campaign that gave it (SU-4).
    private func terms(
        of subsidy: PacketServices.Subsidy,
        _ asked: RedPacketRequest,
        _ person: PersonID
    ) async throws(Problem) -> (BookID, Amount) {
        let mismatch = Problem(.subsidyMismatch, param: "subsidy")
        guard self.person(subsidy.order.person) == person else { throw mismatch }
        if let key = asked.campaign, campaigns().campaign(subsidy.order.book)?.key != key {
            throw Problem(.campaignUnknown, param: "campaign", detail: "The subsidy is of another campaign.")
        }
        let worth: Amount?
        do throws(StoreError) {
            worth = try await packets.subsidyAmount(subsidy)
        } catch {
            throw Problem(error)
        }
        guard let worth else { throw Problem(.notFound, param: "subsidy") }
        guard asked.amount.map({ $0 == worth }) ?? true else { throw mismatch }
        return (subsidy.order.book, worth)
    }

    // MARK: Claiming and looking

    private func claim(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        try Self.readNothing(call.body)
        switch await packets.claim(try Self.packet(call), caller.person) {
        case .decided(.claimed(let claim, let left)): return Self.response(claim, left: left, isReplayed: false)
        case .decided(.alreadyClaimed(let claim, let left)): return Self.response(claim, left: left, isReplayed: true)
        case .decided(.unknown): throw Problem(.notFound)
        case .decided(.notPublished): throw Problem(.notPaid)
        case .decided(.notInScope): throw Problem(.outOfScope)
        case .decided(.exhausted): throw Problem(.exhausted)
        case .decided(.expired): throw Problem(.expired)
        case .tryLater: throw Problem(.tryAgain)
        case .unavailable(let fault): throw Problem(fault)
        }
    }

    private static func response(_ claim: Claim, left: Int, isReplayed: Bool) -> Response {
        .json(capacity: 64) { json in
            json.object { json in
                json.field("amount", claim.share.fen)
                json.field("sharesLeft", Int64(left))
                json.field("replayed", isReplayed)
            }
        }
    }

    private enum NoField: String, CaseIterable { case none }
    private static let noFields = JSONFields<NoField>()

    /// `{}`
    private static func readNothing(_ body: ByteBuffer) throws(Problem) {
        var reader = JSONReader(body)
        do throws(JSONFault) {
            try reader.object(noFields) { reader, _ throws(JSONFault) in
                throw JSONFault(.unknownField, field: NoField.none.rawValue)
            }
            try reader.finish()
        } catch {
            throw Problem(error)
        }
    }

    private func look(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        _ = try Query(call.head, allowed: [])
        let id = try Self.packet(call)
        let view: PacketView?
        do throws(StoreError) {
            view = try await packets.look(id, caller.person)
        } catch {
            throw Problem(error)
        }
        guard let view else { throw Problem(.notFound) }
        let isSender = person(view.packet.key.sender) == caller.person
        return .json(capacity: 512) { $0.write(view, isSender: isSender, at: call.now) }
    }

    private func claims(_ call: Call, _ caller: PersonCaller) async throws(Problem) -> Response {
        let query = try Query(call.head, allowed: ["cursor", "limit"])
        let from = try query.integer("cursor", in: 0...UInt32(Split.countMax)) ?? 0
        let limit = try query.integer("limit", in: Self.pageLimit) ?? Self.pageLimitDefault
        let id = try Self.packet(call)
        let page: ClaimPage?
        do throws(StoreError) {
            page = try await packets.claims(id, from, limit)
        } catch {
            throw Problem(error)
        }
        guard let page else { throw Problem(.notFound) }
        return .json(capacity: 512 + page.claims.count * 128) { $0.write(page) }
    }

    /// What isn't a number of 64 bits is no packet.
    private static func packet(_ call: Call) throws(Problem) -> RedPacketID {
        guard let number = UInt64(canonicalDecimal: call.captures[0].utf8), number > 0 else { throw Problem(.notFound) }
        return RedPacketID(number)
    }
}
