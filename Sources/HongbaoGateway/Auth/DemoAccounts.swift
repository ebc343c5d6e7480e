import Crypto
package import HongbaoCore

/// The account centre of the demo: signs its own JWTs, and turns a phone, or an app family and user, into a person.
///
/// The same phone is the same person in every app (ID-2). A phone is neither stored nor logged (ID-4): all that is left
/// of it is a keyed hash.
package struct DemoAccounts: Sendable {
    package static let issuer = "demo"

    private let key: Curve25519.Signing.PrivateKey
    private let personKey: SymmetricKey
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
        let label = Array("hongbao demo person".utf8)
        personKey = SymmetricKey(
            data: HMAC<SHA256>.authenticationCode(for: label, using: SymmetricKey(data: configuration.seed))
        )
        lifetimeSeconds = configuration.lifetimeSeconds
    }

    package var publicIssuer: JWTIssuer {
        JWTIssuer(name: Self.issuer, key: .edDSA(Array(key.publicKey.rawRepresentation)), audience: nil)
    }

    package func person(phone: String) -> PersonID { person("phone", [phone]) }

    package func person(family: String, user: String) -> PersonID { person("user", [family, user]) }

    private func person(_ kind: String, _ parts: [String]) -> PersonID {
        var message = Array(kind.utf8)
        for part in parts {
            message.append(0)
            message.append(contentsOf: part.utf8)
        }
        let code = HMAC<SHA256>.authenticationCode(for: message, using: personKey)
        let word = code.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self).bigEndian }
        return PersonID(max(1, word >> 1))
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
