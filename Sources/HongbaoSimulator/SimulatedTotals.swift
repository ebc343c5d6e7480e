import HongbaoCore
import HongbaoEngine

/// The two hot states of running totals, which survive processes, and may lose everything at any time.
struct SimulatedHotStates: Sendable {
    private let states = [MemoryTotals(), MemoryTotals()]

    /// One process's way to both.
    func pair(_ world: World, _ life: Life) -> HotTotalsPair {
        HotTotalsPair(
            main: TotalsConnection(base: states[0], world: world, life: life),
            backup: TotalsConnection(base: states[1], world: world, life: life)
        )
    }

    func loseOne(_ world: World) {
        let place = world.draw(states.count)
        world.auditor.tell("hot state \(place) loses everything")
        states[place].removeAll()
    }

    /// What each of them says of a book.
    func sums(of book: BookID) -> [Tally] { states.map { $0.sum(of: book) } }
}

/// A connection that loses requests and answers. A dead process's requests reach nothing.
private struct TotalsConnection: HotTotals {
    let base: MemoryTotals
    let world: World
    let life: Life

    func raise(_ parts: [TotalPart]) async throws(HotTotalsFault) -> [BookID: Tally] {
        try await arrive()
        let sums = try await base.raise(parts)
        try await comeBack()
        return sums
    }

    func parts(of books: [BookID]) async throws(HotTotalsFault) -> [TotalPart] {
        try await arrive()
        let parts = try await base.parts(of: books)
        try await comeBack()
        return parts
    }

    private func arrive() async throws(HotTotalsFault) {
        await world.dawdle(world.faults.slowTotals)
        guard life.isAlive, !world.happens(world.faults.lostTotals) else {
            throw HotTotalsFault("the request was lost")
        }
    }

    private func comeBack() async throws(HotTotalsFault) {
        await world.dawdle(world.faults.slowTotals)
        if world.happens(world.faults.lostTotals) { throw HotTotalsFault("the answer was lost") }
    }
}
