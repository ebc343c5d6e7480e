import ArgumentParser
import Foundation
import HongbaoEngine
import HongbaoGateway
import HongbaoServer
import Logging

/// The baseline of claims over HTTP: the real server, but each claim of a packet in a transaction of its own, and the
/// next one only when it's on the disk.
struct OneByOneServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "one-by-one-server",
        abstract: "Serve like `hongbao serve`, but carry out one claim at a time: a baseline for bench.",
        shouldDisplay: false
    )

    @Option var data: String
    @Option var campaign: String
    @Option var transfers: String

    func run() async throws {
        var configuration = ServerConfiguration()
        configuration.dataFolder = data
        configuration.campaignFiles = [campaign]
        configuration.isRehearsal = true
        configuration.isDemo = true
        configuration.gateway.port = 0
        configuration.outside[.transfers] = OutsideAddress(url: transfers, secret: "not-used")
        configuration.engine.packets.lanes.batchMax = 1
        try await Server.run(configuration, logger: Logger(label: "one-by-one") { _ in SwiftLogNoOpLogHandler() }) {
            port in
            FileHandle.standardOutput.write(Data("http://127.0.0.1:\(port)\n".utf8))
        }
    }
}
