import Foundation
package import HongbaoCore
import HongbaoEngine

/// A database of MariaDB that several processes use, as `store.url` says it:
/// `mysql://user:password@host:3306/database`, or with several servers, of which one is the primary,
/// `mysql://user:password@a:3306,b:3306/database`. Behind it, `?ca=FILE` encrypts the connection and names the
/// authorities that are believed, `certificate=FILE&key=FILE` what to show to a server that asks for it, `tls=on`
/// encrypts it with the system's authorities, and `socket=PATH` is a Unix socket instead of the host.
package struct DatabaseAddress: Hashable, Sendable, CustomStringConvertible {
    package struct Security: Hashable, Sendable {
        package var authorities: String?
        package var certificate: String?
        package var key: String?
    }

    package struct Server: Hashable, Sendable, CustomStringConvertible {
        package let host: String
        package let port: UInt16

        package var description: String { "\(host):\(port)" }

        /// `host:port`, or a host alone.
        package init?(_ text: String) {
            guard let parts = URLComponents(string: "mysql://\(text)"), let host = parts.host, !host.isEmpty,
                parts.user == nil, parts.path.isEmpty, parts.query == nil, parts.fragment == nil
            else { return nil }
            self.init(host, parts.port)
        }

        fileprivate init?(_ host: String, _ port: Int?) {
            guard (1...65_535).contains(port ?? 3_306) else { return nil }
            self.host = host
            self.port = UInt16(port ?? 3_306)
        }
    }

    static let serversMax = 8

    /// At least one; that of a socket has no host.
    package let servers: [Server]
    package let socket: String?
    package var user: String
    package var password: String
    package let database: String
    /// `nil`: not encrypted.
    package let security: Security?

    /// `nil` for anything but such an address.
    package init?(_ text: String) {
        let (single, more) = Self.divided(text)
        guard let parts = URLComponents(string: single), parts.scheme == "mysql", parts.fragment == nil,
            let host = parts.host, let first = Server(host, parts.port), let user = parts.user, !user.isEmpty,
            parts.path.first == "/"
        else { return nil }
        let servers = [first] + more.compactMap { Server($0) }
        let database = String(parts.path.dropFirst())
        guard servers.count == more.count + 1, Set(servers).count == servers.count, servers.count <= Self.serversMax,
            !database.isEmpty, !database.contains("/")
        else { return nil }
        var options: [String: String] = [:]
        for item in parts.queryItems ?? [] {
            guard let value = item.value, !value.isEmpty, options.updateValue(value, forKey: item.name) == nil,
                ["ca", "certificate", "key", "tls", "socket"].contains(item.name)
            else { return nil }
        }
        guard (options["certificate"] == nil) == (options["key"] == nil), options["tls"] ?? "on" == "on",
            host.isEmpty == (options["socket"] != nil), servers.count == 1 || !host.isEmpty
        else { return nil }
        self.servers = servers
        self.user = user
        self.database = database
        password = parts.password ?? ""
        socket = options.removeValue(forKey: "socket")
        security =
            options.isEmpty
            ? nil : Security(authorities: options["ca"], certificate: options["certificate"], key: options["key"])
    }

    /// The address with the first server only, and the others.
    private static func divided(_ text: String) -> (single: String, more: [String]) {
        guard let scheme = text.range(of: "://") else { return (text, []) }
        let end = text[scheme.upperBound...].firstIndex(of: "/") ?? text.endIndex
        let authority = text[scheme.upperBound..<end]
        let start = authority.lastIndex(of: "@").map { authority.index(after: $0) } ?? authority.startIndex
        let servers = authority[start...].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard servers.count > 1 else { return (text, []) }
        return (text[..<start] + servers[0] + text[end...], Array(servers.dropFirst()))
    }

    /// Without the password.
    package var description: String {
        "mysql://\(user)@\(socket ?? servers.map(\.description).joined(separator: ","))/\(database)"
    }
}

/// This process as a node of a cluster (DP-2): several on one store, of which each decides for its part of the people.
package struct ClusterSettings: Hashable, Sendable {
    package var address: String
    package var division: Division
    package var silence: Duration = .seconds(10)
    package var takesMints = true
    /// Whether it posts the logs of other nodes, too, and its own.
    package var posts = true
    var reconciling = Reconciling.ifAsked
    /// Whether it shows the wallets of everybody, from the hot state of tokens.
    package var shows = false
    /// What says where there is something to post; `nil`: nothing does between nodes, and the logs are read.
    package var queue: QueueSettings?

    package static let keys: [(key: String, meaning: String)] = [
        (
            "store.url",
            "MariaDB that keeps the books, not the data folder: mysql://user:password@host:3306/hongbao; a primary and "
                + "its replica: mysql://user:password@a:3306,b:3306/hongbao"
        ),
        (
            "store.shards",
            "list of further databases, which have a part of the people each; as store.url, and in all nodes in the "
                + "same order"
        ),
        ("switch-over.user", "who `hongbao switch-over` is on them, and as whom replicas log in (that of store.url)"),
        ("switch-over.password", "that user's password"),
        ("cluster.address", "makes this a node of a cluster: where the others reach it, as http://10.0.0.7:8080"),
        ("cluster.mints", "how many parts the people are divided into, the same for ever and in all nodes (needed)"),
        ("cluster.silence-seconds", "after so long without a sign of life a node's parts are taken over (10)"),
        (
            "roles",
            "list of what a node does: core has parts of the people, async posts, query shows wallets, reconcile "
                + "audits, gateway nothing of that; all is core and async (all)"
        ),
    ]

    /// What `roles` may be.
    package static var roles: [String] { Role.allCases.map(\.rawValue) }

    /// `nil` for a process by itself.
    init?(_ settings: Settings, store: DatabaseAddress?) throws(ServerConfiguration.Invalid) {
        let roles = try Role.all(settings)
        queue = try QueueSettings(settings)
        guard let address = try settings.address("cluster.address") else {
            guard roles == [.all], queue == nil else {
                let reason = "is needed when roles or queue.url say what a node of a cluster does"
                throw ServerConfiguration.Invalid(key: "cluster.address", reason: reason)
            }
            return nil
        }
        guard address.utf8.count <= MintHolder.addressBytesMax else {
            throw ServerConfiguration.Invalid(key: "cluster.address", reason: "is too long")
        }
        guard store != nil else {
            let reason = "is needed when cluster.address is set: a data folder is for one process"
            throw ServerConfiguration.Invalid(key: "store.url", reason: reason)
        }
        guard let mints = try settings.int("cluster.mints", in: 1...Division.mintsMax) else {
            throw ServerConfiguration.Invalid(key: "cluster.mints", reason: "is needed when cluster.address is set")
        }
        self.address = address.hasSuffix("/") ? String(address.dropLast()) : address
        division = Division(mints: mints)
        if let seconds = try settings.int("cluster.silence-seconds", in: 3...3600) { silence = .seconds(seconds) }
        takesMints = !roles.isDisjoint(with: [.core, .all])
        posts = !roles.isDisjoint(with: [.async, .all])
        reconciling = roles.contains(.reconcile) ? .always : roles.contains(.all) ? .ifAsked : .never
        shows = roles.contains(.query)
    }

    /// Whether a process audits everything while it serves: with the role `reconcile`, or with `all` when a setting
    /// says how often.
    enum Reconciling { case never, ifAsked, always }

    /// What a node does besides passing requests on, which each of them does.
    private enum Role: String, CaseIterable {
        case all, core, async, query, reconcile, gateway

        static func all(_ settings: Settings) throws(ServerConfiguration.Invalid) -> Set<Role> {
            let list = settings.list("roles")
            let words = list.isEmpty ? settings.string("roles").map { [$0] } ?? ["all"] : list
            var roles: Set<Role> = []
            for word in words.flatMap({ $0.split(separator: ",", omittingEmptySubsequences: false) }) {
                guard let role = Role(rawValue: String(word)) else {
                    let reason = "must be some of \(ClusterSettings.roles.joined(separator: ", "))"
                    throw ServerConfiguration.Invalid(key: "roles", reason: reason)
                }
                roles.insert(role)
            }
            return roles
        }
    }

    var node: ClusterNode.Configuration {
        var node = ClusterNode.Configuration(address: address)
        node.silence = silence
        node.takesMints = takesMints
        return node
    }
}

extension DatabaseAddress {
    /// Further databases, each for a part of the people (DP-3).
    static func shards(
        _ settings: Settings,
        store: DatabaseAddress?,
        cluster: ClusterSettings?
    ) throws(ServerConfiguration.Invalid) -> [DatabaseAddress] {
        let list = settings.list("store.shards", isSecret: true)
        guard !list.isEmpty else { return [] }
        guard let store, let cluster else {
            let reason = "are parts of a cluster: store.url and cluster.address are needed"
            throw ServerConfiguration.Invalid(key: "store.shards", reason: reason)
        }
        var all = [store]
        for text in list {
            guard let address = DatabaseAddress(text) else {
                let reason = "must each be like mysql://user:password@127.0.0.1:3306/hongbao"
                throw ServerConfiguration.Invalid(key: "store.shards", reason: reason)
            }
            all.append(address)
        }
        guard Set(all.map(\.description)).count == all.count else {
            let reason = "name a database twice, or that of store.url"
            throw ServerConfiguration.Invalid(key: "store.shards", reason: reason)
        }
        guard all.count <= min(cluster.division.mints, Shards.countMax) else {
            let reason = "are more than there are mints for (cluster.mints), or than \(Shards.countMax) with store.url"
            throw ServerConfiguration.Invalid(key: "store.shards", reason: reason)
        }
        return Array(all.dropFirst())
    }

    /// `nil` when the books are in the data folder.
    init?(_ settings: Settings) throws(ServerConfiguration.Invalid) {
        guard let text = settings.string("store.url", isSecret: true) else { return nil }
        guard let address = DatabaseAddress(text) else {
            let reason =
                "must be like mysql://user:password@127.0.0.1:3306/hongbao, or @a:3306,b:3306, with ?ca=FILE encrypted"
            throw ServerConfiguration.Invalid(key: "store.url", reason: reason)
        }
        self = address
    }
}
