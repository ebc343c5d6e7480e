import Foundation
import GRDB
import HongbaoCore
import HongbaoSQLite
import HongbaoTesting

/// What can be done to a file by somebody who goes around the program.
enum BrokenStore {
    /// Runs statements on the closed file of a folder, with all that protects it switched off.
    static func alter(_ folder: TemporaryFolder, _ sql: String) async throws {
        try await alter(folder) { database in try database.execute(sql: sql) }
    }

    static func alter(_ folder: TemporaryFolder, _ body: @escaping @Sendable (Database) throws -> Void) async throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName), configuration: configuration)
        try await queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA ignore_check_constraints = ON")
            for name in try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE type = 'trigger'") {
                try database.execute(sql: "DROP TRIGGER \(name)")
            }
            try body(database)
        }
        try queue.close()
    }

    /// A folder with the same content.
    static func copy(of folder: TemporaryFolder) throws -> TemporaryFolder {
        let copy = try TemporaryFolder()
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where name != "lock" {
            try FileManager.default.copyItem(atPath: folder.file(name), toPath: copy.file(name))
        }
        return copy
    }

    /// Changes one bit of one byte of a batch's record.
    static func flip(_ folder: TemporaryFolder, sequence: UInt64, byte: Int) async throws {
        try await alter(folder) { database in
            let key = Int64(sequence)
            var record = try Data.fetchOne(
                database,
                sql: "SELECT record FROM grant_batch WHERE sequence = ?",
                arguments: [key]
            )
            record?[byte] ^= 1
            try database.execute(
                sql: "UPDATE grant_batch SET record = ? WHERE sequence = ?",
                arguments: [record, key]
            )
        }
    }

    static func recordSize(_ folder: TemporaryFolder, sequence: UInt64) async throws -> Int {
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        let size = try await queue.read { database in
            try Int.fetchOne(
                database,
                sql: "SELECT length(record) FROM grant_batch WHERE sequence = ?",
                arguments: [Int64(sequence)]
            )
        }
        try queue.close()
        return size ?? 0
    }
}
