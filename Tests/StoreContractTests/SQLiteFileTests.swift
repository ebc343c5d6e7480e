import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import HongbaoTesting
import Testing

@testable import HongbaoSQLite

/// What is special about a store that is a file: durability, opening, and what can be wrong with it.
@Suite struct SQLiteFileTests {
    /// GR-5: NORMAL, which GRDB sets by itself, loses acknowledged transactions in a power cut.
    @Test func commitsAreSynced() async throws {
        let folder = try TemporaryFolder()
        for _ in 1...2 {
            let store = try SQLiteStore(folder: folder.path)
            try await store.fund(1)
            let durability = try await store.durability()
            #expect(durability.synchronous == 2)
            #expect(durability.journalMode == "wal")
            #expect(durability.isFull)
            try await store.close()
        }
    }

    /// The files as they lie after an answer, without any closing, hold everything that was answered.
    @Test func whatLiesOnDiskIsComplete() async throws {
        let folder = try TemporaryFolder()
        let copy = try TemporaryFolder()
        let store = try SQLiteStore(folder: folder.path)
        try await store.prepareToMint()
        try await store.append(Fixture.group([1, 2, 3]))
        #expect(try await store.post([Fixture.grant(to: 9)]) == [.posted])
        for name in [SQLiteStore.fileName, SQLiteStore.fileName + "-wal"] {
            try FileManager.default.copyItem(atPath: folder.file(name), toPath: copy.file(name))
        }
        try await store.close()

        let again = try SQLiteStore(folder: copy.path)
        #expect(try await again.log().count == 3)
        #expect(try await again.post([Fixture.grant(to: 9)]) == [.alreadyPosted])
        #expect(try await again.quickCheck() == [])
        try await again.close()
    }

    /// A power cut while the log moves into the file can tear the first page; the log has it still.
    @Test(arguments: [1, 16, 100, 512, 4_096])
    func tornFirstPageIsMadeWholeFromTheLog(bytes: Int) async throws {
        let folder = try TemporaryFolder()
        let copy = try TemporaryFolder()
        let store = try SQLiteStore(folder: folder.path)
        try await store.prepareToMint()
        try await store.append(Fixture.group([1, 2, 3]))
        var file = try Data(contentsOf: URL(filePath: folder.file(SQLiteStore.fileName)))
        let log = try Data(contentsOf: URL(filePath: folder.file(SQLiteStore.fileName + "-wal")))
        try await store.close()
        file.replaceSubrange(0..<bytes, with: repeatElement(0xA5, count: bytes))
        try file.write(to: URL(filePath: copy.file(SQLiteStore.fileName)))
        // Without the log it's lost, and stays untouched.
        await expect(.corrupt) { _ = try SQLiteStore(folder: copy.path) }

        try log.write(to: URL(filePath: copy.file(SQLiteStore.fileName + "-wal")))
        let again = try SQLiteStore(folder: copy.path)
        #expect(try await again.log().count == 3)
        #expect(try await again.quickCheck() == [])
        try await again.close()
    }

    @Test func secondWriterIsRefusedUntilTheFirstIsGone() async throws {
        let folder = try TemporaryFolder()
        let first = try SQLiteStore(folder: folder.path)
        #expect {
            _ = try SQLiteStore(folder: folder.path)
        } throws: { error in
            guard let error = error as? StoreError else { return false }
            return error.code == .unavailable && error.message.contains("is in use by another hongbao process")
        }
        try await first.close()
        try await SQLiteStore(folder: folder.path).close()
    }

    /// RC-5: an audit looks on while the server writes, and after it has stopped.
    @Test func readersMayLookOnWhileAnotherWrites() async throws {
        let folder = try TemporaryFolder()
        let writer = try SQLiteStore(folder: folder.path)
        try await writer.fund(1_000)
        let reader = try SQLiteStore(folder: folder.path, access: .readOnly)
        let budget = AccountID.budget(of: Fixture.scene)
        #expect(try await reader.account(budget).available == 1_000)
        _ = try await writer.post([Fixture.grant(to: 1)])
        #expect(try await reader.account(budget).available == 900)
        await expect(.unavailable) { try await reader.append(Fixture.group([1])) }
        await expect(.unavailable) { try await reader.fund(2_000) }
        try await reader.close()
        _ = try await writer.post([Fixture.grant(to: 2)])
        try await writer.close()

        let late = try SQLiteStore(folder: folder.path, access: .readOnly)
        #expect(try await late.account(budget).available == 800)
        #expect(try await late.quickCheck() == [])
        try await late.close()
        // And looking on leaves the folder free.
        try await SQLiteStore(folder: folder.path).close()
    }

    /// A clean stop leaves one file that is complete by itself, to copy or to send.
    @Test func closingLeavesOneWholeFile() async throws {
        let folder = try TemporaryFolder()
        let copy = try TemporaryFolder()
        let store = try SQLiteStore(folder: folder.path)
        try await store.fund(1_000)
        _ = try await store.log()
        try await store.close()
        try FileManager.default.copyItem(
            atPath: folder.file(SQLiteStore.fileName),
            toPath: copy.file(SQLiteStore.fileName)
        )
        let again = try SQLiteStore(folder: copy.path, access: .readOnly)
        #expect(try await again.account(.budget(of: Fixture.scene)).available == 1_000)
        try await again.close()
    }

    @Test func closedStoreRefuses() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(folder: folder.path)
        try await store.close()
        await expect(.unavailable) { try await store.fund(1) }
        await expect(.unavailable) { _ = try await store.log() }
    }

    /// The same answer or none: what a full disk refuses is not there, what was answered is, and reading goes on.
    @Test func fullDiskRefusesAndLosesNothing() async throws {
        let folder = try TemporaryFolder()
        var options = SQLiteStore.Options()
        options.fileBytesMax = 70 * 4_096
        let store = try SQLiteStore(folder: folder.path, options: options)
        try await store.prepareToMint(lease: 1_000_000)
        var appended: UInt64 = 0
        let full = await #expect(throws: StoreError.self) {
            while true {
                try await store.append(Fixture.group([appended + 1], recordBytes: 15_000))
                appended += 1
            }
        }
        #expect(full?.code == .unavailable && appended > 3)
        #expect(try await store.log().count == Int(appended))

        let kept = await withTaskGroup { group in
            for person in 1...600 as ClosedRange<UInt64> {
                group.addTask { () -> UInt64? in
                    do {
                        return try await store.post([Fixture.grant(to: person)]) == [.posted] ? person : nil
                    } catch {
                        return nil
                    }
                }
            }
            return await group.reduce(into: Set()) { kept, person in
                if let person { kept.insert(person) }
            }
        }
        let posted = try await store.read { snapshot throws(StoreError) in
            try snapshot.transfers(after: nil, limit: 1_000).map(\.id.person.rawValue).filter { $0 > 0 }
        }
        #expect(Set(posted) == kept && kept.count < 600)
        try await store.close()

        let roomy = try SQLiteStore(folder: folder.path)
        try await roomy.append(Fixture.group([appended + 1], recordBytes: 15_000))
        #expect(try await roomy.account(.budget(of: Fixture.scene)).debits.fen == Int64(100 * kept.count))
        #expect(try await roomy.quickCheck() == [])
        try await roomy.close()
    }

    // MARK: Files that can't be opened

    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: StoreError.Code
        /// A word that the message must have, so that a person knows what to do.
        let says: String
        let inflict: @Sendable (TemporaryFolder) throws -> Void

        static let all = [
            Damage(testDescription: "garbage", code: .corrupt, says: "not a database") { folder in
                try Data((0..<9_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }).write(to: file(folder))
            },
            Damage(testDescription: "empty", code: .corrupt, says: "empty") { folder in
                try Data().write(to: file(folder))
            },
            Damage(testDescription: "cut off in the header", code: .corrupt, says: "truncated") { folder in
                try Data(try Data(contentsOf: file(folder)).prefix(60)).write(to: file(folder))
            },
            Damage(testDescription: "cut off in a page", code: .corrupt, says: "truncated") { folder in
                let whole = try Data(contentsOf: file(folder))
                try Data(whole.prefix(whole.count / 2 + 100)).write(to: file(folder))
            },
            Damage(testDescription: "a broken header", code: .corrupt, says: "database") { folder in
                var whole = try Data(contentsOf: file(folder))
                whole.replaceSubrange(16..<24, with: [9, 9, 9, 9, 9, 9, 9, 9])
                try whole.write(to: file(folder))
            },
            Damage(testDescription: "another program's", code: .corrupt, says: "another program") { folder in
                try FileManager.default.removeItem(at: file(folder))
                let queue = try DatabaseQueue(path: file(folder).path)
                try queue.write { database in try database.execute(sql: "CREATE TABLE song (name TEXT)") }
                try queue.close()
            },
            Damage(testDescription: "only the log left", code: .corrupt, says: "restore both") { folder in
                try FileManager.default.removeItem(at: file(folder))
                try Data([1]).write(to: URL(filePath: file(folder).path + "-wal"))
            },
            Damage(testDescription: "a newer version's", code: .tooNew, says: "0099-later") { folder in
                let queue = try DatabaseQueue(path: file(folder).path)
                try queue.write { database in
                    try database.execute(sql: "INSERT INTO grdb_migrations VALUES ('0099-later')")
                }
                try queue.close()
            },
        ]

        private static func file(_ folder: TemporaryFolder) -> URL {
            URL(filePath: folder.file(SQLiteStore.fileName))
        }
    }

    @Test(arguments: Damage.all, [SQLiteStore.Access.readWrite, .readOnly])
    func damagedFilesGiveAClearError(_ damage: Damage, access: SQLiteStore.Access) async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore(folder: folder.path).close()
        try damage.inflict(folder)
        for _ in 1...2 {  // Trying has changed nothing, and the lock is free again.
            #expect {
                _ = try SQLiteStore(folder: folder.path, access: access)
            } throws: { error in
                guard let error = error as? StoreError else { return false }
                return error.code == damage.code && error.message.contains(damage.says)
                    && error.message.contains(folder.path)
            }
        }
    }

    @Test func foldersThatCanNotBeUsed() async throws {
        let folder = try TemporaryFolder()
        #expect(throws: StoreError(.unavailable, "there is no data folder \(folder.file("none"))")) {
            _ = try SQLiteStore(folder: folder.file("none"))
        }
        #expect(throws: StoreError(.unavailable, "there is no data in \(folder.path)")) {
            _ = try SQLiteStore(folder: folder.path, access: .readOnly)
        }
        try FileManager.default.createDirectory(atPath: folder.file("lock"), withIntermediateDirectories: true)
        #expect {
            _ = try SQLiteStore(folder: folder.path)
        } throws: { error in
            (error as? StoreError)?.message.contains("can't write in the data folder") ?? false
        }
    }

    /// A start that was interrupted while it made the file doesn't hinder the next one.
    @Test func unfinishedCreationIsStartedAgain() async throws {
        let folder = try TemporaryFolder()
        try Data([1, 2, 3]).write(to: URL(filePath: folder.file(SQLiteStore.fileName + ".new")))
        let store = try SQLiteStore(folder: folder.path)
        try await store.fund(10)
        try await store.close()
    }

    /// Pages that rot are found on demand, and reading one says so instead of answering nonsense.
    @Test func quickCheckFindsRottenPages() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(folder: folder.path)
        try await store.fund(10_000_000)
        for rain in 1...20 as ClosedRange<UInt16> {
            _ = try await store.post((1...500).map { Fixture.grant(to: $0, rain: rain) })
        }
        try await store.close()
        let file = URL(filePath: folder.file(SQLiteStore.fileName))
        var whole = try Data(contentsOf: file)
        let rot = whole.count / 4_096 * 3 / 4 * 4_096
        whole.replaceSubrange(rot..<whole.count, with: Data(repeating: 0xA5, count: whole.count - rot))
        try whole.write(to: file)

        let rotten = try SQLiteStore(folder: folder.path, access: .readOnly)
        do {
            #expect(try await rotten.quickCheck() != [])
        } catch {
            #expect(error.code == .corrupt)
        }
        await expect(.corrupt) {
            _ = try await rotten.read { snapshot throws(StoreError) in try snapshot.transfers(after: nil, limit: 20_000)
            }
        }
        try await rotten.close()
    }

    /// Only what certainly didn't happen may be called so.
    @Test(arguments: [
        (ResultCode.SQLITE_FULL, StoreError.Code.unavailable), (.SQLITE_BUSY, .unavailable),
        (.SQLITE_IOERR, .outcomeUnknown), (.SQLITE_IOERR_FSYNC, .outcomeUnknown), (.SQLITE_NOMEM, .outcomeUnknown),
        (.SQLITE_CORRUPT, .outcomeUnknown),
    ])
    func failedCommitsAreUnknownUnlessProvenUndone(code: ResultCode, expected: StoreError.Code) {
        #expect(StoreError(sqliteCommit: code.rawValue, of: nil).code == expected)
    }

    @Test(arguments: [
        (ResultCode.SQLITE_FULL, StoreError.Code.unavailable), (.SQLITE_BUSY, .unavailable),
        (.SQLITE_IOERR, .unavailable), (.SQLITE_READONLY, .unavailable), (.SQLITE_CORRUPT, .corrupt),
        (.SQLITE_NOTADB, .corrupt), (.SQLITE_CONSTRAINT_CHECK, .corrupt),
    ])
    func failedStatementsDidNotHappen(code: ResultCode, expected: StoreError.Code) {
        #expect(StoreError(sqlite: code.rawValue, of: nil).code == expected)
    }
}
