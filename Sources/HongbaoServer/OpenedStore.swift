package import HongbaoEngine
import HongbaoSQLite
import Logging

#if MySQL
    import HongbaoMySQL
#endif

/// The store that the settings name: a file in the data folder, or a database of MariaDB.
package struct OpenedStore: Sendable {
    package let store: any Store
    /// What runs and isn't as it should be.
    package let warnings: [String]
    private let end: @Sendable () async throws -> Void

    /// - Parameter isReadOnly: of a data folder; beside a server that uses it.
    package static func open(_ configuration: ServerConfiguration, isReadOnly: Bool = false) async throws -> Self {
        if let address = configuration.store { return try await open(address) }
        let folder = DataFolder(configuration.dataFolder)
        let store = isReadOnly ? try folder.openStore(.readOnly) : try await folder.openToWrite()
        return OpenedStore(store: store, warnings: []) { try await store.close() }
    }

    private init(store: any Store, warnings: [String], end: @escaping @Sendable () async throws -> Void) {
        self.store = store
        self.warnings = warnings
        self.end = end
    }

    package func close() async throws { try await end() }

    #if !MySQL
        static let noMariaDB = "store.url: this build has no MariaDB; build it with `swift build --traits MySQL`"
    #endif

    #if MySQL
        private static func open(_ address: DatabaseAddress) async throws -> Self {
            let store = try await MySQLStore(ServerAddress.all(address))
            return OpenedStore(store: store, warnings: store.warnings) { await store.close() }
        }
    #else
        private static func open(_ address: DatabaseAddress) async throws -> Self {
            throw StartFault(noMariaDB)
        }
    #endif
}

#if MySQL
    extension ServerAddress {
        /// Those that an address names.
        static func all(_ address: DatabaseAddress) -> [ServerAddress] {
            let places = address.servers.map { Place.host($0.host, port: $0.port) }
            return (address.socket.map { [.socket($0)] } ?? places).map { place in
                ServerAddress(
                    place,
                    user: address.user,
                    password: address.password,
                    database: address.database,
                    tls: address.security.map {
                        TLS(authorityFile: $0.authorities, certificateFile: $0.certificate, keyFile: $0.key)
                    }
                )
            }
        }
    }
#endif
