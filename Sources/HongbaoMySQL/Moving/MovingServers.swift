import HongbaoEngine

/// The servers that a move has to do with, each connected to once.
actor MovingServers {
    /// Servers that have the database or are to have it, and the one of them that is used.
    struct End: Sendable, CustomStringConvertible {
        let servers: [ServerAddress.Place]
        let server: MovingServer

        var description: String { "\(server.address.place)" }
    }

    private let address: ServerAddress
    private let login: MovingServer.Login
    private var open: [ServerAddress.Place: MovingServer] = [:]

    /// - Parameter address: of the database, wherever it is.
    init(_ address: ServerAddress, _ login: MovingServer.Login) {
        self.address = address
        self.login = login
    }

    func open(_ servers: [ServerAddress.Place]) async throws -> End {
        guard servers.count > 1 else { return End(servers: servers, server: try await connect(servers[0])) }
        var refusals: [String] = []
        for place in servers {
            do throws(StoreError) {
                let server = try await connect(place)
                guard let refusal = try await server.refusalAsPrimary() else {
                    return End(servers: servers, server: server)
                }
                refusals.append("\(place): \(refusal)")
            } catch {
                refusals.append("\(place): \(error.message)")
            }
        }
        throw DatabaseMove.Fault("none is the primary: \(refusals.joined(separator: "; "))")
    }

    private func connect(_ place: ServerAddress.Place) async throws(StoreError) -> MovingServer {
        if let server = open[place] { return server }
        let server = MovingServer(address.moved(to: [place])[0], login)
        open[place] = server
        try await server.connect()
        return server
    }

    func close() async {
        for server in open.values { await server.close() }
        open = [:]
    }
}
