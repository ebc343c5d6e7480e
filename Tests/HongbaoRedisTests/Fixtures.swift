import HongbaoTesting
import NIOCore
import Synchronization

@testable import HongbaoRedis

extension RedisProcess {
    var address: ServerAddress { ServerAddress(host: "127.0.0.1", port: port) }
}

extension NIODeadline {
    static func soon(_ milliseconds: Int64 = 10_000) -> NIODeadline { .now() + .milliseconds(milliseconds) }
}

extension Redis {
    /// Calls a command that isn't sent again.
    func call(_ words: String..., key: String? = nil, by deadline: NIODeadline = .soon()) async throws -> RESPValue {
        try await call(RedisCommand(words, key: key, isIdempotent: false), by: deadline)
    }

    /// Asks until there's an answer, on a machine that may have no time for it.
    func untilAnswered(_ words: String...) async -> RESPValue {
        while true {
            do throws(RedisFault) {
                return try await call(RedisCommand(words, isIdempotent: true), by: .soon())
            } catch {
                // Whatever it was, it passes.
                continue
            }
        }
    }

    /// What a call fails with; `nil` when it has an answer.
    func fault(
        _ words: String...,
        isIdempotent: Bool = false,
        by deadline: NIODeadline = .soon()
    ) async -> RedisFault? {
        do throws(RedisFault) {
            _ = try await call(RedisCommand(words, isIdempotent: isIdempotent), by: deadline)
            return nil
        } catch {
            return error
        }
    }
}

/// A number that many tasks count up.
final class Count: Sendable {
    private let number = Atomic<Int>(0)

    var now: Int { number.load(ordering: .relaxed) }
    func add() { number.add(1, ordering: .relaxed) }
}
