#if MySQL
    import HongbaoMySQL
#endif

/// What `hongbao switch-over` does with the servers that the settings name.
package struct PrimarySwitch: Sendable {
    package let servers: DatabaseAddress
    package var target: DatabaseAddress.Server
    package var oldIsGone = false
    package var alone = false

    /// - Parameter target: as `host:port`.
    package init(_ configuration: ServerConfiguration, to target: String) throws {
        guard let home = configuration.store else {
            throw StartFault("store.url isn't set: books in a data folder have no replica")
        }
        guard let target = DatabaseAddress.Server(target) else {
            throw StartFault("--to \(target): must be like b:3306")
        }
        // Of several databases, the one that has that server.
        var servers = configuration.shards.first { $0.servers.contains(target) } ?? home
        if let login = configuration.switchOver {
            servers.user = login.user
            servers.password = login.password
        }
        self.servers = servers
        self.target = target
    }

    /// - Parameter tell: is told of each step.
    #if MySQL
        package func run(_ tell: @escaping @Sendable (String) -> Void) async throws {
            var options = SwitchOver.Options(target: .host(target.host, port: target.port))
            options.oldIsGone = oldIsGone
            options.alone = alone
            try await SwitchOver(ServerAddress.all(servers), options: options, tell: tell).run()
        }
    #else
        package func run(_ tell: @escaping @Sendable (String) -> Void) async throws {
            throw StartFault("this build has no MariaDB; build it with `swift build --traits MySQL`")
        }
    #endif
}

/// A user of the database's servers who may change which one is the primary.
package struct SwitchOverLogin: Hashable, Sendable {
    package let user: String
    package let password: String

    /// `nil` when it's the store's own.
    init?(_ settings: Settings) {
        guard let user = settings.string("switch-over.user"), !user.isEmpty else { return nil }
        self.user = user
        password = settings.string("switch-over.password", isSecret: true) ?? ""
    }
}
