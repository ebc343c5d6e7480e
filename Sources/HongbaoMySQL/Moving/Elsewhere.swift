import HongbaoEngine

/// What a database that isn't here says of itself: the row of its table `place` (decision 0031).
struct Elsewhere: Hashable, Sendable {
    var servers: [ServerAddress.Place]
    /// What lies here is a copy that isn't whole, and hasn't been in use since; otherwise it's what was there when the
    /// database was moved away.
    var isCopy: Bool

    init(_ servers: [ServerAddress.Place], isCopy: Bool) {
        self.servers = servers
        self.isCopy = isCopy
    }

    /// `nil` for anything but what `text` makes.
    init?(_ text: String, isCopy: Bool) {
        var servers: [ServerAddress.Place] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let colon = part.lastIndex(of: ":"), colon > part.startIndex,
                let port = UInt16(part[part.index(after: colon)...]), port > 0
            else { return nil }
            servers.append(.host(String(part[..<colon]), port: port))
        }
        self.init(servers, isCopy: isCopy)
    }

    static func text(_ servers: [ServerAddress.Place]) -> String {
        servers.map(\.description).joined(separator: ",")
    }
}

extension ServerAddress {
    /// The same database on other servers.
    func moved(to places: [Place]) -> [ServerAddress] {
        places.map { place in
            var address = self
            address.place = place
            return address
        }
    }
}

extension Connection {
    /// `nil` when the database is here. Takes note of who the server is.
    func elsewhere() throws(StoreError) -> Elsewhere? {
        let rows: [(server: Int64, servers: String?, isCopy: Bool)]
        do throws(StoreError) {
            let sql = "SELECT @@global.server_id, servers, is_copy FROM (SELECT 1) AS one LEFT JOIN place ON id = 1"
            rows = try ask(sql) { row throws(StoreError) in
                (row.integer(0), row.isNull(1) ? nil : row.text(1), row.integer(2) != 0)
            }
        } catch {
            // No store has opened this database yet.
            guard lastFault?.number == ServerFault.noSuchTable else { throw error }
            rows = try ask("SELECT @@global.server_id") { row throws(StoreError) in (row.integer(0), nil, false) }
        }
        guard let row = rows.first else { throw StoreError(.unavailable, "the server says nothing of itself") }
        server = row.server
        guard let servers = row.servers else { return nil }
        guard let elsewhere = Elsewhere(servers, isCopy: row.isCopy) else {
            throw StoreError(.corrupt, "the database was moved, and doesn't say where to in words that are understood")
        }
        return elsewhere
    }
}

extension StoreError {
    static let isBeingMoved = StoreError(.unavailable, "the database is being moved to another server")
}
