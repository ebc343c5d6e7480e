package import HongbaoCore
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Tells whoever posts for this process that there is something in its logs (DP-4). What doesn't get through is found
/// in the log later.
package final class PostingHints: Service {
    package struct Configuration: Sendable {
        /// How often at most a hint is sent of each mint.
        package var interval = Duration.milliseconds(20)
        /// How long the queue is left alone after it didn't take one.
        package var pause = Duration.milliseconds(500)

        package init() {}
    }

    private let queue: any WorkQueue
    private let configuration: Configuration
    private let clock: WallClock
    private let logger: Logger
    private let news = Mutex<[MintID: UInt64]>([:])
    private let work = Doorbell()
    private let sent = Counter(label: "hongbao_queue_hints_total", dimensions: [("outcome", "sent")])
    private let failed = Counter(label: "hongbao_queue_hints_total", dimensions: [("outcome", "failed")])

    package init(
        _ queue: any WorkQueue,
        configuration: Configuration = Configuration(),
        clock: WallClock = .system,
        logger: Logger
    ) {
        self.queue = queue
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
    }

    /// All up to this sequence is durable. Waits for nothing.
    package func logged(_ mint: MintID, upTo sequence: UInt64) {
        news.withLock { $0[mint] = sequence }
        work.ring()
    }

    package func run() async throws {
        await cancelOnShutdown {
            var isAway = false
            while !Task.isCancelled {
                await self.work.wait()
                let fault = await self.send(self.news.withLock { $0.take() })
                if let fault, !isAway {
                    self.logger.warning("the queue takes no hints", metadata: ["error": "\(fault)"])
                } else if fault == nil, isAway {
                    self.logger.notice("the queue takes hints again")
                }
                isAway = fault != nil
                await self.clock.pause(isAway ? self.configuration.pause : self.configuration.interval)
            }
        }
    }

    private func send(_ news: [MintID: UInt64]) async -> QueueUnavailable? {
        await withTaskGroup(of: QueueUnavailable?.self) { group in
            for (mint, sequence) in news {
                group.addTask {
                    do throws(QueueUnavailable) {
                        try await self.queue.publish(PostingHint(mint: mint, sequence: sequence).item)
                        self.sent.increment()
                        return nil
                    } catch {
                        self.failed.increment()
                        return error
                    }
                }
            }
            return await group.reduce(nil) { $0 ?? $1 }
        }
    }
}

extension Dictionary {
    /// What is in it, which leaves it empty.
    fileprivate mutating func take() -> Self {
        defer { self = [:] }
        return self
    }
}
