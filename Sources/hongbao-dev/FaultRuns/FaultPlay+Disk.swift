import Foundation
import Glibc
import HongbaoCore
import HongbaoTesting

extension FaultPlay {
    /// Writes and syncs that fail under load. What is refused is refused cleanly, and what was answered stays.
    func failingWrites(_ plain: FaultWorld) async throws -> FaultRun.Outcome {
        var random = Seeded(seed: options.seed)
        var world = plain
        let disk = try await FailingDisk(folder: options.folder)
        try disk.set(nil)
        world.environment = disk.environment
        let sandbox = try await world.startSandbox()
        let faults: [FailingDisk.Fault] = [.writesFail, .syncsFail]
        let (kills, server) = try await faultsUnderLoad(world, sandbox, &random) { round in
            try disk.set(faults[round % faults.count])
        } end: {
            try disk.set(nil)
        }
        guard disk.failureCount > 0 else { throw KillTestFault("no write has failed: the run shows nothing") }
        return try await finish(
            world,
            sandbox,
            server,
            &random,
            counted: "failures      \(disk.failureCount) writes and syncs in \(options.rounds) rounds, \(kills) kills"
        )
    }

    /// No space: on a small file system of its own where one can be mounted, else by a disk that says so.
    func diskFull(_ plain: FaultWorld) async throws -> FaultRun.Outcome {
        guard getuid() == 0, let mount = try await SmallDisk(folder: options.folder) else {
            return try await diskSaysFull(plain)
        }
        var random = Seeded(seed: options.seed)
        var world = plain
        world.wrapper = mount.wrapper
        world.dataFolder = "\(mount.path)/data"
        world.readRows = { try await FaultWorld.rows(of: try mount.copy("data")) }
        let sandbox = try await world.startSandbox()
        let (kills, server) = try await faultsUnderLoad(world, sandbox, &random) { _ in
            try mount.fill()
        } end: {
            try mount.makeRoom()
        }
        let counted = "filled        a disk of \(SmallDisk.mebibytes) MiB, \(options.rounds) times, \(kills) kills"
        let outcome = try await finish(world, sandbox, server, &random, counted: counted)
        try await mount.close()
        return outcome
    }

    private func diskSaysFull(_ plain: FaultWorld) async throws -> FaultRun.Outcome {
        var random = Seeded(seed: options.seed)
        var world = plain
        let disk = try await FailingDisk(folder: options.folder)
        try disk.set(nil)
        world.environment = disk.environment
        let sandbox = try await world.startSandbox()
        let (kills, server) = try await faultsUnderLoad(world, sandbox, &random) { _ in
            try disk.set(.full)
        } end: {
            try disk.set(nil)
        }
        let counted =
            "failures      \(disk.failureCount) writes without space (no disk can be mounted here), \(kills) kills"
        return try await finish(world, sandbox, server, &random, counted: counted)
    }
}

/// A small file system in a mount namespace that a process of its own holds open, so that it outlives killed servers
/// and goes with that process, whatever happens to this one.
final class SmallDisk: Sendable {
    static let mebibytes = 384

    let path: String
    private let holder: StartedProgram
    private let outside: TemporaryFolder

    /// `nil` where nothing can be mounted.
    init?(folder: String) async throws {
        path = "\(folder)/disk"
        outside = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let script = #"mount -t tmpfs -o size="$2"m,mode=700 tmpfs "$1" && echo mounted && exec sleep infinity"#
        holder = try StartedProgram(
            "/usr/bin/env",
            ["unshare", "-m", "sh", "-c", script, "sh", path, "\(Self.mebibytes)"]
        )
        do {
            guard try await holder.firstLine(within: .seconds(10)) == "mounted" else { return nil }
        } catch is StartedProgram.Fault {
            return nil
        }
    }

    /// Runs what follows in the namespace.
    var wrapper: [String] {
        let folder = FileManager.default.currentDirectoryPath
        return ["/usr/bin/env", "nsenter", "--target", "\(holder.pid)", "--mount", "--wd=\(folder)", "--"]
    }

    /// The disk as this process reaches it; SQLite would follow links and not find it.
    private var inside: String { "/proc/\(holder.pid)/root\(path)" }
    private var ballast: String { "\(inside)/ballast" }

    /// Writes until there is no byte left.
    func fill() throws {
        let file = open(ballast, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw KillTestFault("\(ballast): errno \(errno)") }
        defer { Glibc.close(file) }
        let bytes = [UInt8](repeating: 1, count: 65_536)
        for size in [bytes.count, 512] {
            while write(file, bytes, size) > 0 { continue }
            guard errno == ENOSPC else { throw KillTestFault("\(ballast): errno \(errno)") }
        }
    }

    func makeRoom() throws { try FileManager.default.removeItem(atPath: ballast) }

    /// Copies a folder out of it.
    func copy(_ name: String) throws -> String {
        let copy = outside.file("\(name)-\(UUID().uuidString)")
        try FileManager.default.copyItem(atPath: "\(inside)/\(name)", toPath: copy)
        return copy
    }

    func close() async throws {
        holder.kill(SIGKILL)
        _ = try await holder.exitCode()
    }
}
