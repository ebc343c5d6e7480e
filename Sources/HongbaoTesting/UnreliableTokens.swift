package import HongbaoCore
package import HongbaoEngine
import Synchronization

/// The network between a node and a hot state of tokens: it loses requests and answers as often as it's told to.
package final class UnreliableTokens: HotTokens {
    private struct State {
        var random: Seeded
        var lossPercent: UInt64
        var writeCount = 0
    }

    private let underneath: any HotTokens
    private let state: Mutex<State>

    package init(_ underneath: any HotTokens, seed: UInt64 = 0, lossPercent: UInt64 = 0) {
        self.underneath = underneath
        state = Mutex(State(random: Seeded(seed: seed), lossPercent: lossPercent))
    }

    /// 100: nobody gets through.
    package func setLossPercent(_ percent: UInt64) { state.withLock { $0.lossPercent = percent } }

    /// Calls that wrote something, whatever became of them.
    package var writeCount: Int { state.withLock { $0.writeCount } }

    package func write(_ writes: [TokenWrite]) async throws(HotTokensFault) -> [TokenWriteOutcome] {
        state.withLock { $0.writeCount += 1 }
        try lose("the request")
        let outcomes = try await underneath.write(writes)
        try lose("the answer")
        return outcomes
    }

    package func tokens(of questions: [TokenQuestion]) async throws(HotTokensFault) -> [[OpenGrant]] {
        try lose("the request")
        return try await underneath.tokens(of: questions)
    }

    private func lose(_ what: String) throws(HotTokensFault) {
        let isLost = state.withLock { $0.random.next(below: 100) < $0.lossPercent }
        if isLost { throw HotTokensFault("\(what) is lost on purpose") }
    }
}
