import ArgumentParser
import Foundation
import HongbaoServer

struct SwitchOverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch-over",
        abstract: "Make one of a database's servers the primary and the others its replicas.",
        discussion: """
            With all servers up it loses nothing and takes a second or two: the old primary takes no more writes, the \
            new one gets all that the old one has, and then the old one follows it. After a loss, --old-is-gone says \
            that the server which doesn't answer is off and stays off until it's brought back as a replica: the new \
            primary applies all that it has received, which is all that was acknowledged. It also declares the first \
            primary of new servers, and brings an old one back: repeat it when that is up again. It may be repeated \
            wherever it broke off.

            Running processes find the new primary by themselves. Without a replica the new primary's commits wait \
            until there is one; --alone lets them be acknowledged by it alone until this is repeated with a replica.

            switch-over.user and switch-over.password (HONGBAO_SWITCH_OVER_PASSWORD) name a database user with more \
            rights than the store's. docs/cluster.md lists them, and docs/operations.md has the procedures.

            Exit codes: 0 done, 2 not done, or not all of it; the last line says why.
            """
    )

    @Option(help: "YAML file with the server's settings, of which store.… and switch-over.… are used.")
    var config: String?
    @Option(help: "The new primary, as store.url or store.shards names it: HOST:PORT.")
    var to: String
    @Flag(help: "The server that doesn't answer is off and stays off.")
    var oldIsGone = false
    @Flag(help: "Acknowledge without a replica until there is one. What is acknowledged then is lost with this server.")
    var alone = false

    func validate() throws {
        if alone, !oldIsGone { throw ValidationError("--alone: only with --old-is-gone") }
    }

    func run() async throws {
        try await reportingFaults("switch-over") {
            let configuration = try ServerConfiguration(reader: try await ServeCommand.reader([:], file: config))
            var change = try PrimarySwitch(configuration, to: to)
            change.oldIsGone = oldIsGone
            change.alone = alone
            // As it happens, also into a file.
            try await change.run { FileHandle.standardOutput.write(Data("\($0)\n".utf8)) }
        }
    }
}
