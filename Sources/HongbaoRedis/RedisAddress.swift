import HongbaoCore

/// Where one server listens.
package struct ServerAddress: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `host:port`, as servers name each other; the last colon counts, since IPv6 has some, too. A host that is left
    /// out is the one given.
    init?(_ text: some StringProtocol, hostWhenMissing: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Self.port(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        self.init(host: host.isEmpty ? hostWhenMissing : String(host), port: port)
    }

    static func port(_ text: some StringProtocol) -> Int? {
        guard let number = Int64(decimal: Array(text.utf8)), (1...65_535).contains(number) else { return nil }
        return Int(number)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Where a Redis is and how to get in, as one address says it:
/// `redis://user:password@host:6379`, `rediss://` with TLS, and the same with `redis-cluster` and `rediss-cluster`,
/// where several hosts may stand with commas between them, of which one must answer.
///
/// Behind it, `?ca=FILE` says which authorities to believe instead of the system's, and `certificate=FILE&key=FILE`
/// what to show to servers that ask for it; all PEM.
package struct RedisAddress: Hashable, Sendable, CustomStringConvertible {
    package struct Security: Hashable, Sendable {
        package var authorities: String?
        package var certificate: String?
        package var key: String?

        package init() {}
    }

    package struct Credentials: Hashable, Sendable {
        /// Of the server's access list; without one, the default user.
        package var user: String?
        package var password: String

        package init(user: String? = nil, password: String) {
            self.user = user
            self.password = password
        }
    }

    package var servers: [ServerAddress]
    package var isCluster: Bool
    package var credentials: Credentials?
    /// `nil`: not encrypted.
    package var security: Security?

    package static let schemes = ["redis", "rediss", "redis-cluster", "rediss-cluster"]
    private static let portUnlessSaid = 6379
    /// More seeds than anybody has.
    private static let serversMax = 64

    /// One server without password or TLS.
    package init(_ server: ServerAddress) {
        servers = [server]
        isCluster = false
    }

    /// `nil` for anything but such an address.
    package init?(_ text: String) {
        guard let behindScheme = text.firstRange(of: "://"), !text.contains(where: \.isWhitespace) else { return nil }
        let scheme = String(text[..<behindScheme.lowerBound])
        guard Self.schemes.contains(scheme) else { return nil }
        isCluster = scheme.hasSuffix("-cluster")
        var rest = text[behindScheme.upperBound...]
        security = scheme.hasPrefix("rediss") ? Security() : nil
        if let mark = rest.firstIndex(of: "?") {
            guard security?.read(rest[rest.index(after: mark)...]) == true else { return nil }
            rest = rest[..<mark]
        }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let user = Self.decoded(parts[0]), let password = Self.decoded(parts[1]),
                !password.isEmpty
            else { return nil }
            credentials = Credentials(user: user.isEmpty ? nil : user, password: password)
            rest = rest[rest.index(after: at)...]
        }
        let hosts = rest.split(separator: ",", omittingEmptySubsequences: false)
        guard hosts.count <= (isCluster ? Self.serversMax : 1) else { return nil }
        servers = []
        for host in hosts {
            guard let server = Self.server(host) else { return nil }
            servers.append(server)
        }
    }

    /// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
    private static func server(_ text: Substring) -> ServerAddress? {
        var host = text
        var port: Int? = portUnlessSaid
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = text[text.index(after: text.startIndex)..<end]
            let behind = text[text.index(after: end)...]
            if !behind.isEmpty { port = behind.first == ":" ? ServerAddress.port(behind.dropFirst()) : nil }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = ServerAddress.port(text[text.index(after: colon)...])
        }
        guard let port, !host.isEmpty, host.utf8.allSatisfy(isOfHosts) else { return nil }
        return ServerAddress(host: String(host), port: port)
    }

    /// Names, addresses of both kinds, and the zone behind a `%`.
    private static func isOfHosts(_ byte: UInt8) -> Bool {
        let character = Character(UnicodeScalar(byte))
        return character.isASCII && (character.isLetter || character.isNumber || ".-_:%".contains(character))
    }

    /// Takes `%` and two digits for the byte that they say.
    fileprivate static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Without the password.
    package var description: String {
        let scheme = (security == nil ? "redis" : "rediss") + (isCluster ? "-cluster" : "")
        let user = credentials.map { "\($0.user ?? "")@" } ?? ""
        return "\(scheme)://\(user)\(servers.map(\.description).joined(separator: ","))"
    }
}

extension RedisAddress.Security {
    /// Answers `false` for anything but the files that can be named.
    fileprivate mutating func read(_ query: Substring) -> Bool {
        for part in query.split(separator: "&", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let file = RedisAddress.decoded(pair[1]), !file.isEmpty else { return false }
            switch pair[0] {
            case "ca": authorities = file
            case "certificate": certificate = file
            case "key": key = file
            default: return false
            }
        }
        return (certificate == nil) == (key == nil)
    }
}
