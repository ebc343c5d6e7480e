import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// Grants: what services call to give rewards (GR-1, GR-4, GR-7).
struct GrantRoutes: Sendable {
    let services: GatewayServices
    let batchMax: Int
    let metrics: GrantMetrics
    let forwarder: Forwarder

    var routes: [Route] {
        [
            Route(.post, "/v1/grants", body: .jsonOrProtobuf, isCutOff: false, about: .body, .service(.grant, single)),
            Route(
                .post,
                "/v1/grants/batch",
                body: .jsonOrProtobuf,
                isCutOff: false,
                about: .body,
                .service(.grant, batch)
            ),
            Route(.get, "/v1/grants/{order}", about: .capturedOrder, .service(.read, find)),
        ]
    }

    private func single(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let bytes = Array(call.body.readableBytesView)
        let request = call.form == .json ? try GrantJSON.request(bytes) : try GrantProtobuf.request(bytes)
        guard service.allows(campaign: request.campaign) else { throw count(.forbiddenCampaign) }
        metrics.batchSizes.observe(1)
        do throws(Problem) {
            if let address = try forwarder.destination(of: call, placed: placement(of: request)) {
                return try await forwarder.forward(call, to: address) { placement(of: request) == .at(address) }
            }
        } catch {
            throw count(error)
        }
        guard let answer = await services.grant([request]).first else { throw count(Problem(.internal)) }
        switch answer {
        case .refused(let refusal): throw count(refusal.problem)
        case .unavailable(let fault): throw count(Problem(fault))
        case .granted(let granted):
            metrics.count(granted: granted.isReplay ? 0 : 1, replayed: granted.isReplay ? 1 : 0)
            if call.form == .json { return .json(capacity: 640) { GrantJSON.write(granted, to: &$0) } }
            var proto = ProtobufWriter(capacity: 512)
            GrantProtobuf.write(granted, to: &proto)
            return .protobuf(proto.bytes)
        }
    }

    private func batch(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        let bytes = Array(call.body.readableBytesView)
        let requests =
            call.form == .json
            ? try GrantJSON.batch(bytes, max: batchMax) : try GrantProtobuf.batch(bytes, max: batchMax)
        metrics.batchSizes.observe(Double(requests.count))
        let areHere = services.place == nil || requests.allSatisfy { placement(of: $0) == .here }
        let results = await areHere ? results(of: requests, for: service) : divided(requests, call, service)
        guard results.count == requests.count else { throw count(Problem(.internal)) }
        return call.form == .json ? Self.json(results) : .protobuf(GrantProtobuf.bytes(results))
    }

    private func placement(of request: GrantRequest) -> Placement {
        services.place?(.person(services.identities.person(request.person))) ?? .here
    }

    /// The results of this node's requests and of others', all asked at once, in the order of the requests.
    private func divided(
        _ requests: [GrantRequest],
        _ call: Call,
        _ service: ServiceKey
    ) async -> [Result<Granted, Problem>] {
        var groups: [Placement: [Int]] = [:]
        for (index, request) in requests.enumerated() { groups[placement(of: request), default: []].append(index) }
        return await withTaskGroup(of: (indices: [Int], results: [Result<Granted, Problem>]).self) { tasks in
            for (placement, indices) in groups {
                let group = indices.map { requests[$0] }
                tasks.addTask { (indices, await results(of: group, placed: placement, call, service)) }
            }
            var all = [Result<Granted, Problem>](repeating: .failure(Problem(.internal)), count: requests.count)
            for await (indices, group) in tasks where group.count == indices.count {
                for (index, result) in zip(indices, group) { all[index] = result }
            }
            return all
        }
    }

    private func results(
        of requests: [GrantRequest],
        placed placement: Placement,
        _ call: Call,
        _ service: ServiceKey
    ) async -> [Result<Granted, Problem>] {
        do throws(Problem) {
            guard let address = try forwarder.destination(of: call, placed: placement) else {
                return await results(of: requests, for: service)
            }
            return try await forwarder.grant(requests, for: call, at: address) {
                // Those of one node may come to several; then some of the answers may still come.
                requests.contains { self.placement(of: $0) == .at(address) }
            }
        } catch {
            return requests.map { _ in .failure(count(error)) }
        }
    }

    /// One result for each request, in the same order. What the service's key doesn't cover isn't passed on.
    private func results(of requests: [GrantRequest], for service: ServiceKey) async -> [Result<Granted, Problem>] {
        let isAllowed = requests.map { service.allows(campaign: $0.campaign) }
        let allowed = isAllowed.contains(false) ? zip(requests, isAllowed).filter(\.1).map(\.0) : requests
        let answers = allowed.isEmpty ? [] : await services.grant(allowed)
        guard answers.count == allowed.count else { return [] }
        var rest = answers.makeIterator()
        let results: [Result<Granted, Problem>] = isAllowed.map { isAllowed in
            guard isAllowed, let answer = rest.next() else { return .failure(.forbiddenCampaign) }
            return answer.result
        }
        countAll(results)
        return results
    }

    private static func json(_ results: [Result<Granted, Problem>]) -> Response {
        .json(capacity: 64 + results.count * 640) { json in
            json.object { json in
                json.key("results")
                json.array { json in
                    for result in results {
                        switch result {
                        case .success(let granted): GrantJSON.write(granted, to: &json)
                        case .failure(let problem):
                            json.object { json in
                                json.key("error")
                                problem.write(to: &json)
                            }
                        }
                    }
                }
            }
        }
    }

    private func find(_ call: Call, _ service: ServiceKey) async throws(Problem) -> Response {
        guard let order = OrderNumber(String(call.captures[0])) else { throw Problem(.notFound) }
        // A key for some campaigns can't find out what is in others.
        guard let campaign = services.campaigns().campaign(order.book), service.allows(campaign: campaign.key) else {
            throw Problem(.notFound)
        }
        let found: GrantView?
        do throws(StoreError) {
            found = try await services.findGrant(order)
        } catch {
            throw Problem(error)
        }
        guard let found else { throw Problem(.notFound) }
        return .json { json in
            json.object { json in
                json.key("order")
                json.value(ascii: OrderText.bytes(found.order))
                json.field("status", Int64(found.status.rawValue))
                json.field("person", decimal: found.order.person.rawValue)
                json.field("amount", found.amount.fen)
                json.field("openedAt", found.openedAt.milliseconds)
                if let postedAt = found.postedAt { json.field("postedAt", postedAt.milliseconds) }
            }
        }
    }

    private func count(_ problem: Problem) -> Problem {
        metrics.count(problem)
        return problem
    }

    private func countAll(_ results: [Result<Granted, Problem>]) {
        var granted = 0
        var replayed = 0
        for result in results {
            switch result {
            case .success(let grant): if grant.isReplay { replayed += 1 } else { granted += 1 }
            case .failure(let problem): metrics.count(problem)
            }
        }
        metrics.count(granted: granted, replayed: replayed)
    }
}

extension GrantAnswer {
    fileprivate var result: Result<Granted, Problem> {
        switch self {
        case .granted(let granted): .success(granted)
        case .refused(let refusal): .failure(refusal.problem)
        case .unavailable(let fault): .failure(Problem(fault))
        }
    }
}

extension Problem {
    static let forbiddenCampaign = Problem(
        .forbidden,
        param: "campaign",
        detail: "The key isn't for this campaign."
    )
}

extension Response {
    fileprivate static func protobuf(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/x-protobuf", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }
}
