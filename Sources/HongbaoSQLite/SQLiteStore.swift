import Dispatch
import GRDB
package import HongbaoCore
package import HongbaoEngine

/// The embedded store: one SQLite file in the data folder of one process.
///
/// One connection writes, in transactions that waiting callers share; others read, each on a snapshot. What is
/// committed is on disk: WAL, with a sync for each commit (GR-5).
package final class SQLiteStore: Store {
    package enum Access: Sendable {
        /// For the one process that serves. Creates the file when there is none.
        case readWrite
        /// For looking on, also while another process serves.
        case readOnly
    }

    package enum Syncs: Sendable {
        case withEachCommit
        /// SQLite's synchronous=NORMAL: a power cut loses transactions that were acknowledged.
        case later
    }

    package struct Options: Sendable {
        /// How many reads run at the same time.
        package var readersMax = 4
        /// Memory for pages of the file, of the writer; each reader may have an eighth of it.
        package var pageCacheBytes = 256 << 20
        /// How long the log may grow before its pages move into the file, in pages.
        package var checkpointPages = 16_000
        /// How long to wait for another process that has the file locked for a moment.
        package var busyTimeoutSeconds = 5
        /// The size of a page of a new file, in bytes: a power of two from 512 to 65,536.
        package var pageBytes = 4_096
        /// How large the file may become; `nil` as large as the disk allows. Beyond it writing is `unavailable`.
        package var fileBytesMax: Int?
        /// Whether a commit is on disk when it returns. Only the check of power cuts ever says `later`, to prove that
        /// it would notice.
        package var syncs = Syncs.withEachCommit

        package init() {}
    }

    package static let fileName = "hongbao.sqlite"

    /// The text of every statement that runs on the tables, for tests of their plans.
    package static var statements: [String] { Query.allCases.map(\.sql) }

    let pool: DatabasePool
    /// `nil` when opened for reading only.
    private let writer: GroupWriter?
    private let lock: FolderLock?

    /// Opens the store in an existing folder. Does its work, which may include recovery, on the calling thread.
    ///
    /// Throws `unavailable` when the folder is missing, not writable, full or in use by another process; `corrupt` when
    /// what is there isn't a sound file of Hongbao's; `tooNew` when a newer version has written it.
    package init(
        folder: String,
        access: Access = .readWrite,
        options: Options = Options()
    ) throws(StoreError) {
        let opening = try Opening(folder: folder, access: access, options: options)
        lock = opening.lock
        pool = opening.pool
        switch access {
        case .readOnly: writer = nil
        case .readWrite:
            let executor = ConnectionExecutor { [pool] work in pool.asyncWriteWithoutTransaction { _ in work() } }
            writer = GroupWriter(try opening.takeWriter(), on: executor)
        }
    }

    package func append(_ group: AppendGroup) async throws(StoreError) {
        try await writable().append(group).durable()
    }

    package func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) async throws(StoreError) -> Answer {
        try await writable().transact(footprint, decide).durable()
    }

    package func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        do {
            return try await pool.read { database in try body(Snapshot(database: database)) }
        } catch {
            throw StoreError(error)
        }
    }

    private func writable() throws(StoreError) -> GroupWriter {
        guard let writer else { throw StoreError(.unavailable, "the store was opened for reading only") }
        return writer
    }

    /// Reads every page and says what is wrong with the file; empty when it's sound.
    package func quickCheck() async throws(StoreError) -> [String] {
        do {
            return try await pool.read { database in try String.fetchAll(database, sql: "PRAGMA quick_check") }
                .filter { $0 != "ok" }
        } catch {
            throw StoreError(error)
        }
    }

    /// What makes a commit survive a power cut, as the writing connection reports it.
    package func durability() async throws(StoreError) -> Durability {
        do {
            return try await pool.writeWithoutTransaction { database in try Durability(database) }
        } catch {
            throw StoreError(error)
        }
    }

    /// Waits for what is under way, closes the file and lets other processes have the folder.
    package func close() async throws(StoreError) {
        await writer?.close()
        let pool = pool
        let result: Result<Void, StoreError> = await withCheckedContinuation { done in
            // Closing waits for readers, so not on the cooperative pool.
            DispatchQueue.global().async {
                done.resume(returning: Result { () throws(StoreError) in try Opening.close(pool) })
            }
        }
        try result.get()
        lock?.release()
    }
}

/// How SQLite keeps its promises on one connection.
package struct Durability: Hashable, Sendable {
    /// Must be "wal".
    package let journalMode: String
    /// Must be 2, FULL: with less, a power cut loses transactions that were acknowledged.
    package let synchronous: Int

    init(_ database: Database) throws {
        journalMode = try String.fetchOne(database, sql: "PRAGMA journal_mode") ?? ""
        synchronous = try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? -1
    }

    package var isFull: Bool { journalMode == "wal" && synchronous == 2 }
}
