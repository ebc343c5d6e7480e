import Crypto
import HongbaoCore

/// A script in Lua with one key, which a server runs with nothing else in between.
package struct RedisScript: Sendable {
    private let text: String
    private let digest: String
    private let isIdempotent: Bool

    /// - Parameter isIdempotent: whether running it twice does what running it once does.
    package init(_ text: String, isIdempotent: Bool) {
        self.text = text
        // What servers know scripts by; no secret hangs on it.
        digest = Insecure.SHA1.hash(data: Array(text.utf8)).hex
        self.isIdempotent = isIdempotent
    }

    func byDigest(_ key: String, _ arguments: [String]) -> RedisCommand {
        RedisCommand(["EVALSHA", digest, "1", key] + arguments, key: key, isIdempotent: isIdempotent)
    }

    func byText(_ key: String, _ arguments: [String]) -> RedisCommand {
        RedisCommand(["EVAL", text, "1", key] + arguments, key: key, isIdempotent: isIdempotent)
    }
}
