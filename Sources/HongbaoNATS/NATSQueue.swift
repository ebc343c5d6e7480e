import CNATSClient
import Dispatch
package import HongbaoEngine
import Synchronization

/// The queue of a cluster, in a stream of NATS's JetStream that all nodes share.
///
/// The library has threads of its own, and its calls block. They're made on two queues of their own: one for what is
/// sent, whose calls wait for no answer, and one for what is received. Messages on their way are many at a time; the
/// library tells of each what became of it.
package final class NATSQueue: WorkQueue {
    package struct Configuration: Sendable {
        /// Also the first word of its subjects.
        package var stream = "HONGBAO"
        /// How many servers have each message. Not more than there are.
        package var replicas = 1
        /// How long servers may take over an answer.
        package var answerLimit = Duration.seconds(2)
        /// What isn't acknowledged by then is delivered again.
        package var acknowledgeWithin = Duration.seconds(30)
        /// How long an ID is known.
        package var repeatsKnownFor = Duration.seconds(120)
        package var itemsMax = 100_000
        /// Hints of yesterday help nobody.
        package var keptFor = Duration.seconds(3600)
        /// Messages that are sent and not answered.
        package var inFlightMax = 4_096
        package var unacknowledgedMax = 4_096

        package init() {}
    }

    /// What the threads know of the library's connection.
    private struct Link: Sendable {
        /// 0 before it's there and after it's gone.
        var client: UInt = 0
        var isSetUp = false
        var triedAt: ContinuousClock.Instant?
        var isClosed = false
        /// Why there is none.
        var fault = "it isn't connected yet"

        var pointer: OpaquePointer? { OpaquePointer(bitPattern: client) }
    }

    private let address: NATSAddress
    private let configuration: Configuration
    private let link = Mutex(Link())
    private let calls = Calls()
    private let sending = DispatchQueue(label: "hongbao.nats.sending")
    private let receiving = DispatchQueue(label: "hongbao.nats.receiving")
    /// Answers to deliveries that aren't sent yet.
    private let replies = Mutex(0)

    /// Begins to connect, and goes on trying.
    package init(_ address: NATSAddress, _ configuration: Configuration = Configuration()) {
        self.address = address
        self.configuration = configuration
        receiving.async { self.open() }
    }

    // MARK: Sending

    package func publish(_ item: WorkItem) async throws(QueueUnavailable) {
        let code = await withCheckedContinuation { continuation in
            guard calls.begin(max: configuration.inFlightMax) else { return continuation.resume(returning: Self.full) }
            let deadline = ContinuousClock.now + configuration.answerLimit
            sending.async { self.send(item, by: deadline, continuation) }
        }
        if code == 0 { return }
        if code != Self.full, code != Self.away { receiving.async { self.setUpAgain() } }
        throw fault(code)
    }

    private func send(
        _ item: WorkItem,
        by deadline: ContinuousClock.Instant,
        _ continuation: CheckedContinuation<Int32, Never>
    ) {
        let link = link.withLock { $0 }
        guard let client = link.pointer, nats_client_is_connected(client) != 0, ContinuousClock.now < deadline else {
            calls.end()
            return continuation.resume(returning: Self.away)
        }
        let message = item.body.withUnsafeBytes { bytes in
            nats_client_message("\(configuration.stream).\(item.topic)", bytes.baseAddress, bytes.count)
        }
        guard message != 0 else {
            calls.end()
            return continuation.resume(returning: Self.full)
        }
        calls.add(message, continuation)
        let code = nats_client_send(client, message, item.id)
        if code != 0 { calls.told(message, code) }
    }

    package func acknowledge(_ delivery: Delivery) { reply(delivery, "+ACK") }

    package func giveBack(_ delivery: Delivery, after delay: Duration) {
        let nanoseconds = Int64(max(delay, .zero) / .nanoseconds(1))
        reply(delivery, nanoseconds == 0 ? "-NAK" : "-NAK {\"delay\": \(nanoseconds)}")
    }

    private func reply(_ delivery: Delivery, _ text: String) {
        // Those that are too many are delivered again.
        let isFull = replies.withLock { count in
            guard count < configuration.unacknowledgedMax else { return true }
            count += 1
            return false
        }
        guard !isFull else { return }
        sending.async { [self] in
            replies.withLock { $0 -= 1 }
            guard let client = link.withLock({ $0.pointer }), nats_client_is_connected(client) != 0 else { return }
            _ = nats_client_reply(client, delivery.receipt, text)
        }
    }

    // MARK: Receiving

    package func receive(upTo limit: Int, wait: Duration) async throws(QueueUnavailable) -> [Delivery] {
        let end = ContinuousClock.now + wait
        let result: Result<[Delivery], QueueUnavailable> = await withCheckedContinuation { continuation in
            receiving.async { continuation.resume(returning: self.fetch(limit, until: end)) }
        }
        return try result.get()
    }

    private func fetch(_ limit: Int, until end: ContinuousClock.Instant) -> Result<[Delivery], QueueUnavailable> {
        guard let client = link.withLock({ $0.pointer }), nats_client_is_connected(client) != 0 else {
            return .failure(fault(Self.away))
        }
        guard link.withLock({ $0.isSetUp }) || setUp(client) else { return .failure(fault(Self.away)) }
        var deliveries: [Delivery] = []
        var code: Int32 = 0
        repeat {
            let wait = max(1, Int64((end - ContinuousClock.now) / .milliseconds(1)))
            code = withUnsafeMutablePointer(to: &deliveries) { deliveries in
                nats_client_fetch(client, Int32(clamping: max(1, limit)), wait, Self.taken, deliveries)
            }
        } while code == 0 && deliveries.isEmpty && ContinuousClock.now < end && nats_client_is_connected(client) != 0
        if code != 0 { link.withLock { $0.isSetUp = false } }
        guard code == 0, !deliveries.isEmpty || nats_client_is_connected(client) != 0 else {
            return .failure(fault(code == 0 ? Self.away : code))
        }
        return .success(deliveries)
    }

    /// Puts a message into the array that the context points to.
    private static let taken: nats_client_taken = { context, subject, reply, id, attempt, bytes, count in
        guard let context, let subject, let reply, let id else { return }
        let item = WorkItem(
            topic: String(String(cString: subject).drop { $0 != "." }.dropFirst()),
            body: Array(UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)),
            id: String(cString: id)
        )
        let delivery = Delivery(item, attempt: Int(clamping: attempt), receipt: String(cString: reply))
        context.assumingMemoryBound(to: [Delivery].self).pointee.append(delivery)
    }

    // MARK: The connection

    private func open() {
        var code: Int32 = 0
        let client = withOptions { nats_client_open(&$0, calls.number, Calls.told, &code) }
        link.withLock { link in
            link.client = UInt(bitPattern: client)
            if client == nil { link.fault = String(cString: nats_client_text(code)) }
        }
        setUpAgain()
    }

    /// Servers that have lost everything have no stream any more.
    private func setUpAgain() {
        let link = link.withLock { $0 }
        guard let client = link.pointer, nats_client_is_connected(client) != 0 else { return }
        if let tried = link.triedAt, ContinuousClock.now - tried < .milliseconds(500) { return }
        _ = setUp(client)
    }

    private func setUp(_ client: OpaquePointer) -> Bool {
        let code = nats_client_set_up(client)
        link.withLock { link in
            link.triedAt = .now
            link.isSetUp = code == 0
            if code != 0 { link.fault = String(cString: nats_client_text(code)) }
        }
        return code == 0
    }

    /// Nothing is sent or received any more; who waits is told that it's unknown.
    package func close() async {
        await withCheckedContinuation { continuation in
            sending.async { [self] in
                let client = link.withLock { link in
                    defer { link.client = 0 }
                    link.fault = "the queue is closed"
                    return link.client
                }
                receiving.async { [self] in
                    if let client = OpaquePointer(bitPattern: client) { nats_client_close(client) }
                    calls.endAll()
                    continuation.resume()
                }
            }
        }
    }

    private static let full: Int32 = -1
    private static let away: Int32 = -2

    private func fault(_ code: Int32) -> QueueUnavailable {
        switch code {
        case Self.full: QueueUnavailable("\(address): too much is under way")
        case Self.away: QueueUnavailable("\(address): \(link.withLock { $0.fault })")
        default: QueueUnavailable("\(address): \(String(cString: nats_client_text(code)))")
        }
    }

    private func withOptions<Answer>(_ body: (inout nats_client_options) -> Answer) -> Answer {
        var options = nats_client_options()
        options.server_count = Int32(address.servers.count)
        options.requires_tls = address.requiresTLS ? 1 : 0
        options.answer_milliseconds = milliseconds(configuration.answerLimit)
        options.in_flight_max = Int32(clamping: 2 * configuration.inFlightMax)
        options.replicas = Int32(clamping: configuration.replicas)
        options.messages_max = Int64(configuration.itemsMax)
        options.message_bytes_max = Int32(4 * WorkItem.bytesMax)
        options.age_milliseconds = milliseconds(configuration.keptFor)
        options.repeat_milliseconds = milliseconds(configuration.repeatsKnownFor)
        options.acknowledge_milliseconds = milliseconds(configuration.acknowledgeWithin)
        options.unacknowledged_max = Int64(configuration.unacknowledgedMax)
        let files = [address.authorityFile, address.certificateFile, address.keyFile, address.credentialsFile]
        let (stream, subjects) = (configuration.stream, "\(configuration.stream).>")
        let texts: [String?] = files + ["hongbao", stream, subjects, "workers"] + address.servers
        return withCStrings(texts) { strings in
            options.authority_file = strings[0]
            options.certificate_file = strings[1]
            options.key_file = strings[2]
            options.credentials_file = strings[3]
            options.name = strings[4]
            options.stream = strings[5]
            options.subjects = strings[6]
            options.consumer = strings[7]
            return strings[8...].withUnsafeBufferPointer { servers in
                options.servers = servers.baseAddress
                return body(&options)
            }
        }
    }

    private func milliseconds(_ duration: Duration) -> Int64 { max(1, Int64(duration / .milliseconds(1))) }
}

/// Valid while `body` runs; `nil` stays `nil`.
private func withCStrings<Answer>(_ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> Answer) -> Answer {
    let copies = texts.map { text in text.map { text in Array(text.utf8CString) } }
    func next(_ index: Int, _ strings: [UnsafePointer<CChar>?]) -> Answer {
        guard index < copies.count else { return body(strings) }
        guard let copy = copies[index] else { return next(index + 1, strings + [nil]) }
        return copy.withUnsafeBufferPointer { next(index + 1, strings + [$0.baseAddress]) }
    }
    return next(0, [])
}
