import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoProto
import HongbaoTesting
import HummingbirdTesting
import SwiftProtobuf
import Testing

@Suite struct GrantRouteTests {
    /// GR-1, GR-3, M14: a replay is the same bytes apart from `replayed`.
    @Test func grantsOnceAndReplays() async throws {
        try await GatewayRig().run { caller in
            let first = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            #expect(first.status == .ok)
            let body = first.object
            let book = BookID(campaign: 7, phase: .live)
            #expect(body["order"] as? String == "42_\(SceneID(book: book, number: 1).rawValue)_1_1_0")
            #expect(body["status"] as? Int == 2)
            #expect(body["amount"] as? Int == 100)
            #expect(body["rewardID"] as? String == "cash")
            #expect(body["replayed"] as? Bool == false)
            #expect(Base64URL.decode((body["token"] as? String ?? "").utf8)?.isEmpty == false)
            let again = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            #expect(again.text == first.text.replacing(#""replayed":false"#, with: #""replayed":true"#))
            let other = try await caller.send(
                .post,
                "/v1/grants",
                json: grantJSON(amount: "101"),
                token: GatewayRig.grantKey
            )
            #expect(other.problem() == "409 order_conflict")
        }
    }

    @Test func ordersCanBeAskedFor() async throws {
        try await GatewayRig([.forTests(), .forTests(key: "other", number: 8)]).run { caller in
            let granted = try await caller.send(
                .post,
                "/v1/grants",
                json: grantJSON(person: #""18446744073709551615""#, extra: #","openedAt":1643630399000"#),
                token: GatewayRig.grantKey
            )
            let order = try #require(granted.object["order"] as? String)
            try await caller.engine.drain()
            let found = try await caller.send(.get, "/v1/grants/\(order)", token: GatewayRig.readKey)
            #expect(found.object["person"] as? String == "18446744073709551615")
            #expect(found.object["order"] as? String == order)
            #expect(found.object["status"] as? Int == 8)
            #expect(found.object["amount"] as? Int == 100)
            #expect(found.object["openedAt"] as? Int == 1_643_630_399_000)
            #expect(found.object["postedAt"] is Int)
            for missing in ["1_1_1_1_1", "x", "01_2_3_4_5", order + "0", "1_2_3_4"] {
                let answer = try await caller.send(.get, "/v1/grants/\(missing)", token: GatewayRig.readKey)
                #expect(answer.problem() == "404 not_found")
            }
            let hidden = try await caller.send(.get, "/v1/grants/\(order)", token: GatewayRig.otherKey)
            #expect(hidden.problem() == "404 not_found")
        }
    }

    /// JSON that is refused, with the code and the field that it names.
    static let negatives: [(String, String)] = [
        ("", "400 malformed"), ("{", "400 malformed"), ("[]", "400 malformed"), ("null", "400 malformed"),
        (grantJSON() + "x", "400 malformed"), (grantJSON() + grantJSON(), "400 malformed"),
        ("\u{FEFF}" + grantJSON(), "400 malformed"),
        (grantJSON(extra: #","colour":"red""#), "400 unknown_field colour"),
        (grantJSON(extra: #","amount":100"#), "400 malformed amount"),
        (grantJSON(extra: #","\u0061mount":100"#), "400 malformed amount"),
        (grantJSON(amount: "100.0"), "422 amount_invalid amount"),
        (grantJSON(amount: "100.00000000000000001"), "422 amount_invalid amount"),
        (grantJSON(amount: "1e2"), "422 amount_invalid amount"),
        (grantJSON(amount: "-0"), "422 amount_invalid amount"),
        (grantJSON(amount: #""100""#), "422 amount_invalid amount"),
        (grantJSON(amount: "null"), "422 amount_invalid amount"),
        (grantJSON(amount: "9223372036854775808"), "422 amount_invalid amount"),
        (grantJSON(amount: "0"), "422 amount_invalid amount"),
        (grantJSON(amount: "-1"), "422 amount_invalid amount"),
        (grantJSON(amount: "0100"), "400 malformed amount"),
        (grantJSON(amount: "20001"), "422 over_cap amount"),
        (grantJSON(person: "42"), "400 malformed person"), (grantJSON(person: #""0""#), "400 malformed person"),
        (grantJSON(person: #""042""#), "400 malformed person"), (grantJSON(person: #""-1""#), "400 malformed person"),
        (grantJSON(person: #""18446744073709551616""#), "400 malformed person"),
        (grantJSON(person: #""４２""#), "400 malformed person"),
        (grantJSON(rain: "65536"), "400 malformed rain"), (grantJSON(rain: "-1"), "400 malformed rain"),
        (grantJSON(rain: "1001"), "422 order_part_invalid"), (grantJSON(stage: "256"), "400 malformed stage"),
        (grantJSON(extra: #","rewardID":"gold""#), "422 reward_unknown rewardID"),
        (grantJSON(extra: #","rewardID":"a b""#), "400 malformed rewardID"),
        (grantJSON(extra: #","order":"42""#), "400 malformed order"),
        (grantJSON(extra: #","order":"42_1_1_1_0x""#), "400 malformed order"),
        (grantJSON(extra: #","order":"43_1966081_1_1_0""#), "422 person_mismatch order"),
        (grantJSON(extra: #","openedAt":0"#), "400 malformed openedAt"),
        (grantJSON(extra: #","openedAt":9007199254740992"#), "400 malformed openedAt"),
        (grantJSON(extra: #","openedAt":9007199254740991"#), "400 malformed openedAt"),
        (grantJSON().replacing(#""scene":"rain","#, with: ""), "400 malformed scene"),
        (grantJSON().replacing(#""person":"42","#, with: ""), "400 malformed person"),
        (grantJSON().replacing(#","amount":100"#, with: ""), "422 amount_invalid amount"),
        (grantJSON().replacing(#""test""#, with: #""nowhere""#), "404 campaign_unknown campaign"),
        (grantJSON().replacing(#""test""#, with: #""te\u202Est""#), "400 malformed campaign"),
        (grantJSON().replacing(#""test""#, with: #""te/st""#), "400 malformed campaign"),
        (grantJSON().replacing(#""test""#, with: "\"\(String(repeating: "a", count: 65))\""), "400 malformed campaign"),
        (grantJSON().replacing(#""rain","#, with: #""snow","#), "404 scene_unknown scene"),
        (grantJSON().replacing(#""douyin""#, with: #""telex""#), "422 app_unknown app"),
        (String(repeating: "[", count: 5_000), "400 malformed"),
    ]

    @Test func refusesWhatIsNotDocumented() async throws {
        try await GatewayRig().run { caller in
            for (json, expected) in Self.negatives {
                let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                #expect(answer.problem() == expected, "\(json)")
            }
            let broken = try await caller.send(
                .post,
                "/v1/grants",
                Array(grantJSON().utf8) + [0xFF],
                token: GatewayRig.grantKey
            )
            #expect(broken.problem() == "400 malformed")
            #expect(caller.engine.granting.orderCount == 0)
        }
    }

    @Test func batchesAnswerItemByItem() async throws {
        try await GatewayRig().run { caller in
            let items = [
                grantJSON(person: #""1""#), grantJSON(person: #""2""#, amount: "20001"), grantJSON(person: #""1""#),
                grantJSON(person: #""3""#, amount: "-5"),
                grantJSON(person: #""4""#).replacing(#""test""#, with: #""nowhere""#), grantJSON(person: #""5""#),
            ]
            let answer = try await caller.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(items.joined(separator: ","))]}"#,
                token: GatewayRig.grantKey
            )
            #expect(answer.status == .ok)
            let results = try #require(answer.object["results"] as? [[String: Any]])
            let codes = results.map { ($0["error"] as? [String: Any])?["code"] as? String ?? "granted" }
            #expect(
                codes == ["granted", "over_cap", "granted", "amount_invalid", "campaign_unknown", "granted"]
            )
            #expect(results[2]["replayed"] as? Bool == true)
            #expect((results[1]["error"] as? [String: Any])?["kind"] as? String == "refused")
        }
    }

    /// GR-7: 1 to 1,000 grants; a batch that can't be read is refused whole.
    @Test func batchesAreBoundedAndWhole() async throws {
        try await GatewayRig().run { caller in
            func batch(_ count: Int, last: String? = nil) -> String {
                var items = (1...max(1, count)).map { grantJSON(person: #""\#($0)""#) }
                if let last { items[items.count - 1] = last }
                return #"{"grants":[\#((count == 0 ? [] : items).joined(separator: ","))]}"#
            }
            let table: [(String, String)] = [
                (batch(0), "400 malformed grants"), (batch(1001), "400 malformed grants"),
                ("{}", "400 malformed grants"),
                (batch(3, last: grantJSON(amount: "1.5")), "422 amount_invalid grants[2].amount"),
                (batch(3, last: grantJSON(extra: #","x":1"#)), "400 unknown_field grants[2].x"),
                (batch(2, last: "7"), "400 malformed grants[1]"),
                (#"{"grants":[],"more":1}"#, "400 malformed grants"),
                (#"{"grants":{}}"#, "400 malformed grants"),
            ]
            for (json, expected) in table {
                let answer = try await caller.send(.post, "/v1/grants/batch", json: json, token: GatewayRig.grantKey)
                #expect(answer.problem() == expected)
            }
            #expect(caller.engine.granting.orderCount == 0)
            let full = try await caller.send(.post, "/v1/grants/batch", json: batch(1000), token: GatewayRig.grantKey)
            #expect((full.object["results"] as? [Any])?.count == 1000)
            #expect(caller.engine.granting.orderCount == 1000)
        }
    }

    @Test func keysAreBoundToTheirCampaigns() async throws {
        try await GatewayRig([.forTests(), .forTests(key: "other", number: 8)]).run { caller in
            let single = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.otherKey)
            #expect(single.problem() == "403 forbidden campaign")
            let theirs = grantJSON(person: #""2""#).replacing(#""test""#, with: #""other""#)
            let batch = try await caller.send(
                .post,
                "/v1/grants/batch",
                json: #"{"grants":[\#(grantJSON()),\#(theirs)]}"#,
                token: GatewayRig.otherKey
            )
            let results = try #require(batch.object["results"] as? [[String: Any]])
            #expect((results[0]["error"] as? [String: Any])?["code"] as? String == "forbidden")
            #expect(results[1]["status"] as? Int == 2)
        }
    }

    // MARK: Protobuf

    static func message(person: UInt64 = 42, amount: Int64 = 100) -> WireGrantRequest {
        var message = WireGrantRequest()
        message.campaign = "test"
        message.scene = "rain"
        message.rain = 1
        message.awardType = 1
        message.person = person
        message.app = "douyin"
        message.amount = amount
        return message
    }

    @Test func speaksProtobuf() async throws {
        try await GatewayRig().run { caller in
            let type = "application/x-protobuf"
            let sent: [UInt8] = try Self.message().serializedBytes()
            let single = try await caller.send(.post, "/v1/grants", sent, type: type, token: GatewayRig.grantKey)
            #expect(single.headers[.contentType] == type)
            let result = try WireGrantResult(serializedBytes: single.bytes)
            #expect(result.amount == 100 && result.status == 2 && result.rewardID == "cash" && !result.replayed)
            let json = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            #expect(json.object["order"] as? String == result.order)
            #expect(Base64URL.decode((json.object["token"] as? String ?? "").utf8) == Array(result.token))
            var batch = WireGrantBatch()
            batch.grants = [Self.message(), Self.message(person: 43, amount: 20_001), Self.message(person: .max)]
            let answer = try await caller.send(
                .post,
                "/v1/grants/batch",
                try batch.serializedBytes(),
                type: type,
                token: GatewayRig.grantKey
            )
            let results = try WireGrantBatchResult(serializedBytes: answer.bytes).results
            #expect(results.count == 3)
            #expect(results[0].replayed && results[0].order == result.order && !results[0].hasError)
            #expect(results[1].error.code == "over_cap" && results[1].error.status == 422)
            #expect(results[1].error.param == "amount" && results[1].error.kind == "refused")
            #expect(results[2].order.hasPrefix("18446744073709551615_"))
        }
    }

    static let protobufNegatives: [([UInt8], String)] = {
        func field(_ number: UInt8, _ text: String) -> [UInt8] {
            [number << 3 | 2, UInt8(text.utf8.count)] + text.utf8
        }
        let person: [UInt8] = [6 << 3 | 1, 42, 0, 0, 0, 0, 0, 0, 0]
        let whole = field(1, "test") + field(2, "rain") + [24, 1, 32, 1] + person + field(7, "douyin") + [64, 100]
        return [
            ([], "400 malformed campaign"), (whole + [0], "400 malformed"), (whole + [64], "400 malformed amount"),
            (whole + [96, 1], "400 unknown_field"), (whole + [0xF8, 0x07, 1], "400 unknown_field"),
            (whole + [64, 100], "400 malformed amount"), (whole + field(1, "test"), "400 malformed campaign"),
            (whole + [74, 200, 1], "400 malformed rewardID"), (whole + field(9, "a b"), "400 malformed rewardID"),
            (whole + [40, 0x80, 0x02], "400 malformed stage"), (whole + [41, 1], "400 malformed stage"),
            (whole + [80, 0], "400 malformed openedAt"),
            (whole + [80] + [UInt8](repeating: 0xFF, count: 10), "400 malformed openedAt"),
            (field(1, "test") + field(2, "rain") + person, "400 malformed app"),
            (field(1, "test") + field(2, "rain") + field(7, "douyin"), "400 malformed person"),
            (field(1, "test") + field(2, "") + person + field(7, "douyin"), "400 malformed scene"),
            ([0x0B], "400 malformed campaign"), ([0x0D, 0, 0, 0, 0], "400 malformed campaign"),
            (Array(grantJSON().utf8), "400 malformed"),
        ]
    }()

    @Test func refusesProtobufThatIsNotDocumented() async throws {
        try await GatewayRig().run { caller in
            for (bytes, expected) in Self.protobufNegatives {
                let answer = try await caller.send(
                    .post,
                    "/v1/grants",
                    bytes,
                    type: "application/x-protobuf",
                    token: GatewayRig.grantKey
                )
                #expect(answer.problem() == expected, "\(bytes)")
            }
            #expect(caller.engine.granting.orderCount == 0)
        }
    }

    /// No bytes may trap the reader.
    @Test(arguments: 0..<20) func anyBytesAreAnswered(_ seed: UInt64) throws {
        var random = Seeded(seed: seed)
        let whole: [UInt8] = try Self.message().serializedBytes()
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            let cut = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
            var (good, bad) = (0, 0)
            for candidate in [bytes, cut] {
                do {
                    _ = try ProtobufProbe.request(candidate)
                    good += 1
                } catch { bad += 1 }
            }
            #expect(good + bad == 2)
        }
    }
}
