import HongbaoServer

struct Interrupted: Error, CustomStringConvertible {
    let description = "interrupted"
}

/// Runs this until it's done, or until Ctrl-C or SIGTERM cancel it; the programs that it has started end with it.
func interruptible<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            await Interrupt.wait()
            throw Interrupted()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { preconditionFailure("a group of two is empty") }
        return first
    }
}
