#if MySQL
    import HongbaoMySQL
#endif

/// What `hongbao move-database` does with one of the databases that the settings name.
package struct MovingDatabase: Sendable {
    private let database: DatabaseAddress
    private let target: [DatabaseAddress.Server]
    private let login: SwitchOverLogin?

    /// - Parameters:
    ///   - number: 1 for that of store.url, 2 for the first of store.shards.
    ///   - target: as `host:port`, or several with commas between.
    package init(_ configuration: ServerConfiguration, number: Int, to target: String) throws {
        guard let home = configuration.store else {
            throw StartFault("store.url isn't set: books in a data folder can't be moved")
        }
        let all = [home] + configuration.shards
        guard (1...all.count).contains(number) else {
            throw StartFault("--database \(number): the settings name databases 1 to \(all.count)")
        }
        let texts = target.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let servers = texts.compactMap { DatabaseAddress.Server($0) }
        guard servers.count == texts.count, Set(servers).count == servers.count else {
            throw StartFault("--to \(target): must be like b:3306, or b:3306,c:3306 with a replica")
        }
        database = all[number - 1]
        self.target = servers
        login = configuration.switchOver
    }

    /// - Parameter tell: is told of each step.
    #if MySQL
        package func run(_ tell: @escaping @Sendable (String) -> Void) async throws {
            let options = DatabaseMove.Options(target: target.map { .host($0.host, port: $0.port) })
            guard database.socket == nil else {
                throw StartFault("\(database): other servers can't reach a socket; name its host")
            }
            let login = (user: login?.user ?? database.user, password: login?.password ?? database.password)
            let move = DatabaseMove(ServerAddress.all(database), login: login, options: options, tell: tell)
            try await withThrowingTaskGroup { group in
                group.addTask { _ = try await move.run() }
                group.addTask {
                    await Interrupt.wait()
                    throw StartFault("interrupted")
                }
                defer { group.cancelAll() }
                // One that is interrupted takes back what it has begun.
                try await group.next()
            }
        }
    #else
        package func run(_ tell: @escaping @Sendable (String) -> Void) async throws {
            throw StartFault("this build has no MariaDB; build it with `swift build --traits MySQL`")
        }
    #endif
}
