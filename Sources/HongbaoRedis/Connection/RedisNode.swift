package import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// One Redis server, and the one connection to it that all callers share.
///
/// Commands of all who call during a turn of the event loop are written at once. The connection is made by the first
/// call, and again when it was lost.
package final class RedisNode: Redis {
    typealias Waiter = CheckedContinuation<Result<[RESPValue], RedisFault>, Never>

    private struct State {
        var queue: CallQueue<Waiter>
        var channel: (any Channel)?
        var isTicking = false
    }

    /// How late it may be noticed that somebody's time is over.
    private static let tick = TimeAmount.milliseconds(5)

    package let server: ServerAddress
    private let credentials: RedisAddress.Credentials?
    private let security: NIOSSLContext?
    private let settings: RedisSettings
    private let eventLoop: any EventLoop
    private let state: Mutex<State>
    private let ids = Atomic<UInt64>(0)

    init(
        _ server: ServerAddress,
        credentials: RedisAddress.Credentials?,
        security: NIOSSLContext?,
        settings: RedisSettings
    ) {
        self.server = server
        self.credentials = credentials
        self.security = security
        self.settings = settings
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        state = Mutex(State(queue: CallQueue(settings)))
    }

    /// - Throws: when the files that the address names can't be read.
    package convenience init(_ address: RedisAddress, settings: RedisSettings = RedisSettings()) throws {
        self.init(
            address.servers[0],
            credentials: address.credentials,
            security: try address.security.map { try NIOSSLContext($0) },
            settings: settings
        )
    }

    deinit { state.withLock { $0.channel }?.close(promise: nil) }

    // MARK: Calling

    package func call(_ command: RedisCommand, by deadline: NIODeadline) async throws(RedisFault) -> RESPValue {
        do throws(RedisFault) {
            return try await attempt(command, by: deadline)
        } catch {
            // The connection was lost: a new one is made, once.
            switch error.kind {
            case .unsent: break
            case .outcomeUnknown where command.isIdempotent: break
            default: throw error
            }
            guard NIODeadline.now() < deadline, !Task.isCancelled else { throw error }
            return try await attempt(command, by: deadline)
        }
    }

    /// Sends a command once.
    ///
    /// - Parameter asking: told the server before that a slot is on its way to it, so that it answers.
    func attempt(
        _ command: RedisCommand,
        asking: Bool = false,
        by deadline: NIODeadline
    ) async throws(RedisFault) -> RESPValue {
        let bytes = asking ? Self.asking + command.bytes : command.bytes
        let answers = try await answers(to: bytes, count: asking ? 2 : 1, by: deadline)
        if case .error(let line) = answers[answers.count - 1] { throw RedisFault(refusal: line) }
        return answers[answers.count - 1]
    }

    private static let asking = RedisCommand(["ASKING"], isIdempotent: true).bytes

    /// Sends many commands at once and answers what the server says to each, refusals included.
    package func callAll(_ commands: [RedisCommand], by deadline: NIODeadline) async throws(RedisFault) -> [RESPValue] {
        guard !commands.isEmpty else { return [] }
        return try await answers(to: commands.flatMap(\.bytes), count: commands.count, by: deadline)
    }

    private func answers(
        to bytes: [UInt8],
        count: Int,
        by deadline: NIODeadline
    ) async throws(RedisFault) -> [RESPValue] {
        let id = ids.add(1, ordering: .relaxed).newValue
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (waiter: Waiter) in
                let call = CallQueue.Call(id: id, bytes: bytes, answersMax: count, deadline: deadline, waiter: waiter)
                switch state.withLock({ $0.queue.add(call, now: .now()) }) {
                case .nothing: break
                case .connect(let attempt): eventLoop.execute { self.connect(attempt) }
                case .flush: eventLoop.execute { self.flush() }
                case .refuse(let fault): waiter.resume(returning: .failure(fault))
                }
                // From here on `cancel` finds it.
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
        return try result.get()
    }

    private func cancel(_ id: UInt64) {
        if let failure = state.withLock({ $0.queue.cancel(id) }) { tell([failure]) }
    }

    private func tell(_ failures: [CallQueue<Waiter>.Failure]) {
        for failure in failures { failure.waiter.resume(returning: .failure(failure.fault)) }
    }

    package func close() async {
        let (failures, channel) = state.withLock { state in (state.queue.close(), state.channel) }
        tell(failures)
        guard let channel else { return }
        channel.close(promise: nil)
        do {
            try await channel.closeFuture.get()
        } catch {
            // It has ended in any case.
            return
        }
    }

    // MARK: On the event loop

    private func connect(_ attempt: Int) {
        startTicking()
        let (server, settings) = (server, settings)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(settings.connectTimeout))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let security = self.security {
                        // A certificate for an address is checked against the connection's; only names are told.
                        let name = server.isNumeric ? nil : server.host
                        let handler = try NIOSSLClientHandler(context: security, serverHostname: name)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    let handler = RESPHandler(
                        self,
                        attempt: attempt,
                        credentials: self.credentials,
                        limits: settings.parser
                    )
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: server.host, port: server.port)
            .whenComplete { result in
                switch result {
                case .success(let channel): self.connected(channel, attempt)
                case .failure(let error): self.lost(attempt, why: "\(server) can't be reached: \(error)")
                }
            }
    }

    /// Kept from now on, so that it can be given up when the server doesn't greet.
    private func connected(_ channel: any Channel, _ attempt: Int) {
        let isWanted = state.withLock { state in
            guard state.queue.attempt == attempt, state.queue.isConnecting else { return false }
            state.channel = channel
            return true
        }
        // It may be open by now: then it's kept already.
        if !isWanted, state.withLock({ $0.channel !== channel }) { channel.close(promise: nil) }
    }

    /// Answers `false` when nobody waits for this connection any more.
    func opened(_ channel: any Channel, attempt: Int) -> Bool {
        let isWanted = state.withLock { state in
            guard state.queue.opened(attempt, now: .now()) else { return false }
            state.channel = channel
            return true
        }
        if isWanted { flush() }
        return isWanted
    }

    private func flush() {
        let (commands, channel) = state.withLock { state in (state.queue.takeUnsent(now: .now()), state.channel) }
        startTicking()
        guard let channel, !commands.isEmpty else { return }
        var buffer = channel.allocator.buffer(capacity: commands.reduce(0) { $0 + $1.count })
        for command in commands { buffer.writeBytes(command) }
        // When it fails, the channel ends, and all that were sent are told.
        channel.writeAndFlush(buffer, promise: nil)
    }

    /// Answers `false` when there was no question.
    func take(_ answers: [RESPValue], attempt: Int) -> Bool {
        var whole: [(Waiter, [RESPValue])] = []
        let isInStep = state.withLock { state in
            guard state.queue.attempt == attempt else { return false }
            state.queue.heard(now: .now())
            for answer in answers {
                switch state.queue.answered(answer) {
                case .nothing: break
                case .whole(let waiter, let answers): whole.append((waiter, answers))
                case .unasked: return false
                }
            }
            return true
        }
        for (waiter, answers) in whole { waiter.resume(returning: .success(answers)) }
        return isInStep
    }

    func lost(_ attempt: Int, why: String) {
        let failures = state.withLock { state in
            let failures = state.queue.lost(attempt, why: why, now: .now(), jitter: .random(in: 0...UInt8.max))
            if state.queue.attempt == attempt { state.channel = nil }
            return failures
        }
        tell(failures)
    }

    // MARK: Time

    private func startTicking() {
        let isNew = state.withLock { state in
            defer { state.isTicking = true }
            return !state.isTicking
        }
        if isNew { scheduleTick() }
    }

    private func scheduleTick() {
        eventLoop.scheduleTask(in: Self.tick) { [weak self] in self?.expire() }
    }

    private func expire() {
        let (failures, hung) = state.withLock { state in
            let (failures, isHung) = state.queue.expire(now: .now())
            return (failures, isHung ? (channel: state.channel, attempt: state.queue.attempt) : nil)
        }
        tell(failures)
        if let hung {
            hung.channel?.close(promise: nil)
            lost(hung.attempt, why: "\(server) says nothing")
        }
        let goesOn = state.withLock { state in
            state.isTicking = state.queue.isWaiting || state.queue.isConnecting
            return state.isTicking
        }
        if goesOn { scheduleTick() }
    }
}

extension ServerAddress {
    /// Whether the host is an address rather than a name.
    var isNumeric: Bool {
        do {
            _ = try SocketAddress(ipAddress: host, port: port)
            return true
        } catch {
            return false
        }
    }
}

extension NIOSSLContext {
    /// - Throws: when a file can't be read.
    convenience init(_ security: RedisAddress.Security) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = security.authorities { configuration.trustRoots = .file(file) }
        if let certificate = security.certificate, let key = security.key {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
        }
        // A server that hangs isn't waited for when the connection is given up.
        configuration.shutdownTimeout = .milliseconds(200)
        try self.init(configuration: configuration)
    }
}
