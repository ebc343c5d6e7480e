import HongbaoCore
import HongbaoEngine

/// Puts the work of all callers who wait at the same time into one transaction, so that they share its sync to disk.
///
/// Each caller's part is undone alone when it fails. The transaction is committed when nobody is waiting any more, or
/// when it has grown to its bound. Every entry point ends with `commitWhenDue`, without suspending in between: that's
/// what makes `ConnectionExecutor.isIdle` mean that nobody else will come to commit.
actor GroupWriter {
    private let executor: ConnectionExecutor
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

    init(_ connection: sending WriterConnection, on executor: ConnectionExecutor) {
        self.connection = connection
        self.executor = executor
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
            let loaded = try connection.load(footprint, lookingForTransfers: lookingForTransfers)
            var books = loaded.books
            let answer = decide(&books)
            try connection.save(books, over: loaded)
            return answer
        }
    }

    /// Commits what is under way and lets go of the connection. Later work is refused.
    func close() {
        commit()
        connection?.finish()
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

    /// A database undoes the whole transaction by itself after some faults (no space, failed reads or writes, a
    /// deadlock, a lost connection); then, and when the part can't be undone alone, none of the group has happened.
    private func undoPart(isFirst: Bool, _ connection: WriterConnection) {
        if isFirst {
            connection.rollback()
            group = nil
            return
        }
        do throws(StoreError) {
            guard connection.isInTransaction else { throw .undone }
            try connection.rollbackToSavepoint()
        } catch {
            connection.rollback()
            group?.commit.close(.failure(.undone))
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

extension StoreError {
    /// What happens to a part that shares its transaction with one that the database couldn't undo alone.
    static let undone = StoreError(.unavailable, "not done: undone with another's fault")
}
