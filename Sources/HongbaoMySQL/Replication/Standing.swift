import HongbaoEngine

/// Which server is the primary, as it stands in the database. Every switch-over raises the number; it's at least the
/// time in seconds, so that two servers that don't know of each other get different ones.
struct Reign: Hashable {
    var number: Int64
    /// The primary's `server_id`. Replicas have the row, too, and aren't it.
    var server: Int64
    /// It may acknowledge what no replica has: there is none, and the operator knows.
    var isAlone: Bool
}

/// What a server says of itself that decides whether it's the primary.
struct Standing: Hashable {
    var isReadOnly: Bool
    var serverID: Int64
    var reign: Reign?
    var acknowledging: Acknowledging
    /// Whether commits wait for a replica: `rpl_semi_sync_master_enabled` and `Rpl_semi_sync_master_status`.
    var waits: Bool
    var isWaiting: Bool

    /// What of a server's settings keeps it from acknowledging what no replica has, once it waits for one at all.
    struct Acknowledging: Hashable {
        var waitPoint: String
        var timeoutMilliseconds: Int64
        var waitsWithoutReplica: Bool
        var hasBinlog: Bool
        var syncsBinlog: Int64
        var isStrict: Bool
        var flushesAtCommit: Int64

        /// A year. When it's over, the server goes on without its replica and tells nobody, so it must never be.
        static let timeoutLeast: Int64 = 31_536_000_000

        var problem: String? {
            if !hasBinlog { return "log_bin is OFF and must be ON: without it there can be no replica" }
            if syncsBinlog != 1 {
                return "sync_binlog is \(syncsBinlog) and must be 1: with less, a power cut parts it from its replica"
            }
            if !isStrict { return "gtid_strict_mode is OFF and must be ON: without it, servers part unnoticed" }
            if flushesAtCommit != 3 {
                return """
                    innodb_flush_log_at_trx_commit is \(flushesAtCommit) and must be 3: with less, a server that is \
                    started as a replica takes back what it acknowledged last
                    """
            }
            if waitPoint != "AFTER_SYNC" {
                return """
                    rpl_semi_sync_master_wait_point is \(waitPoint) and must be AFTER_SYNC: otherwise others read what \
                    no replica has
                    """
            }
            if timeoutMilliseconds < Self.timeoutLeast {
                return """
                    rpl_semi_sync_master_timeout is \(timeoutMilliseconds) and must be \(Self.timeoutLeast) or more: \
                    after it, the server acknowledges what no replica has
                    """
            }
            if !waitsWithoutReplica {
                return """
                    rpl_semi_sync_master_wait_no_slave is OFF and must be ON: otherwise the server acknowledges what \
                    no replica has as soon as there is none
                    """
            }
            return nil
        }
    }

    /// - Parameter seen: the highest reign that is known.
    func refusal(seen: Int64) -> String? {
        if isReadOnly { return "it's read-only" }
        if let reign {
            if reign.number < seen { return "its reign \(reign.number) is over; there has been \(seen)" }
            if reign.server != serverID {
                return "it isn't the primary of reign \(reign.number): that's the one with server_id \(reign.server)"
            }
        } else if seen > 0 {
            return "it knows of no reign; there has been \(seen)"
        }
        if let problem = acknowledging.problem { return problem }
        if reign?.isAlone == true { return nil }
        if !waits {
            return """
                rpl_semi_sync_master_enabled is OFF and must be ON: without it, what is acknowledged is lost with the \
                server
                """
        }
        return isWaiting ? nil : "its commits don't wait for a replica (Rpl_semi_sync_master_status is OFF)"
    }
}

extension Standing {
    /// Asks the server, and takes note of when.
    init(_ connection: Connection) throws(StoreError) {
        connection.checkedAt = .now
        let own = """
            SELECT @@global.read_only, @@global.server_id, @@global.rpl_semi_sync_master_enabled,
                @@global.rpl_semi_sync_master_wait_point, CAST(@@global.rpl_semi_sync_master_timeout AS SIGNED),
                @@global.rpl_semi_sync_master_wait_no_slave, @@global.log_bin, @@global.sync_binlog,
                @@global.gtid_strict_mode, (SELECT variable_value FROM information_schema.global_status
                    WHERE variable_name = 'RPL_SEMI_SYNC_MASTER_STATUS'), @@global.innodb_flush_log_at_trx_commit,
            """
        let rows: [Standing]
        do throws(StoreError) {
            let sql = own + " number, server, is_alone FROM (SELECT 1) AS one LEFT JOIN reign ON id = 1"
            rows = try connection.ask(sql) { row throws(StoreError) in Standing(row) }
        } catch {
            // No store has opened this database yet.
            guard connection.lastFault?.number == ServerFault.noSuchTable else { throw error }
            rows = try connection.ask(own + " NULL, NULL, NULL") { row throws(StoreError) in Standing(row) }
        }
        guard let standing = rows.first else { throw StoreError(.unavailable, "the server says nothing of itself") }
        self = standing
    }

    private init(_ row: borrowing PreparedStatement) {
        isReadOnly = row.integer(0) != 0
        serverID = row.integer(1)
        waits = row.integer(2) != 0
        acknowledging = Acknowledging(
            waitPoint: row.text(3),
            timeoutMilliseconds: row.integer(4),
            waitsWithoutReplica: row.integer(5) != 0,
            hasBinlog: row.integer(6) != 0,
            syncsBinlog: row.integer(7),
            isStrict: row.integer(8) != 0,
            flushesAtCommit: row.integer(10)
        )
        isWaiting = row.text(9) == "ON"
        if !row.isNull(11) {
            reign = Reign(number: row.integer(11), server: row.integer(12), isAlone: row.integer(13) != 0)
        }
    }
}
