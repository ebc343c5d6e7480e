import Crypto
import HTTPTypes
import HongbaoCore
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Testing

@Suite struct AuthenticationTests {
    /// Every route that asks who calls: method, address, what a body would be, and who may.
    static let guarded: [(HTTPRequest.Method, String, String?, String)] = [
        (.post, "/v1/grants", grantJSON(), "grant"),
        (.post, "/v1/grants/batch", #"{"grants":[\#(grantJSON())]}"#, "grant"),
        (.get, "/v1/grants/1_1_1_1_1", nil, "read"),
        (.get, "/v1/budgets/test/rain", nil, "read"),
        (.get, "/v1/inventory/tea", nil, "read"),
        (.get, "/v1/persons/42/summary?campaign=test", nil, "read"),
        (.post, "/v1/accounts/resolve", #"{"app":"douyin","user":"a"}"#, "accounts"),
        (.post, "/v1/accounts/bind", #"{"app":"douyin","user":"a","phone":"13800000000"}"#, "accounts"),
        (.get, "/v1/wallet?campaign=test", nil, "person"),
        (.post, "/v1/wallet?campaign=test", #"{"tokens":[]}"#, "person"),
        (.get, "/v1/wallet/statement?campaign=test", nil, "person"),
        (.get, "/v1/wallet/rewards?campaign=test", nil, "person"),
        (.post, "/v1/wallet/rewards/7/use", nil, "person"),
        (.post, "/v1/wallet/withdrawals", #"{"campaign":"test","id":"w","amount":1}"#, "person"),
        (.get, "/v1/wallet/withdrawals/w?campaign=test", nil, "person"),
    ]

    @Test func everyGuardedRouteAsksForTheRightCredentials() async throws {
        try await GatewayRig().run { caller in
            let person = try caller.jwt(42)
            for (method, uri, json, who) in Self.guarded {
                let body = json.map { Array($0.utf8) }
                for wrong in [nil, "", "x", "\(GatewayRig.grantKey)x", " \(GatewayRig.grantKey)"] as [String?] {
                    let answer = try await caller.send(method, uri, body, token: wrong)
                    #expect(answer.problem() == "401 unauthorized", "\(method) \(uri)")
                    #expect(answer.headers[.wwwAuthenticate] == "Bearer")
                }
                let basic = try await caller.send(method, uri, body, headers: [.authorization: "Basic eDp5"])
                #expect(basic.problem() == "401 unauthorized", "\(method) \(uri)")
                let crossed = try await caller.send(
                    method,
                    uri,
                    body,
                    token: who == "person" ? GatewayRig.grantKey : person
                )
                #expect(crossed.problem() == "401 unauthorized", "\(method) \(uri)")
                if who == "grant" || who == "accounts" {
                    let weak = try await caller.send(method, uri, body, token: GatewayRig.readKey)
                    #expect(weak.problem() == "403 forbidden", "\(method) \(uri)")
                }
                let right = try await caller.send(
                    method,
                    uri,
                    body,
                    token: who == "person" ? person : GatewayRig.grantKey
                )
                #expect(right.status != .unauthorized && right.status != .forbidden, "\(method) \(uri)")
            }
        }
    }

    // MARK: JWT

    static func verifier(cacheMax: Int = 64) throws -> JWTVerifier {
        try JWTVerifier(GatewayRig.defaultConfiguration.issuers, cacheMax: cacheMax)
    }
    static let now = TestClock().now
    static let maker = JWTMaker(now: now)

    @Test func acceptsBothAlgorithms() throws {
        let verifier = try Self.verifier()
        let ed = try Self.maker.make(sub: "18446744073709551615")
        for _ in 0..<2 {
            let caller = try #require(verifier.caller(showing: ed.utf8, at: Self.now))
            #expect(caller.person == PersonID(.max) && caller.app == "douyin")
        }
        let claims = Self.maker.claims(sub: "7").replacing(#""iss":"ed""#, with: #""iss":"es","aud":["x","hongbao"]"#)
        let es = try Self.maker.signES256(claims: claims)
        #expect(verifier.caller(showing: es.utf8, at: Self.now)?.person == PersonID(7))
        let unnamed = Self.maker.claims(sub: "7").replacing(#""iss":"ed","#, with: #""name":"\u0041","x":{"y":[1.5]},"#)
        #expect(verifier.caller(showing: try Self.maker.sign(claims: unnamed).utf8, at: Self.now) != nil)
    }

    @Test func timeDecides() throws {
        let verifier = try Self.verifier()
        let now = Self.maker.seconds
        let table: [(String, Int64, Bool)] = [
            ("", now + 1, true), ("", now, false), ("", now - 1, false), ("", now + 31 * 86400, true),
            ("", now + 32 * 86400, false), (#","nbf":\#(now + 60)"#, now + 3600, true),
            (#","nbf":\#(now + 61)"#, now + 3600, false), (#","iat":\#(now + 60)"#, now + 3600, true),
            (#","iat":\#(now + 61)"#, now + 3600, false), (#","iat":\#(now - 32 * 86400)"#, now + 60, false),
            (#","iat":\#(now + 50)"#, now + 40, false), (#","nbf":\#(now + 50)"#, now + 40, false),
        ]
        for (extra, exp, isGood) in table {
            let token = try Self.maker.sign(claims: Self.maker.claims(sub: "1", extra: extra, exp: exp))
            #expect((verifier.caller(showing: token.utf8, at: Self.now) != nil) == isGood, "\(extra) \(exp - now)")
        }
        // A remembered token expires all the same.
        let token = try Self.maker.sign(claims: Self.maker.claims(sub: "1", exp: now + 10))
        #expect(verifier.caller(showing: token.utf8, at: Self.now) != nil)
        #expect(verifier.caller(showing: token.utf8, at: Self.now.advanced(bySeconds: 10)) == nil)
    }

    /// Everything that must not be believed.
    static func forgeries() throws -> [(String, String)] {
        let claims = maker.claims(sub: "1")
        let good = try maker.sign(claims: claims)
        let parts = good.split(separator: ".").map(String.init)
        let stranger = Curve25519.Signing.PrivateKey()
        let signed = "\(parts[0]).\(parts[1])"
        let foreign = Base64URL.encode(Array(try stranger.signature(for: Array(signed.utf8))))
        let hsInput = JWTMaker.part(#"{"alg":"HS256","typ":"JWT"}"#) + "." + parts[1]
        let secret = SymmetricKey(data: GatewayRig.ed25519.publicKey.rawRepresentation)
        let hs = Base64URL.encode(Array(HMAC<SHA256>.authenticationCode(for: Array(hsInput.utf8), using: secret)))
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        func header(_ json: String) throws -> String { try maker.sign(header: json, claims: claims) }
        func body(_ json: String) throws -> String { try maker.sign(claims: json) }
        let exp = maker.seconds + 60
        return [
            ("alg none", JWTMaker.part(#"{"alg":"none"}"#) + "." + parts[1] + "."),
            ("alg none, signature kept", JWTMaker.part(#"{"alg":"none"}"#) + "." + parts[1] + "." + parts[2]),
            ("wrong key", signed + "." + text(foreign)), ("HS256 with the public key", hsInput + "." + text(hs)),
            ("EdDSA key, ES256 header", try header(#"{"alg":"ES256","typ":"JWT"}"#)),
            ("ES256 key, EdDSA header", try maker.signES256(header: #"{"alg":"EdDSA"}"#, claims: claims)),
            ("ES256 key for the Ed25519 issuer", try maker.signES256(claims: claims)),
            ("no audience", try maker.signES256(claims: claims.replacing(#""ed""#, with: #""es""#))),
            (
                "wrong audience",
                try maker.signES256(claims: claims.replacing(#""ed""#, with: #""es","aud":"other""#))
            ),
            ("unknown issuer", try body(claims.replacing(#""ed""#, with: #""eve""#))),
            ("no alg", try header(#"{"typ":"JWT"}"#)), ("crit", try header(#"{"alg":"EdDSA","crit":["exp"]}"#)),
            ("jwk in the header", try header(#"{"alg":"EdDSA","jwk":{}}"#)),
            ("alg twice", try header(#"{"alg":"EdDSA","alg":"EdDSA"}"#)),
            ("other type", try header(#"{"alg":"EdDSA","typ":"JWE"}"#)),
            ("no exp", try body(#"{"sub":"1","app":"douyin"}"#)),
            ("no sub", try body(#"{"app":"douyin","exp":\#(exp)}"#)),
            ("no app", try body(#"{"sub":"1","exp":\#(exp)}"#)),
            ("sub a number", try body(#"{"sub":1,"app":"douyin","exp":\#(exp)}"#)),
            ("sub zero", try body(#"{"sub":"0","app":"douyin","exp":\#(exp)}"#)),
            ("sub not canonical", try body(#"{"sub":"01","app":"douyin","exp":\#(exp)}"#)),
            ("sub twice", try body(#"{"sub":"1","sub":"2","app":"douyin","exp":\#(exp)}"#)),
            ("exp twice", try body(#"{"sub":"1","app":"douyin","exp":1,"exp":\#(exp)}"#)),
            ("exp a string", try body(#"{"sub":"1","app":"douyin","exp":"\#(exp)"}"#)),
            ("exp a fraction", try body(#"{"sub":"1","app":"douyin","exp":\#(exp).5}"#)),
            ("exp huge", try body(#"{"sub":"1","app":"douyin","exp":9223372036854775807}"#)),
            ("claims followed by more", try body(claims + " {}")), ("claims an array", try body("[]")),
            ("two parts", signed), ("four parts", good + "." + parts[2]), ("empty parts", ".."),
            ("trailing dot", good + "."), ("trailing garbage", good + "A"), ("padding", good + "="),
            ("blank", good + " "), ("cut", String(good.dropLast())),
            ("signature missing", signed + "."), ("signature doubled", good + parts[2]),
            ("too long", try body(claims.dropLast() + #","x":"\#(String(repeating: "a", count: 4096))"}"#)),
            ("not base64url", "%%%." + parts[1] + "." + parts[2]),
        ]
    }

    @Test func believesNoForgery() throws {
        let verifier = try Self.verifier()
        for (what, token) in try Self.forgeries() {
            #expect(verifier.caller(showing: token.utf8, at: Self.now) == nil, "\(what)")
        }
    }

    /// No bit of a token may be turned. (The spare bits of the last letters are checked as canonical form.)
    @Test func believesNoBitFlip() throws {
        let verifier = try Self.verifier()
        let good = Array(try Self.maker.make(sub: "1").utf8)
        for position in good.indices {
            for bit in 0..<7 {
                var bytes = good
                bytes[position] ^= 1 << bit
                #expect(verifier.caller(showing: bytes, at: Self.now) == nil)
            }
        }
        #expect(verifier.caller(showing: good, at: Self.now) != nil)
    }

    @Test func memoryOfTokensIsBounded() throws {
        let verifier = try Self.verifier(cacheMax: 4)
        for person in 1...20 {
            let token = try Self.maker.make(sub: "\(person)")
            for _ in 0..<2 {
                #expect(verifier.caller(showing: token.utf8, at: Self.now)?.person == PersonID(UInt64(person)))
            }
        }
    }

    // MARK: Demo

    /// ID-2, ID-4.
    @Test func demoPeopleAreTheirPhones() async throws {
        try await GatewayRig().run { caller in
            func login(_ json: String) async throws -> String {
                let answer = try await caller.send(.post, "/v1/demo/login", json: json)
                let person = try #require(answer.object["person"] as? String, "\(answer.text)")
                let jwt = try #require(answer.object["jwt"] as? String)
                let wallet = try await caller.send(.get, "/v1/wallet?campaign=test", token: jwt)
                #expect(wallet.object["person"] as? String == person)
                #expect(UInt64(person).map { $0 > 0 && $0 < 1 << 63 } == true)
                return person
            }
            let one = try await login(#"{"app":"douyin","user":"a","phone":"13800000000"}"#)
            #expect(try await login(#"{"app":"toutiao","user":"b","phone":"+8613800000000"}"#) == one)
            #expect(try await login(#"{"app":"douyin","user":"a"}"#) == one)
            let user = try await login(#"{"app":"douyin","user":"c"}"#)
            #expect(user != one)
            #expect(try await login(#"{"app":"douyin","user":"c"}"#) == user)
            #expect(try await login(#"{"app":"toutiao","user":"c"}"#) != user)
            let table: [(String, String)] = [
                (#"{"app":"telex","user":"a"}"#, "422 app_unknown app"), (#"{"user":"a"}"#, "400 malformed app"),
                (#"{"app":"douyin"}"#, "400 malformed user"), (#"{"app":"douyin","user":""}"#, "400 malformed user"),
                (#"{"app":"douyin","user":"a\u0000b"}"#, "400 malformed user"),
                (#"{"app":"douyin","user":"a","phone":"12-34567"}"#, "400 malformed phone"),
                (#"{"app":"douyin","user":"a","phone":"1234"}"#, "400 malformed phone"),
                (#"{"app":"douyin","user":"a","phone":"+1234567890123456"}"#, "400 malformed phone"),
                (#"{"app":"douyin","user":"a","pin":1}"#, "400 unknown_field pin"),
            ]
            for (json, expected) in table {
                #expect(try await caller.send(.post, "/v1/demo/login", json: json).problem() == expected, "\(json)")
            }
            let apps = try await caller.send(.get, "/v1/demo/apps")
            #expect(
                apps.text
                    == #"{"campaign":"test","apps":[{"id":"douyin","name":"抖音"},{"id":"toutiao","name":"头条"}]}"#
            )
            let none = try await caller.send(.get, "/v1/demo/apps?campaign=x")
            #expect(none.problem() == "404 campaign_unknown campaign")
        }
    }

    @Test func demoIsOffUnlessConfigured() async throws {
        var rig = try GatewayRig()
        rig.configuration.demo = nil
        try await rig.run { caller in
            let login = try await caller.send(.post, "/v1/demo/login", json: #"{"app":"douyin","user":"a"}"#)
            #expect(login.problem() == "404 not_found")
            #expect(try await caller.send(.get, "/v1/demo/apps").problem() == "404 not_found")
        }
    }
}
