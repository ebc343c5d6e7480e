package import HongbaoCore
import Synchronization

/// A hot state of tokens in the memory of this process.
package final class MemoryTokens: HotTokens {
    private struct List {
        var tokens: [OrderNumber: OpenGrant] = [:]
        /// Whether there were more than it may have.
        var isCut = false
        var until: Duration
    }

    private struct Key: Hashable {
        let person: PersonID
        let book: BookID
    }

    private struct Part {
        let epoch: UInt32
        let round: UInt64
        var number: UInt64
        var isComplete = false
        var until: Duration
        var lists: [Key: List] = [:]
    }

    /// After so many writes to a part, lists that nobody needs are dropped.
    private static let cleaningInterval: UInt64 = 256

    private let terms: HotTokensTerms
    private let uptime: @Sendable () -> Duration
    private let parts = Mutex<[TokenPart: Part]>([:])

    package init(_ terms: HotTokensTerms = HotTokensTerms(), clock: WallClock = .system) {
        self.terms = terms
        uptime = clock.uptime
    }

    package func write(_ writes: [TokenWrite]) async throws(HotTokensFault) -> [TokenWriteOutcome] {
        let now = uptime()
        return parts.withLock { parts in writes.map { write($0, to: &parts[$0.part], now) } }
    }

    private func write(_ write: TokenWrite, to held: inout Part?, _ now: Duration) -> TokenWriteOutcome {
        if let part = held, part.until <= now { held = nil }
        if let part = held, part.epoch > write.epoch { return .superseded }
        if write.begins {
            // A repeated one must not lose what the first has written.
            if held?.epoch != write.epoch || held?.round != write.round {
                held = Part(epoch: write.epoch, round: write.round, number: write.number, until: now)
            }
            held?.isComplete = false
        }
        guard var part = held, part.epoch == write.epoch, part.round == write.round,
            write.begins || part.number == write.number || part.number &+ 1 == write.number
        else { return .lost }
        held = nil
        part.number = write.number
        part.isComplete = part.isComplete || write.completes
        part.until = now + terms.validity
        for grant in write.added { add(grant, to: &part, now) }
        for order in write.removed { remove(order, from: &part, now) }
        if write.number.isMultiple(of: Self.cleaningInterval) {
            part.lists = part.lists.filter { $0.value.until > now }
        }
        held = part
        return .written
    }

    private func add(_ grant: OpenGrant, to part: inout Part, _ now: Duration) {
        let key = Key(person: grant.order.person, book: grant.order.book)
        var list = part.lists.removeValue(forKey: key) ?? List(until: now)
        if list.until <= now { list = List(until: now) }
        list.until = now + terms.keeping
        if list.tokens[grant.order] != nil || list.tokens.count < terms.tokensMax {
            list.tokens[grant.order] = grant
        } else {
            list.isCut = true
        }
        part.lists[key] = list
    }

    private func remove(_ order: OrderNumber, from part: inout Part, _ now: Duration) {
        let key = Key(person: order.person, book: order.book)
        guard var list = part.lists.removeValue(forKey: key) else { return }
        list.tokens[order] = nil
        list.until = now + terms.keeping
        if list.isCut || !list.tokens.isEmpty { part.lists[key] = list }
    }

    package func tokens(of questions: [TokenQuestion]) async throws(HotTokensFault) -> [[OpenGrant]] {
        let now = uptime()
        return try parts.withLock { (parts) throws(HotTokensFault) in
            var answers: [[OpenGrant]] = []
            for question in questions {
                guard let part = parts[question.part], part.isComplete, part.until > now else {
                    throw HotTokensFault("part \(question.part.number) of mint \(question.part.mint) isn't complete")
                }
                guard let list = part.lists[Key(person: question.person, book: question.book)], list.until > now else {
                    answers.append([])
                    continue
                }
                if list.isCut { throw HotTokensFault("somebody has more tokens than fit") }
                answers.append(Array(list.tokens.values))
            }
            return answers
        }
    }

    /// For tests: it has lost everything.
    package func removeAll() { parts.withLock { $0 = [:] } }
}
