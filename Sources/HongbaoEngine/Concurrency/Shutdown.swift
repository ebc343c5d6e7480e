import ServiceLifecycle

/// Runs `body`, and cancels it when a graceful shutdown begins.
///
/// The library's own function for this starts an unstructured task, which would leave whatever executor the services
/// run on.
func cancelOnShutdown(_ body: @escaping @Sendable () async -> Void) async {
    let end = Doorbell()
    await withTaskGroup(of: Void.self) { group in
        group.addTask { await body() }
        group.addTask {
            await withGracefulShutdownHandler {
                await end.wait()
            } onGracefulShutdown: {
                end.ring()
            }
        }
        await group.next()
        group.cancelAll()
    }
}
