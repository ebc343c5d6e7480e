import HongbaoEngine
import HongbaoTesting
import Testing

#if NATS
    import HongbaoNATS
#endif

/// What keeps a queue: every kind that there is, with nothing in it.
enum QueueBackend: String, CaseIterable, Sendable {
    case memory
    #if NATS
        case nats
    #endif

    /// - Parameter acknowledgeWithin: how soon what isn't acknowledged is delivered again.
    func with(
        acknowledgeWithin: Duration = .seconds(60),
        _ body: @Sendable (any WorkQueue) async throws -> Void
    ) async throws {
        switch self {
        case .memory:
            var configuration = MemoryQueue.Configuration()
            configuration.acknowledgeWithin = acknowledgeWithin
            let queue = MemoryQueue(configuration)
            try await body(queue)
            await queue.close()
        #if NATS
            case .nats:
                var configuration = NATSQueue.Configuration.forTests()
                configuration.acknowledgeWithin = acknowledgeWithin
                let queue = try await NATSQueue.ready(try await NATSCluster.forAll(), configuration)
                try await body(queue)
                await queue.close()
        #endif
        }
    }
}

extension WorkItem {
    static func forTests(_ id: String, topic: String = "post.1") -> WorkItem {
        WorkItem(topic: topic, body: Array("body of \(id)".utf8), id: id)
    }
}

extension WorkQueue {
    /// Receives until so many have come, and acknowledges each.
    func take(_ count: Int) async throws -> [Delivery] {
        var all: [Delivery] = []
        while all.count < count {
            let deliveries = try await receive(upTo: count - all.count, wait: .seconds(10))
            for delivery in deliveries { acknowledge(delivery) }
            all += deliveries
        }
        return all
    }
}

#if NATS
    extension NATSCluster {
        private static let shared = Task { try await NATSCluster() }

        /// Three servers for all tests of a process that don't harm them.
        static func forAll() async throws -> NATSCluster { try await shared.value }
    }

    extension NATSQueue.Configuration {
        /// On three servers, with a stream of its own.
        static func forTests() -> Self {
            var configuration = Self()
            configuration.stream = "TEST\(UInt64.random(in: 0 ... .max))"
            configuration.replicas = 3
            configuration.answerLimit = .seconds(5)
            return configuration
        }
    }

    extension NATSQueue {
        /// One that answers.
        static func ready(_ cluster: NATSCluster, _ configuration: Configuration) async throws -> NATSQueue {
            let queue = NATSQueue(try #require(NATSAddress(cluster.address)), configuration)
            while await !queue.answers() { try await Task.sleep(for: .milliseconds(20)) }
            return queue
        }

        func answers() async -> Bool {
            do throws(QueueUnavailable) {
                for delivery in try await receive(upTo: 1, wait: .milliseconds(1)) { giveBack(delivery, after: .zero) }
                return true
            } catch {
                return false
            }
        }
    }
#endif
