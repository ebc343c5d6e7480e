import Foundation
import HongbaoTesting

/// A library that is loaded before libc into a process under test, so that calls go through it.
enum PreloadedLibrary {
    /// Makes one with the system's C compiler, when it's needed, and answers its path.
    static func compile(_ source: String, as name: String, in folder: String) async throws -> String {
        let file = "\(folder)/\(name).c"
        let library = "\(folder)/\(name).so"
        try source.write(toFile: file, atomically: true, encoding: .utf8)
        let (code, _, errors) = try await StartedProgram.run(
            "/usr/bin/env",
            ["cc", "-shared", "-fPIC", "-O1", "-o", library, file, "-ldl"]
        )
        guard code == 0 else { throw KillTestFault("\(name) needs a C compiler: \(errors)") }
        return library
    }
}
