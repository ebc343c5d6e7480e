import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Logging

#if NATS
    import HongbaoNATS
#endif

/// The servers of NATS that carry hints between the nodes of a cluster.
package struct QueueSettings: Hashable, Sendable {
    /// With user and password.
    package let url: String
    /// How many servers have each message; `nil`: three where three are named.
    package let replicas: Int?

    static let keys: [(key: String, meaning: String)] = [
        ("queue.url", "NATS that tells async nodes what to post: nats://a:4222,b:4222,c:4222 (the logs are read)"),
        ("queue.replicas", "how many servers of NATS keep each hint, 1 to 5 (3 if queue.url names as many, else 1)"),
    ]

    /// `nil` when nodes tell each other nothing.
    init?(_ settings: Settings) throws(ServerConfiguration.Invalid) {
        replicas = try settings.int("queue.replicas", in: 1...5)
        guard let url = settings.string("queue.url", isSecret: true) else { return nil }
        #if NATS
            guard NATSAddress(url) != nil else {
                let reason = "must be like nats://user:password@10.0.0.5:4222,10.0.0.6:4222, or tls://… with ?ca=FILE"
                throw ServerConfiguration.Invalid(key: "queue.url", reason: reason)
            }
        #endif
        self.url = url
    }
}

/// How what a process accepts comes to be posted, and what it posts for others.
struct NodePosting {
    let duty: Poster.Duty
    /// Where this process tells others to post for it.
    let hints: PostingHints?
    private let queue: any WorkQueue
    private let helps: Bool

    /// - Parameter cluster: `nil` for a process by itself, which posts as it accepts.
    init(_ cluster: ClusterSettings?, _ logger: Logger) throws(StartFault) {
        let posts = cluster?.posts ?? true
        duty = posts ? .posts : .follows
        helps = posts && cluster != nil
        queue = try Self.open(cluster?.queue, logger)
        let isAnybodyTold = cluster?.queue != nil && cluster?.takesMints == true && !posts
        hints = isAnybodyTold ? PostingHints(queue, logger: logger) : nil
    }

    /// Who posts for others; `nil` when that isn't this node's part.
    func worker(
        _ shards: Shards,
        _ keyring: Keyring,
        _ engines: Engines,
        _ configuration: ServerConfiguration,
        _ alarms: Alarms,
        _ logger: Logger
    ) -> PostingWorker? {
        guard helps else { return nil }
        var own = PostingWorker.Configuration()
        own.poster = configuration.engine.poster
        if let silence = configuration.cluster?.silence { own.silence = silence }
        return PostingWorker(
            shards: shards,
            queue: queue,
            keyring: keyring,
            campaigns: { engines.campaigns },
            configuration: own,
            seed: .random(in: 0...UInt64.max),
            alarms: alarms,
            logger: logger
        )
    }

    func close() async { await queue.close() }

    #if NATS
        private static func open(_ settings: QueueSettings?, _ logger: Logger) throws(StartFault) -> any WorkQueue {
            guard let settings else { return MemoryQueue() }
            guard let address = NATSAddress(settings.url) else { throw StartFault("queue.url: it's no address") }
            var configuration = NATSQueue.Configuration()
            configuration.replicas = settings.replicas ?? (address.servers.count >= 3 ? 3 : 1)
            logger.info("hints in NATS", metadata: ["servers": "\(address)", "replicas": "\(configuration.replicas)"])
            return NATSQueue(address, configuration)
        }
    #else
        private static func open(_ settings: QueueSettings?, _ logger: Logger) throws(StartFault) -> any WorkQueue {
            if settings == nil { return MemoryQueue() }
            throw StartFault("queue.url: this build has no NATS; build it with `swift build --traits MySQL,NATS`")
        }
    #endif
}
