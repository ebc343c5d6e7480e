import ArgumentParser

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Play a red packet rain with simulated people, and leave the wallet page open.",
        discussion: """
            Starts the server and, as a separate process, a sandbox that plays the payout channel; then thousands of \
            people on eight apps open red packets, look at their wallets and withdraw, through the HTTP API. \
            At the end `hongbao audit` proves that no fen was lost or invented. The wallet page stays open until Ctrl-C.

            Needs `hongbao-dev` beside this program.
            """
    )

    @Option(help: "Simulated people.")
    var people = 5_000
    @Option(help: "Seconds of rain.")
    var seconds = 15
    @Option(help: "Grants a second at most; 0 is as fast as the machine can.")
    var rate = 0
    @Option(help: "Campaign file.")
    var campaign = "campaigns/spring-festival-2022.yaml"
    @Option(help: "Data folder; default: a new temporary one, removed at the end.")
    var data: String?
    @Option(help: "Port of the server; 0 takes any that is free.")
    var port = 8080
    @Flag(help: "End after the audit instead of leaving the page open.")
    var exit = false

    func validate() throws {
        guard (1...1_000_000).contains(people) else { throw ValidationError("--people: 1 to 1000000") }
        guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds: 1 to 86400") }
        guard (0...65_535).contains(port) else { throw ValidationError("--port: 0 to 65535") }
    }

    func run() async throws {
        let options = Rain.Options(
            people: people,
            seconds: seconds,
            rate: rate,
            campaign: campaign,
            data: data,
            port: port,
            endsAfterAudit: exit
        )
        try await reportingFaults("demo") {
            if try await !Rain(options: options).play() { throw ExitCode.problem }
        }
    }
}
