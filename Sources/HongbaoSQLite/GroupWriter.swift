import GRDB
import HongbaoCore
import HongbaoEngine
import Synchronization

/// Puts the work of all callers who wait at the same time into one transaction, so that they share its sync to disk.
///
/// Each caller's part is undone alone when it fails. The transaction is committed when nobody is waiting any more, or
/// when it has grown to its bound. Every entry point ends with `commitWhenDue`, without suspending in between: that's
/// what makes `WriterExecutor.isIdle` mean that nobody else will come to commit.
actor GroupWriter {
    private let executor: WriterExecutor
    /// `nil` once closed.
    private var connection: WriterConnection?
    private var group: Group?

    private struct Group {
        let commit = GroupCommit()
        let rowsChangedBefore: Int64
        var parts = 0
    }

    private static let partsMax = 1_024
    private static let rowsChangedMax: Int64 = 8_192

    init(_ connection: sending WriterConnection, on pool: DatabasePool) {
        self.connection = connection
        executor = WriterExecutor(pool)
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func append(_ group: AppendGroup) throws(StoreError) -> Promised<Void> {
        defer { commitWhenDue() }
        return try part { connection throws(StoreError) in try connection.append(group) }
    }

    func transact<Answer: Sendable>(
        _ footprint: Footprint,
        _ decide: @Sendable (inout Books) -> Answer
    ) throws(StoreError) -> Promised<Answer> {
        defer { commitWhenDue() }
        if footprint.transfersAreProbablyNew {
            do throws(StoreError) {
                return try transact(footprint, lookingForTransfers: false, decide)
            } catch {
                guard let connection, connection.hasMetTransfer else { throw error }
            }
        }
        return try transact(footprint, lookingForTransfers: true, decide)
    }

    private func transact<Answer: Sendable>(
        _ footprint: Footprint,
        lookingForTransfers: Bool,
        _ decide: @Sendable (inout Books) -> Answer
    ) throws(StoreError) -> Promised<Answer> {
        try part { connection throws(StoreError) in
            var books = try connection.load(footprint, lookingForTransfers: lookingForTransfers)
            let answer = decide(&books)
            try connection.save(books)
            return answer
        }
    }

    /// Commits what is under way and lets go of the connection. Later work is refused.
    func close() {
        commit()
        connection?.moveLogIntoFile()
        connection = nil
    }

    private func part<Answer: Sendable>(
        _ work: (WriterConnection) throws(StoreError) -> Answer
    ) throws(StoreError) -> Promised<Answer> {
        guard let connection else { throw StoreError(.unavailable, "the store is closed") }
        var group = try openGroup(connection)
        // The first part is the whole transaction so far, so it needs no savepoint of its own.
        let isFirst = group.parts == 0
        do throws(StoreError) {
            if !isFirst { try connection.beginSavepoint() }
            let answer = try work(connection)
            if !isFirst { try connection.releaseSavepoint() }
            group.parts += 1
            self.group = group
            return Promised(answer: answer, commit: group.commit)
        } catch {
            undoPart(isFirst: isFirst, connection)
            throw error
        }
    }

    private func openGroup(_ connection: WriterConnection) throws(StoreError) -> Group {
        if let group { return group }
        try connection.beginTransaction()
        return Group(rowsChangedBefore: connection.rowsChanged)
    }

    /// SQLite undoes the whole transaction by itself after some faults (no space, failed reads or writes); then, and
    /// when the part can't be undone alone, none of the group has happened.
    private func undoPart(isFirst: Bool, _ connection: WriterConnection) {
        if isFirst {
            connection.rollback()
            group = nil
            return
        }
        do throws(StoreError) {
            guard connection.isInTransaction else { throw StoreError(.unavailable, "undone with another's fault") }
            try connection.rollbackToSavepoint()
        } catch {
            connection.rollback()
            group?.commit.close(.failure(StoreError(.unavailable, "not done: \(error.message)")))
            group = nil
        }
    }

    private func commitWhenDue() {
        guard let group, let connection else { return }
        guard
            executor.isIdle || group.parts >= Self.partsMax
                || connection.rowsChanged - group.rowsChangedBefore >= Self.rowsChangedMax
        else { return }
        commit()
    }

    private func commit() {
        guard let group, let connection else { return }
        self.group = nil
        do throws(StoreError) {
            try connection.commit()
            group.commit.close(.success(()))
        } catch {
            connection.rollback()
            group.commit.close(.failure(error))
        }
    }
}

/// Runs the writer's jobs on the queue of the pool's writing connection, never on the cooperative pool, and knows
/// whether more are waiting.
final class WriterExecutor: SerialExecutor {
    private let pool: DatabasePool
    private let state = Mutex(Waiting())

    private struct Waiting {
        var jobs: [UnownedJob] = []
        var next = 0
        var isRunning = false

        mutating func takeNext() -> UnownedJob? {
            guard next < jobs.count else {
                isRunning = false
                return nil
            }
            defer {
                next += 1
                if next == jobs.count {
                    jobs.removeAll(keepingCapacity: true)
                    next = 0
                }
            }
            return jobs[next]
        }
    }

    init(_ pool: DatabasePool) { self.pool = pool }

    /// Whether nobody waits behind the job that is running.
    var isIdle: Bool { state.withLock { $0.jobs.isEmpty } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let mustStart = state.withLock { state in
            state.jobs.append(job)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { pool.asyncWriteWithoutTransaction { _ in self.run() } }
    }

    private func run() {
        while let job = state.withLock({ $0.takeNext() }) {
            job.runSynchronously(on: asUnownedSerialExecutor())
        }
    }
}
