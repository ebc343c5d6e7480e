package struct DeadlineExceeded: Error, Hashable {
    package init() {}
}

/// Runs `body` and gives up, with `DeadlineExceeded`, after a while. `body` is cancelled then, and must heed it.
package func withDeadline<Answer: Sendable>(
    _ duration: Duration,
    _ body: @escaping @Sendable () async throws -> Answer
) async throws -> Answer {
    try await withThrowingTaskGroup(of: Answer.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: duration)
            throw DeadlineExceeded()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw DeadlineExceeded() }
        return first
    }
}
