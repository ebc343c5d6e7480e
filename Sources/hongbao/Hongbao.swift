import ArgumentParser
import HongbaoServer

@main struct Hongbao: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao",
        abstract: "Reward campaigns and red packets at the traffic of a national holiday.",
        discussion: """
            Start with `hongbao demo`: it plays a red packet rain on this machine and leaves the wallet page open.
            Exit codes: 0 done, 1 found a problem, 2 could not run, 64 usage.
            """,
        version: Version.current,
        subcommands: [
            ServeCommand.self, DemoCommand.self, AuditCommand.self, CheckConfigCommand.self, KeysCommand.self,
            PromoteCommand.self, SwitchOverCommand.self, MoveDatabaseCommand.self, VerifySplitCommand.self,
        ]
    )
}

extension ExitCode {
    /// Something was looked for and found: a breach, a bad campaign file.
    static let problem = ExitCode(1)
    static let couldNotRun = ExitCode(2)
}
