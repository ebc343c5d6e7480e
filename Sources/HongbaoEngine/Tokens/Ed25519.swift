import Crypto

/// Signing with a domain before the message, so that no signature is good for two kinds of statements.
enum Ed25519 {
    static func signature(of message: [UInt8], domain: [UInt8], by key: Curve25519.Signing.PrivateKey) -> [UInt8] {
        do {
            return [UInt8](try key.signature(for: domain + message))
        } catch {
            preconditionFailure("Ed25519 signs every message: \(error)")
        }
    }

    static func isValid(
        _ signature: some Collection<UInt8>,
        of message: some Collection<UInt8>,
        domain: [UInt8],
        by key: Curve25519.Signing.PublicKey
    ) -> Bool {
        key.isValidSignature(Array(signature), for: domain + message)
    }
}
