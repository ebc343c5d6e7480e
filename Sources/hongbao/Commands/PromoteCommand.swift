import ArgumentParser
import Foundation
import HongbaoEngine
import HongbaoServer
import Logging

struct PromoteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "promote",
        abstract: "Carry the data of a stopped server over into the empty database of a cluster.",
        discussion: """
            Posts what the pilot, a server on a data folder of its own, has accepted and not posted yet; copies all \
            rows of all tables into the database of store.url; compares them row by row; divides the people among \
            cluster.mints mints, for ever; and audits the copy. Then it leaves a file `promoted` in the data folder, \
            on which no server starts any more. Copy the folder's keyring to all nodes.

            Refused while a server runs on the folder, and when the database has data. Until the last step no server \
            opens the database, and the pilot can be started as before. After an interruption run it again: it \
            removes what it had begun, and begins anew.

            Exit codes: 0 the cluster can be started, 1 the audit found a breach, 2 it could not be done.
            """
    )

    @Option(help: "Data folder of the pilot.")
    var data: String
    @Option(help: "YAML file with a node's settings, of which store.url, cluster.mints and campaigns.files are used.")
    var config: String

    func run() async throws {
        try await reportingFaults("promote") {
            let reader = try await ServeCommand.reader([:], file: config)
            let settings = try PromotionSettings(dataFolder: data, reader: reader)
            LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: .warning) }
            let began = ContinuousClock.now
            let report = try await Promoting.run(settings, logger: Logger(label: "hongbao")) { line in
                FileHandle.standardError.write(Data("\(line)\n".utf8))
            }
            let (seconds, _) = (ContinuousClock.now - began).components
            print(AuditText.text(report.audit))
            guard report.audit.holds else {
                print("not promoted: the pilot's own data break an invariant (`hongbao audit --data \(data)`)")
                throw ExitCode.problem
            }
            let rows = report.rows.reduce(0) { $0 + $1.count }
            print("promoted: \(rows) rows of \(report.rows.count) tables to \(settings.store) in \(seconds) s")
            print("Copy \(data)/keyring into the data folder of each node, then start them.")
        }
    }
}
