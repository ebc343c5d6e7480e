import ArgumentParser
import Foundation
import HongbaoServer

struct MoveDatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "move-database",
        abstract: "Move a database, with its mints, to another server while it's in use.",
        discussion: """
            Copies all rows out of one snapshot, compares them, and has the new server do what is done meanwhile. Then \
            the old one sends everybody away, the new one gets the rest, and has the database. Nobody can write for a \
            second or less; nothing that was acknowledged is lost. Running processes find the new server by \
            themselves: the old one says where it is. Change the settings and restart the nodes before the old server \
            is switched off.

            Until the last step nothing has changed: whatever goes wrong, the database is where it was. It may be \
            repeated wherever it broke off. The new server needs an empty database of the same name, both users, and a \
            gtid_domain_id that differs from the old one's; docs/cluster.md has the list, and docs/operations.md the \
            procedure.

            switch-over.user and switch-over.password (HONGBAO_SWITCH_OVER_PASSWORD) name a database user of both \
            servers with more rights than the store's.

            Exit codes: 0 done, 2 not done; the last line says why.
            """
    )

    @Option(help: "YAML file with the nodes' settings, of which store.… and switch-over.… are used.")
    var config: String?
    @Option(help: "Which one: 1 is that of store.url, 2 the first of store.shards, and so on.")
    var database: Int
    @Option(help: "The new server, HOST:PORT as nodes and the old server reach it; with a replica HOST:PORT,HOST:PORT.")
    var to: String

    func run() async throws {
        try await reportingFaults("move-database") {
            let configuration = try ServerConfiguration(reader: try await ServeCommand.reader([:], file: config))
            let move = try MovingDatabase(configuration, number: database, to: to)
            // As it happens, also into a file.
            try await move.run { FileHandle.standardOutput.write(Data("\($0)\n".utf8)) }
        }
    }
}
