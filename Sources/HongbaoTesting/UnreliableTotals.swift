package import HongbaoCore
package import HongbaoEngine
import Synchronization

/// The network between a node and a hot state: it loses requests and answers as often as it's told to.
package final class UnreliableTotals: HotTotals {
    private struct State {
        var random: Seeded
        var lossPercent: UInt64
    }

    private let underneath: any HotTotals
    private let state: Mutex<State>

    package init(_ underneath: any HotTotals, seed: UInt64 = 0, lossPercent: UInt64 = 0) {
        self.underneath = underneath
        state = Mutex(State(random: Seeded(seed: seed), lossPercent: lossPercent))
    }

    /// 100: nobody gets through.
    package func setLossPercent(_ percent: UInt64) { state.withLock { $0.lossPercent = percent } }

    package func raise(_ parts: [TotalPart]) async throws(HotTotalsFault) -> [BookID: Tally] {
        try lose("the request")
        let sums = try await underneath.raise(parts)
        try lose("the answer")
        return sums
    }

    package func parts(of books: [BookID]) async throws(HotTotalsFault) -> [TotalPart] {
        try lose("the request")
        let parts = try await underneath.parts(of: books)
        try lose("the answer")
        return parts
    }

    private func lose(_ what: String) throws(HotTotalsFault) {
        let isLost = state.withLock { $0.random.next(below: 100) < $0.lossPercent }
        if isLost { throw HotTotalsFault("\(what) is lost on purpose") }
    }
}
