/// Runs `body`, cancels it when it takes longer than `limit`, and answers `nil` then.
///
/// Cancelling is a request: this waits until `body` has ended one way or the other.
func withDeadline<Answer: Sendable>(
    _ limit: Duration,
    _ body: @escaping @Sendable () async -> Answer
) async -> Answer? {
    await withTaskGroup(of: Answer?.self) { group in
        group.addTask { await body() }
        group.addTask {
            do { try await Task.sleep(for: limit) } catch { /* The body was faster. */  }
            return nil
        }
        let first = await group.next() ?? nil
        group.cancelAll()
        return first
    }
}
