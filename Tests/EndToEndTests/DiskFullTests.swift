import Foundation
import Glibc
import HongbaoCore
import HongbaoTesting
import NIOHTTP1
import Testing

@testable import hongbao_dev

/// No space left: grants are refused, all else goes on, and nothing accepted is lost; then it resumes by itself.
@Suite(.serialized, .timeLimit(.minutes(15))) struct DiskFullTests {
    /// A file system of its own in a mount namespace of its own; needs to be root, there or in a user namespace.
    @Test(
        .enabled("no file system can be mounted here; `fileTooLarge` is the same with a limit") { try await canMount() }
    )
    func fileSystemFull() async throws {
        let folder = try TemporaryFolder()
        let script = #"mount -t tmpfs -o size=12m,mode=700 tmpfs "$1" && log=$1/log && shift && exec "$@" 2>>"$log""#
        let server = try await LiveServer.start(
            data: "\(folder.path)/data",
            log: "/dev/null",
            wrapper: ["/usr/bin/env", "unshare"] + (getuid() == 0 ? ["-m"] : ["-rm"])
                + ["sh", "-c", script, "sh", folder.path]
        )
        // Nobody else sees the mount but through the process. SQLite follows links, and so doesn't find it there.
        let inside = "/proc/\(server.program.pid)/root\(folder.path)"
        let ballast = "\(inside)/ballast"
        let copies = try TemporaryFolder()
        try await play(server) {
            try Self.fill(ballast)
        } makeRoom: {
            try FileManager.default.removeItem(atPath: ballast)
        } look: {
            for name in ["hongbao.sqlite", "hongbao.sqlite-wal", "keyring"] {
                try FileManager.default.copyItem(atPath: "\(inside)/data/\(name)", toPath: copies.file(name))
            }
            return copies.path
        }
    }

    /// The same as any user: no file may grow beyond a megabyte until the limit is lifted.
    @Test func fileTooLarge() async throws {
        let folder = try TemporaryFolder()
        let server = try await LiveServer.start(
            data: folder.file("data"),
            log: folder.file("log"),
            wrapper: ["/bin/bash", "-c", #"ulimit -S -f 1024; exec "$@""#, "bash"]
        )
        let pid = "\(server.program.pid)"
        try await play(server) {
        } makeRoom: {
            let (code, _, errors) = try await StartedProgram.run(
                "/usr/bin/env",
                ["prlimit", "--pid", pid, "--fsize=unlimited:"]
            )
            #expect(code == 0, "\(errors)")
        } look: {
            folder.file("data")
        }
    }

    private func play(
        _ server: LiveServer,
        fill: () throws -> Void,
        makeRoom: () async throws -> Void,
        look: () throws -> String
    ) async throws {
        let book = try LiveServer.book()
        let caller = server.caller(book)
        var random = Seeded(seed: 3)
        let (person, jwt) = try await server.logIn("disk-full")
        #expect(try await server.grant(person: person, amount: 777).status == 200)
        try await caller.send(book.take(50, &random), as: .batches(50))
        try fill()
        // Load until there is no room. Batches that got in are in the book; what was refused is tried again later.
        var stranger = UInt64(1) << 21
        try await BuiltProgram.until("the disk is full") {
            try await caller.send(book.take(100, &random), as: .batches(100))
            stranger += 1
            let answer = try await server.grant(person: "\(stranger)")
            guard answer.status != 200 else { return false }
            #expect(answer.status == 503)
            #expect(try answer.string("code") == "unavailable")
            #expect(answer.text.contains(#""retryable":true"#))
            #expect(answer.headers.contains(name: "Retry-After"))
            return true
        }
        // A replay needs no room.
        #expect(try await server.grant(person: person, amount: 777).status == 200)
        for _ in 0..<20 { try await caller.send(book.take(50, &random), as: .batches(50)) }
        #expect(try await server.send(.GET, "/livez").status == 200)
        #expect(try await server.balance(jwt) == 777)
        #expect(server.program.codeIfEnded == nil)

        try await makeRoom()
        try await BuiltProgram.until("grants are accepted again") {
            try await server.grant(person: person, stage: 2).status == 200
        }
        let unanswered = book.unanswered()
        for start in stride(from: 0, to: unanswered.count, by: 500) {
            try await caller.send(Array(unanswered[start..<min(start + 500, unanswered.count)]), as: .batches(500))
        }
        #expect(book.unanswered().isEmpty)
        #expect(try await server.send(.GET, "/readyz").status == 200)
        try await server.drain()
        let data = try look()
        let own = try await KillTest.bookedGrants(data).keys.count { $0.person.rawValue >= 1 << 20 }
        #expect(own >= 2)
        try await LiveServer.expectBooked(book, in: data, others: own)
        try await server.stop()
    }

    /// Writes until there is no byte left.
    private static func fill(_ path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(file >= 0)
        defer { close(file) }
        let bytes = [UInt8](repeating: 1, count: 4096)
        while write(file, bytes, bytes.count) > 0 { continue }
        #expect(errno == ENOSPC)
    }

    private static func canMount() async throws -> Bool {
        let arguments = ["unshare"] + (getuid() == 0 ? ["-m"] : ["-rm"])
        let command = ["sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        return try await StartedProgram.run("/usr/bin/env", arguments + command).code == 0
    }
}
