import Foundation
import HTTPTypes
import HongbaoGateway
import HummingbirdTesting
import Testing

@Suite struct OpenAPITests {
    /// The document and the router name the same routes, and the document names every code.
    @Test func documentAndRoutesAgree() async throws {
        let rig = try GatewayRig()
        try await rig.run { caller in
            let document = try await caller.send(.get, "/openapi.json").object
            #expect(document["openapi"] as? String == "3.1.0")
            let paths = try #require(document["paths"] as? [String: [String: Any]])
            var documented = Set<String>()
            for (path, operations) in paths {
                for method in operations.keys { documented.insert("\(method.uppercased()) \(path)") }
            }
            let services = GatewayServices(caller.engine, readiness: rig.readiness, metrics: PrometheusRegistry())
            let routes = try Gateway.routeList(rig.configuration, services)
            #expect(Set(routes.map { "\($0.method) \($0.path)" }) == documented)
            let components = try #require(document["components"] as? [String: Any])
            let schemas = try #require(components["schemas"] as? [String: [String: Any]])
            let fields = try #require(schemas["Problem"]?["properties"] as? [String: [String: Any]])
            let codes = try #require(fields["code"]?["enum"] as? [String])
            #expect(codes == ErrorCode.allCases.map(\.rawValue).sorted())
        }
    }
}
