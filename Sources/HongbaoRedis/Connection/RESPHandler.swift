import NIOCore

/// One connection's side of a node: gets it let in, reads what the server says.
///
/// Lives on the event loop. When the node has gone, it closes the connection.
final class RESPHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What is asked before anything else, and what the answers mean.
    private enum Greeting { case authentication, ping }

    private weak var node: RedisNode?
    private let attempt: Int
    private var greetings: [Greeting]
    private let credentials: RedisAddress.Credentials?
    private var parser: RESPParser
    /// What was wrong first. Nothing is read any more then.
    private var whyGivenUp: String?

    init(_ node: RedisNode, attempt: Int, credentials: RedisAddress.Credentials?, limits: RESPParser.Limits) {
        self.node = node
        self.attempt = attempt
        self.credentials = credentials
        greetings = (credentials == nil ? [] : [.authentication]) + [.ping]
        parser = RESPParser(limits)
    }

    func channelActive(context: ChannelHandlerContext) {
        var bytes: [UInt8] = []
        if let credentials {
            let words = ["AUTH"] + (credentials.user.map { [$0] } ?? []) + [credentials.password]
            bytes += RedisCommand(words, isIdempotent: true).bytes
        }
        bytes += RedisCommand(["PING"], isIdempotent: true).bytes
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard whyGivenUp == nil else { return }
        guard let node else { return giveUp("nobody asks any more", context) }
        parser.append(unwrapInboundIn(data).readableBytesView)
        var answers: [RESPValue] = []
        do throws(RESPFault) {
            while whyGivenUp == nil, let value = try parser.next() {
                if case .push = value { continue }
                if greetings.isEmpty {
                    answers.append(value)
                } else {
                    greet(value, node, context)
                }
            }
        } catch {
            giveUp("the server said what isn't its protocol: \(error)", context)
        }
        if !node.take(answers, attempt: attempt) { giveUp("the server said more than it was asked", context) }
    }

    private func greet(_ value: RESPValue, _ node: RedisNode, _ context: ChannelHandlerContext) {
        switch (greetings.removeFirst(), value) {
        case (.authentication, .error(let text)):
            giveUp("the server doesn't let us in: \(text)", context)
        case (.authentication, _): break
        // A user who may do everything needed but this is welcome, too.
        case (.ping, .error(let text)) where !text.hasPrefix("NOPERM"):
            giveUp("the server isn't ready: \(text)", context)
        case (.ping, _):
            if !node.opened(context.channel, attempt: attempt) { giveUp("nobody waits any more", context) }
        }
    }

    private func giveUp(_ why: String, _ context: ChannelHandlerContext) {
        guard whyGivenUp == nil else { return }
        whyGivenUp = why
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        giveUp("the connection failed: \(error)", context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        node?.lost(attempt, why: whyGivenUp ?? "the connection was lost")
    }
}
