import Crypto
import Foundation
import HongbaoCore

/// A server as a process of its own on loopback, as operators run it. Ended by its process ID.
final class ServerProcess {
    let port: UInt16
    private let process: Process

    /// The real server. `settings`: names as in the environment.
    static func hongbao(
        data: String,
        campaign: String,
        serviceKey: String,
        settings: [String: String]
    ) throws -> ServerProcess {
        let digest = SHA256.hash(data: Data(serviceKey.utf8)).hex
        let own = URL(filePath: try ownPath()).deletingLastPathComponent().appending(path: "hongbao").path
        return try ServerProcess(
            own,
            ["serve", "--data", data, "--port", "0", "--campaign", campaign, "--rehearse", "--demo"],
            environment: settings.merging(
                ["HONGBAO_SERVICE_KEYS": "bench:\(digest):grant+read", "HONGBAO_LOG_LEVEL": "error"]
            ) { old, _ in old }
        )
    }

    /// A server that answers one constant: what the HTTP library costs by itself.
    static func constant() throws -> ServerProcess {
        try ServerProcess(try ownPath(), ["constant-server"], environment: [:])
    }

    /// The real server, but one claim of a packet at a time.
    static func oneByOne(data: String, campaign: String, transfers: String) throws -> ServerProcess {
        let arguments = ["one-by-one-server", "--data", data, "--campaign", campaign, "--transfers", transfers]
        return try ServerProcess(try ownPath(), arguments, environment: [:])
    }

    private static func ownPath() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    private init(_ program: String, _ arguments: [String], environment: [String: String]) throws {
        process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var line = Data()
        while !line.contains(UInt8(ascii: "\n")) {
            let next = output.fileHandleForReading.availableData
            if next.isEmpty { break }
            line += next
        }
        let text = String(decoding: line, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let port = text.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            process.terminate()
            throw BenchFault("\(program) didn't start: \(text)")
        }
        self.port = port
    }

    /// SIGTERM, then waits until it has ended.
    func stop() {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
    }
}
