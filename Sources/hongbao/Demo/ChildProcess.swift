import Foundation
import HongbaoServer
import Synchronization

/// A program that the demo starts beside itself, and ends by its process ID.
final class ChildProcess: Sendable {
    private let process: Mutex<Process>
    /// The first line that it printed: by convention its address, when it's ready.
    let address: String

    /// - Throws: `StartFault` with what it printed, when it ends before it's ready.
    init(_ program: String, _ arguments: [String], environment: [String: String] = [:], log: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        guard FileManager.default.createFile(atPath: log, contents: nil) else {
            throw StartFault("\(log) can't be written")
        }
        process.standardError = try FileHandle(forWritingTo: URL(filePath: log))
        do {
            try process.run()
        } catch {
            throw StartFault("\(program) can't be started: \(error.localizedDescription)")
        }
        var line = Data()
        while true {
            let next = output.fileHandleForReading.availableData
            if next.isEmpty { break }
            line += next
            if line.contains(UInt8(ascii: "\n")) { break }
        }
        guard line.contains(UInt8(ascii: "\n")),
            let first = String(decoding: line, as: UTF8.self).split(separator: "\n").first,
            let start = first.firstRange(of: "http")?.lowerBound
        else {
            process.terminate()
            throw StartFault("\(program) didn't start:\n\(Self.end(of: log))")
        }
        address = String(first[start...])
        self.process = Mutex(process)
    }

    /// The last lines that the program wrote, or why there are none.
    private static func end(of log: String) -> String {
        do {
            return String(try String(contentsOfFile: log, encoding: .utf8).suffix(2000))
        } catch {
            return "\(log) can't be read: \(error.localizedDescription)"
        }
    }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    /// SIGTERM, then waits until it has ended.
    func stop() {
        process.withLock { process in
            if process.isRunning { process.terminate() }
            process.waitUntilExit()
        }
    }

    /// Runs a program to its end; answers its exit code and what it printed.
    static func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: data, as: UTF8.self))
    }
}
