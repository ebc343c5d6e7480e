import Crypto
package import HongbaoCore
import HongbaoEngine
import Synchronization

/// A person as an account centre vouches for them.
package struct PersonCaller: Hashable, Sendable {
    package let person: PersonID
    /// The key of the app that they use.
    package let app: String
    /// In UTC seconds.
    package let expiresAt: Int64
}

/// Checks JWTs in the one form that account centres issue: JWS compact serialization, signed with EdDSA (Ed25519) or
/// ES256, with `sub` a person ID, `app`, and `exp` (RFC 7515, 7519, 8037).
///
/// An issuer has one key and one algorithm, so a token can't choose: `none`, HMAC with the public key as its secret and
/// the like find no issuer. A verified token is remembered until it expires, because a signature costs 53 µs.
package final class JWTVerifier: Sendable {
    package static let bytesMax = 4096
    package static let leewaySeconds: Int64 = 60
    package static let lifetimeSecondsMax: Int64 = 31 * 24 * 3600

    private let issuers: [Issuer]
    private let cache: Mutex<RecentMap<UInt128, PersonCaller>>

    package init(_ issuers: [JWTIssuer], cacheMax: Int = 65_536) throws(GatewayFault) {
        var checked: [Issuer] = []
        for issuer in issuers { checked.append(try Issuer(issuer)) }
        self.issuers = checked
        cache = Mutex(RecentMap(capacity: cacheMax))
    }

    /// The person named by a token that is valid at that instant, or `nil`: why not is nobody's business.
    package func caller(showing token: some Collection<UInt8>, at now: Timestamp) -> PersonCaller? {
        guard token.count <= Self.bytesMax else { return nil }
        let seconds = now.milliseconds / 1000
        let bytes = Array(token)
        let digest = SHA256.hash(data: bytes).withUnsafeBytes { $0.loadUnaligned(as: UInt128.self) }
        if let known = cache.withLock({ $0[digest] }) { return seconds < known.expiresAt ? known : nil }
        guard let caller = verify(bytes, at: seconds) else { return nil }
        cache.withLock { $0.insert(caller, for: digest) }
        return caller
    }

    private func verify(_ token: [UInt8], at now: Int64) -> PersonCaller? {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3,
            let header = Base64URL.decode(parts[0]),
            let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]), signature.count == 64,
            let (algorithm, claims) = Self.read(header: header, payload: payload),
            claims.areTimely(at: now)
        else { return nil }
        let signed = Array(token[..<parts[1].endIndex])
        for issuer in issuers where issuer.takes(algorithm, claims) && issuer.isSigned(signed, by: signature) {
            return PersonCaller(person: claims.person, app: claims.app, expiresAt: claims.expiresAt)
        }
        return nil
    }

    private static func read(header: [UInt8], payload: [UInt8]) -> (JWTHeader.Algorithm, JWTClaims)? {
        do throws(JSONFault) {
            return (try JWTHeader(header).algorithm, try JWTClaims(payload))
        } catch {
            return nil
        }
    }
}

private struct Issuer: Sendable {
    private enum Key: Sendable {
        case edDSA(Curve25519.Signing.PublicKey)
        case es256(P256.Signing.PublicKey)
    }

    private let name: String
    private let audience: String?
    private let key: Key

    init(_ issuer: JWTIssuer) throws(GatewayFault) {
        name = issuer.name
        audience = issuer.audience
        do {
            switch issuer.key {
            case .edDSA(let bytes): key = .edDSA(try Curve25519.Signing.PublicKey(rawRepresentation: bytes))
            case .es256(let bytes): key = .es256(try P256.Signing.PublicKey(x963Representation: bytes))
            }
        } catch {
            throw .issuerKeyInvalid(name: issuer.name)
        }
    }

    func takes(_ algorithm: JWTHeader.Algorithm, _ claims: JWTClaims) -> Bool {
        switch (key, algorithm) {
        case (.edDSA, .edDSA), (.es256, .es256): break
        default: return false
        }
        if let issuer = claims.issuer, issuer != name { return false }
        return audience.map { claims.audiences.contains($0) } ?? true
    }

    func isSigned(_ bytes: [UInt8], by signature: [UInt8]) -> Bool {
        switch key {
        case .edDSA(let key): return key.isValidSignature(signature, for: bytes)
        case .es256(let key):
            do {
                return key.isValidSignature(try P256.Signing.ECDSASignature(rawRepresentation: signature), for: bytes)
            } catch {
                return false
            }
        }
    }
}

/// The header of a JWT. A field that isn't known is refused: it could change what the signature means.
struct JWTHeader {
    enum Algorithm: String { case edDSA = "EdDSA", es256 = "ES256" }

    private enum Field: String, CaseIterable { case alg, typ, kid }
    private static let fields = JSONFields<Field>()

    let algorithm: Algorithm

    init(_ bytes: [UInt8]) throws(JSONFault) {
        var reader = JSONReader(bytes, depthMax: 1)
        var algorithm: Algorithm?
        try reader.object(Self.fields) { reader, field throws(JSONFault) in
            let text = try reader.identifier(length: 1...128)
            switch field {
            case .alg:
                algorithm = Algorithm(rawValue: text)
                guard algorithm != nil else { throw reader.fault(.outOfRange) }
            case .typ: guard text == "JWT" || text == "at+jwt" else { throw reader.fault(.outOfRange) }
            case .kid: break
            }
        }
        try reader.finish()
        guard let algorithm else { throw .missing(Field.alg) }
        self.algorithm = algorithm
    }
}

/// The claims that count. Others may be there and mean nothing here.
struct JWTClaims {
    private enum Field: String, CaseIterable { case iss, aud, sub, app, exp, iat, nbf, jti }
    private static let fields = JSONFields<Field>()
    private static let audiencesMax = 16

    let issuer: String?
    let audiences: [String]
    let person: PersonID
    let app: String
    let expiresAt: Int64
    let issuedAt: Int64?
    let notBefore: Int64?

    init(_ bytes: [UInt8]) throws(JSONFault) {
        var reader = JSONReader(bytes)
        var issuer: String?
        var audiences: [String] = []
        var person: UInt64 = 0
        var app = NameCache()
        var appKey: String?
        var (exp, iat, nbf): (Int64?, Int64?, Int64?)
        let instants: ClosedRange<Int64> = 0...Timestamp.max.milliseconds / 1000
        try reader.object(Self.fields, unknown: .skipped) { reader, field throws(JSONFault) in
            switch field {
            case .iss: issuer = try reader.identifier(length: 1...256)
            case .aud: audiences = try Self.audiences(&reader)
            case .sub: person = try reader.decimal(UInt64.self)
            case .app: appKey = try reader.name(&app)
            case .exp: exp = try reader.integer(Int64.self, in: instants)
            case .iat: iat = try reader.integer(Int64.self, in: instants)
            case .nbf: nbf = try reader.integer(Int64.self, in: instants)
            case .jti: _ = try reader.string(length: 0...256)
            }
        }
        try reader.finish()
        guard person > 0 else { throw .missing(Field.sub) }
        guard let appKey else { throw .missing(Field.app) }
        guard let exp else { throw .missing(Field.exp) }
        self.issuer = issuer
        self.audiences = audiences
        self.person = PersonID(person)
        self.app = appKey
        expiresAt = exp
        issuedAt = iat
        notBefore = nbf
    }

    /// One audience, or a list.
    private static func audiences(_ reader: inout JSONReader) throws(JSONFault) -> [String] {
        var audiences: [String] = []
        var list = reader
        do throws(JSONFault) {
            try list.array(max: audiencesMax) { reader throws(JSONFault) in
                audiences.append(try reader.identifier(length: 1...256))
            }
        } catch {
            guard error.reason == .wrongType, audiences.isEmpty else { throw error }
            return [try reader.identifier(length: 1...256)]
        }
        reader = list
        return audiences
    }

    func areTimely(at now: Int64) -> Bool {
        guard now < expiresAt, expiresAt - now <= JWTVerifier.lifetimeSecondsMax + JWTVerifier.leewaySeconds else {
            return false
        }
        if let issuedAt {
            guard issuedAt <= now + JWTVerifier.leewaySeconds, issuedAt <= expiresAt,
                expiresAt - issuedAt <= JWTVerifier.lifetimeSecondsMax
            else { return false }
        }
        if let notBefore { return notBefore <= now + JWTVerifier.leewaySeconds && notBefore < expiresAt }
        return true
    }
}
