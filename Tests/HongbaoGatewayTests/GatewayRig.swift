import Crypto
import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Testing

/// A gateway over a real engine on a real store, spoken to through the router or over a socket.
struct GatewayRig: Sendable {
    var engine: EngineRig
    var configuration = GatewayRig.defaultConfiguration
    var readiness = Readiness()
    let metrics = PrometheusRegistry()
    /// Changes what the gateway calls, for faults that the engine doesn't have on demand.
    var change: @Sendable (inout GatewayServices) -> Void = { _ in }

    static let grantKey = "test-grant-key"
    static let readKey = "test-read-key"
    static let otherKey = "test-other-campaign-key"
    static let callbackSecret = [UInt8](repeating: 7, count: 32)
    static let ed25519 = fixedKey()
    static let p256 = P256.Signing.PrivateKey()
    static let demoSeed = [UInt8](repeating: 9, count: 32)

    private static func fixedKey() -> Curve25519.Signing.PrivateKey { Curve25519.Signing.PrivateKey() }

    static var defaultConfiguration: GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.port = 0
        // The client's own connection is never closed as idle, however busy the machine is.
        configuration.idleTimeout = .seconds(900)
        configuration.version = "1.2.3"
        configuration.serviceKeys = [
            ServiceKey(
                name: "rain",
                digest: KeyDigest(ofKey: grantKey.utf8),
                scopes: [.grant, .read, .accounts],
                campaigns: nil
            ),
            ServiceKey(name: "reports", digest: KeyDigest(ofKey: readKey.utf8), scopes: [.read], campaigns: nil),
            ServiceKey(
                name: "other",
                digest: KeyDigest(ofKey: otherKey.utf8),
                scopes: [.grant, .read],
                campaigns: ["other"]
            ),
        ]
        configuration.issuers = [
            JWTIssuer(
                name: "ed",
                key: .edDSA(Array(ed25519.publicKey.rawRepresentation)),
                audience: nil
            ),
            JWTIssuer(name: "es", key: .es256(Array(p256.publicKey.x963Representation)), audience: "hongbao"),
        ]
        configuration.demo = DemoConfiguration(seed: demoSeed)
        configuration.callbackSecrets = Dictionary(
            uniqueKeysWithValues: OutsideSystem.allCases.map { ($0, callbackSecret) }
        )
        configuration.takesPayments = true
        return configuration
    }

    init(_ campaigns: [Campaign] = [.forTests()]) throws { engine = try EngineRig(campaigns) }

    func run<Answer: Sendable>(
        _ setup: TestingSetup = .router,
        _ body: @escaping @Sendable (Caller) async throws -> Answer
    ) async throws -> Answer {
        try await engine.run { engine in
            var services = GatewayServices(engine, readiness: readiness, metrics: metrics)
            change(&services)
            let app = try Gateway.make(
                configuration,
                services,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            return try await app.test(setup) { client in
                try await body(Caller(client: client, engine: engine, now: self.engine.clock.now))
            }
        }
    }
}

/// Speaks to the gateway as its clients do.
struct Caller: Sendable {
    let client: any TestClientProtocol
    let engine: Engine
    let now: Timestamp

    func send(
        _ method: HTTPRequest.Method,
        _ uri: String,
        _ body: [UInt8]? = nil,
        type: String? = "application/json",
        token: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> TestResponse {
        var headers = headers
        if body != nil, let type { headers[.contentType] = type }
        if let token { headers[.authorization] = "Bearer \(token)" }
        return try await client.execute(
            uri: uri,
            method: method,
            headers: headers,
            body: body.map { ByteBuffer(bytes: $0) }
        )
    }

    /// Posts what a system outside says, signed; `code` stands in for the right signature.
    func callBack(
        _ system: OutsideSystem,
        _ json: String,
        nonce: String,
        at time: Timestamp? = nil,
        secret: [UInt8] = GatewayRig.callbackSecret,
        code: String? = nil
    ) async throws -> TestResponse {
        try await callBack(of: system.rawValue, json, nonce: nonce, at: time, secret: secret, code: code)
    }

    /// - Parameter place: what comes behind `/v1/callbacks/`.
    func callBack(
        of place: String,
        _ json: String,
        nonce: String,
        at time: Timestamp? = nil,
        secret: [UInt8] = GatewayRig.callbackSecret,
        code: String? = nil
    ) async throws -> TestResponse {
        let (body, time) = (Array(json.utf8), time ?? now)
        let signature = CallbackSignature(key: SymmetricKey(data: secret))
        var headers = HTTPFields()
        for (name, value) in [
            (CallbackSignature.timestampHeader, "\(time.milliseconds)"), (CallbackSignature.nonceHeader, nonce),
            (CallbackSignature.signatureHeader, code ?? signature.sign(timestamp: time, nonce: nonce, body: body)),
        ] { headers[try #require(HTTPField.Name(name))] = value }
        return try await send(.post, "/v1/callbacks/\(place)", body, headers: headers)
    }

    func send(_ method: HTTPRequest.Method, _ uri: String, json: String, token: String? = nil) async throws
        -> TestResponse
    {
        try await send(method, uri, Array(json.utf8), token: token)
    }

    /// A JWT of the person, by the issuer with the Ed25519 key.
    func jwt(_ person: UInt64) throws -> String { try JWTMaker(now: now).make(sub: "\(person)") }
}

extension TestResponse {
    var bytes: [UInt8] { Array(body.readableBytesView) }
    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The body as an object, or what is wrong with it as a failed test.
    var object: [String: Any] {
        do {
            return try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any] ?? [:]
        } catch {
            Issue.record("not JSON: \(text)")
            return [:]
        }
    }

    /// What the problem says, checked to be whole: `status code kind retryable param`.
    func problem(_ location: SourceLocation = #_sourceLocation) -> String {
        #expect(headers[.contentType] == "application/problem+json", sourceLocation: location)
        let body = object
        let code = body["code"] as? String ?? "?"
        #expect(body["type"] as? String == "urn:hongbao:error:\(code)", sourceLocation: location)
        #expect(body["status"] as? Int == status.code, sourceLocation: location)
        #expect((body["title"] as? String)?.isEmpty == false, sourceLocation: location)
        #expect((body["detail"] as? String)?.isEmpty == false, sourceLocation: location)
        #expect(body["retryable"] is Bool && body["kind"] is String, sourceLocation: location)
        #expect((headers[.retryAfter] != nil) == (status.code == 429 || status.code == 503), sourceLocation: location)
        let param = (body["param"] as? String).map { " \($0)" } ?? ""
        return "\(status.code) \(code)\(param)"
    }
}

/// Makes JWTs, good and bad.
struct JWTMaker {
    let now: Timestamp
    var seconds: Int64 { now.milliseconds / 1000 }

    static func part(_ text: String) -> String { String(decoding: Base64URL.encode(Array(text.utf8)), as: UTF8.self) }

    func claims(sub: String, extra: String = "", exp: Int64? = nil) -> String {
        #"{"iss":"ed","sub":"\#(sub)","app":"douyin","exp":\#(exp ?? seconds + 3600)\#(extra)}"#
    }

    func make(sub: String) throws -> String { try sign(claims: claims(sub: sub)) }

    func sign(header: String = #"{"alg":"EdDSA","typ":"JWT"}"#, claims: String) throws -> String {
        let signed = "\(Self.part(header)).\(Self.part(claims))"
        let signature = try GatewayRig.ed25519.signature(for: Array(signed.utf8))
        return signed + "." + String(decoding: Base64URL.encode(Array(signature)), as: UTF8.self)
    }

    func signES256(header: String = #"{"alg":"ES256","typ":"JWT"}"#, claims: String) throws -> String {
        let signed = "\(Self.part(header)).\(Self.part(claims))"
        let signature = try GatewayRig.p256.signature(for: Array(signed.utf8)).rawRepresentation
        return signed + "." + String(decoding: Base64URL.encode(Array(signature)), as: UTF8.self)
    }
}

/// A grant in the test campaign's rain, as JSON.
func grantJSON(
    person: String = #""42""#,
    amount: String = "100",
    rain: String = "1",
    stage: String = "0",
    extra: String = ""
) -> String {
    #"{"campaign":"test","scene":"rain","rain":\#(rain),"awardType":1,"stage":\#(stage),"person":\#(person),"#
        + #""app":"douyin","amount":\#(amount)\#(extra)}"#
}
