import Foundation
import Glibc
import HongbaoTesting
import Testing

/// A built binary of this package that has printed its first line.
struct BuiltProgram: Sendable {
    let program: StartedProgram
    let firstLine: String

    init(_ name: String, _ arguments: [String]) async throws {
        program = try StartedProgram(try Self.path(name), arguments, folder: Self.package)
        firstLine = try await program.firstLine()
    }

    func kill(_ signal: Int32) { program.kill(signal) }
    func exitCode() async throws -> Int32 { try await program.exitCode() }

    /// The root of this package.
    static let package = URL(filePath: #filePath).appending(path: "../../..").standardized.path

    /// A binary that was built together with this test.
    static func path(_ name: String) throws -> String {
        try #require(StartedProgram.built(name), "\(name) isn't built")
    }

    /// Runs a binary to its end.
    static func run(
        _ name: String,
        _ arguments: [String],
        environment: [String: String] = [:],
        folder: String = package
    ) async throws -> (code: Int32, output: String, errors: String) {
        try await StartedProgram.run(try path(name), arguments, environment: environment, folder: folder)
    }

    /// Asks again and again: another process needs real time.
    static func until(_ what: String, seconds: Int = 60, _ isSo: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while try await !isSo() {
            try #require(ContinuousClock.now < end, "it never came: \(what)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
