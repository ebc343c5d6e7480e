import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import HummingbirdTesting
import Testing

/// The account centre over HTTP (ID-2..4).
@Suite struct AccountRouteTests {
    @Test func usersAreResolvedAndPhonesBound() async throws {
        try await GatewayRig().run { caller in
            func ask(_ verb: String, _ json: String) async throws -> TestResponse {
                try await caller.send(.post, "/v1/accounts/\(verb)", json: json, token: GatewayRig.grantKey)
            }
            func person(_ verb: String, _ json: String) async throws -> String {
                let answer = try await ask(verb, json)
                return try #require(answer.object["person"] as? String, "\(answer.text)")
            }
            let first = try await ask("resolve", #"{"app":"douyin","user":"a"}"#)
            let a = try #require(first.object["person"] as? String)
            #expect(first.text == #"{"person":"\#(a)","new":true}"#)
            let again = try await ask("resolve", #"{"app":"douyin","user":"a"}"#)
            #expect(again.text == #"{"person":"\#(a)","new":false}"#)
            let phone = #""phone":"+8613800000000""#
            #expect(try await person("bind", #"{"app":"douyin","user":"a",\#(phone)}"#) == a)
            // The same phone in another family, written as people write it.
            #expect(try await person("resolve", #"{"app":"toutiao","user":"b","phone":"13800000000"}"#) == a)
            let c = try await person("resolve", #"{"app":"toutiao","user":"c","phone":"13800000001"}"#)
            #expect(c != a)
            // Two share the person: one of them doesn't take it along, until they have been asked.
            let refused = try await ask("bind", #"{"app":"douyin","user":"a","phone":"13800000001"}"#)
            #expect(refused.problem() == "409 phone_in_use phone")
            #expect(try await person("resolve", #"{"app":"douyin","user":"a"}"#) == a)
            let login = #"{"app":"toutiao","user":"b","phone":"13800000001"}"#
            let demo = try await caller.send(.post, "/v1/demo/login", json: login)
            #expect(demo.problem() == "409 phone_in_use phone")
            let signed = try await caller.send(.post, "/v1/demo/login", json: #"{"app":"toutiao","user":"c"}"#)
            #expect(signed.object["person"] as? String == c)
            let joined = try await ask("bind", #"{"app":"douyin","user":"a","phone":"13800000001","join":true}"#)
            #expect(joined.text == #"{"person":"\#(c)","new":false,"merged":"\#(a)"}"#)
        }
    }

    @Test func badRequestsAreRefused() async throws {
        try await GatewayRig().run { caller in
            let table: [(String, String, String)] = [
                ("resolve", #"{"app":"telex","user":"a"}"#, "422 app_unknown app"),
                ("resolve", #"{"user":"a"}"#, "400 malformed app"),
                ("resolve", #"{"app":"douyin"}"#, "400 malformed user"),
                ("resolve", #"{"app":"douyin","user":"a","phone":"12-34567"}"#, "400 malformed phone"),
                ("resolve", #"{"app":"douyin","user":"a","phone":13800000000}"#, "400 malformed phone"),
                ("resolve", #"{"app":"douyin","user":"a","join":true}"#, "400 unknown_field join"),
                ("bind", #"{"app":"douyin","user":"a"}"#, "400 malformed phone"),
                ("bind", #"{"app":"douyin","user":"a","phone":"13800000000","join":1}"#, "400 malformed join"),
                ("bind", #"{"app":"douyin","user":"nobody","phone":"13800000000"}"#, "404 not_found user"),
            ]
            for (verb, json, expected) in table {
                let answer = try await caller.send(
                    .post,
                    "/v1/accounts/\(verb)",
                    json: json,
                    token: GatewayRig.grantKey
                )
                #expect(answer.problem() == expected, "\(verb) \(json)")
            }
            let weak = try await caller.send(
                .post,
                "/v1/accounts/resolve",
                json: #"{"app":"douyin","user":"a"}"#,
                token: GatewayRig.readKey
            )
            #expect(weak.problem() == "403 forbidden")
        }
    }
}

/// Earned in Douyin, earned in Toutiao, one phone bound to both: all of it is seen and withdrawn in Tomato Novel (ID-1,
/// ID-3).
@Suite struct AccountJourneyTests {
    private static var campaign: Campaign {
        let base = Campaign.forTests()
        let novel = App(id: AppID(7), key: "tomato-novel", name: "番茄小说", family: "toutiao")
        return Campaign(
            key: base.key,
            number: base.number,
            title: base.title,
            apps: base.apps + [novel],
            phases: base.phases
        )
    }

    @Test func oneWalletForAllApps() async throws {
        try await GatewayRig([Self.campaign]).run { caller in
            func ask(_ uri: String, _ json: String, _ token: String?) async throws -> [String: Any] {
                let answer = try await caller.send(.post, uri, json: json, token: token)
                #expect(answer.status == .ok, "\(uri) \(json): \(answer.text)")
                return answer.object
            }
            func login(_ json: String) async throws -> (person: String, jwt: String) {
                let answer = try await ask("/v1/demo/login", json, nil)
                return (try #require(answer["person"] as? String), try #require(answer["jwt"] as? String))
            }
            func balance(_ jwt: String) async throws -> (String?, Int?) {
                let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt).object
                return (wallet["person"] as? String, wallet["balance"] as? Int)
            }
            let douyin = try await login(#"{"app":"douyin","user":"a"}"#)
            let toutiao = try await login(#"{"app":"toutiao","user":"b"}"#)
            let key = GatewayRig.grantKey
            let first = grantJSON(person: #""\#(douyin.person)""#, amount: "100", rain: "1")
            let second = grantJSON(person: #""\#(toutiao.person)""#, amount: "200", rain: "2")
            let order = try #require(try await ask("/v1/grants", first, key)["order"] as? String)
            let other = try #require(try await ask("/v1/grants", second, key)["order"] as? String)
            #expect(try await balance(douyin.jwt) == (douyin.person, 100))
            #expect(try await balance(toutiao.jwt) == (toutiao.person, 200))

            let phone = #""phone":"13800000000""#
            let bound = try await ask("/v1/accounts/bind", #"{"app":"douyin","user":"a",\#(phone)}"#, key)
            #expect(bound["person"] as? String == douyin.person && bound["merged"] == nil)
            let merged = try await ask("/v1/accounts/bind", #"{"app":"toutiao","user":"b",\#(phone)}"#, key)
            #expect(merged["person"] as? String == douyin.person)
            #expect(merged["merged"] as? String == toutiao.person)

            let novel = try await login(#"{"app":"tomato-novel","user":"c",\#(phone)}"#)
            #expect(novel.person == douyin.person)
            for jwt in [douyin.jwt, toutiao.jwt, novel.jwt] {
                #expect(try await balance(jwt) == (douyin.person, 300))
            }
            let statement = try await caller.send(.get, "/v1/wallet/statement?campaign=test", token: novel.jwt).object
            let lines = (statement["entries"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String }
            #expect(Set(lines) == [order, other])

            let ask300 = #"{"campaign":"test","id":"all","amount":300}"#
            _ = try await ask("/v1/wallet/withdrawals", ask300, novel.jwt)
            // The old JWT is good, and the same request is the same withdrawal.
            _ = try await ask("/v1/wallet/withdrawals", ask300, toutiao.jwt)
            #expect(try await balance(toutiao.jwt) == (douyin.person, 0))
            let replay = try await ask("/v1/grants", second, key)
            #expect(replay["replayed"] as? Bool == true && replay["order"] as? String == other)
            let again = grantJSON(person: #""\#(douyin.person)""#, amount: "201", rain: "2")
            let refused = try await caller.send(.post, "/v1/grants", json: again, token: key)
            #expect(refused.problem() == "409 order_conflict")
            let summary = "/v1/persons/\(toutiao.person)/summary?campaign=test"
            let sums = try await caller.send(.get, summary, token: key).object
            #expect(sums["income"] as? Int == 300 && sums["balance"] as? Int == 0)
        }
    }
}
