import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore
import ServiceLifecycle

/// The running totals: what a campaign has given so far, once or as it grows (CT-1). They're meant for screens, so
/// anybody may ask.
struct TotalRoutes: Sendable {
    let total: @Sendable (_ campaign: String) -> TotalAnswer
    let limits: TotalStreams
    /// Open streams: they aren't requests at work, which end soon.
    let streams: InFlight

    var routes: [Route] {
        [
            Route(.get, "/v1/totals/{name}", .open { call throws(Problem) in try once(call) }),
            Route(.get, "/v1/totals/{name}/stream", .open { call throws(Problem) in try stream(call) }),
        ]
    }

    private func once(_ call: Call) throws(Problem) -> Response {
        let view = try view(String(call.captures[0]))
        return .json { view.write(to: &$0) }
    }

    private func stream(_ call: Call) throws(Problem) -> Response {
        let name = String(call.captures[0])
        let first = try view(name)
        guard let place = StreamPlace(in: streams) else { throw Problem(.overloaded) }
        let body = ResponseBody { writer in
            defer { withExtendedLifetime(place) {} }
            try await send(first, to: &writer)
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream", .cacheControl: "no-store",
                // Proxies that gather an answer before they pass it on would keep all of it.
                .accelBuffering: "no",
            ],
            body: body
        )
    }

    /// Sends the total whenever it has changed, until the stream has lasted long enough or the server ends.
    @concurrent
    private func send(_ first: TotalView, to writer: inout any ResponseBodyWriter) async throws {
        try await writer.write(ByteBuffer(string: "retry: \(limits.retryMilliseconds)\n\n"))
        try await writer.write(first.event)
        var sent = first
        var silentLooks = 0
        for _ in 0..<limits.looksMax {
            await cancelWhenGracefulShutdown { await pause(limits.interval, on: ContinuousClock()) }
            guard !Task.isShuttingDownGracefully, !Task.isCancelled, let view = latest(first.name) else { return }
            if view.differs(from: sent) {
                try await writer.write(view.event)
                sent = view
                silentLooks = 0
            } else {
                silentLooks += 1
                guard silentLooks.isMultiple(of: limits.silentLooksMax) else { continue }
                // So that a connection that is gone is noticed, and one that is there isn't taken for gone.
                try await writer.write(ByteBuffer(string: ":\n\n"))
            }
        }
    }

    /// `nil` when there is none any more: the campaign has gone.
    private func latest(_ name: String) -> TotalView? {
        guard case .total(let phase, let reading) = total(name) else { return nil }
        return TotalView(name: name, phase: phase, reading: reading)
    }

    private func view(_ name: String) throws(Problem) -> TotalView {
        switch total(name) {
        case .total(let phase, let reading): return TotalView(name: name, phase: phase, reading: reading)
        case .campaignUnknown: throw Problem(.notFound)
        case .notInPhase: throw Problem(.notInPhase)
        case .unavailable: throw Problem(.unavailable)
        }
    }
}

/// A total as it's on the wire.
private struct TotalView: Sendable {
    let name: String
    let phase: PhaseKind
    let reading: TotalReading

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.field("name", name)
            json.field("phase", phase.name)
            json.field("amount", reading.tally.amount.fen)
            json.field("count", reading.tally.count)
            json.field("at", reading.at.milliseconds)
        }
    }

    var event: ByteBuffer {
        var json = JSONWriter(capacity: 160)
        write(to: &json)
        var event = ByteBuffer(string: "data: ")
        event.writeBytes(json.bytes)
        event.writeStaticString("\n\n")
        return event
    }

    /// Not only by the time.
    func differs(from other: TotalView) -> Bool { phase != other.phase || reading.tally != other.reading.tally }
}

/// A place among the open streams, given back when nobody holds it any more.
private final class StreamPlace: Sendable {
    private let streams: InFlight

    init?(in streams: InFlight) {
        guard streams.enter() else { return nil }
        self.streams = streams
    }

    deinit { streams.leave() }
}
