import Crypto
import HongbaoCore

/// A script in Lua, which a server runs with nothing else in between. Its keys are in one slot.
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

    func byDigest(_ keys: [String], _ arguments: [[UInt8]]) -> RedisCommand {
        command("EVALSHA", digest, keys, arguments)
    }

    func byText(_ keys: [String], _ arguments: [[UInt8]]) -> RedisCommand { command("EVAL", text, keys, arguments) }

    private func command(
        _ name: String,
        _ script: String,
        _ keys: [String],
        _ arguments: [[UInt8]]
    ) -> RedisCommand {
        let words = ([name, script, "\(keys.count)"] + keys).map { Array($0.utf8) }
        return RedisCommand(bytes: words + arguments, key: keys.first, isIdempotent: isIdempotent)
    }
}
