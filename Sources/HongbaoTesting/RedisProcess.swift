import Foundation
import Glibc
import Synchronization

/// A real `redis-server` on loopback, with a port and a folder of its own. It ends with this object.
///
/// It keeps nothing: killed and started again, it's empty.
package final class RedisProcess: Sendable {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    package let port: Int
    /// Where the nodes of a cluster talk to each other.
    package let busPort: Int
    private let arguments: [String]
    private let folder: TemporaryFolder
    private let program: Mutex<StartedProgram?>

    /// - Parameter options: settings of the server, names and values by turns.
    package init(_ options: [(name: String, value: String)] = []) async throws {
        folder = try TemporaryFolder()
        port = try freePort()
        busPort = try freePort()
        let all = [
            ("port", "\(port)"), ("bind", "127.0.0.1"), ("dir", folder.path), ("save", ""), ("appendonly", "no"),
            ("cluster-port", "\(busPort)"),
        ]
        // What is said later counts.
        arguments = (all + options).flatMap { ["--\($0.0)", $0.1] }
        program = Mutex(nil)
        try await start()
    }

    /// Starts it, again after `kill`, and waits until it can be talked to.
    package func start() async throws {
        guard let path = Self.find("redis-server") else {
            throw Fault(description: "redis-server isn't here: scripts/install test, or Debian's package redis-server")
        }
        let started = try StartedProgram(path, arguments)
        program.withLock { $0 = started }
        while !started.output.contains("Ready to accept connections") {
            guard started.codeIfEnded == nil else {
                throw Fault(description: "redis-server has ended: \(started.output.suffix(1000))")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Ends it at once, with what it had, and waits for its end.
    package func kill() async throws {
        guard let program = program.withLock({ $0.take() }) else { return }
        program.kill(SIGKILL)
        _ = try await program.exitCode()
    }

    /// Leaves it there, but still.
    package func stop() { program.withLock { $0?.kill(SIGSTOP) } }
    package func goOn() { program.withLock { $0?.kill(SIGCONT) } }

    /// On `PATH`, or where `scripts/install` puts programs.
    package static func find(_ program: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin"
        let tools = URL(filePath: #filePath).appending(path: "../../../.build/tools").standardized.path
        return (path.split(separator: ":").map(String.init) + [tools]).map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
