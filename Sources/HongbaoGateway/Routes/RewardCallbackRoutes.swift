import Crypto
import HTTPTypes
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

    /// - Parameter secrets: what each downstream signs with. Those with the same secret share a guard, so that what one
    /// has said can't be repeated under another's name.
    init(services: GatewayServices, secrets: [RewardKind: [UInt8]]) {
        self.services = services
        var bySecret: [[UInt8]: CallbackGuard] = [:]
        guards = secrets.mapValues { secret in
            if let known = bySecret[secret] { return known }
            let new = CallbackGuard(key: SymmetricKey(data: secret))
            bySecret[secret] = new
            return new
        }
    }

    var routes: [Route] {
        [
            Route(
                .post,
                "/v1/callbacks/rewards/{kind}",
                body: .signed,
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
        switch guards[kind]?.check(call.head.headerFields, body: body, now: call.now) {
        case .accepted: break
        case nil, .notAuthentic, .outsideWindow, .replayed: throw Problem(.unauthorized)
        case .overloaded: throw Problem(.overloaded)
        }
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
