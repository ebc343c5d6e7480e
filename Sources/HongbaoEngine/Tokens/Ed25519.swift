import Crypto

/// Signing with a domain before the message, so that no signature is good for two kinds of statements.
enum Ed25519 {
    struct PublicKey: Sendable {
        let bytes: [UInt8]
        fileprivate let key: Curve25519.Signing.PublicKey

        init(_ key: Curve25519.Signing.PublicKey) {
            bytes = [UInt8](key.rawRepresentation)
            self.key = key
        }

        /// `nil` for what isn't a key.
        init?(_ bytes: [UInt8]) {
            do {
                key = try Curve25519.Signing.PublicKey(rawRepresentation: bytes)
            } catch {
                return nil
            }
            self.bytes = bytes
        }
    }

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
        by key: PublicKey
    ) -> Bool {
        key.key.isValidSignature(Array(signature), for: domain + message)
    }
}
