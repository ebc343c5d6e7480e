import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoProto
import HongbaoTesting
import HummingbirdTesting
import SwiftProtobuf
import Testing

@testable import HongbaoGateway

/// What must be refused, on every route that takes it: 4xx with the right code, and nothing has changed (M10, ID-1).
@Suite struct NegativeTests {
    // MARK: Method × path × role

    /// Who calls, as the header shows it.
    enum Role: String, CaseIterable {
        case nobody, garbage, reader, granter, otherCampaign, person, formerPerson

        func bearer(_ caller: Caller) throws -> String? {
            switch self {
            case .nobody: nil
            case .garbage: "garbage"
            case .reader: GatewayRig.readKey
            case .granter: GatewayRig.grantKey
            case .otherCampaign: GatewayRig.otherKey
            case .person: try caller.jwt(42)
            case .formerPerson: try caller.expiredJWT(42)
            }
        }

        func mayUse(_ handler: Route.Handler) -> Bool {
            switch handler {
            case .open: true
            case .service(let scope, _):
                self == .granter || (self == .otherCampaign && scope != .accounts)
                    || (self == .reader && scope == .read)
            case .person: self == .person
            }
        }
    }

    static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]

    @Test func everyMethodPathAndRole() async throws {
        let rig = try GatewayRig()
        try await rig.run { caller in
            let services = GatewayServices(caller.engine, readiness: rig.readiness, metrics: PrometheusRegistry())
            let routes = try Gateway.routes(rig.configuration, services)
            let before = try await caller.books()
            var count = 0
            for path in Set(routes.map(\.path)).sorted() {
                let uri = path.replacing(/\{[a-z]+\}/, with: "x1")
                let here = routes.filter { $0.path == path }
                for name in Self.methods {
                    let method = try #require(HTTPRequest.Method(rawValue: name))
                    let route = here.first { $0.method == method || (method == .head && $0.method == .get) }
                    for role in Role.allCases {
                        let bearer = try role.bearer(caller)
                        for body in [nil, Array("}{".utf8)] as [[UInt8]?] {
                            let answer = try await caller.send(method, uri, body, token: bearer)
                            let what: Comment = "\(name) \(uri) as \(role)\(body == nil ? "" : " with a body")"
                            #expect(Self.isRight(answer.status.code, route, role, hasBody: body != nil), what)
                            let isEmpty = method == .head || answer.status == .temporaryRedirect
                            #expect(answer.text.isEmpty == isEmpty, what)
                            count += 1
                        }
                    }
                }
            }
            #expect(count > 2_000)
            #expect(try await caller.books() == before)
        }
    }

    private static func isRight(_ status: Int, _ route: Route?, _ role: Role, hasBody: Bool) -> Bool {
        guard let route else { return status == 405 }
        guard role.mayUse(route.handler) else {
            // A key that is known but lacks the scope is told so.
            if case .service = route.handler, role == .reader || role == .otherCampaign { return status == 403 }
            return status == 401
        }
        switch route.body {
        case .none: return status < 500 && status != 405 && status != 401
        // No body, no type.
        case .json, .jsonOrProtobuf: return status == (hasBody ? 400 : 415)
        case .signed: return status == 401
        }
    }

    // MARK: Numbers

    /// Spellings that are no integer within bounds, and whether they are JSON at all.
    static let numbers: [(text: String, isJSON: Bool)] = [
        ("-0", true), ("-1", true), ("9007199254740993", true), ("9223372036854775808", true), ("1e2", true),
        ("1E400", true), ("1e-1", true), ("100.0", true), ("0.1", true), ("\"100\"", true), ("\"1e2\"", true),
        ("true", true), ("null", true), ("{}", true), ("[100]", true), (String(repeating: "9", count: 1_000_000), true),
        ("01", false), ("-01", false), ("+1", false), (".5", false), ("1.", false), ("0x64", false), ("1_000", false),
        ("NaN", false), ("-Infinity", false), ("1 2", false), ("", false), ("-", false), ("１", false), ("١", false),
        ("1,", false), ("\"100", false), (String(repeating: "0", count: 1_000_000), false),
    ]

    @Test func numbersThatAreNone() async throws {
        try await GatewayRig().run { caller in
            let before = try await caller.books()
            let person = try caller.jwt(42)
            for (text, isJSON) in Self.numbers {
                let shown = text.prefix(30)
                for field in ["rain", "awardType", "stage", "openedAt"] {
                    let json = Self.grant(field, text)
                    let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                    #expect(Self.isMalformed(answer.problem(), field, isJSON: isJSON, of: text), "\(field): \(shown)")
                }
                let grant = Self.grant("amount", text)
                let batch = #"{"grants":[\#(grant)]}"#
                let withdrawal = #"{"campaign":"test","id":"w","amount":\#(text)}"#
                for (uri, json, token) in [
                    ("/v1/grants", grant, GatewayRig.grantKey), ("/v1/grants/batch", batch, GatewayRig.grantKey),
                    ("/v1/wallet/withdrawals", withdrawal, person),
                    ("/v1/red-packets", RedPacketRouteTests.c2c().replacing("1000", with: text), person),
                ] {
                    let answer = try await caller.send(.post, uri, json: json, token: token)
                    if uri == "/v1/grants/batch", answer.status == .ok {
                        // What is an integer, but no amount, is refused in its place.
                        #expect(answer.text.contains(#""status":422"#) && !answer.text.contains("token"), "\(shown)")
                        continue
                    }
                    let problem = answer.problem()
                    // An amount that isn't there, or one that the reader has given up before its text ends.
                    let isAmount = problem.hasPrefix("422 amount_invalid ")
                    let isTooMuch = problem == "409 insufficient_balance amount"
                    #expect(
                        isAmount || isTooMuch || (!isJSON && problem.hasPrefix("400 malformed")),
                        "\(uri): \(shown): \(problem)"
                    )
                }
            }
            #expect(try await caller.books() == before)
        }
    }

    private static func grant(_ field: String, _ value: String) -> String {
        let others = ["rain", "awardType", "stage", "amount"].filter { $0 != field }.map { #""\#($0)":1"# }
        return #"{"campaign":"test","scene":"rain","person":"42","app":"douyin",\#(others.joined(separator: ","))"#
            + #","\#(field)":\#(value)}"#
    }

    private static func isMalformed(_ problem: String, _ field: String, isJSON: Bool, of text: String) -> Bool {
        if isJSON { return problem == "400 malformed \(field)" }
        // What stands behind a number that ended too early isn't about the field any more.
        return problem == "400 malformed \(field)" || problem == "400 malformed"
    }

    // MARK: JSON

    /// Makes documents of a good one that are none.
    static func brokenDocuments(_ good: String) -> [(String, [UInt8])] {
        let bytes = Array(good.utf8)
        let deep = String(repeating: #"{"a":"#, count: 100_000)
        return [
            ("nothing", []), ("blanks", Array(" \n".utf8)), ("BOM", [0xEF, 0xBB, 0xBF] + bytes),
            ("UTF-16", good.utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }),
            ("UTF-16 with BOM", [0xFE, 0xFF] + good.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }),
            ("UTF-32", good.unicodeScalars.flatMap { [0, 0, UInt8($0.value >> 8), UInt8($0.value & 255)] }),
            ("second document", bytes + bytes), ("NUL", bytes + [0]), ("comment", Array("/**/".utf8) + bytes),
            ("comma", bytes + [UInt8(ascii: ",")]), ("in a list", Array("[\(good)]".utf8)),
            ("100,000 lists", [UInt8](repeating: UInt8(ascii: "["), count: 100_000)),
            ("100,000 objects", Array(deep.utf8)), ("a number", Array("1".utf8)), ("a text", Array("\"\"".utf8)),
            ("no UTF-8", Array(bytes.dropLast()) + Array(#","\#u{FFFD}":1}"#.utf8).map { $0 == 0xEF ? 0xFF : $0 }),
            ("single quotes", Array(good.replacing("\"", with: "'").utf8)),
        ]
    }

    @Test func documentsThatAreNone() async throws {
        try await GatewayRig().run { caller in
            let before = try await caller.books()
            let person = try caller.jwt(42)
            let routes: [(String, String, String?)] = [
                ("/v1/grants", grantJSON(), GatewayRig.grantKey),
                ("/v1/grants/batch", #"{"grants":[\#(grantJSON())]}"#, GatewayRig.grantKey),
                ("/v1/wallet?campaign=test", #"{"tokens":["AQ"]}"#, person),
                ("/v1/wallet/withdrawals", #"{"campaign":"test","id":"w","amount":1}"#, person),
                ("/v1/red-packets", RedPacketRouteTests.c2c(), person),
                ("/v1/demo/login", #"{"app":"douyin","user":"a"}"#, nil),
                ("/v1/accounts/resolve", #"{"app":"douyin","user":"a"}"#, GatewayRig.grantKey),
                ("/v1/accounts/bind", #"{"app":"douyin","user":"a","phone":"13800000000"}"#, GatewayRig.grantKey),
            ]
            for (uri, good, token) in routes {
                for (what, bytes) in Self.brokenDocuments(good) {
                    let answer = try await caller.send(.post, uri, bytes, token: token)
                    #expect(answer.status == .badRequest, "\(uri): \(what): \(answer.text)")
                    #expect(answer.problem().hasPrefix("400 "), "\(uri): \(what)")
                }
                let bytes = Array(good.utf8)
                for count in 0..<bytes.count {
                    let answer = try await caller.send(.post, uri, Array(bytes[..<count]), token: token)
                    #expect(answer.status == .badRequest, "\(uri): \(count) bytes: \(answer.text)")
                }
                // Each key twice, the second time in other words.
                for key in good.matches(of: /"([a-zA-Z]+)":/) {
                    let name = String(key.output.1)
                    let escaped = name.unicodeScalars.map { "\\u00" + String($0.value, radix: 16) }.joined()
                    let end = good.lastIndex(of: "}") ?? good.endIndex
                    for twice in [name, escaped] {
                        let json = good[..<end] + #","\#(twice)":1}"#
                        let answer = try await caller.send(.post, uri, json: String(json), token: token)
                        #expect(answer.status == .badRequest, "\(uri): \(json)")
                    }
                }
            }
            #expect(try await caller.books() == before)
        }
    }

    // MARK: Strings

    /// Texts that no name, number in quotes or order has.
    static let texts = [
        "", " ", "a b", "a\\u0000b", "a\\u202eb", "a\u{202E}b", "a\\u200bb", "４２", "\\uff14\\uff12", "\\ud800",
        "\\udc00",
        "\\ud800\\ud800", "\\udfff\\ud83d", "\\u0", "\\x41", "a/b", "../a", "a\\nb", "\u{7F}", "é", "e\u{301}", "春节",
        "a'--", "a\\\"b", String(repeating: "a", count: 65), String(repeating: "a", count: 100_000),
    ]

    @Test func textsThatAreNoNames() async throws {
        try await GatewayRig().run { caller in
            let before = try await caller.books()
            let person = try caller.jwt(42)
            for text in Self.texts {
                for (field, good) in [
                    ("campaign", "test"), ("scene", "rain"), ("app", "douyin"), ("person", "42"),
                ] {
                    let json = grantJSON().replacing(#""\#(field)":"\#(good)""#, with: #""\#(field)":"\#(text)""#)
                    let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                    #expect(answer.problem() == "400 malformed \(field)", "\(text.prefix(40))")
                }
                for field in ["rewardID", "order"] {
                    let json = grantJSON(extra: #","\#(field)":"\#(text)""#)
                    let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                    #expect(answer.problem() == "400 malformed \(field)", "\(text.prefix(40))")
                }
                for (campaign, id, param) in [("test", text, "id"), (text, "w", "campaign")] {
                    let json = #"{"campaign":"\#(campaign)","id":"\#(id)","amount":1}"#
                    let answer = try await caller.send(.post, "/v1/wallet/withdrawals", json: json, token: person)
                    #expect(answer.problem() == "400 malformed \(param)", "\(text.prefix(40))")
                }
            }
            #expect(try await caller.books() == before)
        }
    }

    /// Order numbers that are none, in a body and in a path.
    static let orders = [
        "42_1966081_1_1", "42_1966081_1_1_0_", "_42_1966081_1_1_0", "42__1966081_1_1_0", "42_1966081_1_1_0_0",
        "042_1966081_1_1_0", "42_1966081_1_1_00", "+42_1966081_1_1_0", "42_1966081_1_1_-0", "42_1966081_1_256_0",
        "42_1966081_65536_1_0", "42_4294967296_1_1_0", "18446744073709551616_1966081_1_1_0", "42-1966081-1-1-0",
        "42.0_1966081_1_1_0", "0x2a_1966081_1_1_0", "_____", "a_b_c_d_e", "42_1966081_1_1_0.",
    ]

    @Test func textsThatAreNoOrders() async throws {
        try await GatewayRig().run { caller in
            for order in Self.orders {
                let json = grantJSON(extra: #","order":"\#(order)""#)
                let answer = try await caller.send(.post, "/v1/grants", json: json, token: GatewayRig.grantKey)
                #expect(answer.problem() == "400 malformed order", "\(order)")
                let found = try await caller.send(.get, "/v1/grants/\(order)", token: GatewayRig.readKey)
                #expect(found.problem() == "404 not_found", "\(order)")
            }
            #expect(caller.engine.granting.orderCount == 0)
        }
    }

    /// What stands in an address is as strict as what stands in a body.
    @Test func addressesThatAreNone() async throws {
        try await GatewayRig().run { caller in
            let person = try caller.jwt(42)
            let table: [(String, String)] = [
                ("/v1/wallet?campaign=te%00st", "400 malformed campaign"),
                ("/v1/wallet?campaign=te%E2%80%AEst", "400 malformed campaign"),
                ("/v1/wallet?campaign=%FF", "400 malformed"), ("/v1/wallet?campaign=%C0%AF", "400 malformed"),
                ("/v1/wallet?campaign=%", "400 malformed"), ("/v1/wallet?campaign=%4", "400 malformed"),
                ("/v1/wallet?campaign=test&campaign=test", "400 malformed campaign"),
                ("/v1/wallet?campaign=test&c%61mpaign=test", "400 malformed campaign"),
                ("/v1/wallet?Campaign=test", "400 unknown_field Campaign"), ("/v1/wallet?=", "400 unknown_field"),
                ("/v1/wallet?campaign=test&person=1", "400 unknown_field person"),
                ("/v1/wallet/statement?campaign=test&limit=0", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=101", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=01", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=1e1", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=-0", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=%EF%BC%91", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=4294967297", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&limit=", "400 malformed limit"),
                ("/v1/wallet/statement?campaign=test&cursor=", "400 malformed cursor"),
                ("/v1/wallet/statement?campaign=test&cursor=AAAA", "400 malformed cursor"),
                (
                    "/v1/wallet/statement?campaign=test&cursor=\(String(repeating: "A", count: 38))",
                    "400 malformed cursor"
                ),
                ("/v1/wallet/withdrawals/a%2Fb?campaign=test", "404 not_found"),
                ("/v1/wallet/withdrawals/%00?campaign=test", "404 not_found"),
                ("/v1/wallet/withdrawals/" + String(repeating: "a", count: 129) + "?campaign=test", "404 not_found"),
            ]
            for (uri, expected) in table {
                let answer = try await caller.send(.get, uri, token: person)
                #expect(answer.problem() == expected, "\(uri)")
            }
        }
    }

    // MARK: Protobuf

    @Test func protobufThatIsNone() async throws {
        try await GatewayRig().run { caller in
            let before = try await caller.books()
            let good: [UInt8] = try GrantRouteTests.message().serializedBytes()
            let short = Array(good.dropLast(2))
            #expect(good.suffix(2) == [64, 100])
            let padding = [UInt8](repeating: 0x80, count: 8)
            let ones = [UInt8](repeating: 0xFF, count: 9)
            // As much as a body may have, nearly.
            let huge: [UInt8] = [0xC0, 0x84, 0x3D] + [UInt8](repeating: 0, count: 1_000_000)
            var table: [(String, [UInt8], String)] = [
                ("padded varint", short + [64, 0xE4, 0], "400 malformed amount"),
                ("varint of ten bytes", short + [64, 0xE4] + padding + [0], "400 malformed amount"),
                ("varint of eleven", short + [64, 0xFF] + ones + [1], "400 malformed amount"),
                ("varint above 2^64", short + [64] + ones + [2], "400 malformed amount"),
                ("padded tag", short + [0xC0, 0, 100], "400 malformed"),
                ("padded length", [0x0A, 0x84, 0] + good.dropFirst(2), "400 malformed campaign"),
                ("length one too long", short + [74, 1], "400 malformed rewardID"),
                ("length of 2^63", short + [74, 0x80] + padding + [1], "400 malformed rewardID"),
                ("length of 2^64 - 1", short + [74] + ones + [1], "400 malformed rewardID"),
                ("unknown megabyte", good + [0x7A] + huge, "400 unknown_field"),
                ("megabyte of a name", short + [74] + huge, "400 malformed rewardID"),
                ("group", good + [0x7B, 0x7C], "400 malformed"), ("field 0", good + [0, 0], "400 malformed"),
                ("field 2^29", good + [0x80, 0x80, 0x80, 0x80, 0x10, 0], "400 unknown_field"),
                ("twice", good + good, "400 malformed campaign"),
                ("negative", short + [64] + ones + [1], "422 amount_invalid amount"),
            ]
            for count in 0..<good.count where count < good.count - 2 {
                table.append(("\(count) bytes", Array(good[..<count]), "400 malformed"))
            }
            for (what, bytes, expected) in table {
                for (uri, body) in [("/v1/grants", bytes), ("/v1/grants/batch", Self.batch(of: bytes))] {
                    let answer = try await caller.send(
                        .post,
                        uri,
                        body,
                        type: "application/x-protobuf",
                        token: GatewayRig.grantKey
                    )
                    if uri == "/v1/grants" {
                        #expect(answer.problem().hasPrefix(expected), "\(what)")
                    } else if answer.status == .ok {
                        let result = try WireGrantBatchResult(serializedBytes: answer.bytes).results
                        #expect(result.map(\.error.status) == [422], "\(what)")
                    } else {
                        #expect(answer.status == .badRequest, "\(what)")
                    }
                }
            }
            #expect(try await caller.books() == before)
        }
    }

    private static func batch(of message: [UInt8]) -> [UInt8] {
        var proto = ProtobufWriter(capacity: message.count + 8)
        proto.bytes(1, message)
        return proto.bytes
    }
}

extension Caller {
    /// What a refused request must leave as it is.
    func books() async throws -> [String] {
        let jwt = try jwt(42)
        // Leases come and go by themselves.
        let budget = try await send(.get, "/v1/budgets/test/rain", token: GatewayRig.readKey).object
        return [
            "\(engine.granting.orderCount)", "\(budget["issued"] ?? "?")",
            try await send(.get, "/v1/wallet?campaign=test", token: jwt).text,
            try await send(.get, "/v1/wallet/statement?campaign=test", token: jwt).text,
            try await send(.get, "/v1/wallet/withdrawals/w?campaign=test", token: jwt).text,
        ]
    }

    func expiredJWT(_ person: UInt64) throws -> String {
        let maker = JWTMaker(now: now)
        return try maker.sign(claims: maker.claims(sub: "\(person)", exp: maker.seconds - 1))
    }
}
