import Foundation
import Glibc
import Synchronization

/// A built program, started as its own process and followed without blocking a thread. It ends with this object.
package final class StartedProgram: Sendable {
    package struct WroteNothing: Error, CustomStringConvertible {
        package let description: String
    }

    package let pid: Int32
    private let process: Mutex<Process>
    private let output: Output
    private let ending: Ending
    private let errorFile: String?

    /// - Parameters:
    ///   - environment: in addition to that of this process.
    ///   - folder: where it runs; without one, where this process runs.
    ///   - errorFile: what it writes to standard error is added there; without one it's dropped.
    package init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String? = nil,
        errorFile: String? = nil
    ) throws {
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        if let folder { process.currentDirectoryURL = URL(filePath: folder) }
        let errors = try errorFile.map { try Self.openForAdding($0) }
        process.standardError = errors ?? .nullDevice
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        let output = Output()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            output.add(data)
        }
        let ending = Ending()
        process.terminationHandler = { process in
            ending.close(
                process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
            )
        }
        do {
            try process.run()
        } catch {
            pipe.fileHandleForReading.readabilityHandler = nil
            throw error
        }
        try errors?.close()
        pid = process.processIdentifier
        self.process = Mutex(process)
        self.output = output
        self.ending = ending
        self.errorFile = errorFile
    }

    deinit { kill(SIGKILL) }

    private static func openForAdding(_ path: String) throws -> FileHandle {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw WroteNothing(description: "\(path) can't be written: errno \(errno)") }
        return FileHandle(fileDescriptor: file, closeOnDealloc: true)
    }

    /// Sends a signal, unless the process has ended.
    package func kill(_ signal: Int32) {
        process.withLock { process in
            guard process.isRunning else { return }
            // It can only fail when the process has just ended, and then it's not needed.
            _ = Glibc.kill(process.processIdentifier, signal)
        }
    }

    /// Waits for its end and answers its exit code; for a signal, that signal's number negated.
    package func exitCode() async -> Int32 { await ending.code() }

    /// The exit code, or `nil` while it runs.
    package var codeIfEnded: Int32? { ending.codeIfKnown }

    /// The first line of its standard output. A process that writes none in time is killed.
    package func firstLine(within limit: Duration = .seconds(120)) async throws -> String {
        let line = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await Task.sleep(for: limit)
                    self.kill(SIGKILL)
                } catch {
                    return
                }
            }
            defer { group.cancelAll() }
            return await output.firstLine()
        }
        guard let line else {
            throw WroteNothing(description: "it ended without a line; it said: \(errors.suffix(2000))")
        }
        return line
    }

    /// All of its standard output; waits until it's closed.
    package func text() async -> String { await output.all() }

    /// What it has written to standard error so far.
    package var errors: String {
        guard let errorFile, let data = FileManager.default.contents(atPath: errorFile) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    /// Runs a program to its end; answers its exit code and what it wrote.
    package static func run(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String? = nil
    ) async throws -> (code: Int32, output: String, errors: String) {
        let temporary = try TemporaryFolder()
        let program = try StartedProgram(
            path,
            arguments,
            environment: environment,
            folder: folder,
            errorFile: temporary.file("errors")
        )
        let output = await program.text()
        return (await program.exitCode(), output, program.errors)
    }
}

/// What came out of a pipe so far.
private final class Output: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isOver = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// No data is the end.
    func add(_ data: Data) {
        let waiting = state.withLock { state in
            state.bytes += data
            if data.isEmpty { state.isOver = true }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func firstLine() async -> String? {
        while true {
            let (line, isOver, count) = state.withLock { state in
                let end = state.bytes.firstIndex(of: UInt8(ascii: "\n"))
                let first = end.map { String(decoding: state.bytes[..<$0], as: UTF8.self) }
                return (first, state.isOver, state.bytes.count)
            }
            if let line { return line }
            if isOver { return nil }
            await change(after: count)
        }
    }

    func all() async -> String {
        while true {
            let (text, count) = state.withLock { state in
                (state.isOver ? String(decoding: state.bytes, as: UTF8.self) : nil, state.bytes.count)
            }
            if let text { return text }
            await change(after: count)
        }
    }

    private func change(after count: Int) async {
        await withCheckedContinuation { continuation in
            let hasChanged = state.withLock { state in
                if state.isOver || state.bytes.count > count { return true }
                state.waiting.append(continuation)
                return false
            }
            if hasChanged { continuation.resume() }
        }
    }
}

/// How a process ended, once it has.
private final class Ending: Sendable {
    private struct State {
        var code: Int32?
        var waiting: [CheckedContinuation<Int32, Never>] = []
    }

    private let state = Mutex(State())

    var codeIfKnown: Int32? { state.withLock { $0.code } }

    func close(_ code: Int32) {
        let waiting = state.withLock { state in
            state.code = code
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume(returning: code) }
    }

    func code() async -> Int32 {
        await withCheckedContinuation { continuation in
            let code = state.withLock { state in
                if state.code == nil { state.waiting.append(continuation) }
                return state.code
            }
            if let code { continuation.resume(returning: code) }
        }
    }
}
