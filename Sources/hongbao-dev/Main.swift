import ArgumentParser
import HongbaoServer

@main struct HongbaoDev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao-dev",
        abstract: "Tools for those who develop or test Hongbao. None is needed to run it.",
        version: Version.current,
        subcommands: [
            BenchCommand.self, SandboxCommand.self, SimulateCommand.self, KillTestCommand.self,
            FaultRunsCommand.self, ClusterCommand.self, RestartTimeCommand.self, PowerCutsCommand.self,
            FuzzCommand.self,
            TokenMutationsCommand.self, ConstantServerCommand.self, OneByOneServerCommand.self,
            LedgerWorkCommand.self, SplitsCommand.self,
        ]
    )
}
