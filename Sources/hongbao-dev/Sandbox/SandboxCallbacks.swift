import HongbaoEngine
import HongbaoGateway
import Logging
import ServiceLifecycle

/// Tells the platform of final orders, signed, and tries again when that isn't acknowledged.
struct SandboxCallbacks: Service {
    static let attemptsMax = 6
    static let atATimeMax = 32
    static let queuedMax = 100_000

    private let base: String
    private let client: SignedClient
    private let journal: SandboxJournal
    private let logger: Logger
    private let entries: AsyncStream<SandboxEntry>
    private let queue: AsyncStream<SandboxEntry>.Continuation

    /// `base` is like `http://127.0.0.1:8080`; `/v1/callbacks/` and the system's name come behind it.
    init(base: String, client: SignedClient, journal: SandboxJournal, logger: Logger) {
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.client = client
        self.journal = journal
        self.logger = logger
        (entries, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.queuedMax))
    }

    /// What doesn't fit into the queue is a lost callback, as such things are in life.
    func send(_ entry: SandboxEntry) {
        for _ in 0..<entry.callbacks { queue.yield(entry) }
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await entry in entries.cancelOnGracefulShutdown() {
                if running >= Self.atATimeMax { await group.next() } else { running += 1 }
                group.addTask {
                    do {
                        try await cancelWhenGracefulShutdown { try await deliver(entry) }
                    } catch {
                        logger.warning("a callback was given up", metadata: ["error": "\(error)"])
                    }
                }
            }
        }
    }

    private func deliver(_ entry: SandboxEntry) async throws {
        let body = PayoutMessages.callback(entry.result)
        var pause = Duration.milliseconds(200)
        for attempt in 1...Self.attemptsMax {
            if await isTaken(body, from: entry.key.system) {
                journal.append(SandboxBank.line(acknowledging: entry))
                return try await journal.flush()
            }
            guard attempt < Self.attemptsMax else { return }
            try await Task.sleep(for: pause)
            pause *= 2
        }
    }

    private func isTaken(_ body: [UInt8], from system: OutsideSystem) async -> Bool {
        do {
            _ = try await client.post("\(base)/v1/callbacks/\(system.rawValue)", body)
            return true
        } catch {
            logger.debug("a callback wasn't delivered", metadata: ["error": "\(error)"])
            return false
        }
    }
}
