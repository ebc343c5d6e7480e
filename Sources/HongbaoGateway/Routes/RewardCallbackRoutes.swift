import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// What downstreams tell us of rewards. As of the systems that move money, their word is a hint: the downstream is
/// asked before anything changes (M9).
struct RewardCallbackRoutes: Sendable {
    let services: GatewayServices
    /// A downstream that has none isn't believed.
    let guards: [RewardKind: CallbackGuard]

    /// - Parameter secrets: what each downstream signs with.
    init(services: GatewayServices, secrets: [RewardKind: [UInt8]]) {
        self.services = services
        guards = CallbackGuard.guards(by: secrets)
    }

    var routes: [Route] {
        [
            Route(
                .post,
                "/v1/callbacks/rewards/{kind}",
                body: .signed,
                about: .anybody,
                .open { (call) throws(Problem) in try take(call) }
            )
        ]
    }

    private func take(_ call: Call) throws(Problem) -> Response {
        let body = Array(call.body.readableBytesView)
        // Who isn't authentic doesn't learn which downstreams there are.
        guard let kind = call.captures.first.flatMap({ RewardKind(rawValue: String($0)) }) else {
            throw Problem(.unauthorized)
        }
        try CallbackGuard.admit(call, body, by: guards[kind])
        let result: RewardMessages.Result
        do throws(JSONFault) {
            result = try RewardMessages.readCallback(body)
        } catch {
            throw Problem(error)
        }
        guard services.rewardCallback(kind, result.order) else {
            throw Problem(.malformed, param: "order", detail: "Not the number of an order of \(kind.rawValue).")
        }
        return .json { json in json.object { $0.field("taken", true) } }
    }
}
