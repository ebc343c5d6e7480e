import Foundation
import Glibc
import Synchronization
import Testing

/// A built binary of this package, started as its own process.
final class BuiltProgram: Sendable {
    private let process: Mutex<Process>
    let pid: Int32
    /// The first line that it wrote to standard output.
    let firstLine: String
    private let ended: AsyncStream<Void>

    struct WroteNothing: Error { let program: String }

    /// Starts it and waits for its first line. Its standard error is dropped.
    init(_ name: String, _ arguments: [String]) async throws {
        let process = Process()
        process.executableURL = try Self.folder().appending(path: name)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        let (ended, end) = AsyncStream<Void>.makeStream()
        process.terminationHandler = { _ in end.finish() }
        let (lines, line) = AsyncStream<UInt8>.makeStream()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            guard !data.isEmpty else {
                handle.readabilityHandler = nil
                return line.finish()
            }
            for byte in data { line.yield(byte) }
        }
        try process.run()
        var text: [UInt8] = []
        for await byte in lines {
            if byte == UInt8(ascii: "\n") { break }
            text.append(byte)
        }
        pipe.fileHandleForReading.readabilityHandler = nil
        pid = process.processIdentifier
        firstLine = String(decoding: text, as: UTF8.self)
        self.ended = ended
        self.process = Mutex(process)
        guard !firstLine.isEmpty else {
            kill(SIGKILL)
            throw WroteNothing(program: name)
        }
    }

    deinit { kill(SIGKILL) }

    func kill(_ signal: Int32) {
        process.withLock { process in
            guard process.isRunning else { return }
            // The outcome doesn't matter: it can only fail when the process has just ended.
            _ = Glibc.kill(process.processIdentifier, signal)
        }
    }

    /// Waits for its end and answers its exit code; for a signal, that signal's number negated.
    func exitCode() async -> Int32 {
        for await _ in ended { continue }
        return process.withLock { process in
            process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
        }
    }

    /// The folder of the binaries that were built together with this test.
    private static func folder() throws -> URL {
        var folder = Bundle.main.bundleURL
        for _ in 0..<4 {
            if FileManager.default.isExecutableFile(atPath: folder.appending(path: "hongbao-dev").path) {
                return folder
            }
            folder.deleteLastPathComponent()
        }
        let package = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized
        let debug = package.appending(path: ".build/debug")
        try #require(FileManager.default.isExecutableFile(atPath: debug.appending(path: "hongbao-dev").path))
        return debug
    }
}
