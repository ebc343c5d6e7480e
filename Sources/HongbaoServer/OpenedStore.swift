import HongbaoCore
package import HongbaoEngine
import HongbaoSQLite
import Logging

#if MySQL
    import HongbaoMySQL
#endif

/// The store that the settings name: a file in the data folder, or a database of MariaDB, or several.
package struct OpenedStore: Sendable {
    package let shards: Shards
    /// What runs and isn't as it should be.
    package let warnings: [String]
    private let end: @Sendable () async throws -> Void

    /// - Parameter isReadOnly: of a data folder; beside a server that uses it.
    package static func open(_ configuration: ServerConfiguration, isReadOnly: Bool = false) async throws -> Self {
        if let address = configuration.store {
            return try await open([address] + configuration.shards, configuration.cluster?.division ?? .whole)
        }
        let folder = DataFolder(configuration.dataFolder)
        let store = isReadOnly ? try folder.openStore(.readOnly) : try await folder.openToWrite()
        return OpenedStore(shards: Shards(store), warnings: []) { try await store.close() }
    }

    private init(shards: Shards, warnings: [String], end: @escaping @Sendable () async throws -> Void) {
        self.shards = shards
        self.warnings = warnings
        self.end = end
    }

    package func close() async throws { try await end() }

    #if !MySQL
        static let noMariaDB = "store.url: this build has no MariaDB; build it with `swift build --traits MySQL`"
    #endif

    #if MySQL
        private static func open(_ addresses: [DatabaseAddress], _ division: Division) async throws -> Self {
            var stores: [MySQLStore] = []
            do {
                for address in addresses { stores.append(try await MySQLStore(ServerAddress.all(address))) }
            } catch {
                for store in stores { await store.close() }
                throw error
            }
            let shards = Shards(stores, in: division)
            return OpenedStore(shards: shards, warnings: stores.flatMap(\.warnings)) { [stores] in
                for store in stores { await store.close() }
            }
        }
    #else
        private static func open(_ addresses: [DatabaseAddress], _ division: Division) async throws -> Self {
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
