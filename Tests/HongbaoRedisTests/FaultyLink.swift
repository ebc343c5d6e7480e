import NIOCore
import NIOPosix
import Synchronization

@testable import HongbaoRedis

/// The network between a client and a server: a port that passes everything on, until it's told to fail.
final class FaultyLink: Sendable {
    enum Fault: Sendable {
        case none
        /// After so many more bytes of answers the connection is cut, once.
        case cutAfter(Int)
        case swallowAnswers
        /// Instead of what the server says.
        case answer(String)
    }

    final class Knobs: Sendable {
        let fault = Mutex(Fault.none)
        let connections = Atomic<Int>(0)

        /// What becomes of bytes that the server answers, and whether the connection ends.
        func pass(_ bytes: ByteBuffer) -> (ByteBuffer, isCut: Bool) {
            fault.withLock { fault in
                var bytes = bytes
                switch fault {
                case .none: return (bytes, false)
                case .swallowAnswers: return (ByteBuffer(), false)
                case .answer(let text): return (ByteBuffer(string: text), false)
                case .cutAfter(let left):
                    guard bytes.readableBytes > left else {
                        fault = .cutAfter(left - bytes.readableBytes)
                        return (bytes, false)
                    }
                    fault = .none
                    return (bytes.readSlice(length: left) ?? ByteBuffer(), true)
                }
            }
        }
    }

    private let knobs: Knobs
    private let listener: any Channel

    init(to server: ServerAddress) async throws {
        let knobs = Knobs()
        self.knobs = knobs
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                knobs.connections.add(1, ordering: .relaxed)
                // On the same loop, so that both sides are handled one after the other.
                return ClientBootstrap(group: channel.eventLoop)
                    .channelInitializer { other in
                        other.eventLoop.makeCompletedFuture {
                            try other.pipeline.syncOperations.addHandler(Passing(to: channel, knobs: knobs))
                        }
                    }
                    .connect(host: server.host, port: server.port)
                    .flatMapThrowing { other in
                        try channel.pipeline.syncOperations.addHandler(Passing(to: other, knobs: nil))
                    }
                    .flatMap { channel.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
    }

    deinit { listener.close(promise: nil) }

    var address: ServerAddress { ServerAddress(host: "127.0.0.1", port: listener.localAddress?.port ?? 0) }
    var connectionCount: Int { knobs.connections.load(ordering: .relaxed) }

    func set(_ fault: Fault) { knobs.fault.withLock { $0 = fault } }

    private final class Passing: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let other: any Channel
        /// For answers only.
        private let knobs: Knobs?

        init(to other: any Channel, knobs: Knobs?) {
            self.other = other
            self.knobs = knobs
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            guard let knobs else { return other.writeAndFlush(bytes, promise: nil) }
            let (passed, isCut) = knobs.pass(bytes)
            other.writeAndFlush(passed, promise: nil)
            if isCut { context.close(promise: nil) }
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
