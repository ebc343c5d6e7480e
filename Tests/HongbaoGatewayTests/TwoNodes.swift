import AsyncHTTPClient
import HTTPTypes
import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import HongbaoTesting
import HummingbirdTesting
import NIOCore
import Synchronization
import Testing

/// Two gateways that listen on the loopback, each over an engine of its own: the first is asked and forwards to the
/// second, as far as the test says.
struct TwoNodes: Sendable {
    /// Nobody listens there.
    static let nowhere = "http://127.0.0.1:1"

    struct Running: Sendable {
        let first: Caller
        let second: Caller
        let calls: Calls
    }

    /// Where the first node says that something is done.
    var place: @Sendable (Concern, _ second: String) -> Placement = { .at($1) }
    var secondPlace: @Sendable (Concern) -> Placement = { _ in .here }
    var person: @Sendable (PersonID) -> PersonID = { $0 }
    var hasClient = true
    var requestTimeout = Duration.seconds(60)
    var changeSecond: @Sendable (inout GatewayServices) -> Void = { _ in }

    func run(_ body: @escaping @Sendable (Running) async throws -> Void) async throws {
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: Forwarder.clientConfiguration)
        do {
            try await run(client, body)
        } catch {
            try await client.shutdown()
            throw error
        }
        try await client.shutdown()
    }

    private func run(
        _ client: HTTPClient,
        _ body: @escaping @Sendable (Running) async throws -> Void
    ) async throws {
        let calls = Calls()
        var second = try GatewayRig()
        second.configuration.forwarding = client
        second.change = { services in
            changeSecond(&services)
            calls.note("second", &services)
            services.place = secondPlace
        }
        try await second.run(.live) { other in
            let address = "http://127.0.0.1:\(try #require(other.client.port))"
            var first = try GatewayRig()
            first.configuration.requestTimeout = requestTimeout
            if hasClient { first.configuration.forwarding = client }
            first.change = { services in
                calls.note("first", &services)
                services.identities.person = person
                services.place = { place($0, address) }
            }
            try await first.run(.live) { caller in
                try await body(Running(first: caller, second: other, calls: calls))
            }
        }
    }
}

/// Which use cases were called at which node.
final class Calls: Sendable {
    private let all = Mutex<[String]>([])

    var sorted: [String] { all.withLock { $0.sorted() } }

    private func add(_ call: String) { all.withLock { $0.append(call) } }

    func note(_ node: String, _ services: inout GatewayServices) {
        let (wallet, grant, findGrant, look) = (
            services.wallet, services.grant, services.findGrant, services.packets.look
        )
        let withdraw = services.requestWithdrawal
        services.wallet = { (person, campaign, tokens) throws(StoreError) in
            self.add("\(node) wallet \(person.rawValue)")
            return try await wallet(person, campaign, tokens)
        }
        services.grant = { requests in
            let persons = requests.map { String($0.person.rawValue) }.joined(separator: " ")
            self.add("\(node) grant \(persons)")
            return await grant(requests)
        }
        services.findGrant = { (order) throws(StoreError) in
            self.add("\(node) find \(order.person.rawValue)")
            return try await findGrant(order)
        }
        services.packets.look = { (id, person) throws(StoreError) in
            self.add("\(node) look \(id.rawValue)")
            return try await look(id, person)
        }
        services.requestWithdrawal = {
            self.add("\(node) withdraw \($0.person.rawValue)")
            return await withdraw($0, $1, $2, $3)
        }
    }
}
