import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Hummingbird
import NIOCore
import Synchronization
import Testing

/// What isn't a whole, strict answer about an order says nothing about it (GR-4).
@Suite(.timeLimit(.minutes(15))) struct RewardNonsenseTests {
    private struct Said: Sendable {
        var status = HTTPResponse.Status.ok
        var body = ""
        var isEndless = false
    }

    private struct Cut: Error {}

    /// A downstream that says what it's told to say.
    private static func withServer(
        _ body: @Sendable (_ base: String, _ say: @Sendable (Said) -> Void) async throws -> Void
    ) async throws {
        let said = Mutex(Said())
        let router = Router()
        for path in ["rewards", "rewards/query"] {
            router.post(RouterPath(path)) { _, _ in
                let answer = said.withLock { $0 }
                guard answer.isEndless else {
                    return Response(
                        status: answer.status,
                        body: ResponseBody(byteBuffer: ByteBuffer(string: answer.body))
                    )
                }
                return Response(
                    status: answer.status,
                    body: ResponseBody { writer in
                        // A byte now and then: the head is there, the end never comes.
                        while !Task.isCancelled {
                            try await writer.write(ByteBuffer(string: " "))
                            try await Task.sleep(for: .milliseconds(20))
                        }
                        throw Cut()
                    }
                )
            }
        }
        try await withLoopbackServer(router) { base in
            try await body(base) { new in said.withLock { $0 = new } }
        }
    }

    private static let invalid = RewardReport.fault(.unknown, .answerInvalid)

    @Test(arguments: RewardAdapter.outside)
    func answersThatAreNone(_ adapter: RewardAdapter) async throws {
        try await Self.withServer { base, say in
            let channel = adapter.channel(.tea, at: base)
            let orders = ["a", "b"].map { RewardOrder(order: $0, person: PersonID(7), template: TemplateID(1)) }
            let granted = #"{"order":"a","state":"granted"}"#
            // As many as were asked about, more, fewer, in another order, and about others.
            for (results, expected) in [
                (granted, [.granted, Self.invalid]),
                (#"{"order":"b","state":"processing"},\#(granted)"#, [.granted, .processing]),
                (#"{"order":"c","state":"processing"},\#(granted)"#, [.granted, Self.invalid]),
                ("", [Self.invalid, Self.invalid]),
                ("\(granted),\(granted)", [Self.invalid, Self.invalid]),
                (#"\#(granted),{"order":"a","state":"processing"}"#, [Self.invalid, Self.invalid]),
                (#"{"order":"a","state":"already_granted"}"#, [.granted, Self.invalid]),
                (#"{"order":"a","state":"retryable","code":"busy"}"#, [.fault(.retryable, .busy), Self.invalid]),
                (#"{"order":"a","state":"final","code":"out_of_stock"}"#, [.fault(.final, .outOfStock), Self.invalid]),
                // Another code than ours, or one of ours that it can't say.
                (#"{"order":"a","state":"final","code":"person_7"}"#, [.fault(.final, .other), Self.invalid]),
                (#"{"order":"a","state":"retryable","code":"timeout"}"#, [.fault(.retryable, .other), Self.invalid]),
            ] as [(String, [RewardReport])] {
                say(Said(body: #"{"results":[\#(results)]}"#))
                #expect(await channel.give(orders) == expected, "\(results)")
                #expect(await channel.query(["a", "b"]) == expected, "\(results)")
            }
            // Whoever was just given an order knows it.
            say(Said(body: #"{"results":[{"order":"a","state":"unknown_order"},{"order":"b","state":"granted"}]}"#))
            #expect(await channel.give(orders) == [Self.invalid, .granted])
            #expect(await channel.query(["a", "b"]) == [.unknownOrder, .granted])
            for text in [
                "", "null", "{", "[]", "{}", #"{"results":[\#(granted)]"#, #"{"results":[\#(granted)]}x"#,
                #"{"results":[\#(granted)],"results":[]}"#, #"{"results":[\#(granted.dropLast()),"fee":1}]}"#,
                #"{"results":[\#(granted.dropLast()),"code":"busy"}]}"#,
                #"{"results":[{"order":"a","state":"final"}]}"#, #"{"results":[{"order":"a","state":"Granted"}]}"#,
                #"{"results":[{"order":"a","state":"final","code":"Out"}]}"#, String(repeating: " ", count: 2 << 20),
                #"{"results":["# + String(repeating: granted + ",", count: 100) + granted + "]}",
                String(repeating: "[", count: 1 << 19),
            ] {
                say(Said(body: text))
                #expect(await channel.give(orders) == [Self.invalid, Self.invalid], "\(text.prefix(200))")
                #expect(await channel.query(["a", "b"]) == [Self.invalid, Self.invalid], "\(text.prefix(200))")
            }
        }
    }

    /// Whatever the body says then.
    @Test(arguments: RewardAdapter.outside)
    func statuses(_ adapter: RewardAdapter) async throws {
        try await Self.withServer { base, say in
            let channel = adapter.channel(.tea, at: base)
            let order = RewardOrder(order: "a", person: PersonID(7), template: TemplateID(1))
            for (status, kind, code) in [
                (200, nil, nil), (201, nil, nil), (299, nil, nil), (304, .unknown, .answerInvalid),
                (307, .unknown, .answerInvalid), (400, .final, .callRefused), (401, .final, .unauthorized),
                (403, .final, .unauthorized), (404, .final, .callRefused), (408, .unknown, .timeout),
                (413, .final, .callRefused), (422, .final, .callRefused), (429, .retryable, .tooManyRequests),
                (500, .unknown, .serverError), (502, .unknown, .serverError), (503, .retryable, .unavailable),
                (504, .unknown, .serverError), (599, .unknown, .serverError),
            ] as [(Int, RewardFault.Kind?, RewardCode?)] {
                let body = status == 304 ? "" : #"{"results":[{"order":"a","state":"granted"}]}"#
                say(Said(status: HTTPResponse.Status(code: status), body: body))
                guard let kind, let code else {
                    #expect(await channel.give([order]) == [.granted], "\(status)")
                    continue
                }
                #expect(await channel.give([order]) == [.fault(kind, code)], "\(status)")
                #expect(await channel.query(["a"]) == [.fault(.unknown, code)], "\(status)")
            }
        }
    }

    /// The deadline is for the whole answer, not for its beginning.
    @Test(arguments: RewardAdapter.outside)
    func anAnswerThatNeverEnds(_ adapter: RewardAdapter) async throws {
        try await Self.withServer { base, say in
            say(Said(isEndless: true))
            let channel = adapter.channel(.tea, at: base, deadline: 300)
            let order = RewardOrder(order: "a", person: PersonID(7), template: TemplateID(1))
            let began = ContinuousClock.now
            #expect(await channel.give([order]) == [.fault(.unknown, .timeout)])
            #expect(await channel.query(["a"]) == [.fault(.unknown, .timeout)])
            #expect(began.duration(to: .now) < .seconds(60))
        }
    }

    @Test(arguments: RewardAdapter.outside)
    func nobodyIsThere(_ adapter: RewardAdapter) async throws {
        let channel = adapter.channel(.tea, at: "http://127.0.0.1:1", deadline: 2_000)
        let orders = RewardBench.orders(150)
        let reports = await channel.give(orders) + channel.query(["a", "b"])
        #expect(reports.count == 152)
        // A client may try to connect until the deadline.
        let expected: Set<RewardReport> = [.fault(.unknown, .unreachable), .fault(.unknown, .timeout)]
        #expect(expected.isSuperset(of: reports))
    }
}
