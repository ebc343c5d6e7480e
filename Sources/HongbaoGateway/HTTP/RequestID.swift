package import HTTPTypes
import HongbaoCore
import Synchronization

/// Gives every request an ID to be found by: the caller's own, if it's a decent one, or else a new one.
package final class RequestIDs: Sendable {
    package static let lengthMax = 64

    private let prefix: String
    private let next = Atomic<UInt64>(1)

    /// `salt` tells this process from others: random.
    package init(salt: UInt64) {
        prefix = String(salt, radix: 36) + "-"
    }

    package func id(for head: HTTPRequest) -> String {
        if let given = head.headerFields[.requestID], Self.isDecent(given) { return given }
        return prefix + String(next.add(1, ordering: .relaxed).oldValue, radix: 36)
    }

    private static func isDecent(_ id: String) -> Bool { Name.isValid(id.utf8) }
}

extension HTTPField.Name {
    static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("not a field name") }
        return name
    }

    static let requestID = name("X-Request-Id")
    static let traceparent = name("traceparent")
    static let accelBuffering = name("X-Accel-Buffering")
    static let frameOptions = name("X-Frame-Options")
    static let referrerPolicy = name("Referrer-Policy")
}

/// The W3C trace context of a request, if it's well-formed.
enum TraceParent {
    static func of(_ head: HTTPRequest) -> String? {
        guard let text = head.headerFields[.traceparent], text.utf8.count == 55 else { return nil }
        for (index, byte) in text.utf8.enumerated() {
            switch index {
            case 2, 35, 52: guard byte == UInt8(ascii: "-") else { return nil }
            default:
                guard byte.hexDigitValue != nil, !(UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte) else {
                    return nil
                }
            }
        }
        return text.hasPrefix("00-") ? text : nil
    }
}
