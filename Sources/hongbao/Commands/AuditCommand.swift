import ArgumentParser
import HongbaoEngine
import HongbaoGateway
import HongbaoSQLite
import HongbaoServer

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Prove that no fen was lost or invented.",
        discussion: """
            Reads one snapshot of the data, also while a server runs on it: adds up every transfer, verifies every
            signed batch of the log, and compares both with balances, budgets, holds and withdrawals.
            Exit codes: 0 all invariants hold, 1 a breach, 2 could not check.
            """
    )

    @Option(help: "Data folder.")
    var data = "data"
    @Flag(help: "Print the report as JSON.")
    var json = false

    func run() async throws {
        try await reportingFaults("audit") {
            let store = try Server.openStore(data, access: .readOnly)
            let keyring = try Server.loadKeyring(folder: data, isNew: false)
            let report = try await Audit.run(store, keyring: keyring)
            try await store.close()
            print(json ? AuditText.json(report) : AuditText.text(report))
            if !report.holds { throw ExitCode.problem }
        }
    }
}
