/// Where a node of a cluster sends its callers.
package enum Redirect: Hashable, Sendable {
    /// The slot belongs to another node.
    case moved(KeySlot, ServerAddress)
    /// The slot is on its way to another node, and so is this key: ask there, for this once.
    case ask(ServerAddress)

    /// - Parameters:
    ///   - line: what the server refused with.
    ///   - host: that server's, which it leaves out when it means its own.
    package init?(_ line: String, from host: String) {
        let words = line.split(separator: " ")
        guard words.count == 3, let number = Int64(decimal: Array(words[1].utf8)),
            let slot = KeySlot(number: Int(number)),
            let server = ServerAddress(words[2], hostWhenMissing: host)
        else { return nil }
        switch words[0] {
        case "MOVED": self = .moved(slot, server)
        case "ASK": self = .ask(server)
        default: return nil
        }
    }
}
