import ArgumentParser
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// The baseline of HTTP: the same library, one route, an answer as long as a grant's, nothing decoded, nothing kept.
struct ConstantServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "constant-server",
        abstract: "Answer every POST /v1/grants with the same bytes: a baseline for bench.",
        shouldDisplay: false
    )

    static let bodyBytes = 560

    func run() async throws {
        let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: Self.bodyBytes)
        let router = Router()
        router.post("/v1/grants") { _, _ in
            Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: body)
            )
        }
        let application = Application(
            router: router,
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0), serverName: nil),
            onServerRunning: { channel in
                FileHandle.standardOutput.write(Data("http://127.0.0.1:\(channel.localAddress?.port ?? 0)\n".utf8))
            },
            logger: Logger(label: "constant-server") { _ in SwiftLogNoOpLogHandler() }
        )
        try await application.runService(gracefulShutdownSignals: [.sigterm, .sigint])
    }
}
