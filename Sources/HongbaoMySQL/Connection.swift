import CMySQLClient
import HongbaoEngine

/// One connection to a server, with the statements that were compiled on it. Used on its own thread only.
final class Connection {
    /// How many rows one statement of many writes.
    static let rowsMax = 1_024
    /// How many keys one statement looks for.
    static let keysMax = 512
    /// A statement is compiled for each of these numbers of keys; a key is repeated to make one of them full.
    static let keyCounts = [1, 4, 16, 64, 256, keysMax]

    private let handle: OpaquePointer
    private var statements: [Text: PreparedStatement] = [:]
    /// How many rows this connection has ever changed or matched.
    var rowsChanged: Int64 = 0
    /// The fault that was met last.
    private(set) var lastFault: ServerFault?
    /// Whether it's of no more use.
    var isLost: Bool { lastFault?.meaning == .lost || lastFault?.meaning == .readOnly }
    /// When its server was last asked whether it's the primary.
    var checkedAt = ContinuousClock.now
    /// The servers among which the database is, where it was found.
    var servers: [ServerAddress.Place] = []
    /// The `server_id` of the one that it's to, when that was asked.
    var server: Int64 = 0
    /// The number that its server has for it.
    let id: UInt64

    private struct Text: Hashable {
        let query: Query
        let keys: Int
        let locks: Bool
        var isChange = false
    }

    /// Throws `unavailable`; no message has the password, or what the server says of the user.
    init(_ address: ServerAddress) throws(StoreError) {
        guard ClientLibrary.isReady else { throw StoreError(.unavailable, "MariaDB's client library doesn't start") }
        guard let handle = address.withOptions({ client_connect(&$0) }) else {
            throw StoreError(.unavailable, "no memory for a connection")
        }
        let number = client_error_number(handle)
        guard number == 0 else {
            client_close(handle)
            let reason =
                switch number {
                case 1045, 1698: "it refuses the user or the password"
                case 1044: "the user has no right to the database"
                case 1049: "there is no such database"
                case 2026: "TLS can't be set up, or its certificate isn't trusted"
                default: "MySQL error \(number)"
                }
            throw StoreError(.unavailable, "can't connect to \(address): \(reason)")
        }
        self.handle = handle
        id = client_connection_id(handle)
    }

    deinit {
        for statement in statements.values { client_close_statement(statement.raw) }
        client_close(handle)
    }

    func fault() -> ServerFault {
        ServerFault(number: client_error_number(handle), text: String(cString: client_error_text(handle)))
    }

    /// Takes note of a fault, for those who ask afterwards, and says what it means before COMMIT.
    func met(_ fault: ServerFault) -> StoreError {
        lastFault = fault
        return StoreError(fault)
    }

    /// Runs a statement that has no parameters and gives no rows.
    func run(_ sql: String) throws(ServerFault) {
        lastFault = nil
        var sql = sql
        let code = sql.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { client_run(handle, $0.baseAddress, $0.count) }
        }
        guard code == 0 else {
            let fault = fault()
            lastFault = fault
            throw fault
        }
    }

    func execute(_ sql: String) throws(StoreError) {
        do throws(ServerFault) { try run(sql) } catch { throw StoreError(error) }
    }

    /// Begins a transaction. The server may have gone and come back since the last one, so it's tried on two
    /// connections.
    ///
    /// - Parameter connected: answers the connection, or a new one when that is lost.
    static func begin(
        _ start: String,
        on connected: () throws(StoreError) -> Connection
    ) throws(StoreError) -> Connection {
        func attempt() throws(StoreError) -> Connection {
            let connection = try connected()
            try connection.execute(start)
            return connection
        }
        do throws(StoreError) {
            return try attempt()
        } catch {
            guard error == .connectionLost else { throw error }
            return try attempt()
        }
    }

    /// A statement that stays compiled as long as the connection lasts.
    ///
    /// - Parameter isChange: of a row that was loaded, as against a new one.
    func prepared(
        _ query: Query,
        keys: Int = 1,
        locks: Bool = false,
        isChange: Bool = false
    ) throws(StoreError) -> PreparedStatement {
        let text = Text(query: query, keys: keys, locks: locks, isChange: isChange)
        if let statement = statements[text] { return statement }
        let change = isChange ? query.change : ""
        let statement = try prepare(query.sql(keys: keys) + change + (locks ? " FOR UPDATE" : ""), query, locks: locks)
        statements[text] = statement
        return statement
    }

    /// Runs a question that isn't asked often, and reads all its rows.
    func ask<Row>(
        _ sql: String,
        _ texts: [String] = [],
        _ read: (borrowing PreparedStatement) throws(StoreError) -> Row
    ) throws(StoreError) -> [Row] {
        let statement = try prepare(sql, nil, locks: false)
        defer { client_close_statement(statement.raw) }
        for (index, text) in texts.enumerated() { statement.bind(Int32(index) + 1, text: text) }
        return try statement.all(read)
    }

    /// Compiles a statement of somebody who closes it himself, before the connection.
    func prepared(_ sql: String) throws(StoreError) -> PreparedStatement { try prepare(sql, nil, locks: false) }

    private func prepare(_ sql: String, _ query: Query?, locks: Bool) throws(StoreError) -> PreparedStatement {
        lastFault = nil
        let text = NumberedText(sql)
        var sql = text.sql
        let raw = sql.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { client_prepare(handle, $0.baseAddress, $0.count) }
        }
        guard let raw else { throw met(fault()) }
        return PreparedStatement(raw, query, text.places, locks: locks, of: self)
    }
}
