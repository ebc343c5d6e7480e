import AsyncHTTPClient
import Crypto
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle

/// Tells the platform of final orders, signed, and tries again when that isn't acknowledged.
struct SandboxCallbacks: Service {
    static let attemptsMax = 6
    static let atATimeMax = 32
    static let queuedMax = 100_000

    private let url: String
    private let client: HTTPClient
    private let signature: CallbackSignature
    private let journal: SandboxJournal
    private let logger: Logger
    private let entries: AsyncStream<SandboxBank.Entry>
    private let queue: AsyncStream<SandboxBank.Entry>.Continuation

    init(url: String, client: HTTPClient, key: SymmetricKey, journal: SandboxJournal, logger: Logger) {
        self.url = url
        self.client = client
        signature = CallbackSignature(key: key)
        self.journal = journal
        self.logger = logger
        (entries, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.queuedMax))
    }

    /// What doesn't fit into the queue is a lost callback, as such things are in life.
    func send(_ entry: SandboxBank.Entry) {
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

    private func deliver(_ entry: SandboxBank.Entry) async throws {
        let body = PayoutMessages.callback(entry.result)
        var pause = Duration.milliseconds(200)
        for attempt in 1...Self.attemptsMax {
            if await post(body) {
                journal.append(SandboxBank.acknowledgement(of: entry.order))
                return try await journal.flush()
            }
            guard attempt < Self.attemptsMax else { return }
            try await Task.sleep(for: pause)
            pause *= 2
        }
    }

    private func post(_ body: [UInt8]) async -> Bool {
        var random = SystemRandomNumberGenerator()
        let nonce = "hongbao-sandbox-\(random.next())-\(random.next())"
        let time = Timestamp.now
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: CallbackSignature.timestampHeader, value: String(time.milliseconds))
        request.headers.add(name: CallbackSignature.nonceHeader, value: nonce)
        request.headers.add(
            name: CallbackSignature.signatureHeader,
            value: signature.sign(timestamp: time, nonce: nonce, body: body)
        )
        request.body = .bytes(body)
        do {
            let response = try await client.execute(request, timeout: .seconds(5))
            return (200..<300).contains(response.status.code)
        } catch {
            logger.debug("a callback wasn't delivered", metadata: ["error": "\(error)"])
            return false
        }
    }
}
