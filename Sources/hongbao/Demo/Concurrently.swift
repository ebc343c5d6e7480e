import Synchronization

/// Runs `body` for 0 ..< count, so many at a time, and answers in order.
func concurrently<Answer: Sendable>(
    _ count: Int,
    width: Int,
    _ body: @escaping @Sendable (Int) async throws -> Answer
) async throws -> [Answer] {
    let next = Turns()
    return try await withThrowingTaskGroup(of: [(Int, Answer)].self) { group in
        for _ in 0..<width {
            group.addTask {
                var answers: [(Int, Answer)] = []
                while true {
                    let index = next.take()
                    guard index < count else { return answers }
                    answers.append((index, try await body(index)))
                }
            }
        }
        return try await group.reduce(into: []) { $0 += $1 }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

/// Hands out 0, 1, 2, … to whoever asks.
final class Turns: Sendable {
    private let next = Atomic<Int>(0)

    func take() -> Int { next.add(1, ordering: .relaxed).oldValue }
    var taken: Int { next.load(ordering: .relaxed) }
}
