import Foundation
import GRDB
import GRDBSQLite
import Glibc
import HongbaoEngine

/// The steps from a folder's name to a store that is sound, up to date and durable, or to an error that a person
/// understands.
struct Opening {
    let pool: DatabasePool
    let lock: FolderLock?

    init(folder: String, access: SQLiteStore.Access, options: SQLiteStore.Options) throws(StoreError) {
        let file = "\(folder)/\(SQLiteStore.fileName)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw StoreError(.unavailable, "there is no data folder \(folder)")
        }
        switch access {
        case .readWrite:
            lock = try FolderLock(folder: folder)
            if try Self.isMissing(file) { try Self.create(file, options) }
        case .readOnly:
            lock = nil
            if try Self.isMissing(file) { throw StoreError(.unavailable, "there is no data in \(folder)") }
        }
        try Self.checkHeader(of: file)
        do throws(StoreError) {
            pool = try Self.open(file, access, options)
        } catch {
            throw StoreError(error.code, "\(file): \(error.message)")
        }
    }

    /// The writing connection as SQLite knows it, for `GroupWriter` alone.
    ///
    /// GRDB's own hooks are taken off it: they track transactions that GRDB begins, and it begins none any more.
    func takeWriter() throws(StoreError) -> WriterConnection {
        do {
            let handle = try pool.writeWithoutTransaction { database in
                guard let handle = database.sqliteConnection else { throw StoreError(.unavailable, "closed") }
                sqlite3_commit_hook(handle, nil, nil)
                sqlite3_rollback_hook(handle, nil, nil)
                return handle
            }
            return try WriterConnection(handle)
        } catch {
            throw StoreError(error)
        }
    }

    static func close(_ pool: DatabasePool) throws(StoreError) {
        do {
            try pool.close()
        } catch {
            throw StoreError(error)
        }
    }

    // MARK: The file

    /// A file is made whole under another name and then renamed, so a missing one was never written to, and an empty
    /// one has lost its content.
    private static func isMissing(_ file: String) throws(StoreError) -> Bool {
        guard !FileManager.default.fileExists(atPath: file) else { return false }
        guard !FileManager.default.fileExists(atPath: file + "-wal") else {
            throw StoreError(.corrupt, "\(file) is gone, but its log \(file)-wal is there: restore both together")
        }
        return true
    }

    private static func create(_ file: String, _ options: SQLiteStore.Options) throws(StoreError) {
        let draft = file + ".new"
        do {
            for leftover in [draft, draft + "-journal"] where FileManager.default.fileExists(atPath: leftover) {
                try FileManager.default.removeItem(atPath: leftover)
            }
            var configuration = Configuration()
            configuration.prepareDatabase { database in
                try database.execute(sql: "PRAGMA page_size = \(options.pageBytes)")
                try database.execute(sql: "PRAGMA synchronous = FULL")
            }
            let queue = try DatabaseQueue(path: draft, configuration: configuration)
            try queue.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
            try Schema.migrator.migrate(queue)
            try queue.close()
        } catch {
            throw StoreError(error)
        }
        guard rename(draft, file) == 0, sync(folderOf: file) else {
            throw StoreError(.unavailable, "can't create \(file): \(String(cString: strerror(errno)))")
        }
    }

    /// Makes the new name durable.
    static func sync(folderOf file: String) -> Bool {
        let folder = Glibc.open((file as NSString).deletingLastPathComponent, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return false }
        defer { Glibc.close(folder) }
        return fsync(folder) == 0
    }

    private static func checkHeader(of file: String) throws(StoreError) {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw StoreError(.unavailable, "can't read \(file): \(String(cString: strerror(errno)))")
        }
        defer { Glibc.close(descriptor) }
        let magic = Array("SQLite format 3\0".utf8)
        var header = [UInt8](repeating: 0, count: 100)
        let count = pread(descriptor, &header, header.count, 0)
        guard count > 0 else { throw StoreError(.corrupt, "\(file) is empty: its content is lost") }
        guard count == header.count || !header.starts(with: magic) else {
            throw StoreError(.corrupt, "\(file) is truncated")
        }
        // A power cut can tear the first page while the log moves into the file. The log still has that page, so SQLite
        // is to say whether the file is sound.
        if header.starts(with: magic) { return }
        guard try hasLog(file) else { throw StoreError(.corrupt, "\(file) is not a database") }
    }

    private static func hasLog(_ file: String) throws(StoreError) -> Bool {
        var status = stat()
        if stat(file + "-wal", &status) == 0 { return status.st_size > 0 }
        guard errno == ENOENT else {
            throw StoreError(.unavailable, "can't read \(file)-wal: \(String(cString: strerror(errno)))")
        }
        return false
    }

    // MARK: The connections

    private static func open(
        _ file: String,
        _ access: SQLiteStore.Access,
        _ options: SQLiteStore.Options
    ) throws(StoreError) -> DatabasePool {
        do {
            let pool = try DatabasePool(path: file, configuration: configuration(access, options))
            switch access {
            case .readOnly:
                try pool.read { database in try checkSchema(database, mustBeComplete: true) }
            case .readWrite:
                try pool.read { database in try checkSchema(database, mustBeComplete: false) }
                try Schema.migrator.migrate(pool)
                guard options.syncs == .withEachCommit else { break }
                try pool.writeWithoutTransaction { database in
                    // GRDB sets NORMAL while it opens the pool, which loses acknowledged transactions in a power cut.
                    try database.execute(sql: "PRAGMA synchronous = FULL")
                    let durability = try Durability(database)
                    guard durability.isFull else {
                        throw StoreError(.unavailable, "commits would not survive a power cut (\(durability))")
                    }
                }
            }
            return pool
        } catch {
            throw StoreError(error)
        }
    }

    private static func configuration(_ access: SQLiteStore.Access, _ options: SQLiteStore.Options) -> Configuration {
        var configuration = Configuration()
        configuration.label = "hongbao.sqlite"
        configuration.readonly = access == .readOnly
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(Double(options.busyTimeoutSeconds))
        configuration.maximumReaderCount = options.readersMax
        configuration.prepareDatabase { database in
            let isReader = database.configuration.readonly
            let cacheKiB = max(2_048, options.pageCacheBytes / (isReader ? 8 : 1) / 1_024)
            try database.execute(sql: "PRAGMA cache_size = -\(cacheKiB)")
            // Rows are money, not secrets: overwriting what they leave behind with zeros protects nobody.
            try database.execute(sql: "PRAGMA secure_delete = OFF")
            // What a savepoint must remember to be undone, and sorting: not in files.
            try database.execute(sql: "PRAGMA temp_store = MEMORY")
            try database.execute(sql: "PRAGMA wal_autocheckpoint = \(options.checkpointPages)")
            if let bytes = options.fileBytesMax {
                try database.execute(sql: "PRAGMA max_page_count = \(bytes / options.pageBytes)")
            }
        }
        return configuration
    }

    private static func checkSchema(_ database: Database, mustBeComplete: Bool) throws {
        guard try Int.fetchOne(database, sql: "PRAGMA application_id") == Schema.applicationID else {
            throw StoreError(.corrupt, "this is another program's database")
        }
        let known = Schema.migrations.map(\.id)
        let applied = try Schema.migrator.appliedIdentifiers(database).sorted()
        if let newest = applied.last(where: { !known.contains($0) }) {
            throw StoreError(
                .tooNew,
                "a newer version wrote it (schema \(newest)); this one knows the schema up to \(Schema.newest)"
            )
        }
        guard !mustBeComplete || applied == known else {
            throw StoreError(
                .unavailable,
                "its schema is \(applied.last ?? "none") and must be brought to \(Schema.newest): start the server once"
            )
        }
    }
}
