package import AsyncHTTPClient
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore
import NIOHTTP1

/// Sends requests to the node of the cluster that they are for, and passes its answers back.
///
/// That node asks for the caller's credentials itself, so no node trusts another. Nothing is sent twice: when there is
/// no answer, nobody knows what happened, and the caller repeats the request with the same number (GR-4, M14).
package struct Forwarder: Sendable {
    /// What the client needs: a node that isn't there is noticed within seconds, nothing is followed or tried again,
    /// and connections end here before the other node finds them idle.
    package static var clientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.timeout.connect = .seconds(2)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.idleTimeout = .seconds(20)
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }

    static let answerBytesMax = 16 << 20
    static let forwardsMax = 2
    private static let lookInterval = Duration.milliseconds(250)
    /// Says how often a request was forwarded, so that none goes in circles. Once is enough but for people who were
    /// merged: a node that knows only the name in the request sends it to whoever decided for that name, and that node
    /// knows who decides now.
    private static let mark = HTTPField.Name.name("Hongbao-Forwarded")
    private static let passedOn: [HTTPField.Name] = [
        .authorization, .contentType, .accept, .traceparent, .callbackTimestamp, .callbackNonce, .callbackSignature,
    ]
    private static let passedBack: [HTTPField.Name] = [.contentType, .cacheControl, .retryAfter, .wwwAuthenticate]

    private struct Answer: Sendable {
        let status: Int
        let headers: HTTPHeaders
        let body: ByteBuffer
    }

    private let client: HTTPClient?
    /// From the first byte sent to the last received. Routes that are cut off end sooner.
    private let deadline: Duration
    private let answered: PrometheusCounter
    private let failed: PrometheusCounter
    private let refused: PrometheusCounter

    init(_ configuration: GatewayConfiguration, _ registry: PrometheusRegistry) {
        client = configuration.forwarding
        deadline = configuration.requestTimeout * 3
        let name = "hongbao_forwards_total"
        answered = registry.counter(name, [("outcome", "answered")])
        failed = registry.counter(name, [("outcome", "failed")])
        refused = registry.counter(name, [("outcome", "refused")])
    }

    /// The address of the node that does what has this place; `nil` when this one does.
    ///
    /// - Parameter max: how often it may have been forwarded then.
    /// - Throws: what the caller is told when it can't be done here and isn't sent anywhere either.
    func destination(
        of call: Call,
        placed placement: Placement,
        max: Int = forwardsMax
    ) throws(Problem) -> String? {
        switch placement {
        case .here: return nil
        case .at(let address) where client != nil && Self.forwards(of: call) < max: return address
        case .at, .nowhere:
            refused.increment(by: Int64(1))
            throw Problem(
                .unavailable,
                detail: "The cluster is changing. Nothing happened. Repeat the same request later."
            )
        }
    }

    /// Has the node do all of it.
    ///
    /// - Parameter isThere: whether it's still that node which does it. When it isn't, nobody waits for its answer.
    func forward(
        _ call: Call,
        to address: String,
        while isThere: @escaping @Sendable () -> Bool
    ) async throws(Problem) -> Response {
        let path = call.head.path ?? "/"
        // Anything else might arrive as something else. No route takes it, either.
        guard path.utf8.isPlainPath else {
            throw Problem(.malformed, detail: "The query isn't UTF-8 in percent encoding.")
        }
        var request = HTTPClientRequest(url: address + path)
        request.method = HTTPMethod(rawValue: call.head.method.rawValue)
        request.headers = Self.headers(for: call)
        if call.body.readableBytes > 0 { request.body = .bytes(call.body) }
        let answer = try await send(request, while: isThere)
        var headers = HTTPFields()
        for name in Self.passedBack { headers[name] = answer.headers.first(name: name.rawName) }
        // Of what GET would answer.
        if call.head.method == .head, let length = answer.headers.first(name: "Content-Length"), Int(length) != nil {
            headers[.contentLength] = length
        }
        return Response(
            status: HTTPResponse.Status(code: answer.status),
            headers: headers,
            body: ResponseBody(byteBuffer: answer.body)
        )
    }

    /// Has the node do some grants of a batch.
    ///
    /// - Returns: one result for each, in the same order.
    func grant(
        _ requests: [GrantRequest],
        for call: Call,
        at address: String,
        while isThere: @escaping @Sendable () -> Bool
    ) async throws(Problem) -> [Result<Granted, Problem>] {
        var request = HTTPClientRequest(url: address + "/v1/grants/batch")
        request.method = .POST
        request.headers = Self.headers(for: call)
        request.headers.replaceOrAdd(name: "Content-Type", value: "application/x-protobuf")
        request.body = .bytes(ByteBuffer(bytes: GrantProtobuf.bytes(requests)))
        let answer = try await send(request, while: isThere)
        let body = Array(answer.body.readableBytesView)
        guard answer.status == 200, let results = GrantProtobuf.results(body, max: requests.count),
            results.count == requests.count
        else {
            throw Self.unknown
        }
        return results
    }

    private static let unknown = Problem(
        .unavailable,
        detail: "Another node doesn't answer. It may or may not have happened. Repeat the same request: it counts once."
    )

    /// How often others have forwarded it; of a mark that nobody makes, as often as can be.
    private static func forwards(of call: Call) -> Int {
        guard let mark = call.head.headerFields[mark] else { return 0 }
        return (1..<forwardsMax).first { mark == "\($0)" } ?? forwardsMax
    }

    private static func headers(for call: Call) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for name in passedOn {
            if let value = call.head.headerFields[name] { headers.add(name: name.rawName, value: value) }
        }
        headers.add(name: HTTPField.Name.requestID.rawName, value: call.requestID)
        headers.add(name: mark.rawName, value: "\(forwards(of: call) + 1)")
        return headers
    }

    private func send(
        _ request: HTTPClientRequest,
        while isThere: @escaping @Sendable () -> Bool
    ) async throws(Problem) -> Answer {
        guard let client else { throw Self.unknown }
        // The client's own deadline ends with the head of the answer; a body that trickles would be waited for.
        let answer = await withTaskGroup(of: Answer?.self) { [deadline] group in
            group.addTask { await Self.exchange(request, client, within: deadline) }
            group.addTask {
                let end = ContinuousClock.now + deadline
                // A node that was stopped in the middle of an answer is replaced long before the deadline.
                repeat {
                    await pause(Self.lookInterval, on: ContinuousClock())
                } while !Task.isCancelled && .now < end && isThere()
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        guard let answer else {
            failed.increment(by: Int64(1))
            throw Self.unknown
        }
        answered.increment(by: Int64(1))
        return answer
    }

    /// `nil` when there is no whole answer of a bearable size.
    private static func exchange(
        _ request: HTTPClientRequest,
        _ client: HTTPClient,
        within limit: Duration
    ) async -> Answer? {
        do {
            let response = try await client.execute(request, timeout: TimeAmount(limit))
            let body = try await response.body.collect(upTo: answerBytesMax)
            let status = Int(response.status.code)
            guard (200..<600).contains(status) else { return nil }
            return Answer(status: status, headers: response.headers, body: body)
        } catch {
            return nil
        }
    }
}

extension Sequence<UInt8> {
    /// Whether it's a path with a query as RFC 3986 spells it: nobody on the way can read it in two ways.
    fileprivate var isPlainPath: Bool {
        var digitsDue = 0
        for byte in self {
            if digitsDue > 0 {
                guard byte.hexDigitValue != nil else { return false }
                digitsDue -= 1
                continue
            }
            switch byte {
            case UInt8(ascii: "%"): digitsDue = 2
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                break
            default: guard "-._~!$&'()*+,;=:@/?".utf8.contains(byte) else { return false }
            }
        }
        return digitsDue == 0
    }
}
