import Crypto
package import HongbaoCore

/// Makes the keyed hashes under which users and phones are known (ID-4): HMAC-SHA256, cut to 128 bits, each under a key
/// of its own that comes from the keyring. Without the keyring nobody can try out which phone it is.
package struct IdentityKeys: Sendable {
    private let users: SymmetricKey
    private let phones: SymmetricKey

    package init(_ keyring: Keyring) {
        users = Self.derived("hongbao user", from: keyring.identityHash)
        phones = Self.derived("hongbao phone", from: keyring.identityHash)
    }

    private static func derived(_ label: String, from secret: SymmetricKey) -> SymmetricKey {
        SymmetricKey(data: HMAC<SHA256>.authenticationCode(for: Array(label.utf8), using: secret))
    }

    package func user(_ user: String, of family: String) -> UserKey {
        // No family's key has a zero in it, so no two users have the same message.
        UserKey(bits: Self.hash(Array(family.utf8) + [0] + Array(user.utf8), users))
    }

    package func phone(_ phone: PhoneNumber) -> PhoneKey { PhoneKey(bits: Self.hash(phone.digits, phones)) }

    private static func hash(_ message: [UInt8], _ key: SymmetricKey) -> UInt128 {
        HMAC<SHA256>.authenticationCode(for: message, using: key).withUnsafeBytes { bytes in
            bytes.loadUnaligned(as: UInt128.self).bigEndian
        }
    }
}
