package import AsyncHTTPClient
import HongbaoCore
package import HongbaoEngine
package import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization

/// Tells a chat of alarms, through the webhook of a Lark bot (AS-2).
///
/// Whoever raises an alarm never waits: it's put into a bounded queue (`AlarmQueue`). What can't be sent is tried a few
/// times and then told with the next message of its kind. When the process stops, what waits is tried once more.
package final class AlarmWebhook: Service {
    package struct Configuration: Sendable {
        /// The bot's address. Whoever knows it can write to the chat: it's never logged.
        package var url: String
        /// Of a bot that checks signatures.
        package var secret: String?
        /// Which server this is, for people.
        package var instance: String
        /// Of each kind one message in such a time.
        package var window = Duration.seconds(60)
        package var attemptsMax = 4
        /// Before the second attempt; it doubles.
        package var firstPause = Duration.seconds(1)
        /// Of one attempt.
        package var deadline = Duration.seconds(5)
        /// For all that waits when the process stops.
        package var lastWordsDeadline = Duration.seconds(3)

        package init(url: String, secret: String?, instance: String) {
            self.url = url
            self.secret = secret
            self.instance = instance
        }
    }

    private struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    private static let answerBytesMax = 64 << 10

    private let configuration: Configuration
    private let client: HTTPClient
    private let clock: WallClock
    private let logger: Logger
    private let queue: Mutex<AlarmQueue>
    private let bell = Doorbell()
    private let sent: PrometheusCounter
    private let failed: PrometheusCounter
    private let untold: PrometheusCounter

    /// The client is the caller's to shut down.
    package init(
        _ configuration: Configuration,
        client: HTTPClient,
        clock: WallClock = .system,
        metrics: PrometheusRegistry,
        logger: Logger
    ) {
        self.configuration = configuration
        self.client = client
        self.clock = clock
        self.logger = logger
        queue = Mutex(AlarmQueue(window: configuration.window))
        metrics.describe("hongbao_alarm_messages_total", "Messages to the chat's webhook about alarms, by result.")
        metrics.describe("hongbao_alarm_details_dropped_total", "Alarms of which the chat learns only their number.")
        sent = metrics.counter("hongbao_alarm_messages_total", [("result", "sent")])
        failed = metrics.counter("hongbao_alarm_messages_total", [("result", "failed")])
        untold = metrics.counter("hongbao_alarm_details_dropped_total")
    }

    /// Takes an alarm and returns at once.
    package func raise(_ kind: Alarms.Kind, _ detail: () -> String) {
        let now = clock.now()
        let isTold = queue.withLock { $0.add(kind, detail, at: now) }
        if !isTold { untold.increment(by: Int64(1)) }
        bell.ring()
    }

    /// Sends messages until graceful shutdown, and then what is left.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await self.work() }
        _ = await withDeadline(configuration.lastWordsDeadline, on: clock.timer) {
            for message in self.queue.withLock({ $0.takeAll() }) { await self.attempt(message) }
        }
    }

    private func work() async {
        while !Task.isCancelled {
            let now = clock.uptime()
            let (message, next) = queue.withLock { ($0.take(now: now), $0.nextTime) }
            if let message {
                await deliver(message)
            } else if let next {
                _ = await withDeadline(next - now, on: clock.timer) { await self.bell.wait() }
            } else {
                await bell.wait()
            }
        }
    }

    private func deliver(_ message: AlarmQueue.Message) async {
        var pause = configuration.firstPause
        for attempt in 1...configuration.attemptsMax {
            if await self.attempt(message) { return }
            guard attempt < configuration.attemptsMax, !Task.isCancelled else { break }
            await clock.pause(pause)
            pause *= 2
        }
        queue.withLock { $0.putBack(message) }
    }

    @discardableResult
    private func attempt(_ message: AlarmQueue.Message) async -> Bool {
        do {
            try await post(message)
            sent.increment(by: Int64(1))
            return true
        } catch {
            failed.increment(by: Int64(1))
            logger.warning(
                "the chat wasn't told of an alarm",
                metadata: ["kind": "\(message.kind.rawValue)", "error": "\(error)"]
            )
            return false
        }
    }

    private func post(_ message: AlarmQueue.Message) async throws {
        var request = HTTPClientRequest(url: configuration.url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json; charset=utf-8")
        let text = Self.text(message, instance: configuration.instance)
        request.body = .bytes(LarkMessages.text(text, secret: configuration.secret, now: clock.now()))
        let response = try await client.execute(request, timeout: TimeAmount(configuration.deadline))
        let answer = Array(try await response.body.collect(upTo: Self.answerBytesMax).readableBytesView)
        guard (200..<300).contains(response.status.code) else { throw Refused(description: "\(response.status)") }
        guard LarkMessages.isTaken(answer) else {
            throw Refused(description: String(decoding: answer.prefix(200), as: UTF8.self))
        }
    }

    /// What a person needs to act.
    static func text(_ message: AlarmQueue.Message, instance: String) -> String {
        var lines = [
            "Hongbao alarm: \(message.kind.rawValue)",
            "instance: \(instance)",
            "time: \(message.firstAt.iso8601())",
        ]
        if message.count > 1 { lines.append("times: \(message.count)") }
        lines += message.details.map { "detail: \($0)" }
        lines.append("what to do: \(message.kind.advice)")
        lines.append("more: docs/operations.md#alarms")
        return lines.joined(separator: "\n")
    }
}

extension Alarms.Kind {
    /// What a person should do first; in full in `docs/operations.md`.
    var advice: String { Self.advices[self] ?? "see the table of alarms" }

    static let advices: [Alarms.Kind: String] = [
        .orderConflict: "Nothing is lost. Ask the campaign's back-end why it repeats an order with other content.",
        .overCap: "Nothing was paid. Ask the campaign's back-end, or correct the cap in the campaign file.",
        .forgedToken: "A minting key may be in other hands. Stop the server, revoke the epoch in use, start again.",
        .postingConflict: "Run hongbao audit (M4 names the scene), keep the data, call the developers.",
        .postingStuck: "Run hongbao audit, keep the data, call the developers. Grants go on until the backlog's bound.",
        .corruptData: "Stop the server. Check the disk, run hongbao audit, restore from a backup if it's damaged.",
        .fenced: "This process has stopped accepting. Find out whether two run on copies of one folder.",
        .payoutContradiction: "Nothing was changed. Compare the order with the channel's daily file; a person decides.",
        .payoutStuck: "Look at hongbao_payout_reports_total, then ask the channel's operators about the order.",
        .outsideContradiction: "Nothing was changed. Compare the order with the system's daily file; a person decides.",
        .outsideStuck: "Look at hongbao_outside_reports_total, then ask the system's operators about the order.",
        .paymentReturned: "Nothing is lost: all of it is refunded. Ask the cashier's operators why, if there are many.",
        .orderRefused: "It goes on by itself. Ask the system's operators why it refused, if it comes again.",
        .totalsDiffer: "Screens may stand still, no money is concerned. Look why a hot state lost data.",
        .breakerOpen: "Nothing is lost, orders wait. Look at hongbao_outside_reports_total, ask its operators.",
        .auditBreach: "Books or log contradict themselves. Run `hongbao audit`, keep the data, call the developers.",
    ]
}
