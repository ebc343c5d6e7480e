import Foundation
import GRDB
import Glibc
import HongbaoCore
import HongbaoTesting
import Testing

@testable import hongbao_dev

/// Data that somebody else uses, has changed, wrote with a newer version, or kept without its keyring.
@Suite(.timeLimit(.minutes(15))) struct DataFolderTests {
    /// Data of a server that has granted, posted and ended.
    private static func makeData(_ folder: TemporaryFolder) async throws -> String {
        let data = folder.file("data")
        let server = try await LiveServer.start(data: data, log: folder.file("log"))
        let book = try LiveServer.book()
        var random = Seeded(seed: 5)
        try await server.caller(book).send(book.take(200, &random), as: .batches(200))
        #expect(book.counts.acknowledged > 100)
        try await server.drain()
        try await server.stop()
        return data
    }

    private static func serve(_ data: String) async throws -> (code: Int32, output: String, errors: String) {
        try await BuiltProgram.run("hongbao", ["serve", "--data", data, "--port", "0"])
    }

    private static func audit(_ data: String) async throws -> (code: Int32, output: String, errors: String) {
        try await BuiltProgram.run("hongbao", ["audit", "--data", data])
    }

    private static func change(_ data: String, _ sql: String) async throws {
        let queue = try DatabaseQueue(path: "\(data)/hongbao.sqlite")
        try await queue.write { try $0.execute(sql: sql) }
        try queue.close()
    }

    @Test func aSecondServerIsTurnedAwayAndTheFirstGoesOn() async throws {
        let folder = try TemporaryFolder()
        let data = folder.file("data")
        let server = try await LiveServer.start(data: data, log: folder.file("log"))
        let second = try await Self.serve(data)
        #expect(second.code == 2)
        #expect(second.output == "")
        #expect(second.errors.contains("in use by another hongbao process (\(server.program.pid))"), "\(second.errors)")
        #expect(try await server.grant(person: "7").status == 200)
        // Looking on is allowed.
        let audit = try await Self.audit(data)
        #expect(audit.code == 0, "\(audit.output)\(audit.errors)")
        #expect(audit.output.contains("every invariant holds"))
        try await server.stop()
    }

    @Test func theAuditFindsWhatWasTamperedWith() async throws {
        let folder = try TemporaryFolder()
        let data = try await Self.makeData(folder)
        #expect(try await Self.audit(data).code == 0)
        let changes = [
            ("M1", "UPDATE account SET credits = credits + 1 WHERE kind = 3"),
            ("M2", "UPDATE account SET credits = credits + 1, debits = debits + 1 WHERE kind = 3"),
            ("M6", "UPDATE budget SET total = total + 1"),
            ("M5", "DROP TRIGGER transfer_stays; DELETE FROM transfer WHERE part >> 32 & 65535 <> 0"),
            ("M4", "DROP TRIGGER transfer_is_final; UPDATE transfer SET amount = amount + 1 WHERE person > 0"),
            ("TK", "DROP TRIGGER grant_batch_is_final; UPDATE grant_batch SET total = total + 1"),
            ("TK", "DROP TRIGGER grant_batch_is_final; UPDATE grant_batch SET record = CAST(record || x'00' AS BLOB)"),
        ]
        for (index, (invariant, sql)) in changes.enumerated() {
            let copy = folder.file("copy-\(index)")
            try FileManager.default.copyItem(atPath: data, toPath: copy)
            try await Self.change(copy, sql)
            let (code, output, errors) = try await Self.audit(copy)
            #expect(code == 1, "\(sql): \(errors)")
            #expect(output.contains("an invariant is broken"), "\(sql)")
            #expect(
                output.split(separator: "\n").contains { $0.hasPrefix(invariant) && $0.contains("BREACH") },
                "\(output)"
            )
            let json = try await BuiltProgram.run("hongbao", ["audit", "--data", copy, "--json"])
            #expect(json.code == 1)
            #expect(json.output.contains(#""holds":false"#))
        }
        #expect(try await Self.audit(data).code == 0)
    }

    @Test func whatCannotBeCheckedExitsWith2() async throws {
        let folder = try TemporaryFolder()
        let missing = try await Self.audit(folder.file("none"))
        #expect(missing.code == 2)
        #expect(missing.errors.contains("there is no data folder"), "\(missing.errors)")
        let empty = try await Self.audit(folder.path)
        #expect(empty.code == 2)
        #expect(empty.errors.contains("there is no data in"), "\(empty.errors)")
        // Looking on leaves nothing behind.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
    }

    @Test func dataOfANewerVersionAreLeftAlone() async throws {
        let folder = try TemporaryFolder()
        let data = try await Self.makeData(folder)
        try await Self.change(data, "INSERT INTO grdb_migrations VALUES ('9999-future')")
        for answer in [try await Self.serve(data), try await Self.audit(data)] {
            #expect(answer.code == 2)
            #expect(answer.errors.contains("a newer version wrote it (schema 9999-future)"), "\(answer.errors)")
        }
    }

    @Test func dataWithoutTheirKeyringAreRefused() async throws {
        let folder = try TemporaryFolder()
        let data = try await Self.makeData(folder)
        let keyring = "\(data)/keyring"
        let kept = try #require(FileManager.default.contents(atPath: keyring))
        try FileManager.default.removeItem(atPath: keyring)
        for answer in [try await Self.serve(data), try await Self.audit(data)] {
            #expect(answer.code == 2)
            #expect(answer.errors.contains("\(keyring) is missing"), "\(answer.errors)")
        }
        // A new one isn't made in its place.
        #expect(!FileManager.default.fileExists(atPath: keyring))

        #expect(FileManager.default.createFile(atPath: keyring, contents: kept, attributes: [.posixPermissions: 0o644]))
        let open = try await Self.serve(data)
        #expect(open.code == 2)
        #expect(open.errors.contains("chmod 600"), "\(open.errors)")

        #expect(chmod(keyring, 0o600) == 0)
        try Data(kept.dropLast(3)).write(to: URL(filePath: keyring))
        let damaged = try await Self.serve(data)
        #expect(damaged.code == 2)
        #expect(damaged.errors.contains("damaged"), "\(damaged.errors)")

        try kept.write(to: URL(filePath: keyring))
        #expect(try await Self.audit(data).code == 0)
    }

    @Test func damagedFilesGiveAClearError() async throws {
        let folder = try TemporaryFolder()
        let data = try await Self.makeData(folder)
        let file = "\(data)/hongbao.sqlite"
        for (content, words) in [
            (Data(), "is empty"), (Data("not a database at all".utf8), "is not a database"),
        ] {
            try content.write(to: URL(filePath: file))
            for answer in [try await Self.serve(data), try await Self.audit(data)] {
                #expect(answer.code == 2)
                #expect(answer.errors.contains(words), "\(answer.errors)")
            }
        }
    }
}
