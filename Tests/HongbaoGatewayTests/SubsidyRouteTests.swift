import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Testing

/// The list of subsidies over HTTP (SU-2, SU-3), and that the wallet has them apart from its cash.
@Suite struct SubsidyRouteTests {
    private static func grant(_ caller: Caller, rain: Int, _ amount: Int) async throws -> String {
        let at = 1_643_630_300_000 + rain
        let json = grantJSON(amount: "\(amount)", rain: "\(rain)", extra: #","openedAt":\#(at)"#)
            .replacing(#""scene":"rain""#, with: #""scene":"rain-subsidy""#)
        let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
        return try #require(answer.object["token"] as? String, "\(answer.text)")
    }

    private static func line(_ rain: Int, _ amount: Int, _ state: String = "available") -> String {
        #"{"order":"42_\#(UInt32(7 << 2 | 3) << 16 | 3)_\#(rain)_1_0","title":"视频补贴","amount":\#(amount),"#
            + #""at":\#(1_643_630_300_000 + rain),"state":"\#(state)","campaign":"test"}"#
    }

    @Test func listsHaveTheirShape() async throws {
        try await GatewayRig([.forTests(subsidies: 1_000_000)]).run { caller in
            let jwt = try caller.jwt(42)
            func list() async throws -> String {
                try await caller.send(.get, "/v1/subsidies?campaign=test", token: jwt).text
            }
            #expect(try await list() == #"{"subsidies":[],"complete":true,"missing":[]}"#)
            let token = try await Self.grant(caller, rain: 1, 500)
            _ = try await Self.grant(caller, rain: 2, 600)
            let both = "\(Self.line(2, 600)),\(Self.line(1, 500))"
            #expect(try await list() == #"{"subsidies":[\#(both)],"complete":true,"missing":[]}"#)
            try await caller.engine.drain()
            #expect(try await list() == #"{"subsidies":[\#(both)],"complete":true,"missing":[]}"#)
            let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt)
            #expect(
                wallet.text == #"{"person":"42","balance":0,"income":0,"pending":0,"coupons":[],"pendants":[],"#
                    + #""subsidies":[\#(both)],"complete":true,"missing":[]}"#
            )
            let statement = try await caller.send(.get, "/v1/wallet/statement?campaign=test", token: jwt)
            #expect(statement.text == #"{"entries":[],"complete":true,"missing":[]}"#)

            let key = try #require(SendKey(sender: PersonID(42), book: BookID(campaign: 7, phase: .live), id: "p"))
            let amount = try #require(Amount(fen: 500))
            let draft = RedPacketDraft(
                key: key,
                kind: .b2c,
                split: try #require(Split(.equal, amount: amount, count: 5)),
                scope: .everyone,
                cover: try #require(RedPacket.Cover())
            )
            let order = try #require(OrderNumber("42_\(UInt32(7 << 2 | 3) << 16 | 3)_1_1_0"))
            guard case .sent = await caller.engine.packets.send(draft, by: order) else {
                Issue.record("not sent")
                return
            }
            let used = "\(Self.line(2, 600)),\(Self.line(1, 500, "used"))"
            #expect(try await list() == #"{"subsidies":[\#(used)],"complete":true,"missing":[]}"#)
            // SU-3
            caller.engine.wallets.setSwitchedOff(true, .tokens)
            caller.engine.wallets.setSwitchedOff(true, .coupons)
            #expect(try await list() == #"{"subsidies":[\#(used)],"complete":false,"missing":["tokens"]}"#)
            let sent = try await caller.send(
                .post,
                "/v1/subsidies?campaign=test",
                json: #"{"tokens":["\#(token)","!!"]}"#,
                token: jwt
            )
            #expect(
                sent.text == #"{"subsidies":[\#(used)],"complete":false,"missing":["tokens"],"#
                    + #""refused":[{"index":1,"code":"token_invalid"}]}"#
            )
        }
    }

    @Test func badRequestsAreRefused() async throws {
        try await GatewayRig([.forTests(subsidies: 1_000_000)]).run { caller in
            let jwt = try caller.jwt(42)
            for (uri, token, expected) in [
                ("/v1/subsidies", jwt, "400 malformed campaign"),
                ("/v1/subsidies?campaign=test&x=1", jwt, "400 unknown_field x"),
                ("/v1/subsidies?campaign=other", jwt, "404 campaign_unknown campaign"),
                ("/v1/subsidies?campaign=test", "x", "401 unauthorized"),
            ] {
                #expect(try await caller.send(.get, uri, token: token).problem() == expected, "\(uri)")
            }
        }
    }
}
