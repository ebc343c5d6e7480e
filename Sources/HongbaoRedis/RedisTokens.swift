package import HongbaoCore
package import HongbaoEngine
import NIOCore

/// A hot state of tokens in Redis: for each part a marker, and beside it a hash for each person and book.
///
/// The marker says who writes the part, which write was the last and whether the part is complete. It's gone when
/// nobody writes for a while. Hashes say to which beginning of the part they belong; those of others count as empty.
/// All keys of a part have its tag, so that one script sees them all, also in a cluster.
package struct RedisTokens: HotTokens {
    private let redis: any Redis
    private let vault: TokenVault
    private let terms: HotTokensTerms
    private let timeout: Duration
    private let prefix: String

    /// - Parameters:
    ///   - timeout: for each call of the protocol as a whole.
    ///   - prefix: what the keys begin with; two platforms on one Redis need different ones.
    package init(
        _ redis: any Redis,
        vault: TokenVault,
        terms: HotTokensTerms = HotTokensTerms(),
        timeout: Duration,
        prefix: String = "hongbao"
    ) {
        self.redis = redis
        self.vault = vault
        self.terms = terms
        self.timeout = timeout
        self.prefix = prefix
    }

    package func close() async { await redis.close() }

    private func marker(_ part: TokenPart) -> String { "\(prefix):tokens:{\(part.mint.rawValue).\(part.number)}" }

    // MARK: Writing

    /// Keys: the marker, and the lists that change. Arguments: epoch, round, number, `begin`, `complete`, both or
    /// neither, milliseconds that the marker and a list are kept, tokens that a list may have; then for each list how
    /// many come, their names and contents by turns, how many go, and their names.
    ///
    /// `v` of a list is the beginning of the part that it belongs to; `full` is there when more came than it may have.
    private static let writing = RedisScript(
        """
        local epoch, round, number, step = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
        local held, state = redis.call('GET', KEYS[1]), 'writing'
        local heldEpoch, heldRound, heldNumber, heldState
        if held then
          heldEpoch, heldRound, heldNumber, heldState = string.match(held, '^(%d+) (%d+) (%d+) (%a+)$')
        end
        if heldEpoch and tonumber(heldEpoch) > tonumber(epoch) then return 'superseded' end
        if not string.find(step, 'begin') then
          if heldEpoch ~= epoch or heldRound ~= round then return 'lost' end
          if heldNumber ~= number and tonumber(heldNumber) + 1 ~= tonumber(number) then return 'lost' end
          state = heldState
        end
        if string.find(step, 'complete') then state = 'complete' end
        redis.call('SET', KEYS[1], epoch .. ' ' .. round .. ' ' .. number .. ' ' .. state, 'PX', ARGV[5])
        local version, max = epoch .. ' ' .. round, tonumber(ARGV[7])
        local at = 8
        for i = 2, #KEYS do
          local key = KEYS[i]
          local isOwn = redis.call('HGET', key, 'v') == version
          if not isOwn then redis.call('DEL', key) end
          local count = redis.call('HLEN', key) - (isOwn and 1 or 0)
          local coming = tonumber(ARGV[at])
          for j = at + 1, at + 2 * coming, 2 do
            if count < max or redis.call('HEXISTS', key, ARGV[j]) == 1 then
              count = count + redis.call('HSET', key, ARGV[j], ARGV[j + 1])
            else
              redis.call('HSET', key, 'full', '1')
            end
          end
          at = at + 2 * coming + 1
          local going = tonumber(ARGV[at])
          for j = at + 1, at + going do redis.call('HDEL', key, ARGV[j]) end
          at = at + going + 1
          if redis.call('HLEN', key) > (isOwn and 1 or 0) then
            redis.call('HSET', key, 'v', version)
            redis.call('PEXPIRE', key, ARGV[6])
          else
            redis.call('DEL', key)
          end
        end
        return 'written'
        """,
        isIdempotent: true
    )

    package func write(_ writes: [TokenWrite]) async throws(HotTokensFault) -> [TokenWriteOutcome] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        return try await each(writes) { (write) throws(HotTokensFault) in try await self.write(write, by: deadline) }
    }

    private func write(_ write: TokenWrite, by deadline: NIODeadline) async throws(HotTokensFault) -> TokenWriteOutcome
    {
        let marker = marker(write.part)
        var keys = [marker]
        let step = (write.begins ? "begin" : "") + (write.completes ? "complete" : "")
        var arguments = [
            "\(write.epoch)", "\(write.round)", "\(write.number)", step, "\(terms.validity.inMilliseconds)",
            "\(terms.keeping.inMilliseconds)", "\(terms.tokensMax)",
        ].map { Array($0.utf8) }
        for (owner, change) in Self.divided(write) {
            let list = vault.list(of: owner.person, in: owner.book)
            keys.append("\(marker):\(list.name.hex)")
            arguments.append(Array("\(change.added.count)".utf8))
            for grant in change.added {
                arguments.append(vault.name(of: grant.order))
                arguments.append(vault.seal(grant, in: list))
            }
            arguments.append(Array("\(change.removed.count)".utf8))
            for order in change.removed { arguments.append(vault.name(of: order)) }
        }
        let answer: RESPValue
        do throws(RedisFault) {
            answer = try await redis.run(Self.writing, keys: keys, arguments, by: deadline)
        } catch {
            throw HotTokensFault("\(marker): \(error)")
        }
        switch answer.string {
        case "written": return .written
        case "lost": return .lost
        case "superseded": return .superseded
        default: throw HotTokensFault("\(marker): nobody knows what became of a write")
        }
    }

    private struct Owner: Hashable {
        let person: PersonID
        let book: BookID
    }

    private static func divided(_ write: TokenWrite) -> [Owner: (added: [OpenGrant], removed: [OrderNumber])] {
        var lists: [Owner: (added: [OpenGrant], removed: [OrderNumber])] = [:]
        for grant in write.added {
            lists[Owner(person: grant.order.person, book: grant.order.book), default: ([], [])].added.append(grant)
        }
        for order in write.removed {
            lists[Owner(person: order.person, book: order.book), default: ([], [])].removed.append(order)
        }
        return lists
    }

    // MARK: Reading

    private static let reading = RedisScript(
        "return {redis.call('GET', KEYS[1]), redis.call('HGETALL', KEYS[2])}",
        isIdempotent: true
    )

    package func tokens(of questions: [TokenQuestion]) async throws(HotTokensFault) -> [[OpenGrant]] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        return try await each(questions) { (question) throws(HotTokensFault) in
            try await tokens(of: question, by: deadline)
        }
    }

    private func tokens(
        of question: TokenQuestion,
        by deadline: NIODeadline
    ) async throws(HotTokensFault) -> [OpenGrant] {
        let marker = marker(question.part)
        let list = vault.list(of: question.person, in: question.book)
        let answer: RESPValue
        do throws(RedisFault) {
            answer = try await redis.run(Self.reading, keys: [marker, "\(marker):\(list.name.hex)"], [], by: deadline)
        } catch {
            throw HotTokensFault("\(marker): \(error)")
        }
        guard let both = answer.elements, both.count == 2, let fields = both[1].elements, fields.count.isMultiple(of: 2)
        else { throw HotTokensFault("\(marker): it isn't a list of tokens") }
        let words = both[0].string?.split(separator: " ") ?? []
        guard words.count == 4, words[3] == "complete" else { throw HotTokensFault("\(marker) isn't complete") }
        return try tokens(fields, of: list, in: "\(words[0]) \(words[1])", marker)
    }

    private func tokens(
        _ fields: [RESPValue],
        of list: TokenVault.List,
        in version: String,
        _ marker: String
    ) throws(HotTokensFault) -> [OpenGrant] {
        var tokens: [OpenGrant] = []
        var isOwn = false
        for index in stride(from: 0, to: fields.count, by: 2) {
            switch fields[index].string {
            case "v": isOwn = fields[index + 1].string == version
            case "full": throw HotTokensFault("\(marker): somebody has more tokens than fit")
            default:
                guard case .text(let name) = fields[index], case .text(let sealed) = fields[index + 1],
                    let grant = vault.open(sealed, in: list), vault.name(of: grant.order) == name
                else { throw HotTokensFault("\(marker): a token isn't one") }
                tokens.append(grant)
            }
        }
        return isOwn ? tokens : []
    }

    /// Does the same for all at once. Answers in order, or throws what any of them throws, after all have ended.
    private func each<Input: Sendable, Output: Sendable>(
        _ inputs: [Input],
        _ work: @escaping @Sendable (Input) async throws(HotTokensFault) -> Output
    ) async throws(HotTokensFault) -> [Output] {
        if inputs.count == 1 { return [try await work(inputs[0])] }
        let results = await withTaskGroup(of: (Int, Result<Output, HotTokensFault>).self) { group in
            for (index, input) in inputs.enumerated() {
                group.addTask {
                    do throws(HotTokensFault) {
                        return (index, .success(try await work(input)))
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var outputs: [Output] = []
        for (_, result) in results.sorted(by: { $0.0 < $1.0 }) { outputs.append(try result.get()) }
        return outputs
    }
}

extension Duration {
    fileprivate var inMilliseconds: Int64 {
        components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
    }
}

extension RedisTokens {
    /// The Redis at an address, one server or a cluster. It's connected to by the first call.
    ///
    /// - Throws: when the files that the address names can't be read.
    package static func redis(_ address: RedisAddress, timeout: Duration) throws -> any Redis {
        var settings = RedisSettings()
        settings.connectTimeout = min(settings.connectTimeout, timeout)
        return try address.isCluster
            ? RedisCluster(address, settings: settings) : RedisNode(address, settings: settings)
    }
}
