import HongbaoEngine

/// How far a server has come in each domain of global transaction IDs, as `0-1-100` says it: domain, server, sequence.
struct Position: Hashable, CustomStringConvertible {
    private(set) var sequences: [UInt32: UInt64] = [:]
    let description: String

    /// `nil` for anything but a list of such IDs; none is the beginning.
    init?(_ text: String) {
        description = text
        for id in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let parts = id.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 3, let domain = UInt32(parts[0]), UInt32(parts[1]) != nil,
                let sequence = UInt64(parts[2])
            else { return nil }
            sequences[domain] = max(sequences[domain] ?? 0, sequence)
        }
    }

    /// Whether nothing lacks of what the other has, if both have the same history. When they don't, the server that
    /// follows finds out.
    func covers(_ other: Position) -> Bool {
        other.sequences.allSatisfy { domain, sequence in sequences[domain] ?? 0 >= sequence }
    }
}

/// What a replica says of its replication (SHOW SLAVE STATUS).
struct Following: Hashable {
    var host = ""
    var port: Int64 = 0
    var isReceiving = false
    var isApplying = false
    var receiveError: Int64 = 0
    var receiveErrorText = ""
    var applyError: Int64 = 0
    /// The one whose changes it applies; empty for all.
    var onlyDatabase = ""
    var usesGTID = false
    /// What it has received.
    var received = ""
    var hasAppliedAll = false

    func isOf(_ place: ServerAddress.Place) -> Bool {
        guard case .host(let host, let port) = place else { return false }
        return host == self.host && Int64(port) == self.port
    }
}

extension Connection {
    /// `nil` when the server is no replica.
    ///
    /// - Parameter name: of the replication, if it isn't the one that has no name.
    func following(_ name: String? = nil) throws(StoreError) -> Following? {
        do throws(StoreError) {
            return try status("SHOW SLAVE \(name.map { "'\($0)' " } ?? "")STATUS")
        } catch {
            // Of one with a name the server says that there is none.
            guard lastFault?.number == 1617 else { throw error }
            return nil
        }
    }

    private func status(_ sql: String) throws(StoreError) -> Following? {
        try ask(sql) { row throws(StoreError) in
            var following = Following()
            for column in 0..<row.columnCount {
                switch row.name(column) {
                case "Master_Host": following.host = row.text(column)
                case "Master_Port": following.port = row.integer(column)
                case "Slave_IO_Running": following.isReceiving = row.text(column) == "Yes"
                case "Slave_SQL_Running": following.isApplying = row.text(column) == "Yes"
                case "Last_IO_Errno": following.receiveError = row.integer(column)
                case "Last_IO_Error": following.receiveErrorText = row.text(column)
                case "Last_SQL_Errno": following.applyError = row.integer(column)
                case "Replicate_Do_DB": following.onlyDatabase = row.text(column)
                case "Using_Gtid": following.usesGTID = row.text(column) != "No"
                case "Gtid_IO_Pos": following.received = row.text(column)
                case "Slave_SQL_Running_State":
                    following.hasAppliedAll = row.text(column).hasPrefix("Slave has read all relay log")
                default: break
                }
            }
            return following
        }.first
    }

    /// Everything that a server has, whether it was written there or replicated.
    func position() throws(StoreError) -> Position {
        let texts = try ask("SELECT concat(@@global.gtid_current_pos, ',', @@global.gtid_binlog_pos)") {
            row throws(StoreError) in row.text(0)
        }
        guard let position = texts.first.flatMap({ Position($0) }) else {
            throw StoreError(.unavailable, "the server doesn't say how far it has come")
        }
        return position
    }

    func number(_ sql: String) throws(StoreError) -> Int64 {
        let numbers = try ask("SELECT CAST((\(sql)) AS SIGNED)") { row throws(StoreError) in row.integer(0) }
        guard let number = numbers.first else { throw StoreError(.unavailable, "the server gives no answer") }
        return number
    }

    /// A text within a statement, with the sql_mode that `order` of a replication sets.
    static func quoted(_ text: String) -> String {
        "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
    }

    /// Runs statements that an operator would; a fault is told with its number.
    func order(_ statements: String...) throws(StoreError) {
        for sql in statements {
            do throws(ServerFault) { try run(sql) } catch {
                // What follows the first words may be a password.
                let words = sql.split(separator: " ").prefix(3).joined(separator: " ")
                throw StoreError(.unavailable, "\(words)…: MySQL error \(error.number)\(Self.hint(error.number))")
            }
        }
    }

    private static func hint(_ number: UInt32) -> String {
        switch number {
        case 1227, 1044, 1142: ": the user of switch-over.user lacks a privilege; docs/cluster.md has the list"
        case 1205: ": something that is under way holds it up, such as commits that wait for a replica"
        default: ""
        }
    }
}
