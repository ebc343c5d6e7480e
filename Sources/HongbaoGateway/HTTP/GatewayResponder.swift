import HTTPTypes
import HongbaoCore
import HongbaoEngine
package import Hummingbird
import Logging
package import NIOCore
import Synchronization

/// What the server hands in with a request.
package struct GatewayContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    package let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}

/// Lets requests in, and turns whatever comes of them into answers. All that every route needs is here, once: the bound
/// on requests in flight, authentication, bodies, deadlines, request IDs, metrics and error mapping.
package struct GatewayResponder: HTTPResponder {
    package typealias Context = GatewayContext

    let table: RouteTable
    let metrics: [RouteMetrics]
    let otherMetrics: RouteMetrics
    let inFlight: InFlight
    let serviceKeys: ServiceKeys
    let people: JWTVerifier
    /// Who it is that has the name in a JWT (ID-3).
    let person: @Sendable (PersonID) -> PersonID
    let place: (@Sendable (Concern) -> Placement)?
    let forwarder: Forwarder
    let bodies: BodyReading
    let requestIDs: RequestIDs
    let now: @Sendable () -> Timestamp

    package func respond(to request: Request, context: GatewayContext) async throws -> Response {
        let start = ContinuousClock.now
        let requestID = requestIDs.id(for: request.head)
        var isHead = false
        let routeMetrics: RouteMetrics
        var response: Response
        switch table.match(request.method, path: Self.path(of: request.head)) {
        case .route(let index, let captures, let asHead):
            isHead = asHead
            routeMetrics = metrics[index]
            response = try await answer(
                request,
                from: table.routes[index],
                captures: captures,
                requestID: requestID,
                context: context
            )
        case .otherMethods(let allow):
            routeMetrics = otherMetrics
            response = try await refuse(request, Problem(.methodNotAllowed, allow: allow), context)
        case .nothing:
            routeMetrics = otherMetrics
            response = try await refuse(request, Problem(.notFound), context)
        }
        if isHead || request.method == .head { response = response.createHeadResponse() }
        response.headers[.requestID] = requestID
        response.headers[.xContentTypeOptions] = "nosniff"
        routeMetrics.record(status: response.status.code, seconds: (ContinuousClock.now - start).inSeconds)
        return response
    }

    private static func path(of head: HTTPRequest) -> String {
        guard let path = head.path else { return "/" }
        guard let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) else { return path }
        return String(path[..<mark])
    }

    // MARK: One request

    private func answer(
        _ request: Request,
        from route: Route,
        captures: [Substring],
        requestID: String,
        context: GatewayContext
    ) async throws -> Response {
        guard inFlight.enter() else { return try await refuse(request, Problem(.overloaded), context) }
        defer { inFlight.leave() }
        let instant = now()
        var run: @Sendable (Call) async throws(Problem) -> Response
        let caller: PersonID?
        let form: Call.Form
        do throws(Problem) {
            (run, caller) = try admit(request.head, to: route, at: instant)
            form = try bodyForm(of: request, for: route)
        } catch {
            return try await refuse(request, error, context)
        }
        var body = ByteBuffer()
        if route.body != .none {
            switch try await bodies.read(request) {
            case .complete(let bytes): body = bytes
            case .tooLarge: return Problem(.bodyTooLarge).response().closing(context.channel)
            case .tooSlow:
                return Problem(.unavailable, detail: "The body came too slowly.").response().closing(context.channel)
            case .broken: return Problem(.malformed).response().closing(context.channel)
            }
        }
        let call = Call(
            head: request.head,
            captures: captures,
            body: body,
            form: form,
            now: instant,
            requestID: requestID
        )
        do throws(Problem) {
            if let (concern, address) = try destination(of: call, route, caller) {
                run = { [forwarder, place] (call) async throws(Problem) -> Response in
                    try await forwarder.forward(call, to: address) { place?(concern) == .at(address) }
                }
            }
        } catch {
            log(error, call, route, context.logger)
            return error.response()
        }
        return await perform(call, route, run, context.logger)
    }

    /// The node to which it's forwarded, and why; `nil` when it's done here.
    private func destination(
        of call: Call,
        _ route: Route,
        _ caller: PersonID?
    ) throws(Problem) -> (Concern, String)? {
        guard let place, let concern = route.concern(call.captures, caller: caller, person: person) else {
            return nil
        }
        guard case .packet = concern else {
            return try forwarder.destination(of: call, placed: place(concern)).map { (concern, $0) }
        }
        do throws(Problem) {
            return try forwarder.destination(of: call, placed: place(concern), max: 1).map { (concern, $0) }
        } catch {
            // Any node can do what concerns a packet (RP-8).
            return nil
        }
    }

    private func perform(
        _ call: Call,
        _ route: Route,
        _ run: @escaping @Sendable (Call) async throws(Problem) -> Response,
        _ logger: Logger
    ) async -> Response {
        let outcome: Result<Response, Problem>
        if route.isCutOff {
            let timely = await withDeadline(bodies.timeout) { await Self.result(call, run) }
            outcome = timely ?? .failure(Problem(.unavailable, detail: "It took too long."))
        } else {
            outcome = await Self.result(call, run)
        }
        switch outcome {
        case .success(let response): return response
        case .failure(let problem):
            if problem.code.row.status >= 500 { log(problem, call, route, logger) }
            return problem.response()
        }
    }

    private static func result(
        _ call: Call,
        _ run: @Sendable (Call) async throws(Problem) -> Response
    ) async -> Result<Response, Problem> {
        do throws(Problem) {
            return .success(try await run(call))
        } catch {
            return .failure(error)
        }
    }

    /// Nothing of a person goes into a log: no path with captures, no parameters, no headers.
    private func log(_ problem: Problem, _ call: Call, _ route: Route, _ logger: Logger) {
        logger.debug(
            "request failed",
            metadata: [
                "code": "\(problem.code.rawValue)", "route": "\(route.method.rawValue) \(route.path)",
                "request": "\(call.requestID)", "traceparent": "\(TraceParent.of(call.head) ?? "-")",
            ]
        )
    }

    // MARK: Letting in

    /// Finds out who calls, and answers with the handler that is ready to be run for that caller, and with the caller
    /// if that's a person.
    private func admit(
        _ head: HTTPRequest,
        to route: Route,
        at instant: Timestamp
    ) throws(Problem) -> (run: @Sendable (Call) async throws(Problem) -> Response, caller: PersonID?) {
        switch route.handler {
        case .open(let handle): return (handle, nil)
        case .service(let scope, let handle):
            guard let shown = Self.bearer(head), let service = serviceKeys.caller(showing: shown) else {
                throw Problem(.unauthorized)
            }
            guard service.scopes.contains(scope) else { throw Problem(.forbidden, detail: "The key lacks a scope.") }
            return ({ (call) async throws(Problem) -> Response in try await handle(call, service) }, nil)
        case .person(let handle):
            guard let shown = Self.bearer(head), let person = people.caller(showing: shown, at: instant) else {
                throw Problem(.unauthorized)
            }
            let caller = PersonCaller(
                person: self.person(person.person),
                app: person.app,
                expiresAt: person.expiresAt
            )
            return ({ (call) async throws(Problem) -> Response in try await handle(call, caller) }, caller.person)
        }
    }

    private static func bearer(_ head: HTTPRequest) -> Substring.UTF8View? {
        guard let field = head.headerFields[.authorization] else { return nil }
        let scheme = field.utf8.prefix(7)
        guard scheme.count == 7, scheme.elementsEqual("Bearer ".utf8) || scheme.elementsEqual("bearer ".utf8) else {
            return nil
        }
        let shown = field.utf8.dropFirst(7)
        return shown.isEmpty ? nil : shown
    }

    private func bodyForm(of request: Request, for route: Route) throws(Problem) -> Call.Form {
        switch route.body {
        case .none, .signed: return .json
        case .json, .jsonOrProtobuf:
            guard request.headers[.contentEncoding] == nil else {
                throw Problem(.unsupportedMediaType, param: "Content-Encoding")
            }
            switch MediaKind(request.headers[.contentType]) {
            case .json: return .json
            case .protobuf where route.body == .jsonOrProtobuf: return .protobuf
            case .protobuf, .other: throw Problem(.unsupportedMediaType, param: "Content-Type")
            }
        }
    }

    /// Answers without having read the body. What is left of a small one is taken in within the usual bounds, so that
    /// the connection can go on; with a large one it ends.
    private func refuse(_ request: Request, _ problem: Problem, _ context: GatewayContext) async throws -> Response {
        guard BodyReading.hasBody(request) else { return problem.response() }
        switch try await bodies.read(request) {
        case .complete: return problem.response()
        case .tooLarge, .tooSlow, .broken: return problem.response().closing(context.channel)
        }
    }
}

/// Counts the requests at work.
final class InFlight: Sendable {
    private let max: Int
    private let count = Atomic<Int>(0)
    private let gauge: PrometheusGauge

    init(max: Int, gauge: PrometheusGauge) {
        self.max = max
        self.gauge = gauge
    }

    func enter() -> Bool {
        let count = count.add(1, ordering: .relaxed).newValue
        guard count <= max else {
            leave()
            return false
        }
        gauge.set(Double(count))
        return true
    }

    func leave() { gauge.set(Double(count.subtract(1, ordering: .relaxed).newValue)) }
}

extension Response {
    /// The same answer, after which the connection ends, because the rest of the request isn't wanted.
    func closing(_ channel: any Channel) -> Response {
        var headers = headers
        headers[.connection] = "close"
        let body = body
        return Response(
            status: status,
            headers: headers,
            body: ResponseBody(contentLength: body.contentLength) { writer in
                try await body.write(writer)
                channel.close(mode: .all, promise: nil)
            }
        )
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
