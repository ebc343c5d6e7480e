import ArgumentParser
import HongbaoServer

@main struct HongbaoDev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao-dev",
        abstract: "Tools for those who develop or test Hongbao. None is needed to run it.",
        version: Version.current,
        subcommands: [
            BenchCommand.self, SandboxCommand.self, KillTestCommand.self, FuzzCommand.self,
            TokenMutationsCommand.self, ConstantServerCommand.self,
        ]
    )
}
