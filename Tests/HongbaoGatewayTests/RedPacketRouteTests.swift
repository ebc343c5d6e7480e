import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import HummingbirdTesting
import Synchronization
import Testing

@testable import HongbaoGateway

/// `/v1/red-packets` and what is under it (RP-2, RP-3, RP-7, RP-11), each answer and each refusal.
@Suite(.timeLimit(.minutes(15))) struct RedPacketRouteTests {
    static let scene = SceneID(book: BookID(campaign: 7, phase: .live), number: 3)
    static let worth: Int64 = 1_000

    /// The order number of a subsidy, which `Caller.give` gives.
    static func subsidy(of person: UInt64, _ rain: UInt16 = 1) -> String {
        OrderNumber(person: PersonID(person), scene: scene, rain: RainID(rain), awardType: 1, stage: 0).description
    }

    static func rig(_ change: @escaping @Sendable (inout GatewayServices) -> Void = { _ in }) throws -> GatewayRig {
        var rig = try GatewayRig([.forTests(subsidies: 1_000_000)])
        rig.configuration.takesPayments = true
        rig.change = { services in
            services.packets.openPayment = { "https://cashier.example/pay/\($0.paymentOrder)" }
            change(&services)
        }
        return rig
    }

    static func c2c(_ id: String = "p", amount: Int = 1_000, count: Int = 10, extra: String = "") -> String {
        #"{"id":"\#(id)","kind":"c2c","amount":\#(amount),"count":\#(count),"split":"lucky","#
            + #""scope":"everyone"\#(extra)}"#
    }

    static func b2c(_ id: String, of sender: UInt64, count: Int, scope: String = #""everyone""#, rain: UInt16 = 1)
        -> String
    {
        #"{"id":"\#(id)","kind":"b2c","count":\#(count),"split":"lucky","scope":\#(scope),"#
            + #""subsidy":"\#(subsidy(of: sender, rain))"}"#
    }

    // MARK: The life of both kinds

    /// M14: the same request again is answered in the same bytes. RP-3, RP-10: looking, claiming, details, the reveal.
    @Test func aPaidPacketFromSendToReveal() async throws {
        try await Self.rig().run { caller in
            let (sender, person) = (try caller.jwt(9), try caller.jwt(42))
            let extra = #","greeting":"恭喜发财👨‍👩‍👧","video":"v-1","campaign":"test""#
            let json = Self.c2c(amount: 100, count: 2, extra: extra)
            let sent = try await caller.send(.post, "/v1/red-packets", json: json, token: sender)
            let packet = try #require(sent.object["packet"] as? String, "\(sent.text)")
            let commitment = try #require(sent.object["commitment"] as? String)
            #expect(
                sent.text == #"{"packet":"\#(packet)","state":"awaiting_payment","payment":{"id":"p_\#(packet)","#
                    + #""url":"https://cashier.example/pay/p_\#(packet)"},"commitment":"\#(commitment)"}"#
            )
            #expect(try await caller.send(.post, "/v1/red-packets", json: json, token: sender).text == sent.text)
            let other = Self.c2c(amount: 101, count: 2)
            let conflict = try await caller.send(.post, "/v1/red-packets", json: other, token: sender)
            #expect(conflict.problem() == "409 order_conflict id")

            let path = "/v1/red-packets/\(packet)"
            #expect(try await caller.claim(packet, by: 42).problem() == "409 not_paid")
            try await caller.pay(packet)
            let look = try await caller.send(.get, path, token: person).object
            #expect(look["state"] as? String == "open" && look["greeting"] as? String == "恭喜发财👨‍👩‍👧")
            #expect(look["sender"] as? String == "9" && look["mine"] == nil && look["video"] as? String == "v-1")
            #expect(look["remaining"] as? [String: Int] == ["count": 2] && look["commitment"] as? String == commitment)
            let again = try await caller.send(.post, "/v1/red-packets", json: json, token: sender)
            #expect(again.text == #"{"packet":"\#(packet)","state":"open","commitment":"\#(commitment)"}"#)

            let first = try await caller.claim(packet, by: 42)
            let share = try #require(first.object["amount"] as? Int, "\(first.text)")
            #expect(first.text == #"{"amount":\#(share),"sharesLeft":1,"replayed":false}"#)
            let early = try await caller.send(.get, "\(path)/claims", token: person)
            #expect(!early.text.contains("reveal") && !early.text.contains("seed"))
            let mine = try await caller.send(.get, path, token: person).object["mine"] as? [String: Any]
            #expect(mine?["amount"] as? Int == share && mine?["state"] as? String == "processing")
            let ours = try await caller.send(.get, path, token: sender).object["remaining"] as? [String: Int]
            #expect(ours == ["count": 1, "amount": 100 - share])
            #expect(try await caller.claim(packet, by: 9).object["sharesLeft"] as? Int == 0)
            #expect(try await caller.claim(packet, by: 43).problem() == "409 exhausted")
            // The first answer again, whatever became of the packet (M14).
            let replay = try await caller.claim(packet, by: 42).text
            #expect(replay == first.text.replacing("false", with: "true"))

            let one = try await caller.send(.get, "\(path)/claims?limit=1", token: person).object
            #expect((one["claims"] as? [Any])?.count == 1 && one["next"] as? String == "1")
            let two = try await caller.send(.get, "\(path)/claims?limit=1&cursor=1", token: person).object
            #expect((two["claims"] as? [[String: Any]])?.first?["person"] as? String == "9" && two["next"] == nil)
            let all = try await caller.send(.get, "\(path)/claims", token: person)
            let luck = try #require(all.object["claims"] as? [[String: Any]])
            let most = luck.compactMap { $0["amount"] as? Int }.max()
            let best = luck.firstIndex { $0["amount"] as? Int == most }
            #expect(luck.map { $0["luckiest"] as? Bool } == luck.indices.map { $0 == best })
            try Self.expectHolds(all.bytes, commitment: commitment)
        }
    }

    /// What the page and `hongbao verify-split` are given is all that it takes.
    private static func expectHolds(_ bytes: [UInt8], commitment: String) throws {
        let document = try OpenedSplitJSON(bytes)
        let kind = try #require(document.kind)
        let amount = try #require(document.amount.flatMap { Amount(fen: $0) })
        let count = Int(try #require(document.count))
        let published = try #require([UInt8](hex: commitment))
        let opened = OpenedSplit(
            packet: RedPacketID(try #require(document.packet)),
            split: try #require(Split(kind, amount: amount, count: count)),
            seed: try #require(document.seed),
            commitment: try #require(SplitCommitment(published)),
            claims: document.claims
        )
        #expect(document.commitment == opened.commitment && opened.verify().holds)
    }

    /// RP-1, WL-2, WD-2: over real connections, twenty at once claim a B2C packet; what they got is in their wallets at
    /// once, each line once, and can be withdrawn.
    @Test func aSubsidyIsSentClaimedAndWithdrawn() async throws {
        try await Self.rig().run(.live) { caller in
            let json = Self.b2c("b-1", of: 9, count: 20)
            try await caller.give(to: 9)
            let sent = try await caller.send(.post, "/v1/red-packets", json: json, token: try caller.jwt(9))
            let packet = try #require(sent.object["packet"] as? String, "\(sent.text)")
            #expect(sent.object["state"] as? String == "open" && sent.object["payment"] == nil)
            let persons = Array(101...120 as ClosedRange<UInt64>)
            let shares = try await withThrowingTaskGroup(of: (UInt64, Int).self) { group in
                for person in persons {
                    group.addTask {
                        let claim = try await caller.claimPatiently(packet, by: person)
                        return (person, try #require(claim.object["amount"] as? Int, "\(claim.text)"))
                    }
                }
                return try await group.reduce(into: [UInt64: Int]()) { $0[$1.0] = $1.1 }
            }
            #expect(shares.values.reduce(0, +) == Int(Self.worth) && shares.count == 20)
            for person in persons {
                let (jwt, share) = (try caller.jwt(person), try #require(shares[person]))
                let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt).object
                #expect(wallet["balance"] as? Int == share && wallet["income"] as? Int == share)
                let statement = try await caller.send(.get, "/v1/wallet/statement?campaign=test", token: jwt).object
                let entries = try #require(statement["entries"] as? [[String: Any]])
                #expect(entries.map { $0["amount"] as? Int } == [share])
                #expect(entries[0]["kind"] as? String == "claim" && entries[0]["title"] as? String == "红包")
                #expect((entries[0]["id"] as? String)?.hasPrefix("c_\(packet)_") == true)
                let all = #"{"campaign":"test","id":"w","amount":\#(share)}"#
                let withdrawal = try await caller.send(.post, "/v1/wallet/withdrawals", json: all, token: jwt)
                #expect(withdrawal.status == .ok, "\(withdrawal.text)")
                let more = #"{"campaign":"test","id":"w2","amount":1}"#
                let second = try await caller.send(.post, "/v1/wallet/withdrawals", json: more, token: jwt)
                #expect(second.problem() == "409 insufficient_balance amount")
            }
            let look = try await caller.send(.get, "/v1/red-packets/\(packet)", token: try caller.jwt(101)).object
            #expect(look["state"] as? String == "finished")
            #expect((look["mine"] as? [String: Any])?["state"] as? String == "credited")
        }
    }

    // MARK: Refusals of sending

    private static let long = String(repeating: "福", count: 101)
    private static let badRequests: [(change: (String, String), problem: String)] = [
        ((#""id":"p""#, #""id":"""#), "400 malformed id"), ((#""id":"p""#, #""id":"a.b""#), "400 malformed id"),
        ((#""id":"p""#, #""id":7"#), "400 malformed id"), ((#""id":"p","#, ""), "400 malformed id"),
        ((#""kind":"c2c""#, #""kind":"C2C""#), "400 malformed kind"),
        ((#""kind":"c2c","#, ""), "400 malformed kind"),
        ((#""amount":1000"#, #""amount":0"#), "422 amount_invalid amount"),
        ((#""amount":1000"#, #""amount":1000.0"#), "422 amount_invalid amount"),
        ((#""amount":1000"#, #""amount":100000001"#), "422 amount_invalid amount"),
        ((#""amount":1000"#, #""amount":9"#), "422 amount_invalid amount"),
        ((#""amount":1000,"#, ""), "422 amount_invalid amount"),
        ((#""count":10"#, #""count":0"#), "400 malformed count"),
        ((#""count":10"#, #""count":-1"#), "400 malformed count"),
        ((#""count":10"#, #""count":100001"#), "400 malformed count"),
        ((#""count":10,"#, ""), "400 malformed count"),
        ((#""lucky""#, #""fair""#), "400 malformed split"), ((#""split":"lucky","#, ""), "400 malformed split"),
        ((#""everyone""#, #""nobody""#), "400 malformed scope"),
        ((#","scope":"everyone""#, ""), "400 malformed scope"),
        ((#""everyone""#, #""listed""#), "400 malformed listed"),
        ((#""everyone""#, #""listed","listed":[]"#), "400 malformed listed"),
        ((#""everyone""#, #""listed","listed":["0"]"#), "400 malformed listed"),
        ((#""everyone""#, #""listed","listed":[7]"#), "400 malformed listed"),
        ((#""everyone""#, #""everyone","listed":["7"]"#), "400 unknown_field listed"),
        ((#""everyone""#, #""everyone","greeting":"\#(long)""#), "400 malformed greeting"),
        ((#""everyone""#, #""everyone","greeting":"a\u202eb""#), "400 malformed greeting"),
        ((#""everyone""#, #""everyone","greeting":"a\nb""#), "400 malformed greeting"),
        ((#""everyone""#, #""everyone","video":"""#), "400 malformed video"),
        ((#""everyone""#, #""everyone","subsidy":"\#(subsidy(of: 9))""#), "400 unknown_field subsidy"),
        ((#""everyone""#, #""everyone","token":"AQ""#), "400 unknown_field token"),
        ((#""everyone""#, #""everyone","to":"7""#), "400 unknown_field to"),
        ((#""everyone""#, #""everyone","campaign":"none""#), "404 campaign_unknown campaign"),
        ((#""c2c""#, #""b2c""#), "400 malformed subsidy"),
        ((#""c2c""#, #""b2c","subsidy":"9_1""#), "400 malformed subsidy"),
        ((#""c2c""#, #""b2c","subsidy":"\#(subsidy(of: 42))""#), "422 subsidy_mismatch subsidy"),
        (
            (#""c2c","amount":1000"#, #""b2c","amount":999,"subsidy":"\#(subsidy(of: 9))""#),
            "422 subsidy_mismatch subsidy"
        ),
        ((#""c2c""#, #""b2c","subsidy":"\#(subsidy(of: 9, 900))""#), "404 not_found subsidy"),
        ((#""c2c""#, #""b2c","campaign":"x","subsidy":"\#(subsidy(of: 9))""#), "404 campaign_unknown campaign"),
        ((#""c2c""#, #""b2c","token":"!","subsidy":"\#(subsidy(of: 9))""#), "400 malformed token"),
    ]

    @Test func whatIsNoPacketIsRefused() async throws {
        try await Self.rig().run { caller in
            let sender = try caller.jwt(9)
            try await caller.give(to: 9)
            for ((good, bad), expected) in Self.badRequests {
                let json = Self.c2c().replacing(good, with: bad)
                let answer = try await caller.send(.post, "/v1/red-packets", json: json, token: sender)
                #expect(answer.problem() == expected, "\(bad)")
            }
            // None of them left a packet behind.
            let packets = try await caller.engine.store.read { (snapshot) throws(StoreError) in
                try snapshot.packets(after: nil, limit: 1)
            }
            #expect(packets.isEmpty)
        }
    }

    /// SU-4, SU-5: one subsidy, one packet.
    @Test func aSubsidyPaysOnce() async throws {
        try await Self.rig().run { caller in
            let sender = try caller.jwt(9)
            for rain: UInt16 in [1, 3] { try await caller.give(to: 9, rain) }
            func send(_ id: String, _ rain: UInt16 = 1, by jwt: String) async throws -> TestResponse {
                try await caller.send(
                    .post,
                    "/v1/red-packets",
                    json: Self.b2c(id, of: 9, count: 2, rain: rain),
                    token: jwt
                )
            }
            let first = try await send("a", by: sender)
            #expect(try await send("a", by: sender).text == first.text && first.status == .ok)
            #expect(try await send("b", by: sender).problem() == "409 subsidy_used subsidy")
            #expect(try await send("c", by: try caller.jwt(42)).problem() == "422 subsidy_mismatch subsidy")
            #expect(try await send("b", 3, by: sender).status == .ok)
        }
    }

    /// M3: a cash grant isn't a subsidy, also while it isn't posted.
    @Test func cashPaysForNoPacket() async throws {
        var rig = try GatewayRig()
        rig.configuration.takesPayments = true
        try await rig.run { caller in
            let grant = grantJSON(person: #""9""#, amount: "1000")
            let granted = try await caller.send(.post, "/v1/grants", json: grant, token: GatewayRig.grantKey)
            let order = try #require(granted.object["order"] as? String, "\(granted.text)")
            let json = Self.c2c().replacing(#""c2c","amount":1000"#, with: #""b2c","subsidy":"\#(order)""#)
            let sent = try await caller.send(.post, "/v1/red-packets", json: json, token: try caller.jwt(9))
            #expect(sent.problem() == "404 not_found subsidy")
            try await caller.engine.drain()
        }
    }

    /// SU-2, SU-3, TK-4: what the server's list has lost, the sender's token proves.
    @Test func aTokenProvesASubsidy() async throws {
        try await Self.rig().run { caller in
            caller.engine.poster.setPaused(true)
            let jwt = try caller.jwt(9)
            let token = String(decoding: Base64URL.encode(try await caller.give(to: 9)), as: UTF8.self)
            caller.engine.tokens.removeAll()
            let json = Self.b2c("a", of: 9, count: 2)
            let unproven = try await caller.send(.post, "/v1/red-packets", json: json, token: jwt)
            #expect(unproven.problem() == "404 not_found subsidy")
            let proven = json.dropLast() + #","token":"\#(token)"}"#
            let sent = try await caller.send(.post, "/v1/red-packets", json: String(proven), token: jwt)
            #expect(sent.object["state"] as? String == "open", "\(sent.text)")
        }
    }

    @Test func sendingNeedsACampaignAndACashier() async throws {
        for (campaigns, json, expected) in [
            ([.forTests(window: (1 << 51)..<(1 << 52))], Self.c2c(), "409 not_in_phase"),
            ([.forTests(admission: .listed([]))], Self.c2c(), "409 not_in_phase"),
            ([.forTests(), .forTests(key: "other", number: 8)], Self.c2c(), "400 malformed campaign"),
            ([.forTests(), .forTests(key: "other", number: 8)], Self.c2c(extra: #","campaign":"other""#), nil),
            ([], Self.c2c(), "409 not_in_phase"),
        ] as [([Campaign], String, String?)] {
            var rig = try GatewayRig(campaigns)
            rig.configuration.takesPayments = true
            rig.change = { $0.packets.openPayment = { _ in "https://cashier.example/" } }
            try await rig.run { caller in
                let answer = try await caller.send(.post, "/v1/red-packets", json: json, token: try caller.jwt(9))
                if let expected { #expect(answer.problem() == expected) } else { #expect(answer.status == .ok) }
            }
        }
        // FC-6: without a cashier the other kind still works.
        var rig = try Self.rig()
        rig.configuration.takesPayments = false
        try await rig.run { caller in
            let jwt = try caller.jwt(9)
            let closed = try await caller.send(.post, "/v1/red-packets", json: Self.c2c(), token: jwt)
            #expect(closed.problem() == "409 payment_closed kind")
            try await caller.give(to: 9)
            let open = try await caller.send(.post, "/v1/red-packets", json: Self.b2c("b", of: 9, count: 2), token: jwt)
            #expect(open.status == .ok)
        }
    }

    /// The cashier fails at first: nothing is lost, the same request goes on with the same packet.
    @Test func aPaymentThatCannotBeOpenedIsOpenedLater() async throws {
        let asked = Mutex<[RedPacketID]>([])
        let rig = try Self.rig { services in
            services.packets.openPayment = { packet in
                let isFirst = asked.withLock { asked in
                    asked.append(packet.id)
                    return asked.count == 1
                }
                return isFirst ? nil : "https://cashier.example/"
            }
        }
        try await rig.run { caller in
            let jwt = try caller.jwt(9)
            let first = try await caller.send(.post, "/v1/red-packets", json: Self.c2c(), token: jwt)
            #expect(first.problem() == "503 payment_unavailable")
            let second = try await caller.send(.post, "/v1/red-packets", json: Self.c2c(), token: jwt)
            #expect(second.object["state"] as? String == "awaiting_payment")
            let ids = asked.withLock { $0 }
            #expect(ids.count == 2 && ids[0] == ids[1] && second.object["packet"] as? String == "\(ids[0].rawValue)")
        }
    }

    /// Each outcome that the engine may answer a send with.
    @Test(
        arguments: [
            (.conflict, "409 order_conflict id"), (.subsidyMismatch, "422 subsidy_mismatch subsidy"),
            (.subsidyUsed, "409 subsidy_used subsidy"), (.subsidyUnknown, "404 not_found subsidy"),
            (.unavailable(StoreError(.unavailable, "/var/x")), "503 unavailable"),
            (.unavailable(StoreError(.corrupt, "/var/x")), "500 internal"),
        ] as [(SendAnswer, String)]
    )
    func refusedSends(_ answer: SendAnswer, _ expected: String) async throws {
        try await Self.rig { $0.packets.send = { _, _ in answer } }.run { caller in
            let response = try await caller.send(.post, "/v1/red-packets", json: Self.c2c(), token: try caller.jwt(9))
            #expect(response.problem() == expected && !response.text.contains("/var"))
        }
    }

    // MARK: Refusals of claiming and looking

    /// Each outcome that the engine may answer a claim with.
    @Test(
        arguments: [
            (.decided(.unknown), "404 not_found"), (.decided(.notPublished), "409 not_paid"),
            (.decided(.notInScope), "403 out_of_scope"), (.decided(.exhausted), "409 exhausted"),
            (.decided(.expired), "409 expired"), (.tryLater, "429 try_again"),
            (.unavailable(StoreError(.unavailable, "/var/x")), "503 unavailable"),
            (.unavailable(StoreError(.corrupt, "/var/x")), "500 internal"),
        ] as [(ClaimAnswer, String)]
    )
    func refusedClaims(_ answer: ClaimAnswer, _ expected: String) async throws {
        try await Self.rig { $0.packets.claim = { _, _ in answer } }.run { caller in
            let response = try await caller.claim("7", by: 42)
            #expect(response.problem() == expected && !response.text.contains("/var"))
        }
    }

    /// RP-11, RP-4: scopes and time, with the engine's own answers.
    @Test func scopesAndTimeAreEnforced() async throws {
        var rig = try Self.rig()
        rig.engine.configuration.packets.relate = DemoRelations.relate
        let clock = rig.engine.clock
        try await rig.run { caller in
            // 9 + 43 is divided by four, 9 + 41 by two only, 9 + 42 by neither.
            for (rain, scope, admitted) in [
                (1, #""followers""#, [43, 41, 9]), (2, #""friends""#, [43, 9]),
                (3, #""listed","listed":["42","43"]"#, [42, 43]),
            ] as [(UInt16, String, Set<UInt64>)] {
                try await caller.give(to: 9, rain)
                let json = Self.b2c("s\(rain)", of: 9, count: 9, scope: scope, rain: rain)
                let sent = try await caller.send(.post, "/v1/red-packets", json: json, token: try caller.jwt(9))
                let packet = try #require(sent.object["packet"] as? String, "\(sent.text)")
                for person: UInt64 in [9, 41, 42, 43] {
                    let claim = try await caller.claim(packet, by: person)
                    if admitted.contains(person) {
                        #expect(claim.status == .ok, "\(scope) \(person)")
                    } else {
                        #expect(claim.problem() == "403 out_of_scope", "\(scope) \(person)")
                    }
                }
            }
            try await caller.give(to: 9, 4)
            let json = Self.b2c("late", of: 9, count: 2, rain: 4)
            let sent = try await caller.send(.post, "/v1/red-packets", json: json, token: try caller.jwt(9))
            let packet = try #require(sent.object["packet"] as? String)
            let share = try await caller.claim(packet, by: 9).object["amount"] as? Int
            clock.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            let later = Caller(client: caller.client, engine: caller.engine, now: clock.now)
            #expect(try await later.claim(packet, by: 42).problem() == "409 expired")
            #expect(try await later.claim(packet, by: 9).object["amount"] as? Int == share)
            var state = ""
            while state != "refunded" {
                state =
                    try await later.send(.get, "/v1/red-packets/\(packet)", token: try later.jwt(9))
                    .object["state"] as? String ?? "?"
                #expect(["expired", "refunded"].contains(state))
            }
        }
    }

    @Test func addressesThatAreNone() async throws {
        try await Self.rig().run { caller in
            let jwt = try caller.jwt(42)
            for (uri, expected) in [
                ("/v1/red-packets/7", "404 not_found"), ("/v1/red-packets/0", "404 not_found"),
                ("/v1/red-packets/x", "404 not_found"), ("/v1/red-packets/007", "404 not_found"),
                ("/v1/red-packets/-7", "404 not_found"), ("/v1/red-packets/18446744073709551616", "404 not_found"),
                ("/v1/red-packets/7?x=1", "400 unknown_field x"), ("/v1/red-packets/7/claims", "404 not_found"),
                ("/v1/red-packets/7/claims?cursor=", "400 malformed cursor"),
                ("/v1/red-packets/7/claims?cursor=-1", "400 malformed cursor"),
                ("/v1/red-packets/7/claims?cursor=1000001", "400 malformed cursor"),
                ("/v1/red-packets/7/claims?limit=0", "400 malformed limit"),
                ("/v1/red-packets/7/claims?limit=1001", "400 malformed limit"),
                ("/v1/red-packets/7/claims?position=1", "400 unknown_field position"),
            ] {
                #expect(try await caller.send(.get, uri, token: jwt).problem() == expected, "\(uri)")
            }
            for (json, expected) in [
                ("{}", "404 not_found"), ("", "400 malformed"), ("[]", "400 malformed"),
                (#"{"x":1}"#, "400 unknown_field x"),
                ("{} {}", "400 malformed"), (#"{"none":1}"#, "400 unknown_field none"),
            ] {
                let answer = try await caller.send(.post, "/v1/red-packets/7/claims", json: json, token: jwt)
                #expect(answer.problem() == expected, "\(json)")
            }
            for uri in ["/v1/red-packets/x/claims", "/v1/red-packets/0/claims"] {
                #expect(try await caller.send(.post, uri, json: "{}", token: jwt).problem() == "404 not_found")
            }
        }
    }

    // MARK: States

    /// Every state, as people see it.
    @Test(
        arguments: [
            (.created, 0, 0, "awaiting_payment"), (.paying, 0, 0, "awaiting_payment"), (.published, 0, 0, "open"),
            (.published, 1, 0, "open"), (.exhausted, 2, 0, "finished"), (.expired, 1, 0, "expired"),
            (.closing, 1, 0, "expired"), (.closing, 2, 0, "finished"), (.closed, 2, 0, "finished"),
            (.closed, 1, 50, "refunded"), (.abandoned, 0, 0, "cancelled"),
        ] as [(RedPacket.State, Int, Int64, String)]
    )
    func states(_ state: RedPacket.State, _ claimed: Int, _ refunded: Int64, _ name: String) throws {
        let end = Timestamp(milliseconds: 1_000)
        let amount = try #require(Amount(fen: 100))
        let draft = RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(9), book: Self.scene.book, id: "p")),
            kind: .c2c,
            split: try #require(Split(.equal, amount: amount, count: 2)),
            scope: .everyone,
            cover: try #require(RedPacket.Cover())
        )
        let packet = RedPacket(
            id: RedPacketID(7),
            draft,
            seal: RedPacket.Seal(commitment: [], sealedSeed: []),
            createdAt: Timestamp(milliseconds: 0),
            RedPacket.Progress(
                state: state,
                funding: nil,
                publishedAt: nil,
                expiresAt: end,
                closedAt: nil,
                claimed: try #require(Amount(fen: Int64(claimed) * 50)),
                claimedCount: claimed,
                luckiest: nil,
                transferred: .zero,
                refunded: try #require(Amount(fen: refunded)),
                attempts: 0,
                nextCheckAt: end
            )
        )
        #expect(packet.stateName(at: Timestamp(milliseconds: 999)) == name)
        #expect(packet.stateName(at: end) == (state == .published ? "expired" : name))
    }
}

extension Caller {
    /// Gives a subsidy, and answers its token.
    @discardableResult
    fileprivate func give(to person: UInt64, _ rain: UInt16 = 1) async throws -> [UInt8] {
        let worth = RedPacketRouteTests.worth
        let asked = GrantRequest.forTests(person: person, rain: rain, amount: worth, scene: "rain-subsidy")
        guard case .granted(let granted) = await engine.granting.grant([asked]).first else { throw NotGiven() }
        return granted.token
    }

    func claim(_ packet: String, by person: UInt64) async throws -> TestResponse {
        try await send(.post, "/v1/red-packets/\(packet)/claims", json: "{}", token: try jwt(person))
    }

    /// Asks again when told so, at most ten times (RP-7).
    func claimPatiently(_ packet: String, by person: UInt64) async throws -> TestResponse {
        var answer = try await claim(packet, by: person)
        for _ in 0..<10 where answer.status == .tooManyRequests {
            #expect(answer.problem() == "429 try_again")
            answer = try await claim(packet, by: person)
        }
        return answer
    }

    /// Pays for a packet as the cashier's word does.
    func pay(_ packet: String) async throws {
        let id = RedPacketID(try #require(UInt64(packet)))
        let view = try #require(try await engine.packets.look(id, as: nil))
        try await Till(engine.store, engine.clock).pay(for: view.packet)
    }
}

private struct NotGiven: Error {}
