import ArgumentParser

@main struct HongbaoDev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao-dev",
        abstract: "Tools for those who develop or test Hongbao. None is needed to run it.",
        subcommands: [BenchCommand.self, SandboxCommand.self, ConstantServerCommand.self]
    )
}
