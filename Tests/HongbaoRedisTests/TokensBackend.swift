import HongbaoCore
import HongbaoEngine
import HongbaoTesting

@testable import HongbaoRedis

/// What keeps tokens: every kind that there is, with nothing in it.
enum TokensBackend: String, CaseIterable, Sendable {
    case memory, redis, cluster

    struct Open: Sendable {
        let tokens: any HotTokens
        /// Loses everything.
        let empty: @Sendable () async throws -> Void
    }

    static let vault = TokenVault(Keyring())

    func with<Answer: Sendable>(
        _ terms: HotTokensTerms = .patient,
        _ body: @Sendable (Open) async throws -> Answer
    ) async throws -> Answer {
        switch self {
        case .memory:
            let tokens = MemoryTokens(terms)
            return try await body(Open(tokens: tokens) { tokens.removeAll() })
        case .redis:
            let server = try await RedisProcess()
            let node = try RedisNode(RedisAddress(server.address))
            let tokens = RedisTokens(node, vault: Self.vault, terms: terms, timeout: .seconds(30))
            let answer = try await body(Open(tokens: tokens) { _ = try await node.call("FLUSHALL") })
            await tokens.close()
            return answer
        case .cluster:
            let servers = try await ClusterOfThree.start()
            let redis = try RedisCluster(servers.address)
            let tokens = RedisTokens(redis, vault: Self.vault, terms: terms, timeout: .seconds(30))
            let open = Open(tokens: tokens) {
                for node in servers.nodes { _ = try await node.call("FLUSHALL") }
            }
            let answer = try await body(open)
            await tokens.close()
            await servers.close()
            return answer
        }
    }
}

extension HotTokensTerms {
    /// The defaults, with time enough for a machine that is busy with other tests.
    static var patient: Self {
        var terms = Self()
        terms.validity = .seconds(600)
        return terms
    }
}

/// One engine's writes to one part, numbered as they must be.
struct PartWriter: Sendable {
    let part: TokenPart
    var epoch: UInt32 = 1
    var round: UInt64 = 0
    var number: UInt64 = 0

    init(_ part: TokenPart, epoch: UInt32 = 1) {
        self.part = part
        self.epoch = epoch
    }

    /// All of the part.
    mutating func anew(_ grants: [OpenGrant], completes: Bool = true) -> TokenWrite {
        round += 1
        return next(grants, begins: true, completes: completes)
    }

    mutating func next(
        _ added: [OpenGrant] = [],
        removed: [OrderNumber] = [],
        begins: Bool = false,
        completes: Bool = false
    ) -> TokenWrite {
        number += 1
        return TokenWrite(
            part,
            epoch: epoch,
            round: round,
            number: number,
            begins: begins,
            completes: completes,
            added: added,
            removed: removed
        )
    }
}
