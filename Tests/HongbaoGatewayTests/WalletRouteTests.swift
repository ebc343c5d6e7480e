import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Testing

@Suite struct WalletRouteTests {
    private static func grant(_ caller: Caller, _ rain: Int, _ amount: Int, openedAt: Int64) async throws -> String {
        let answer = try await caller.send(
            .post,
            "/v1/grants",
            json: grantJSON(amount: "\(amount)", rain: "\(rain)", extra: #","openedAt":\#(openedAt)"#),
            token: GatewayRig.grantKey
        )
        return try #require(answer.object["token"] as? String, "\(answer.text)")
    }

    /// WL-1, TK-6: the shape of the wallet, and that posting can't be seen but in `pending`.
    @Test func walletsHaveTheirShape() async throws {
        try await GatewayRig().run { caller in
            let jwt = try caller.jwt(42)
            let empty = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt)
            #expect(
                empty.text == #"{"person":"42","balance":0,"income":0,"pending":0,"coupons":[],"pendants":[],"#
                    + #""subsidies":[],"complete":true,"missing":[]}"#
            )
            _ = try await Self.grant(caller, 1, 288, openedAt: 1_643_630_300_000)
            try await caller.engine.drain()
            let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt)
            #expect(
                wallet.text == #"{"person":"42","balance":288,"income":288,"pending":0,"coupons":[],"pendants":[],"#
                    + #""subsidies":[],"complete":true,"missing":[]}"#
            )
            let summary = try await caller.send(
                .get,
                "/v1/persons/42/summary?campaign=test",
                token: GatewayRig.readKey
            )
            #expect(summary.text == #"{"balance":288,"income":288,"received":true,"complete":true,"missing":[]}"#)
            let nobody = try await caller.send(.get, "/v1/persons/1/summary?campaign=test", token: GatewayRig.readKey)
            #expect(nobody.object["received"] as? Bool == false)
        }
    }

    /// TK-4, TK-9: good tokens are merged, and each bad one is named.
    @Test func tokensOfTheClientAreJudgedOneByOne() async throws {
        try await GatewayRig().run { caller in
            let token = try await Self.grant(caller, 1, 288, openedAt: 1_643_630_300_000)
            let jwt = try caller.jwt(42)
            let flipped = token.dropLast(4) + "AAAA"
            let body = #"{"tokens":["\#(token)","!!","","\#(flipped)"]}"#
            let mine = try await caller.send(.post, "/v1/wallet?campaign=test", json: body, token: jwt)
            #expect(mine.object["balance"] as? Int == 288)
            let refused = try #require(mine.object["refused"] as? [[String: Any]])
            #expect(refused.map { $0["index"] as? Int } == [1, 2, 3])
            #expect(refused.allSatisfy { $0["code"] as? String == "token_invalid" })
            let theirs = try await caller.send(
                .post,
                "/v1/wallet?campaign=test",
                json: #"{"tokens":["\#(token)"]}"#,
                token: try caller.jwt(43)
            )
            #expect(theirs.object["balance"] as? Int == 0)
            #expect((theirs.object["refused"] as? [Any])?.count == 1)
            let tooMany = #"{"tokens":[\#(Array(repeating: #""""#, count: 201).joined(separator: ","))]}"#
            let table: [(String, String)] = [
                ("{}", "400 malformed tokens"), (#"{"tokens":1}"#, "400 malformed tokens"),
                (#"{"tokens":[1]}"#, "400 malformed tokens"), (tooMany, "400 malformed tokens"),
                (#"{"tokens":[],"x":1}"#, "400 unknown_field x"), ("", "400 malformed"),
            ]
            for (json, expected) in table {
                let answer = try await caller.send(.post, "/v1/wallet?campaign=test", json: json, token: jwt)
                #expect(answer.problem() == expected, "\(json.prefix(40))")
            }
        }
    }

    /// WL-2, M11: pages continue where the one before ended; every order is there once.
    @Test(arguments: [1, 2, 3, 7, 100]) func statementsPage(_ limit: Int) async throws {
        try await GatewayRig().run { caller in
            for rain in 1...7 {
                _ = try await Self.grant(caller, rain, rain, openedAt: 1_643_630_000_000 + Int64(rain % 3))
            }
            let jwt = try caller.jwt(42)
            var amounts: [Int] = []
            var times: [Int] = []
            var cursor = ""
            while true {
                let uri = "/v1/wallet/statement?campaign=test&limit=\(limit)\(cursor)"
                let page = try await caller.send(.get, uri, token: jwt).object
                let entries = try #require(page["entries"] as? [[String: Any]])
                #expect(entries.count <= limit)
                for entry in entries {
                    #expect(entry["title"] as? String == "红包雨")
                    #expect(entry["kind"] as? String == "grant" && entry["state"] as? String == "credited")
                    #expect((entry["id"] as? String)?.hasPrefix("42_") == true)
                    amounts.append(entry["amount"] as? Int ?? 0)
                    times.append(entry["at"] as? Int ?? 0)
                }
                guard let next = page["next"] as? String else { break }
                cursor = "&cursor=\(next)"
            }
            #expect(amounts.sorted() == Array(1...7))
            #expect(times == times.sorted(by: >))
        }
    }

    @Test func queriesAreStrict() async throws {
        try await GatewayRig().run { caller in
            let jwt = try caller.jwt(42)
            let table: [(String, String)] = [
                ("/v1/wallet", "400 malformed campaign"), ("/v1/wallet?campaign=", "400 malformed campaign"),
                ("/v1/wallet?campaign=a%20b", "400 malformed campaign"),
                ("/v1/wallet?campaign=test&campaign=test", "400 malformed campaign"),
                ("/v1/wallet?campaign=test&x=1", "400 unknown_field x"), ("/v1/wallet?%ZZ=1", "400 malformed"),
                ("/v1/wallet?campaign=%FF", "400 malformed"),
                ("/v1/wallet?campaign=none", "404 campaign_unknown campaign"),
                ("/v1/wallet/statement?campaign=test&limit=0", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=101", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=-1", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=1.5", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=01", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=99999999999", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&cursor=", "400 malformed cursor"),
                ("/v1/wallet/statement?campaign=test&cursor=AAAA", "400 malformed cursor"),
                ("/v1/wallet/rewards?campaign=test&kind=gold", "400 malformed kind"),
                ("/v1/wallet/rewards?campaign=none", "404 campaign_unknown campaign"),
                ("/v1/wallet/withdrawals/w", "400 malformed campaign"),
                ("/v1/wallet/withdrawals/w?campaign=test", "404 not_found"),
                ("/v1/wallet/withdrawals/w.x?campaign=test", "404 not_found"),
            ]
            for (uri, expected) in table {
                #expect(try await caller.send(.get, uri, token: jwt).problem() == expected, "\(uri)")
            }
            let rewards = try await caller.send(.get, "/v1/wallet/rewards?campaign=test&kind=tea", token: jwt)
            #expect(rewards.text == #"{"rewards":[],"complete":true,"missing":[]}"#)
            let use = try await caller.send(.post, "/v1/wallet/rewards/7/use", token: jwt)
            #expect(use.problem() == "404 not_found")
        }
    }

    @Test func nothingBeforeTheFirstPhase() async throws {
        try await GatewayRig([.forTests(window: (1 << 51)..<(1 << 52))]).run { caller in
            let jwt = try caller.jwt(42)
            for uri in ["/v1/wallet?campaign=test", "/v1/wallet/statement?campaign=test"] {
                #expect(try await caller.send(.get, uri, token: jwt).problem() == "409 not_in_phase")
            }
            let json = #"{"campaign":"test","id":"w","amount":1}"#
            let withdrawal = try await caller.send(.post, "/v1/wallet/withdrawals", json: json, token: jwt)
            #expect(withdrawal.problem() == "409 not_in_phase")
        }
    }

    // MARK: Cursors

    static let book = BookID(campaign: 7, phase: .live)

    @Test(arguments: 0..<10) func cursorsSurviveTheirText(_ seed: UInt64) throws {
        var random = Seeded(seed: seed)
        for kind in StatementEntry.Kind.allCases {
            let cursor = StatementCursor(
                at: Timestamp(milliseconds: .random(in: 0...Timestamp.max.milliseconds, using: &random)),
                id: TransferID(bits: .random(in: 0...UInt128.max, using: &random)),
                kind: kind
            )
            let text = CursorProbe.text(cursor, in: Self.book)
            #expect(CursorProbe.cursor(text, in: Self.book) == cursor)
            #expect(CursorProbe.cursor(text, in: BookID(campaign: 7, phase: .rollout)) == nil)
            let bytes = try #require(Base64URL.decode(text.utf8))
            for bad in [bytes.dropLast() + [9], [2] + bytes.dropFirst(), bytes + [0], Array(bytes.dropLast())] {
                let text = String(decoding: Base64URL.encode(Array(bad)), as: UTF8.self)
                #expect(CursorProbe.cursor(text, in: Self.book) == nil)
            }
            #expect(CursorProbe.cursor(text + "=", in: Self.book) == nil)
            #expect(CursorProbe.cursor(String(text.dropLast()) + "!", in: Self.book) == nil)
        }
    }

    // MARK: Withdrawals

    @Test func withdrawalsAreIdempotentByTheirID() async throws {
        try await GatewayRig().run { caller in
            let jwt = try caller.jwt(42)
            _ = try await Self.grant(caller, 1, 288, openedAt: 1_643_630_300_000)
            func withdraw(_ id: String, _ amount: String) async throws -> TestResponse {
                let json = #"{"campaign":"test","id":\#(id),"amount":\#(amount)}"#
                return try await caller.send(.post, "/v1/wallet/withdrawals", json: json, token: jwt)
            }
            #expect(try await withdraw(#""a""#, "289").problem() == "409 insufficient_balance amount")
            let first = try await withdraw(#""w-1_A""#, "100")
            #expect(first.object["id"] as? String == "w-1_A" && first.object["amount"] as? Int == 100)
            #expect(["pending", "paid"].contains(first.object["state"] as? String))
            #expect(try await withdraw(#""w-1_A""#, "100").status == .ok)
            #expect(try await withdraw(#""w-1_A""#, "101").problem() == "409 order_conflict id")
            let found = try await caller.send(.get, "/v1/wallet/withdrawals/w-1_A?campaign=test", token: jwt)
            #expect(found.object["amount"] as? Int == 100)
            let hidden = try await caller.send(
                .get,
                "/v1/wallet/withdrawals/w-1_A?campaign=test",
                token: try caller.jwt(43)
            )
            #expect(hidden.problem() == "404 not_found")
            let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt)
            #expect(wallet.object["balance"] as? Int == 188)
            let statement = try await caller.send(.get, "/v1/wallet/statement?campaign=test", token: jwt)
            let entries = try #require(statement.object["entries"] as? [[String: Any]])
            #expect(entries.map { $0["amount"] as? Int } == [-100, 288])
            #expect(entries[0]["kind"] as? String == "withdrawal" && entries[0]["title"] as? String == "提现")
            for (id, amount, expected) in [
                (#""""#, "1", "400 malformed id"), (#""a.b""#, "1", "400 malformed id"),
                (#""a b""#, "1", "400 malformed id"), ("7", "1", "400 malformed id"),
                ("\"\(String(repeating: "a", count: 65))\"", "1", "400 malformed id"),
                (#""x""#, "0", "422 amount_invalid amount"), (#""x""#, "-1", "422 amount_invalid amount"),
                (#""x""#, "1.5", "422 amount_invalid amount"), (#""x""#, #""1""#, "422 amount_invalid amount"),
                (#""x""#, "1,\"y\":2", "400 unknown_field y"), (#""x""#, "1,\"id\":\"z\"", "400 malformed id"),
            ] {
                #expect(try await withdraw(id, amount).problem() == expected, "\(id) \(amount)")
            }
        }
    }

    // MARK: Callbacks and budgets

    @Test func callbacksAreAuthenticated() async throws {
        try await GatewayRig().run { caller in
            func send(_ json: String, nonce: String, at: Timestamp, code: String? = nil) async throws -> TestResponse {
                try await caller.callBack(.payouts, json, nonce: nonce, at: at, code: code)
            }
            let paid = #"{"order":"w_42_31_1","state":"paid","amount":1}"#
            let good = try await send(paid, nonce: "0123456789abcdef", at: caller.now)
            #expect(good.text == #"{"taken":true}"#)
            let replay = try await send(paid, nonce: "0123456789abcdef", at: caller.now)
            #expect(replay.problem() == "401 unauthorized")
            let old = try await send(paid, nonce: "0123456789abcdeg", at: caller.now.advanced(bySeconds: -301))
            #expect(old.problem() == "401 unauthorized")
            let forged = try await send(
                paid,
                nonce: "0123456789abcdeh",
                at: caller.now,
                code: "v1=" + String(repeating: "0", count: 64)
            )
            #expect(forged.problem() == "401 unauthorized")
            let plain = try await caller.send(.post, "/v1/callbacks/payouts", json: paid)
            #expect(plain.problem() == "401 unauthorized")
            let strange = try await send(
                #"{"order":"x","state":"paid","amount":1}"#,
                nonce: "0123456789abcdei",
                at: caller.now
            )
            #expect(strange.problem() == "400 malformed order")
            let unknown = try await send(#"{"order":"w_1_1_1","to":1}"#, nonce: "0123456789abcdej", at: caller.now)
            #expect(unknown.problem() == "400 unknown_field to")
        }
    }

    /// BU-6: the parts add up.
    @Test func budgetsAddUp() async throws {
        try await GatewayRig([.forTests(budget: 1_000_000)]).run { caller in
            _ = try await Self.grant(caller, 1, 288, openedAt: 1_643_630_300_000)
            let answer = try await caller.send(.get, "/v1/budgets/test/rain", token: GatewayRig.readKey)
            let parts = ["issued", "leased", "available"].map { answer.object[$0] as? Int ?? -1 }
            #expect(answer.object["budget"] as? Int == 1_000_000)
            #expect(parts.reduce(0, +) == 1_000_000)
            for (uri, expected) in [
                ("/v1/budgets/none/rain", "404 campaign_unknown campaign"), ("/v1/budgets/test/none", "404 not_found"),
                ("/v1/budgets/test", "404 not_found"), ("/v1/inventory/tea-50", "404 not_found"),
                ("/v1/persons/0/summary?campaign=test", "404 not_found"),
                ("/v1/persons/x/summary?campaign=test", "404 not_found"),
                ("/v1/persons/1/summary", "400 malformed campaign"),
            ] {
                #expect(try await caller.send(.get, uri, token: GatewayRig.readKey).problem() == expected, "\(uri)")
            }
        }
    }
}
