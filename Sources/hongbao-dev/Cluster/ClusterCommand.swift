import ArgumentParser
import Foundation
import HongbaoTesting

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Run a whole cluster on this machine under load, and kill and stop its members.",
        discussion: """
            Starts MariaDB with a replica, two more for another part of the people, a Redis Cluster of three \
            masters and another Redis, NATS, core nodes, gateways, async nodes, a query node, a reconcile node and \
            a payout channel on loopback, loads the gateways with grants, withdrawals, red packets and people who \
            turn out to be one, over HTTP, and strikes: members are killed, stopped for longer than the others wait, \
            restarted, upgraded, switched over, moved. Its clients write down every answer, and look at wallets on \
            query nodes all the time: none may leave out, and not say so, what was acknowledged 12 seconds before. \
            In the end every acknowledged grant must be booked exactly once with its amount, nothing else may be \
            booked that was never sent, every withdrawal must be final and the same in the channel's file, every \
            share of every packet must be the one that somebody was told of and in their account, and all that two \
            had who are one in one account; all nodes must show the same running total as the ledger, wallets what \
            it has, no audit of the reconcile node may have found anything, and `hongbao audit` must confirm it. \
            Needs a build with `--traits MySQL,NATS`. Exit codes: 0 all of it holds, 1 something doesn't, 2 could \
            not run.

            Blows: \(ClusterRun.Blow.allCases.map { "\($0.rawValue) (\($0.text))" }.joined(separator: ", ")).
            """
    )

    @Option(help: "How often each blow is struck.")
    var times = 5
    @Option(name: .customLong("blow"), help: "One of the blows; may be repeated. Default: all.")
    var blows: [String] = []
    @Option(help: "Core nodes.")
    var cores = 3
    @Option(help: "Gateways.")
    var gateways = 2
    @Option(help: "Nodes that post for the core nodes, told by NATS; 0: core nodes post themselves.")
    var asyncs = ClusterWorld.asyncsByDefault
    @Option(help: "Databases, each for a part of the people; the first has a replica.")
    var databases = 2
    @Option(help: "Nodes that show everybody's wallets.")
    var queries = 1
    @Option(help: "Nodes that audit all the time.")
    var reconcilers = 1
    @Option(help: "The `hongbao` that nodes are upgraded to. Default: the one that they run, by another name.")
    var upgradeTo: String?
    @Option(help: "How long whatever is stopped is stopped, in seconds.")
    var stall = 2 * ClusterWorld.silenceSeconds
    @Option(help: "How long the load goes on at least.")
    var seconds = 0
    @Option(help: "Milliseconds that each client waits between two requests for grants.")
    var wait = 0
    @Option(help: "Seed of who is struck and what is sent.")
    var seed: UInt64 = 1
    @Option(help: "Campaign file.")
    var campaign = "campaigns/spring-festival-2022.yaml"
    @Option(help: "Empty folder for the data, kept afterwards; default: a new temporary one, removed at the end.")
    var data: String?

    func validate() throws {
        guard (0...10_000).contains(times) else { throw ValidationError("--times: 0 to 10000") }
        guard (2...16).contains(cores) else { throw ValidationError("--cores: 2 to 16") }
        guard (1...16).contains(gateways) else { throw ValidationError("--gateways: 1 to 16") }
        guard (0...16).contains(asyncs) else { throw ValidationError("--asyncs: 0 to 16") }
        guard (0...16).contains(queries) else { throw ValidationError("--queries: 0 to 16") }
        guard (0...16).contains(reconcilers) else { throw ValidationError("--reconcilers: 0 to 16") }
        guard (1...ClusterWorld.mints).contains(databases) else { throw ValidationError("--databases: 1 to 6") }
        if let upgradeTo, !FileManager.default.isExecutableFile(atPath: upgradeTo) {
            throw ValidationError("--upgrade-to \(upgradeTo): that can't be run")
        }
        guard (0...86_400).contains(seconds) else { throw ValidationError("--seconds: 0 to 86400") }
        guard (0...60_000).contains(wait) else { throw ValidationError("--wait: 0 to 60000") }
        guard (1...600).contains(stall) else { throw ValidationError("--stall: 1 to 600") }
        for blow in blows where ClusterRun.Blow(rawValue: blow) == nil {
            throw ValidationError("--blow \(blow): there is no such blow")
        }
    }

    func run() async throws {
        let report: ClusterRun.Report
        do {
            let temporary = try data == nil ? TemporaryFolder() : nil
            var options = ClusterRun.Options(programs: try .beside(), folder: data ?? temporary?.path ?? ".")
            options.campaignFile = campaign
            options.times = times
            options.cores = cores
            options.gateways = gateways
            options.asyncs = asyncs
            options.queries = queries
            options.reconcilers = reconcilers
            options.databases = databases
            options.upgradeTo = upgradeTo
            options.stallSeconds = stall
            options.seconds = seconds
            options.wait = .milliseconds(wait)
            options.seed = seed
            if !blows.isEmpty { options.blows = blows.compactMap { ClusterRun.Blow(rawValue: $0) } }
            var cluster = ClusterRun(options: options)
            cluster.onUp = { members in
                for member in members { say("\(member.name): \(member.address)") }
                say(times > 0 ? "all of them serve; blows fall" : "all of them serve, under load for \(seconds) s")
            }
            cluster.onBlow = { blow, recovery, acknowledged in
                say("\(blow.text): \(blow.recovered) \(recovery.milliseconds) ms; \(acknowledged) grants so far")
            }
            report = try await interruptible { [cluster] in try await cluster.run() }
        } catch {
            say("hongbao-dev cluster: \(error)")
            throw ExitCode(2)
        }
        print(report.text)
        if !report.verdict.breaches.isEmpty { throw ExitCode(1) }
    }
}

extension ClusterRun.Report {
    var text: String {
        let rows = ClusterRun.Blow.allCases.compactMap { blow -> String? in
            guard let times = recoveries[blow], let longest = times.last else { return nil }
            let name = blow.text.padding(toLength: 42, withPad: " ", startingAt: 0)
            let (median, most) = (times[times.count / 2].milliseconds, longest.milliseconds)
            return "\(name)\(times.count) times, \(blow.recovered) \(median) ms (median), \(most) ms (longest)"
        }
        return """
            \(rows.joined(separator: "\n"))
            accepted      \(Int(acknowledgedPerSecond)) grants a second meanwhile
            \(verdict.text)
            \(verdict.conclusion)
            """
    }
}
