import Crypto
package import HongbaoCore

/// What vouches for people in the demo: signs its own JWTs. Who they are is for `Identities` to say.
package struct DemoAccounts: Sendable {
    package static let issuer = "demo"

    private let key: Curve25519.Signing.PrivateKey
    package let lifetimeSeconds: Int64

    package init(_ configuration: DemoConfiguration) throws(GatewayFault) {
        guard configuration.seed.count == 32, configuration.lifetimeSeconds > 0,
            configuration.lifetimeSeconds <= JWTVerifier.lifetimeSecondsMax
        else { throw .demoSeedInvalid }
        do {
            key = try Curve25519.Signing.PrivateKey(rawRepresentation: configuration.seed)
        } catch {
            throw .demoSeedInvalid
        }
        lifetimeSeconds = configuration.lifetimeSeconds
    }

    package var publicIssuer: JWTIssuer {
        JWTIssuer(name: Self.issuer, key: .edDSA(Array(key.publicKey.rawRepresentation)), audience: nil)
    }

    package func token(for person: PersonID, app: String, at now: Timestamp) throws -> String {
        let seconds = now.milliseconds / 1000
        var claims = JSONWriter()
        claims.object { json in
            json.field("iss", Self.issuer)
            json.field("sub", decimal: person.rawValue)
            json.field("app", app)
            json.field("iat", seconds)
            json.field("exp", seconds + lifetimeSeconds)
        }
        var token = Self.header
        token.append(UInt8(ascii: "."))
        token.append(contentsOf: Base64URL.encode(claims.bytes))
        let signature = try key.signature(for: token)
        token.append(UInt8(ascii: "."))
        token.append(contentsOf: Base64URL.encode(Array(signature)))
        return String(decoding: token, as: UTF8.self)
    }

    private static let header = Base64URL.encode(Array(#"{"alg":"EdDSA","typ":"JWT"}"#.utf8))
}
