import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// What outside systems tell us. Their word is a hint: the system is asked before anything changes (M9).
struct CallbackRoutes: Sendable {
    let services: GatewayServices
    /// A system that has none isn't believed.
    let guards: [OutsideSystem: CallbackGuard]

    /// - Parameter secrets: what each system signs with.
    init(services: GatewayServices, secrets: [OutsideSystem: [UInt8]]) {
        self.services = services
        guards = CallbackGuard.guards(by: secrets)
    }

    var routes: [Route] {
        OutsideSystem.allCases.map { system in
            Route(
                .post,
                "/v1/callbacks/\(system.rawValue)",
                body: .signed,
                about: .anybody,
                .open { (call) throws(Problem) in try take(call, from: system) }
            )
        }
    }

    private func take(_ call: Call, from system: OutsideSystem) throws(Problem) -> Response {
        let body = Array(call.body.readableBytesView)
        try CallbackGuard.admit(call, body, by: guards[system])
        let result: PayoutMessages.Result
        do throws(JSONFault) {
            result = try PayoutMessages.readCallback(body)
        } catch {
            throw Problem(error)
        }
        guard services.callback(system, result.order) else {
            throw Problem(.malformed, param: "order", detail: "Not the number of an order of \(system.rawValue).")
        }
        return .json { json in json.object { $0.field("taken", true) } }
    }
}
