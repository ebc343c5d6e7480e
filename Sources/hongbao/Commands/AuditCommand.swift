import ArgumentParser
import Configuration
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoServer

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Prove that no fen was lost or invented.",
        discussion: """
            Reads one snapshot of the data (of each database, if there are several), also while a server runs on it: \
            adds up every transfer, verifies every signed batch of the log, and compares both with balances, budgets, \
            holds and withdrawals.

            Exit codes: 0 all invariants hold, 1 a breach, 2 could not check.
            """
    )

    @Option(help: "Data folder (default: as `hongbao serve` has it).")
    var data: String?
    @Option(help: "YAML file with the server's settings, of which those of the data are used.")
    var config: String?
    @Flag(help: "Print the report as JSON.")
    var json = false

    func run() async throws {
        try await reportingFaults("audit") {
            let flags = data.map { [AbsoluteConfigKey("data.folder"): ConfigValue(stringLiteral: $0)] }
            let reader = try await ServeCommand.reader(flags ?? [:], file: config)
            let configuration = try ServerConfiguration(reader: reader)
            let opened = try await OpenedStore.open(configuration, isReadOnly: true)
            let keyring = try Server.loadKeyring(folder: configuration.dataFolder, isNew: false)
            let report = try await Audit.run(opened.shards, keyring: keyring)
            try await opened.close()
            print(json ? AuditText.json(report) : AuditText.text(report))
            if !report.holds { throw ExitCode.problem }
        }
    }
}
