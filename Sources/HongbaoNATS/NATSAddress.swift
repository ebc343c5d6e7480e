/// Servers of one NATS cluster and how to reach them: `nats://user:password@10.0.0.5:4222,10.0.0.6:4222`, with `tls://`
/// to encrypt. Behind it, `?ca=FILE` names the authorities that are believed, `certificate=FILE&key=FILE` what to show
/// to servers that ask for it, and `credentials=FILE` a user's credentials as `nsc` writes them.
package struct NATSAddress: Hashable, Sendable, CustomStringConvertible {
    /// Such as `nats://10.0.0.5:4222`, with user and password if there are any.
    package let servers: [String]
    package let requiresTLS: Bool
    package let authorityFile: String?
    package let certificateFile: String?
    package let keyFile: String?
    package let credentialsFile: String?

    private static let serversMax = 16

    /// `nil` for anything but such an address.
    package init?(_ text: String) {
        let schemes = ["nats://", "tls://"]
        guard let scheme = schemes.first(where: { text.hasPrefix($0) }), !text.contains(where: \.isWhitespace) else {
            return nil
        }
        let halves = text.dropFirst(scheme.count).split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var options: [String: String] = [:]
        let list = halves.count == 2 ? halves[1].split(separator: "&", omittingEmptySubsequences: false) : []
        for option in list {
            let pair = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard pair.count == 2, !pair[1].isEmpty, options.updateValue(pair[1], forKey: pair[0]) == nil,
                ["ca", "certificate", "key", "credentials"].contains(pair[0])
            else { return nil }
        }
        guard let hosts = halves.first, (options["certificate"] == nil) == (options["key"] == nil) else { return nil }
        // Who is named with the first server is who we are at all of them.
        let parts = hosts.split(separator: "@", omittingEmptySubsequences: false)
        guard let places = parts.last, parts.count <= 2 else { return nil }
        let user = parts.count == 2 ? "\(parts[0])@" : ""
        var servers: [String] = []
        for host in places.split(separator: ",", omittingEmptySubsequences: false) {
            guard let place = Self.place(host) else { return nil }
            servers.append("\(scheme)\(user)\(place)")
        }
        guard user != "@", (1...Self.serversMax).contains(servers.count) else { return nil }
        self.servers = servers
        requiresTLS = scheme == "tls://"
        authorityFile = options["ca"]
        certificateFile = options["certificate"]
        keyFile = options["key"]
        credentialsFile = options["credentials"]
        guard requiresTLS || (authorityFile == nil && certificateFile == nil) else { return nil }
    }

    private static func place(_ text: Substring) -> String? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count <= 2, !host.contains("/") else { return nil }
        guard parts.count == 2 else { return "\(host):4222" }
        guard let port = UInt16(parts[1]), port > 0 else { return nil }
        return "\(host):\(port)"
    }

    /// Without user and password.
    package var description: String {
        let places = servers.compactMap { $0.split(separator: "/").last?.split(separator: "@").last }
        return "\(requiresTLS ? "tls" : "nats")://\(places.joined(separator: ","))"
    }
}
