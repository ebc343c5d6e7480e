package import NIOCore

/// A Redis server, or a cluster of them.
package protocol Redis: Sendable {
    /// Sends a command and answers what the server says.
    ///
    /// What was lost on the way is sent again where that does no harm, as long as there's time.
    func call(_ command: RedisCommand, by deadline: NIODeadline) async throws(RedisFault) -> RESPValue

    /// Ends all connections. What waits is refused, and so are calls from now on.
    func close() async
}

extension Redis {
    /// Runs a script by its digest; a server that doesn't know it yet gets the text.
    package func run(
        _ script: RedisScript,
        key: String,
        _ arguments: [String],
        by deadline: NIODeadline
    ) async throws(RedisFault) -> RESPValue {
        try await run(script, keys: [key], arguments.map { Array($0.utf8) }, by: deadline)
    }

    /// The same of several keys, which are in one slot, and of arguments that needn't be text.
    package func run(
        _ script: RedisScript,
        keys: [String],
        _ arguments: [[UInt8]],
        by deadline: NIODeadline
    ) async throws(RedisFault) -> RESPValue {
        do throws(RedisFault) {
            return try await call(script.byDigest(keys, arguments), by: deadline)
        } catch {
            guard error.kind == .refused(code: "NOSCRIPT") else { throw error }
            return try await call(script.byText(keys, arguments), by: deadline)
        }
    }
}
