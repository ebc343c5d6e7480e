import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import Synchronization
import Testing

/// Running totals over HTTP, once and as a stream (CT-1, M12).
@Suite(.timeLimit(.minutes(5))) struct TotalRouteTests {
    private static func event(_ amount: Int64, _ count: Int64, at time: Timestamp) -> String {
        #"data: {"name":"test","phase":"live","amount":\#(amount),"count":\#(count),"at":\#(time.milliseconds)}"#
            + "\n\n"
    }

    @Test func theTotalIsWhatWasGranted() async throws {
        var rig = try GatewayRig()
        rig.configuration.totals.looksMax = 1
        rig.configuration.totals.interval = .milliseconds(1)
        try await rig.run { caller in
            let at = caller.now.milliseconds
            let before = try await caller.send(.get, "/v1/totals/test")
            #expect(before.text == #"{"name":"test","phase":"live","amount":0,"count":0,"at":\#(at)}"#)
            let granted = try await caller.send(.post, "/v1/grants", json: grantJSON(), token: GatewayRig.grantKey)
            #expect(granted.status == .ok)
            await caller.engine.totals.flush()
            let after = try await caller.send(.get, "/v1/totals/test")
            #expect(after.text == #"{"name":"test","phase":"live","amount":100,"count":1,"at":\#(at)}"#)
            #expect(after.headers[.cacheControl] == "no-store")
            let stream = try await caller.send(.get, "/v1/totals/test/stream")
            #expect(stream.headers[.contentType] == "text/event-stream")
            #expect(stream.text == "retry: 1000\n\n" + Self.event(100, 1, at: caller.now))
        }
    }

    @Test func whatIsNotThereIsRefused() async throws {
        try await GatewayRig([.forTests(window: (1 << 50)..<(1 << 51))]).run { caller in
            for suffix in ["", "/stream"] {
                let unknown = try await caller.send(.get, "/v1/totals/nobody\(suffix)")
                #expect(unknown.problem() == "404 not_found")
                let early = try await caller.send(.get, "/v1/totals/test\(suffix)")
                #expect(early.problem() == "409 not_in_phase")
            }
        }
        var rig = try GatewayRig()
        rig.change = { $0.total = { _ in .unavailable } }
        try await rig.run { caller in
            for suffix in ["", "/stream"] {
                let answer = try await caller.send(.get, "/v1/totals/test\(suffix)")
                #expect(answer.problem() == "503 unavailable")
            }
        }
    }

    /// What changed is sent, what didn't isn't, silence is broken by a comment, and the end comes by itself.
    @Test func aStreamTellsWhatChanged() async throws {
        var rig = try GatewayRig()
        rig.configuration.totals.interval = .milliseconds(1)
        rig.configuration.totals.looksMax = 7
        rig.configuration.totals.silentLooksMax = 2
        let amounts: [Int64] = [5, 5, 9, 9, 9, 9, 12, 12]
        let asked = Looks(amounts)
        rig.change = { $0.total = { _ in asked.next() } }
        try await rig.run(.live) { caller in
            let stream = try await caller.send(.get, "/v1/totals/test/stream")
            let zero = Timestamp(milliseconds: 0)
            #expect(
                stream.text == "retry: 1000\n\n" + Self.event(5, 1, at: zero) + Self.event(9, 1, at: zero) + ":\n\n"
                    + Self.event(12, 1, at: zero)
            )
        }
        #expect(asked.count == amounts.count)
    }

    /// Above the bound streams are refused; those that nobody reads, as after HEAD, give their place back.
    @Test func streamsAreBounded() async throws {
        var rig = try GatewayRig()
        rig.configuration.totals.streamsMax = 1
        rig.configuration.totals.interval = .milliseconds(1)
        rig.configuration.totals.looksMax = 1
        let metrics = rig.metrics
        try await rig.run { caller in
            for method in [.head, .get, .head, .get] as [HTTPRequest.Method] {
                #expect(try await caller.send(method, "/v1/totals/test/stream").status == .ok)
                try await Self.wait(for: 0, in: metrics)
            }
        }
        let asked = Looks([1, 1])
        rig.change = { $0.total = { _ in asked.next() } }
        rig.configuration.totals.looksMax = 1_000_000
        // Not over the test's one connection, where the second request would wait behind the stream.
        try await rig.run { caller in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await caller.send(.get, "/v1/totals/test/stream") }
                try await Self.wait(for: 1, in: metrics)
                #expect(try await caller.send(.get, "/v1/totals/test/stream").problem() == "503 overloaded")
                asked.end()
                try await group.waitForAll()
            }
            try await Self.wait(for: 0, in: metrics)
        }
    }

    /// The answer's last byte can be here a moment before the stream has given its place back.
    private static func wait(for streams: Int, in metrics: PrometheusRegistry) async throws {
        while !metrics.text().contains("hongbao_total_streams \(streams)\n") {
            try await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// Answers one amount after the other, the last one again and again, until it's told to end.
private final class Looks: Sendable {
    private struct State {
        var count = 0
        var isOver = false
    }

    private let amounts: [Int64]
    private let state = Mutex(State())

    init(_ amounts: [Int64]) { self.amounts = amounts }

    var count: Int { state.withLock { $0.count } }

    func end() { state.withLock { $0.isOver = true } }

    func next() -> TotalAnswer {
        let (index, isOver) = state.withLock { state in
            defer { state.count += 1 }
            return (min(state.count, amounts.count - 1), state.isOver)
        }
        guard !isOver, let amount = Amount(fen: amounts[index]), let tally = Tally(amount: amount, count: 1) else {
            return .campaignUnknown
        }
        return .total(.live, TotalReading(tally: tally, at: Timestamp(milliseconds: 0)))
    }
}
