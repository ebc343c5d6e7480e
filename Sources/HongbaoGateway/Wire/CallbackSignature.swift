package import Crypto
package import HTTPTypes
package import HongbaoCore
import Synchronization

/// Signs and checks what outside parties and the platform send each other: HMAC-SHA256 over time, nonce and body.
///
/// The code is taken over `v1`, the time in UTC milliseconds and the nonce, each followed by a line feed, and then the
/// body. As neither time nor nonce can hold a line feed, no two messages give the same bytes.
package struct CallbackSignature: Sendable {
    package static let timestampHeader = "X-Hongbao-Timestamp"
    package static let nonceHeader = "X-Hongbao-Nonce"
    package static let signatureHeader = "X-Hongbao-Signature"
    package static let windowSeconds: Int64 = 300

    private let key: SymmetricKey

    /// `key` should have 32 random bytes.
    package init(key: SymmetricKey) { self.key = key }

    /// Answers the value of the signature header. `nonce` must be one that `isNonce` accepts, and new each time.
    package func sign(timestamp: Timestamp, nonce: String, body: some Collection<UInt8>) -> String {
        precondition(Self.isNonce(nonce))
        let time = String(timestamp.milliseconds)
        return "v1=" + HMAC<SHA256>.authenticationCode(for: Self.message(time, nonce, body), using: key).hex
    }

    /// Takes the headers as they came. The code is compared in constant time.
    package func isAuthentic(
        timestamp: String,
        nonce: String,
        signature: String,
        body: some Collection<UInt8>
    ) -> Bool {
        guard Self.isNonce(nonce), UInt64(canonicalDecimal: timestamp.utf8) != nil, let code = Self.code(signature)
        else {
            return false
        }
        return HMAC<SHA256>.isValidAuthenticationCode(
            code,
            authenticating: Self.message(timestamp, nonce, body),
            using: key
        )
    }

    /// 16 to 64 of `[A-Za-z0-9_-]`.
    package static func isNonce(_ text: String) -> Bool {
        (16...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    private static func message(_ time: String, _ nonce: String, _ body: some Collection<UInt8>) -> [UInt8] {
        var message = Array("v1\n\(time)\n\(nonce)\n".utf8)
        message.append(contentsOf: body)
        return message
    }

    private static func code(_ signature: String) -> [UInt8]? {
        let text = Array(signature.utf8)
        guard text.count == 3 + 64, text.starts(with: "v1=".utf8) else { return nil }
        return [UInt8](lowercaseHexDigits: text.dropFirst(3))
    }
}

/// What was found about a signed message, in order of precedence.
package enum CallbackVerdict: Hashable, Sendable {
    case accepted
    /// A header is missing or isn't in its form, or the code is another.
    case notAuthentic
    /// Signed too long ago, or in the future.
    case outsideWindow
    case replayed
    /// So many authentic messages came within the window that no more can be told from replays.
    case overloaded
}

/// Checks signed messages and lets each in once. What it refuses is at worst a late hint, as callbacks are only that.
package final class CallbackGuard: Sendable {
    private let signature: CallbackSignature
    private let seen: Mutex<SeenNonces>

    /// Remembers at most `noncesMax` messages, each as long as its window lasts.
    package init(key: SymmetricKey, noncesMax: Int = 100_000) {
        signature = CallbackSignature(key: key)
        seen = Mutex(SeenNonces(max: noncesMax))
    }

    /// Takes the headers of a request as they came.
    package func check(_ headers: HTTPFields, body: some Collection<UInt8>, now: Timestamp) -> CallbackVerdict {
        check(
            timestamp: headers[.callbackTimestamp],
            nonce: headers[.callbackNonce],
            signature: headers[.callbackSignature],
            body: body,
            now: now
        )
    }

    package func check(
        timestamp: String?,
        nonce: String?,
        signature text: String?,
        body: some Collection<UInt8>,
        now: Timestamp
    ) -> CallbackVerdict {
        guard let timestamp, let nonce, let text,
            signature.isAuthentic(timestamp: timestamp, nonce: nonce, signature: text, body: body),
            let milliseconds = Int64(timestamp)
        else { return .notAuthentic }
        let signedAt = Timestamp(milliseconds: milliseconds)
        let window = CallbackSignature.windowSeconds
        guard now <= signedAt.advanced(bySeconds: window), signedAt <= now.advanced(bySeconds: window) else {
            return .outsideWindow
        }
        return seen.withLock { $0.insert(nonce, until: signedAt.advanced(bySeconds: window), now: now) }
    }
}

extension HTTPField.Name {
    static let callbackTimestamp = name(CallbackSignature.timestampHeader)
    static let callbackNonce = name(CallbackSignature.nonceHeader)
    static let callbackSignature = name(CallbackSignature.signatureHeader)
}

/// Nonces that may not come again yet.
struct SeenNonces: Sendable {
    private var expiries: [String: Timestamp] = [:]
    private let max: Int

    init(max: Int) {
        precondition(max > 0)
        self.max = max
    }

    mutating func insert(_ nonce: String, until expiry: Timestamp, now: Timestamp) -> CallbackVerdict {
        guard expiries[nonce] == nil else { return .replayed }
        if expiries.count >= max {
            // Costs one pass over all, at most once for each half of them that is let in.
            expiries = expiries.filter { now <= $0.value }
            guard expiries.count < max else { return .overloaded }
        }
        expiries[nonce] = expiry
        return .accepted
    }
}
