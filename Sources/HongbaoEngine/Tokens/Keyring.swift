package import Crypto
import HongbaoCore

/// The long-lived secrets of an installation, 32 bytes each.
///
/// Who can only verify gets `rootPublicKey`; nodes that neither certify mints nor read payloads don't need the rest.
package struct Keyring: Sendable {
    static let certificateDomain = Array("hongbao mint certificate 1\0".utf8)
    static let secretSize = 32

    /// Names as they stand in the file, in its order.
    enum Name: String, CaseIterable {
        case rootSigning = "root-signing"
        case walletWrapping = "wallet-wrapping"
        case identityHash = "identity-hash"
        case callbackSeed = "callback-seed"
        case jwtSeed = "jwt-seed"
    }

    /// Certifies mints.
    private let rootSigning: Curve25519.Signing.PrivateKey
    /// Wraps the data keys of all epochs.
    package let walletWrapping: SymmetricKey
    /// Keys the digests by which logs and alarms name a withdrawal; meant for stored phones, too (ID-4).
    package let identityHash: SymmetricKey
    /// Kept for the HMAC keys of callbacks; nothing is derived from it yet (`payouts.secret` signs them).
    package let callbackSeed: SymmetricKey
    /// What the demo issuer's signing key is made from.
    package let jwtSeed: SymmetricKey

    /// Draws new secrets.
    package init() {
        rootSigning = Curve25519.Signing.PrivateKey()
        walletWrapping = SymmetricKey(size: .bits256)
        identityHash = SymmetricKey(size: .bits256)
        callbackSeed = SymmetricKey(size: .bits256)
        jwtSeed = SymmetricKey(size: .bits256)
    }

    init(secret: (Name) -> [UInt8]) throws {
        rootSigning = try Curve25519.Signing.PrivateKey(rawRepresentation: secret(.rootSigning))
        walletWrapping = SymmetricKey(data: secret(.walletWrapping))
        identityHash = SymmetricKey(data: secret(.identityHash))
        callbackSeed = SymmetricKey(data: secret(.callbackSeed))
        jwtSeed = SymmetricKey(data: secret(.jwtSeed))
    }

    func secret(_ name: Name) -> [UInt8] {
        switch name {
        case .rootSigning: [UInt8](rootSigning.rawRepresentation)
        case .walletWrapping: walletWrapping.withUnsafeBytes { [UInt8]($0) }
        case .identityHash: identityHash.withUnsafeBytes { [UInt8]($0) }
        case .callbackSeed: callbackSeed.withUnsafeBytes { [UInt8]($0) }
        case .jwtSeed: jwtSeed.withUnsafeBytes { [UInt8]($0) }
        }
    }

    /// By which draws are decided, for ever: another seed would let everybody roll again.
    var drawSeed: (UInt64, UInt64) {
        let code = HMAC<SHA256>.authenticationCode(for: Array("hongbao draws 1".utf8), using: identityHash)
        let bytes = Array(code)
        return (bytes.span.bigEndian(at: 0), bytes.span.bigEndian(at: 8))
    }

    package var rootPublicKey: Curve25519.Signing.PublicKey { rootSigning.publicKey }

    func certificateSignature(of content: [UInt8]) -> [UInt8] {
        Ed25519.signature(of: content, domain: Self.certificateDomain, by: rootSigning)
    }
}
