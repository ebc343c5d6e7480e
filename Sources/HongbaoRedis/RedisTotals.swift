package import HongbaoCore
package import HongbaoEngine
import NIOCore

/// A hot state for totals in Redis: a hash for each book, with the part of each mint and the sum of all parts.
///
/// A script raises parts, with nothing else in between. Numbers are compared as text and added by Redis, since
/// Lua's own are exact up to 2^53 only.
package struct RedisTotals: HotTotals {
    private let redis: any Redis
    private let timeout: Duration
    private let prefix: String

    /// Parts in one call of the script, during which a server does nothing else.
    private static let partsMax = 500

    /// - Parameters:
    ///   - timeout: for each call of the protocol as a whole.
    ///   - prefix: what the keys begin with; two platforms on one Redis need different ones.
    package init(_ redis: any Redis, timeout: Duration, prefix: String = "hongbao") {
        self.redis = redis
        self.timeout = timeout
        self.prefix = prefix
    }

    package func close() async { await redis.close() }

    private func key(_ book: BookID) -> String { "\(prefix):total:\(book.rawValue)" }

    /// Raises each mint's amount and count where they are less than given, and the sums by as much. Answers the sums.
    ///
    /// The old part is taken from the sum before the new one is added, so that no number on the way is larger than the
    /// sum in the end. When that is more than 64 bits hold, HINCRBY refuses, and what was done of the part is undone.
    private static let raising = RedisScript(
        """
        local key = KEYS[1]
        local function isLess(a, b) return #a < #b or (#a == #b and a < b) end
        local function take(field, number)
          if number ~= '0' then redis.call('HINCRBY', key, field, '-' .. number) end
        end
        for i = 1, #ARGV, 3 do
          local raised = {}
          for j, field in ipairs({'amount', 'count'}) do
            local part = field .. ':' .. ARGV[i]
            local new, old = ARGV[i + j], redis.call('HGET', key, part) or nil
            if not old or isLess(old, new) then
              if old then take(field, old) end
              local sum = redis.pcall('HINCRBY', key, field, new)
              if type(sum) == 'table' and sum.err then
                if old then redis.call('HINCRBY', key, field, old) end
                for _, done in ipairs(raised) do
                  take(done.field, done.new)
                  if done.old then redis.call('HINCRBY', key, done.field, done.old) end
                end
                return redis.error_reply('OVERFLOW the total would be more than 64 bits hold')
              end
              raised[#raised + 1] = {field = field, part = part, old = old, new = new}
            end
          end
          for _, done in ipairs(raised) do redis.call('HSET', key, done.part, done.new) end
        end
        return redis.call('HMGET', key, 'amount', 'count')
        """,
        isIdempotent: true
    )

    package func raise(_ parts: [TotalPart]) async throws(HotTotalsFault) -> [BookID: Tally] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        var byBook: [BookID: [TotalPart]] = [:]
        for part in parts { byBook[part.book, default: []].append(part) }
        let sums = try await each(Array(byBook)) { (book, parts) throws(HotTotalsFault) in
            (book, try await raise(parts, of: book, by: deadline))
        }
        return Dictionary(uniqueKeysWithValues: sums)
    }

    private func raise(
        _ parts: [TotalPart],
        of book: BookID,
        by deadline: NIODeadline
    ) async throws(HotTotalsFault) -> Tally {
        var sum = Tally.zero
        for start in stride(from: 0, to: parts.count, by: Self.partsMax) {
            let words = parts[start..<min(start + Self.partsMax, parts.count)].flatMap { part in
                ["\(part.mint.rawValue)", "\(part.tally.amount.fen)", "\(part.tally.count)"]
            }
            let answer: RESPValue
            do throws(RedisFault) {
                answer = try await redis.run(Self.raising, key: key(book), words, by: deadline)
            } catch {
                throw HotTotalsFault("book \(book.rawValue): \(error)")
            }
            guard let numbers = answer.elements, numbers.count == 2, let tally = Tally(numbers[0], numbers[1]) else {
                throw HotTotalsFault("book \(book.rawValue): the sum isn't one")
            }
            sum = tally
        }
        return sum
    }

    package func parts(of books: [BookID]) async throws(HotTotalsFault) -> [TotalPart] {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let found = try await each(books) { (book) throws(HotTotalsFault) in try await parts(of: book, by: deadline) }
        return found.flatMap { $0 }
    }

    private func parts(of book: BookID, by deadline: NIODeadline) async throws(HotTotalsFault) -> [TotalPart] {
        let answer: RESPValue
        do throws(RedisFault) {
            let command = RedisCommand(["HGETALL", key(book)], key: key(book), isIdempotent: true)
            answer = try await redis.call(command, by: deadline)
        } catch {
            throw HotTotalsFault("book \(book.rawValue): \(error)")
        }
        guard let elements = answer.elements, elements.count.isMultiple(of: 2) else {
            throw HotTotalsFault("book \(book.rawValue): the parts aren't a hash")
        }
        var fields: [String: RESPValue] = [:]
        for index in stride(from: 0, to: elements.count, by: 2) {
            guard let name = elements[index].string else { continue }
            fields[name] = elements[index + 1]
        }
        var parts: [TotalPart] = []
        for (name, amount) in fields where name.hasPrefix("amount:") {
            let mint = name.dropFirst("amount:".count)
            guard let number = UInt32(mint), let count = fields["count:\(mint)"], let tally = Tally(amount, count)
            else {
                throw HotTotalsFault("book \(book.rawValue): a part isn't one")
            }
            parts.append(TotalPart(book: book, mint: MintID(number), tally: tally))
        }
        return parts
    }

    /// Does the same for all at once, and throws what any of them throws, after all have ended.
    private func each<Input: Sendable, Output: Sendable>(
        _ inputs: [Input],
        _ work: @escaping @Sendable (Input) async throws(HotTotalsFault) -> Output
    ) async throws(HotTotalsFault) -> [Output] {
        let results = await withTaskGroup(of: Result<Output, HotTotalsFault>.self) { group in
            for input in inputs {
                group.addTask {
                    do throws(HotTotalsFault) {
                        return .success(try await work(input))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var outputs: [Output] = []
        for result in results { outputs.append(try result.get()) }
        return outputs
    }
}

extension Tally {
    /// As Redis has written them.
    fileprivate init?(_ amount: RESPValue, _ count: RESPValue) {
        guard let fen = amount.integer, let amount = Amount(fen: fen), let count = count.integer else { return nil }
        self.init(amount: amount, count: count)
    }
}

extension RedisTotals {
    /// In the Redis at an address, one server or a cluster. It's connected to by the first call.
    ///
    /// - Throws: when the files that the address names can't be read.
    package init(_ address: RedisAddress, timeout: Duration) throws {
        var settings = RedisSettings()
        settings.connectTimeout = min(settings.connectTimeout, timeout)
        let redis: any Redis =
            try address.isCluster ? RedisCluster(address, settings: settings) : RedisNode(address, settings: settings)
        self.init(redis, timeout: timeout)
    }
}
