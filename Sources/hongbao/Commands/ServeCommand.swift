import ArgumentParser
import Configuration
import Foundation
import Glibc
import HongbaoGateway
import HongbaoServer
import Logging
import SystemPackage

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve grants, wallets and withdrawals over HTTP.",
        discussion: """
            Needs no other server: everything is kept in the data folder. Ends gracefully on SIGTERM or Ctrl-C: \
            it stops accepting, finishes what is at work, and keeps what was accepted.

            With store.url the books are in MariaDB, and with cluster.address this is one of several nodes that have \
            the people divided among them; any of them can be asked for anybody. A node without the role async \
            leaves it to others to post what it accepts, and tells them over queue.url. One with the role reconcile \
            proves all the time that no fen was lost, as `hongbao audit` does. docs/cluster.md has the steps.

            SIGHUP reads all campaign files anew. When all are valid and fit what was issued, they are put in force \
            together; otherwise the running configuration stays, and the log names every problem. \
            /v1/version shows which is in force.

            Settings come from flags, then environment (HONGBAO_…), then the file given by --config, then defaults:

            \((ServerConfiguration.keys + DownstreamSettings.keys).map { "  \($0.key): \($0.meaning)" }
                .joined(separator: "\n"))
              rewards.KIND.…: the same for one downstream: \(DownstreamSettings.kinds)
            """
    )

    @Option(help: "YAML file with settings.")
    var config: String?
    @Option(help: "Folder that keeps everything. It's made when it isn't there.")
    var data: String?
    @Option(help: "Address to listen on.")
    var host: String?
    @Option(help: "Port to listen on; 0 takes any that is free.")
    var port: Int?
    @Option(help: "What a cluster's node does: core, async, query, reconcile, gateway, several, or all (all).")
    var roles: String?
    @Option(name: .customLong("campaign"), help: "Campaign file; may be repeated. Default: campaigns/*.yaml.")
    var campaigns: [String] = []
    @Flag(help: "Play the campaigns as if their live phase began now.")
    var rehearse = false
    @Flag(help: "Let anybody log in as anybody. Only for demos and tests.")
    var demo = false

    func validate() throws {
        for role in roles?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
        where !ClusterSettings.roles.contains(role) {
            throw ValidationError("--roles \(role): \(ClusterSettings.roles.joined(separator: ", "))")
        }
        if let port, !(0...65_535).contains(port) { throw ValidationError("--port \(port): 0 to 65535") }
    }

    func run() async throws {
        var configuration: ServerConfiguration
        do {
            configuration = try ServerConfiguration(reader: try await Self.reader(flags, file: config))
        } catch {
            throw fail("\(error)")
        }
        configuration.campaignFolder = "campaigns"
        let level = configuration.logLevel
        // A file that may not grow, and a reader of our output that has gone, are errors of the write, not our end.
        signal(SIGXFSZ, SIG_IGN)
        signal(SIGPIPE, SIG_IGN)
        LoggingSystem.bootstrap { JSONLogHandler(label: $0, level: level) }
        do {
            let host = configuration.gateway.host
            try await Server.run(configuration, logger: Logger(label: "hongbao")) { port in
                // For whoever started this process and waits for it: one line with the address.
                do {
                    try FileHandle.standardOutput.write(contentsOf: Data("http://\(host):\(port)\n".utf8))
                } catch {
                    Logger(label: "hongbao").warning("nobody reads standard output", metadata: ["error": "\(error)"])
                }
            }
        } catch {
            throw fail("\(error)")
        }
    }

    private func fail(_ message: String) -> ExitCode {
        FileHandle.standardError.write(Data("hongbao serve: \(message)\n".utf8))
        return .couldNotRun
    }

    private var flags: [AbsoluteConfigKey: ConfigValue] {
        var flags: [AbsoluteConfigKey: ConfigValue] = [:]
        if let data { flags["data.folder"] = .init(stringLiteral: data) }
        if let roles { flags["roles"] = .init(stringLiteral: roles) }
        if let host { flags["http.host"] = .init(stringLiteral: host) }
        if let port { flags["http.port"] = .init(integerLiteral: port) }
        if rehearse { flags["campaigns.rehearse"] = true }
        if demo { flags["demo.enabled"] = true }
        if !campaigns.isEmpty { flags["campaigns.files"] = ConfigValue(.stringArray(campaigns), isSecret: false) }
        return flags
    }

    /// Flags over environment over file.
    static func reader(_ flags: [AbsoluteConfigKey: ConfigValue], file: String?) async throws -> ConfigReader {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(values: flags), EnvironmentVariablesProvider().prefixKeys(with: "hongbao"),
        ]
        if let file {
            try ConfigurationFile.checkKeys(path: file)
            providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)))
        }
        return ConfigReader(providers: providers)
    }
}
