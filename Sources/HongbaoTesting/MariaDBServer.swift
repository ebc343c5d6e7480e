import Foundation
import Glibc

/// A real server of MariaDB for tests, with files of its own, on loopback. It ends with this process, however that
/// ends.
///
/// It's a process that tests may kill; `start` starts it again on the same files.
package actor MariaDBServer {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// Where its files are. Its address is the socket in it, or `port` on loopback; `root` has no password, and there
    /// is an empty database `hongbao`.
    package nonisolated let folder: String
    package nonisolated let port: UInt16
    package nonisolated var socket: String { "\(folder)/socket" }
    private var options: [String]
    private var program: StartedProgram?
    private var watchdog: StartedProgram?

    /// One for all tests of a process that don't harm it.
    private static let shared = Task { try await MariaDBServer.started() }

    package static func forAll() async throws -> MariaDBServer { try await shared.value }

    /// A server of one's own.
    ///
    /// - Parameters:
    ///   - options: what `mariadbd` is started with, in addition.
    ///   - parent: the folder to put its own into.
    package static func started(
        _ options: [String] = [],
        in parent: String = temporaryFolder
    ) async throws -> MariaDBServer {
        let server = try MariaDBServer(options, in: parent)
        try await server.install()
        try await server.start()
        return server
    }

    package static var temporaryFolder: String { FileManager.default.temporaryDirectory.path }

    // MARK: A primary and its replica

    /// Who is who on servers that replicate: the store's user, and that of `hongbao switch-over`.
    package static let storeUser = (name: "store", password: "stored")
    package static let operatorUser = (name: "operator", password: "switched")

    /// Two servers that may be each other's replica, as `docs/cluster.md` has them. Both are read-only, and none
    /// follows the other, until `hongbao switch-over` says which is the primary.
    package static func pair(in parent: String = temporaryFolder) async throws -> [MariaDBServer] {
        let servers = [try MariaDBServer(replicating(1), in: parent), try MariaDBServer(replicating(2), in: parent)]
        for server in servers {
            try await server.install()
            try await server.write(users)
            try await server.start()
        }
        return servers
    }

    /// A server without a replica, with the same database and users.
    package static func single(in parent: String = temporaryFolder) async throws -> MariaDBServer {
        let server = try MariaDBServer([], in: parent)
        try await server.install()
        try await server.write(users)
        try await server.start()
        return server
    }

    /// Servers between which databases may be moved, as `docs/cluster.md` has them.
    package static func movable(_ numbers: [Int], in parent: String = temporaryFolder) async throws -> [MariaDBServer] {
        var servers: [MariaDBServer] = []
        for number in numbers {
            let options = [
                "--server-id=\(number)", "--gtid-domain-id=\(number)", "--log-bin=log", "--relay-log=relay",
                "--log-slave-updates", "--binlog-format=ROW", "--log-bin-trust-function-creators=ON",
                "--gtid-strict-mode=ON", "--sync-binlog=1",
            ]
            let server = try MariaDBServer(options, in: parent)
            try await server.install()
            try await server.write(users)
            try await server.start()
            servers.append(server)
        }
        return servers
    }

    private static func replicating(_ number: Int) -> [String] {
        [
            "--server-id=\(number)", "--log-bin=log", "--relay-log=relay", "--log-slave-updates", "--sync-binlog=1",
            "--binlog-format=ROW", "--log-bin-trust-function-creators=ON", "--gtid-strict-mode=ON", "--read-only=ON",
            "--rpl-semi-sync-slave-enabled=ON",
            "--rpl-semi-sync-master-wait-point=AFTER_SYNC", "--rpl-semi-sync-master-timeout=31536000000",
            "--init-rpl-role=SLAVE", "--innodb-flush-log-at-trx-commit=3",
        ]
    }

    /// Made on each server by itself, at each start.
    private static let users = """
        SET SESSION sql_log_bin = 0;
        CREATE USER IF NOT EXISTS \(storeUser.name)@'127.0.0.1' IDENTIFIED BY '\(storeUser.password)';
        GRANT ALL ON hongbao.* TO \(storeUser.name)@'127.0.0.1';
        CREATE USER IF NOT EXISTS \(operatorUser.name)@'127.0.0.1' IDENTIFIED BY '\(operatorUser.password)';
        GRANT READ_ONLY ADMIN, CONNECTION ADMIN, PROCESS, RELOAD, REPLICATION SLAVE, REPLICATION SLAVE ADMIN,
            REPLICATION MASTER ADMIN, REPLICA MONITOR ON *.* TO \(operatorUser.name)@'127.0.0.1';
        GRANT SELECT, INSERT, UPDATE, CREATE ON hongbao.* TO \(operatorUser.name)@'127.0.0.1';
        """

    /// The server reads one statement a line.
    private func write(_ statements: String) throws {
        let lines = statements.replacing("\n    ", with: " ")
        try Data("\(lines)\n".utf8).write(to: URL(filePath: "\(folder)/at-start.sql"))
        options += ["--init-file=\(folder)/at-start.sql"]
    }

    private init(_ options: [String], in parent: String) throws {
        self.options = options
        // A socket's path is at most 107 bytes long.
        folder = "\(parent)/mariadb-\(UInt32.random(in: 0 ... .max))"
        port = UInt16(try freePort())
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private static func path(of program: String) throws -> String {
        let folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/usr/libexec"]
        let paths = folders.map { "\($0)/\(program)" }
        guard let path = paths.first(where: FileManager.default.isExecutableFile) else {
            throw Fault(description: "there is no \(program) here: apt-get install mariadb-server-core")
        }
        return path
    }

    /// A server that starts removes what it takes for its own leftovers, and several may start at once.
    private var temporary: String { "--tmpdir=\(folder)/tmp" }
    private var user: [String] { getuid() == 0 ? ["--user=root"] : [] }

    /// Makes the system tables, as `mariadb-install-db` does, which needs more than the server's own package.
    private func install() async throws {
        for part in ["data", "tmp"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        let scripts = ["/usr/share/mysql", "/usr/share/mariadb", "/usr/local/share/mysql"]
        guard let scripts = scripts.first(where: { FileManager.default.fileExists(atPath: $0 + Self.tables) }) else {
            throw Fault(description: "there is no \(Self.tables) of MariaDB here")
        }
        let (code, output, errors) = try await StartedProgram.run(
            "/bin/sh",
            [
                "-c",
                """
                { printf '%s;\\n' 'CREATE DATABASE mysql' 'USE mysql' 'SET @auth_root_socket = NULL'
                cat "$0\(Self.tables)" "$0/mysql_performance_tables.sql" "$0/mysql_system_tables_data.sql"
                printf '\\n%s;\\n' 'CREATE DATABASE hongbao'; } | "$@"
                """,
                scripts, try Self.path(of: "mariadbd"), "--no-defaults", "--bootstrap", "--datadir=\(folder)/data",
                "--max-allowed-packet=8M", "--log-warnings=0", temporary,
            ] + user
        )
        guard code == 0 else {
            try FileManager.default.removeItem(atPath: folder)
            throw Fault(description: "mariadbd --bootstrap ended with \(code): \(output.prefix(2_000)) \(errors)")
        }
    }

    private static let tables = "/mysql_system_tables.sql"

    /// Starts it and waits until it answers.
    package func start() async throws {
        // What it said before isn't of this start.
        let logFile = "\(folder)/log"
        if FileManager.default.fileExists(atPath: logFile) { try FileManager.default.removeItem(atPath: logFile) }
        let program = try StartedProgram(
            try Self.path(of: "mariadbd"),
            [
                "--no-defaults", "--datadir=\(folder)/data", "--socket=\(socket)", "--port=\(port)",
                "--bind-address=127.0.0.1", "--pid-file=\(folder)/pid", "--skip-name-resolve", "--skip-log-bin",
                "--innodb-buffer-pool-size=96M", "--innodb-log-file-size=48M", "--max-connections=500",
                "--performance-schema=OFF", temporary,
            ] + user + options,
            errorFile: logFile
        )
        self.program = program
        // This process may be killed, too: then the server ends, and what it has written is removed.
        watchdog = try StartedProgram(
            "/bin/sh",
            [
                "-c", "while kill -0 $0 && kill -0 $1; do sleep 1; done; kill -0 $0 || { kill -9 $1; rm -rf $2; }",
                "\(getpid())", "\(program.pid)", folder,
            ]
        )
        let deadline = ContinuousClock.now + .seconds(60)
        while !log.hasSuffix("ready for connections.") {
            guard program.codeIfEnded == nil, ContinuousClock.now < deadline else {
                throw Fault(description: "mariadbd doesn't start: \(log)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// What it has logged since its start, up to the word that it's ready.
    private var log: String {
        let text = String(decoding: FileManager.default.contents(atPath: "\(folder)/log") ?? Data(), as: UTF8.self)
        guard let ready = text.range(of: "ready for connections.") else { return String(text.suffix(1_500)) }
        return String(text[..<ready.upperBound].suffix(1_500))
    }

    /// As a power cut of the process would: nothing is written any more.
    package func kill() async throws {
        program?.kill(SIGKILL)
        _ = try await program?.exitCode()
        program = nil
    }

    /// Stops and lets it run on, as an overloaded machine would.
    package func signal(_ signal: Int32) { program?.kill(signal) }

    package func stop() async throws {
        program?.kill(SIGTERM)
        _ = try await program?.exitCode()
        program = nil
        try FileManager.default.removeItem(atPath: folder)
    }
}
