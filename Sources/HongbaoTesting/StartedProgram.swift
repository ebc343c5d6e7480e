import Foundation
import Glibc
import Synchronization

/// A built program, started as its own process and followed without blocking a thread. It ends with this object.
///
/// It isn't Foundation's `Process`: that lets children inherit the descriptors by which it learns of others' ends,
/// so that two children which wait for each other's end never see it.
package final class StartedProgram: Sendable {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    package let pid: Int32
    private let folder: TemporaryFolder
    private let errorFile: String
    /// As the kernel tells it, once it's told; for a signal, that signal's number negated.
    private let code: Mutex<Int32?>

    private var outputFile: String { folder.file("output") }

    /// - Parameters:
    ///   - environment: in addition to that of this process.
    ///   - directory: where it runs; without one, where this process runs.
    ///   - errorFile: what it writes to standard error is added there.
    package init(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder directory: String? = nil,
        errorFile: String? = nil
    ) throws {
        folder = try TemporaryFolder()
        self.errorFile = errorFile ?? folder.file("errors")
        let all = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
        // `env` changes to the folder and then becomes the program, so the number is that of the program.
        let inside = directory.map { ["/usr/bin/env", "--chdir=\($0)"] } ?? []
        pid = try Self.spawn(
            inside + [path] + arguments,
            environment: all.map { "\($0.key)=\($0.value)" },
            output: folder.file("output"),
            errors: self.errorFile
        )
        code = Mutex(nil)
    }

    deinit {
        kill(SIGKILL)
        // Leaves no zombie. A killed process is gone at once, so this doesn't wait.
        code.withLock { code in
            var status: Int32 = 0
            if code == nil { _ = waitpid(pid, &status, 0) }
        }
    }

    /// Nothing of this process is handed on but the environment: input is empty, output and errors are files.
    private static func spawn(
        _ command: [String],
        environment: [String],
        output: String,
        errors: String
    ) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        for (descriptor, path) in [(STDOUT_FILENO, output), (STDERR_FILENO, errors)] {
            posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        }
        // Signals as a shell would leave them, whatever this process does with its own.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var every = sigset_t()
        sigemptyset(&none)
        sigfillset(&every)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var arguments = command.map { strdup($0) } + [nil]
        var variables = environment.map { strdup($0) } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: Int32 = 0
        let failure = posix_spawn(&pid, command[0], &actions, &attributes, &arguments, &variables)
        guard failure == 0 else {
            throw Fault(description: "\(command[0]) can't be started: \(String(cString: strerror(failure)))")
        }
        return pid
    }

    /// Sends a signal, unless the process has ended.
    package func kill(_ signal: Int32) {
        guard codeIfEnded == nil else { return }
        // It can't hit another process: until its end is taken note of, the number stays its own.
        _ = Glibc.kill(pid, signal)
    }

    /// The exit code (a signal's number negated), or `nil` while it runs.
    package var codeIfEnded: Int32? {
        code.withLock { code in
            if let code { return code }
            var status: Int32 = 0
            guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
            let signal = status & 0x7F
            code = signal == 0 ? (status >> 8) & 0xFF : -signal
            return code
        }
    }

    /// Waits for its end and answers its exit code; for a signal, that signal's number negated.
    package func exitCode() async throws -> Int32 {
        while true {
            if let code = codeIfEnded { return code }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The first line of its standard output. A process that writes none in time is killed.
    package func firstLine(within limit: Duration = .seconds(120)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while true {
            let hasEnded = codeIfEnded != nil
            let text = output
            if let end = text.firstIndex(of: "\n") { return String(text[..<end]) }
            if hasEnded || ContinuousClock.now > deadline {
                kill(SIGKILL)
                throw Fault(description: "it didn't say a line; its errors: \(errors.suffix(2000))")
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// What it has written to standard output so far.
    package var output: String { Self.text(outputFile) }
    /// What it has written to standard error so far.
    package var errors: String { Self.text(errorFile) }

    private static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    /// The path of a program of this package that was built together with the running test; `nil` when it wasn't.
    package static func built(_ name: String) -> String? {
        let package = URL(filePath: #filePath).appending(path: "../../..").standardized.path
        var folders = ["\(package)/.build/debug"]
        var folder = Bundle.main.bundleURL
        for _ in 0..<4 {
            folders.insert(folder.path, at: folders.count - 1)
            folder.deleteLastPathComponent()
        }
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Runs a program to its end; answers its exit code and what it wrote.
    package static func run(
        _ path: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String? = nil
    ) async throws -> (code: Int32, output: String, errors: String) {
        let program = try StartedProgram(path, arguments, environment: environment, folder: folder)
        let code = try await program.exitCode()
        return (code, program.output, program.errors)
    }
}
