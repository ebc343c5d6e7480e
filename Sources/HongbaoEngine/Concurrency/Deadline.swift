/// Runs `body`, cancels it when it takes longer than `limit`, and answers `nil` then.
///
/// Cancelling is a request: this waits until `body` has ended one way or the other.
package func withDeadline<Answer: Sendable>(
    _ limit: Duration,
    on timer: any Clock<Duration> = ContinuousClock(),
    _ body: @escaping @Sendable () async -> Answer
) async -> Answer? {
    await withTaskGroup(of: Answer?.self) { group in
        group.addTask { await body() }
        group.addTask {
            await pause(limit, on: timer)
            return nil
        }
        let first = await group.next() ?? nil
        group.cancelAll()
        return first
    }
}

/// Waits unless cancelled; never throws, since nobody who retries cares why it stopped waiting.
package func pause(_ duration: Duration, on timer: any Clock<Duration>) async {
    do {
        try await timer.sleep(for: duration)
    } catch {
        return
    }
}
