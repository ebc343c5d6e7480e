import HTTPTypes
import HongbaoCore
import HongbaoEngine
import Hummingbird
import NIOCore

/// What outside parties tell us. Their word is a hint: the channel is asked before anything changes (M9).
struct CallbackRoutes: Sendable {
    let services: GatewayServices
    /// `nil` believes nobody.
    let callbacks: CallbackGuard?

    var routes: [Route] { [Route(.post, "/v1/callbacks/payouts", body: .signed, .open(payout))] }

    private func payout(_ call: Call) async throws(Problem) -> Response {
        let body = Array(call.body.readableBytesView)
        let headers = call.head.headerFields
        let verdict = callbacks?.check(
            timestamp: headers[.callbackTimestamp],
            nonce: headers[.callbackNonce],
            signature: headers[.callbackSignature],
            body: body,
            now: call.now
        )
        switch verdict {
        case .accepted: break
        case nil, .notAuthentic, .outsideWindow, .replayed: throw Problem(.unauthorized)
        case .overloaded: throw Problem(.overloaded)
        }
        let result: PayoutMessages.Result
        do throws(JSONFault) {
            result = try PayoutMessages.readCallback(body)
        } catch {
            throw Problem(error)
        }
        guard services.callback(.payouts, result.order) else {
            throw Problem(.malformed, param: "order", detail: "Not the order number of a payout.")
        }
        return .json { json in json.object { $0.field("taken", true) } }
    }
}

extension HTTPField.Name {
    fileprivate static let callbackTimestamp = name(CallbackSignature.timestampHeader)
    fileprivate static let callbackNonce = name(CallbackSignature.nonceHeader)
    fileprivate static let callbackSignature = name(CallbackSignature.signatureHeader)
}
