import HongbaoEngine

/// Checks a server and brings its database up to date, on the thread that will write.
actor Opener {
    private let executor: ConnectionExecutor

    init(on executor: ConnectionExecutor) { self.executor = executor }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Answers warnings.
    func open(_ primary: Primary, opensUnfinished: Bool) throws(StoreError) -> [String] {
        let connection = try primary.connect()
        let settings = try ServerSettings(connection)
        if let problem = settings.problem { throw StoreError(.unavailable, "\(primary): \(problem)") }
        do throws(StoreError) {
            try Migrations(connection, opensUnfinished: opensUnfinished).apply()
        } catch {
            throw StoreError(error.code, "\(primary): \(error.message)")
        }
        return settings.warnings
    }
}

/// What decides whether a server keeps what it has acknowledged, and refuses what doesn't fit.
struct ServerSettings: Hashable {
    var version: String
    var flushesAtCommit: Int64
    var sqlMode: String
    var engine: String
    var syncsBinlog: Int64
    var hasBinlog: Bool
    var packetBytesMax: Int64
    var doublewrite: Bool
    var checksConstraints: Bool

    static let oldest = (major: 10, minor: 6)
    static let packetBytesLeast: Int64 = 4 << 20
}

extension ServerSettings {
    init(_ connection: Connection) throws(StoreError) {
        let rows = try connection.ask(
            """
            SELECT version(), @@innodb_flush_log_at_trx_commit, @@sql_mode, @@default_storage_engine, @@sync_binlog,
                @@log_bin, @@max_allowed_packet, @@innodb_doublewrite, @@check_constraint_checks
            """
        ) { row throws(StoreError) in
            ServerSettings(
                version: row.text(0),
                flushesAtCommit: row.integer(1),
                sqlMode: row.text(2),
                engine: row.text(3),
                syncsBinlog: row.integer(4),
                hasBinlog: row.integer(5) != 0,
                packetBytesMax: row.integer(6),
                doublewrite: row.integer(7) != 0,
                checksConstraints: row.integer(8) != 0
            )
        }
        guard let settings = rows.first else { throw StoreError(.unavailable, "the server says nothing of itself") }
        self = settings
    }

    /// Why the server can't be used, with the variable's name and what it must be.
    var problem: String? {
        let numbers = version.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
        let isNewEnough =
            numbers.count >= 2 && (numbers[0], numbers[1]) >= (Self.oldest.major, Self.oldest.minor)
            && version.contains("MariaDB")
        if !isNewEnough {
            return "the server is \(version); it must be MariaDB \(Self.oldest.major).\(Self.oldest.minor) or newer"
        }
        // 3 is 1 with one more sync.
        if flushesAtCommit != 1, flushesAtCommit != 3 {
            return """
                innodb_flush_log_at_trx_commit is \(flushesAtCommit) and must be 1: with less, a power cut loses \
                transactions that were acknowledged
                """
        }
        if !sqlMode.split(separator: ",").contains("STRICT_TRANS_TABLES") {
            return "sql_mode is '\(sqlMode)' and must contain STRICT_TRANS_TABLES: without it, values are cut to fit"
        }
        if engine.lowercased() != "innodb" {
            return "default_storage_engine is \(engine) and must be InnoDB"
        }
        if !doublewrite { return "innodb_doublewrite is OFF and must be ON: without it, a power cut tears pages" }
        if !checksConstraints { return "check_constraint_checks is OFF and must be ON" }
        if packetBytesMax < Self.packetBytesLeast {
            return "max_allowed_packet is \(packetBytesMax) and must be \(Self.packetBytesLeast) or more"
        }
        return nil
    }

    var warnings: [String] {
        guard hasBinlog, syncsBinlog != 1 else { return [] }
        return [
            """
            sync_binlog is \(syncsBinlog): after a power cut a replica may lack transactions that were acknowledged; \
            set it to 1
            """
        ]
    }
}
