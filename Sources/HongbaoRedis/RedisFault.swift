/// Why a call of a Redis server has no answer.
package struct RedisFault: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// Too much waits for answers already. It was not sent.
        case full
        /// Nobody answers at the address, or we aren't let in. It was not sent.
        case unreachable
        /// The connection was lost, the time over or the caller gone before it was sent.
        case unsent
        /// It was sent, and no answer came: nobody knows whether it ran.
        case outcomeUnknown
        /// The server's word, by its code (`NOSCRIPT`). It did nothing, unless it was a script that had begun.
        case refused(code: String)
    }

    package let kind: Kind
    package let message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The server's error line: a code in capitals and a text behind it.
    init(refusal line: String) {
        let code = line.prefix { $0 != " " }
        self.init(.refused(code: String(code)), line)
    }

    package var description: String { message }

    /// Whether it certainly did not happen, and might the next time.
    package var canBeTriedAgain: Bool {
        switch kind {
        case .full, .unreachable, .unsent: true
        case .outcomeUnknown: false
        case .refused(let code): Self.passingCodes.contains(code)
        }
    }

    /// What a server says while it starts, or while a cluster moves slots, elects a master or is cut in two.
    static let passingCodes: Set<String> = ["TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"]
}
