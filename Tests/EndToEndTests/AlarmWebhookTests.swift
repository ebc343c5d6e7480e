import AsyncHTTPClient
import Crypto
import Foundation
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import ServiceLifecycle
import Synchronization
import Testing

/// Alarms to a chat, over real HTTP: in the form that Lark's bots take, and never in anybody's way (AS-2).
@Suite(.timeLimit(.minutes(15))) struct AlarmWebhookTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private struct Message: Sendable {
        let text: String
        let timestamp: String?
        let sign: String?

        init(_ body: [UInt8]) throws {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
            #expect(object["msg_type"] as? String == "text")
            text = try #require((object["content"] as? [String: Any])?["text"] as? String)
            timestamp = object["timestamp"] as? String
            sign = object["sign"] as? String
        }
    }

    /// A bot that answers as told, and remembers what it was sent.
    private final class Bot: Sendable {
        let messages = Mutex<[Message]>([])
        let answer = Mutex<(status: HTTPResponse.Status, body: String)>((.ok, #"{"code":0,"msg":"success"}"#))
        let hangs = Mutex(false)

        var router: Router<BasicRequestContext> {
            let router = Router()
            router.post("open-apis/bot/v2/hook/:token") { request, _ in
                let body = Array(try await request.body.collect(upTo: 1 << 16).readableBytesView)
                if self.hangs.withLock({ $0 }) { try await Task.sleep(for: .seconds(600)) }
                let message = try Message(body)
                self.messages.withLock { $0.append(message) }
                let answer = self.answer.withLock { $0 }
                return Response(
                    status: answer.status,
                    body: ResponseBody(byteBuffer: ByteBuffer(string: answer.body))
                )
            }
            return router
        }

        var texts: [String] { messages.withLock { $0.map(\.text) } }
    }

    private static func configuration(_ address: String, secret: String? = nil) -> AlarmWebhook.Configuration {
        var configuration = AlarmWebhook.Configuration(
            url: "\(address)/open-apis/bot/v2/hook/a-token",
            secret: secret,
            instance: "host-7 /var/lib/hongbao"
        )
        configuration.firstPause = .milliseconds(5)
        configuration.deadline = .seconds(20)
        return configuration
    }

    /// Runs a webhook and alarms that it listens to, and ends it as a server does: gracefully.
    private static func run(
        _ configuration: AlarmWebhook.Configuration,
        _ metrics: PrometheusRegistry,
        _ body: @Sendable @escaping (Alarms) async throws -> Void
    ) async throws {
        // Other tests may keep the machine busy for longer than the ten seconds that connecting may take elsewhere.
        let patient = HTTPClient.Configuration(timeout: .init(connect: .seconds(60)))
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: patient)
        let webhook = AlarmWebhook(configuration, client: client, metrics: metrics, logger: logger)
        let alarms = Alarms(logger: logger) { webhook.raise($0, $1) }
        let group = ServiceGroup(services: [webhook], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body(alarms)
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        try await client.shutdown()
    }

    private static func count(_ metrics: PrometheusRegistry, _ series: String) -> Int {
        let line = metrics.text().split(separator: "\n").first { $0.hasPrefix("\(series) ") }
        return line.flatMap { Int($0.dropFirst(series.count + 1)) } ?? 0
    }

    private static let sent = #"hongbao_alarm_messages_total{result="sent"}"#
    private static let failed = #"hongbao_alarm_messages_total{result="failed"}"#

    @Test func messagesAreWhatABotTakes() async throws {
        let bot = Bot()
        let metrics = PrometheusRegistry()
        try await withLoopbackServer(bot.router) { address in
            try await Self.run(Self.configuration(address, secret: "s3cret"), metrics) { alarms in
                alarms.raise(.payoutStuck, "order 12ab in book 30, serial 7")
                try await BuiltProgram.until("the chat is told") { bot.texts.count == 1 }
                // A shutdown before the bot's answer is read would be a message that may not have arrived.
                try await BuiltProgram.until("it's known") { Self.count(metrics, Self.sent) == 1 }
            }
        }
        let message = try #require(bot.messages.withLock { $0.first })
        for part in [
            "payout_stuck", "order 12ab in book 30, serial 7", "host-7 /var/lib/hongbao", "what to do: ",
            "docs/operations.md#alarms",
        ] { #expect(message.text.contains(part), "\(part)") }
        let timestamp = try #require(message.timestamp)
        let seconds = try #require(Int64(timestamp))
        #expect(abs(seconds - Int64(Date().timeIntervalSince1970)) < 600)
        let key = SymmetricKey(data: Data("\(timestamp)\ns3cret".utf8))
        let code = Data(HMAC<SHA256>.authenticationCode(for: Data(), using: key))
        #expect(message.sign == code.base64EncodedString())
        #expect(Self.count(metrics, Self.sent) == 1 && Self.count(metrics, Self.failed) == 0)
    }

    /// One message of a kind in a window; what is held back is counted, and told at the end of the process.
    @Test func floodsAreHeldBackAndTheEndTellsAll() async throws {
        let bot = Bot()
        let metrics = PrometheusRegistry()
        try await withLoopbackServer(bot.router) { address in
            try await Self.run(Self.configuration(address), metrics) { alarms in
                alarms.raise(.orderConflict, "the first")
                try await BuiltProgram.until("the chat is told") { bot.texts.count == 1 }
                for number in 0..<10_000 { alarms.raise(.orderConflict, "number \(number)") }
                alarms.raise(.fenced, "another kind")
                try await BuiltProgram.until("the chat is told of the other kind") { bot.texts.count == 2 }
                // As above: what may not have arrived would be told again.
                try await BuiltProgram.until("it's known") { Self.count(metrics, Self.sent) == 2 }
            }
        }
        let texts = bot.texts
        try #require(texts.count == 3)
        #expect(texts[0].contains("detail: the first") && !texts[0].contains("times: "))
        #expect(texts[1].contains("fenced"))
        #expect(texts[2].contains("times: 10000") && texts[2].contains("detail: number 4"))
        #expect(!texts[2].contains("detail: number 5"))
        #expect(bot.messages.withLock { $0.allSatisfy { $0.sign == nil && $0.timestamp == nil } })
        #expect(Self.count(metrics, "hongbao_alarm_details_dropped_total") == 9_995)
        #expect(Self.count(metrics, Self.sent) == 3)
    }

    /// A bot that refuses is tried again; when it takes messages again, nothing is missing.
    @Test(arguments: [
        (500, #"{"code":0}"#), (200, #"{"code":19021,"msg":"sign match fail"}"#), (200, "<html>"), (302, ""),
    ])
    func refusalsAreTriedAgain(status: Int, answer: String) async throws {
        let bot = Bot()
        bot.answer.withLock { $0 = (HTTPResponse.Status(code: status), answer) }
        let metrics = PrometheusRegistry()
        try await withLoopbackServer(bot.router) { address in
            var configuration = Self.configuration(address)
            configuration.window = .milliseconds(20)
            try await Self.run(configuration, metrics) { alarms in
                alarms.raise(.payoutStuck, "one")
                try await BuiltProgram.until("it's tried often") { bot.texts.count >= 6 }
                alarms.raise(.payoutStuck, "two")
                bot.answer.withLock { $0 = (.ok, #"{"StatusCode":0,"StatusMessage":"success"}"#) }
                try await BuiltProgram.until("the chat is told") { Self.count(metrics, Self.sent) >= 1 }
                try await BuiltProgram.until("of both") { bot.texts.contains { $0.contains("detail: two") } }
            }
        }
        #expect(Self.count(metrics, Self.failed) >= 6)
        #expect(bot.texts.last?.contains("detail: two") == true)
    }

    /// A server that hangs, and none at all: raising an alarm takes no time, and the process ends in time.
    @Test(arguments: [true, false]) func nobodyAnswers(hangs: Bool) async throws {
        let bot = Bot()
        bot.hangs.withLock { $0 = true }
        let metrics = PrometheusRegistry()
        try await withLoopbackServer(bot.router) { address in
            var configuration = Self.configuration(hangs ? address : "http://127.0.0.1:1")
            configuration.deadline = .milliseconds(100)
            configuration.lastWordsDeadline = .milliseconds(300)
            try await Self.run(configuration, metrics) { alarms in
                let clock = ContinuousClock()
                let time = clock.measure {
                    for kind in Alarms.Kind.allCases {
                        for number in 0..<1_000 { alarms.raise(kind, "number \(number)") }
                    }
                }
                #expect(time < .seconds(20))
                try await BuiltProgram.until("it's tried") { Self.count(metrics, Self.failed) >= 2 }
                for kind in Alarms.Kind.allCases { #expect(alarms.count(kind) == 1_000) }
            }
        }
        #expect(Self.count(metrics, Self.sent) == 0)
    }

    /// The built server, as an operator sets it up; the bot's address, which is a secret, is in no log.
    @Test func theServerTellsTheChat() async throws {
        let bot = Bot()
        let folder = try TemporaryFolder()
        try await withLoopbackServer(bot.router) { address in
            let server = try await LiveServer.start(
                data: folder.file("data"),
                log: folder.file("log"),
                environment: [
                    "HONGBAO_ALARMS_WEBHOOK": "\(address)/open-apis/bot/v2/hook/a-token",
                    "HONGBAO_ALARMS_WEBHOOK_SECRET": "s3cret", "HONGBAO_ALARMS_INSTANCE": "the first",
                ]
            )
            let (person, _) = try await server.logIn("alarms")
            #expect(try await server.grant(person: person).status == 200)
            for amount in 101...103 as ClosedRange<Int64> {
                #expect(try await server.grant(person: person, amount: amount).status == 409)
            }
            try await BuiltProgram.until("the chat is told") { bot.texts.count == 1 }
            let metrics = try await server.send(.GET, "/metrics").text
            #expect(metrics.contains(#"hongbao_alarm_messages_total{result="failed"} 0"#))
            try await server.stop()
            #expect(!server.program.errors.contains("a-token") && !server.program.errors.contains("s3cret"))
        }
        let texts = bot.texts
        // The first at once, the others when the server ended.
        #expect(texts.count == 2 && texts.allSatisfy { $0.contains("order_conflict") && $0.contains("the first") })
        #expect(texts.last?.contains("times: 2") == true)
        #expect(bot.messages.withLock { $0.allSatisfy { $0.sign != nil } })
    }
}
