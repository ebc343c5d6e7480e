import UnixSignals

package enum Interrupt {
    /// Waits for Ctrl-C or SIGTERM.
    package static func wait() async {
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return }
    }
}
