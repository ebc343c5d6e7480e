import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Testing

/// A place where a store keeps its data for one test, and what is needed to open it again.
protocol StoreHome: Sendable {
    associatedtype Opened: Store
    func open() async throws -> Opened
    /// After this the home can be opened again.
    func close(_ store: Opened) async throws
}

/// A kind of store that must keep the contract. A new one is a line in `all`.
struct Backend: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let makeHome: @Sendable () throws -> any StoreHome

    static let all =
        [
            Backend(testDescription: "SQLite") { try SQLiteHome() },
            Backend(testDescription: "simulator") { SimulatedHome() },
        ] + servers

    #if MySQL
        private static let servers = [Backend(testDescription: "MariaDB") { MySQLHome() }]
    #else
        private static let servers: [Backend] = []
    #endif

    /// Runs a test on a new, empty store.
    func withStore(_ body: (any Store) async throws -> Void) async throws {
        try await Self.use(try makeHome(), body)
    }

    /// Runs a test in two parts, with everything closed and opened again in between.
    func withRestart(
        _ before: (any Store) async throws -> Void,
        then after: (any Store) async throws -> Void
    ) async throws {
        let home = try makeHome()
        try await Self.use(home, before)
        try await Self.use(home, after)
    }

    private static func use(_ home: some StoreHome, _ body: (any Store) async throws -> Void) async throws {
        let store = try await home.open()
        try await body(store)
        try await home.close(store)
    }
}

struct SQLiteHome: StoreHome {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func open() async throws -> SQLiteStore { try SQLiteStore(folder: folder.path) }
    func close(_ store: SQLiteStore) async throws { try await store.close() }
}
