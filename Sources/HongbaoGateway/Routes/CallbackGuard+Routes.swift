import Crypto
import HTTPTypes
import HongbaoCore

extension CallbackGuard {
    /// One for each sender. Those with the same secret share a guard, so that what one has said can't be repeated under
    /// another's name.
    static func guards<Sender: Hashable>(by secrets: [Sender: [UInt8]]) -> [Sender: CallbackGuard] {
        var bySecret: [[UInt8]: CallbackGuard] = [:]
        return secrets.mapValues { secret in
            if let known = bySecret[secret] { return known }
            let new = CallbackGuard(key: SymmetricKey(data: secret))
            bySecret[secret] = new
            return new
        }
    }

    /// Lets a call with this body in, or refuses it. A sender that has no guard isn't believed.
    static func admit(_ call: Call, _ body: [UInt8], by known: CallbackGuard?) throws(Problem) {
        switch known?.check(call.head.headerFields, body: body, now: call.now) {
        case .accepted: return
        case nil, .notAuthentic, .outsideWindow, .replayed: throw Problem(.unauthorized)
        case .overloaded: throw Problem(.overloaded)
        }
    }
}
