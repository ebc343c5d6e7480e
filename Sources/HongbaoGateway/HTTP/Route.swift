import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// A request that has been let in: authenticated, its body complete and of an accepted type.
struct Call: Sendable {
    enum Form: Sendable { case json, protobuf }

    let head: HTTPRequest
    /// What stood in the place of `{…}` in the route's path. Only characters that names may have.
    let captures: [Substring]
    let body: ByteBuffer
    let form: Form
    let now: Timestamp
    let requestID: String
}

/// Which bodies a route takes.
enum BodyKind: Sendable {
    case none
    case json
    case jsonOrProtobuf
    /// Checked by the handler: signed bytes.
    case signed
}

/// One address and method of the API, who may use it, and what it does.
struct Route: Sendable {
    /// What a handler is given depends on who may call: it can't forget to ask.
    enum Handler: Sendable {
        case open(@Sendable (Call) async throws(Problem) -> Response)
        case service(Scope, @Sendable (Call, ServiceKey) async throws(Problem) -> Response)
        case person(@Sendable (Call, PersonCaller) async throws(Problem) -> Response)
    }

    /// Whom or what requests concern: in a cluster the node that is responsible for that does them.
    enum Subject: Sendable {
        /// Any node does it.
        case nobody
        /// Any node does it that decides for somebody.
        case anybody
        /// The person who asks.
        case caller
        /// The same, whose wallet is only shown.
        case callersWallet
        /// The first capture, whose wallet is only shown.
        case capturedPersonsWallet
        /// The person in the order number that is the first capture.
        case capturedOrder
        /// The red packet that is the first capture. Any node can do it, but there it's fast.
        case capturedPacket
        /// The persons in the body, among whom the handler divides it.
        case body
    }

    let method: HTTPRequest.Method
    /// As in the OpenAPI document: `/v1/grants/{order}`.
    let path: String
    let body: BodyKind
    /// Whether the handler is cut off at the deadline. A grant isn't: it's answered when its batch is durable, or it
    /// would have to be told that nobody knows. Nor is a wallet: its sources have deadlines of their own. What anybody
    /// may ask isn't either, since it waits for nothing, unless its route says otherwise.
    let isCutOff: Bool
    let subject: Subject
    let handler: Handler

    init(
        _ method: HTTPRequest.Method,
        _ path: String,
        body: BodyKind = .none,
        isCutOff: Bool? = nil,
        about subject: Subject? = nil,
        _ handler: Handler
    ) {
        self.method = method
        self.path = path
        self.body = body
        self.isCutOff =
            switch handler {
            case .open: isCutOff ?? false
            case .service, .person: isCutOff ?? true
            }
        self.subject =
            switch handler {
            case .open, .service: subject ?? .nobody
            case .person: subject ?? .caller
            }
        self.handler = handler
    }

    /// What the place of a request goes by; `nil` if it's done wherever it comes to. So is what can't be read, since
    /// the handler refuses it.
    ///
    /// - Parameter person: who it is that has a name.
    func concern(
        _ captures: [Substring],
        caller: PersonID?,
        person: (PersonID) -> PersonID
    ) -> Concern? {
        switch subject {
        case .nobody, .body: nil
        case .anybody: .anybody
        case .caller: caller.map { .person($0) }
        case .callersWallet: caller.map { .wallet($0) }
        case .capturedPersonsWallet:
            captures.first.flatMap { UInt64(canonicalDecimal: $0.utf8) }.map { .wallet(person(PersonID($0))) }
        case .capturedOrder:
            captures.first.flatMap { OrderNumber(String($0)) }.map { .person(person($0.person)) }
        case .capturedPacket:
            captures.first.flatMap { UInt64(canonicalDecimal: $0.utf8) }.map { .packet(RedPacketID($0)) }
        }
    }
}

/// All routes, found by path. Paths without captures cost one look-up.
struct RouteTable: Sendable {
    /// The routes of one path.
    private struct Place: Sendable {
        let segments: [Substring]
        var routes: [Int]
    }

    enum Match {
        case route(index: Int, captures: [Substring], isHead: Bool)
        /// The path is there, but not with this method.
        case otherMethods(allow: String)
        case nothing
    }

    let routes: [Route]
    private let exact: [String: [Int]]
    private let patterns: [Place]

    /// Traps when two routes have the same method and path.
    init(_ routes: [Route]) {
        self.routes = routes
        var exact: [String: [Int]] = [:]
        var patterns: [Place] = []
        for (index, route) in routes.enumerated() {
            let segments = route.path.split(separator: "/", omittingEmptySubsequences: false)
            if !route.path.contains("{") {
                exact[route.path, default: []].append(index)
            } else if let place = patterns.firstIndex(where: { $0.segments == segments }) {
                patterns[place].routes.append(index)
            } else {
                patterns.append(Place(segments: segments, routes: [index]))
            }
        }
        for routesThere in Array(exact.values) + patterns.map(\.routes) {
            precondition(Set(routesThere.map { routes[$0].method }).count == routesThere.count)
        }
        self.exact = exact
        self.patterns = patterns
    }

    func match(_ method: HTTPRequest.Method, path: String) -> Match {
        if let there = exact[path] { return choose(method, from: there, captures: []) }
        let segments = path.split(separator: "/", maxSplits: 8, omittingEmptySubsequences: false)
        for place in patterns {
            guard let captures = Self.captures(segments, place.segments) else { continue }
            return choose(method, from: place.routes, captures: captures)
        }
        return .nothing
    }

    private func choose(_ method: HTTPRequest.Method, from there: [Int], captures: [Substring]) -> Match {
        for index in there where routes[index].method == method {
            return .route(index: index, captures: captures, isHead: false)
        }
        if method == .head {
            for index in there where routes[index].method == .get {
                return .route(index: index, captures: captures, isHead: true)
            }
        }
        var allow = there.map { routes[$0].method.rawValue }
        if allow.contains("GET") { allow.append("HEAD") }
        return .otherMethods(allow: allow.sorted().joined(separator: ", "))
    }

    private static func captures(_ path: [Substring], _ pattern: [Substring]) -> [Substring]? {
        guard path.count == pattern.count else { return nil }
        var captures: [Substring] = []
        for (segment, place) in zip(path, pattern) {
            if place.first == "{" {
                guard !segment.isEmpty, segment.utf8.count <= 128, segment.utf8.allSatisfy(\.isInName) else {
                    return nil
                }
                captures.append(segment)
            } else if segment != place {
                return nil
            }
        }
        return captures
    }
}

extension UInt8 {
    /// `[A-Za-z0-9_.-]`
    fileprivate var isInName: Bool {
        switch self {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
