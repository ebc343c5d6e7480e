import HongbaoEngine

/// Brings the tables of a database up to date, one process at a time.
struct Migrations {
    private let connection: Connection
    private let migrations: [Schema.Migration]
    private let opensUnfinished: Bool
    /// How long to wait for another process that changes the tables.
    private static let patience = Duration.seconds(120)
    /// The number under which a promotion into the database is noted among the steps of its schema.
    static let promotion = 0

    enum Promotion { case none, unfinished, done }

    /// - Parameter opensUnfinished: also a database that a pilot is being promoted into.
    init(
        _ connection: Connection,
        _ migrations: [Schema.Migration] = Schema.migrations,
        opensUnfinished: Bool = false
    ) {
        self.connection = connection
        self.migrations = migrations
        self.opensUnfinished = opensUnfinished
    }

    /// What is noted in a database that has `Schema.history`.
    static func promotion(on connection: Connection) throws(StoreError) -> Promotion {
        let noted = try connection.ask("SELECT is_done FROM hongbao_migration WHERE number = \(promotion)") {
            row throws(StoreError) in row.integer(0) == 1
        }
        return noted.first.map { $0 ? .done : .unfinished } ?? .none
    }

    /// Throws `tooNew` when a newer version has changed the tables, `corrupt` when a step isn't what was applied.
    func apply() throws(StoreError) {
        try lock()
        do throws(StoreError) {
            try applyLocked()
        } catch {
            // The lock ends with the connection, too.
            release()
            throw error
        }
        release()
    }

    /// Asks again and again: one question mustn't take longer than the server may take over an answer.
    private func lock() throws(StoreError) {
        let began = ContinuousClock.now
        while ContinuousClock.now - began < Self.patience {
            // The lock is of the whole server, so it's named after the database.
            if try connection.number("GET_LOCK(concat('hongbao:', database()), 5) <=> 1") == 1 { return }
        }
        throw StoreError(.unavailable, "another process has been changing the tables for too long")
    }

    private func release() {
        do throws(ServerFault) { try connection.run("DO RELEASE_LOCK(concat('hongbao:', database()))") } catch {}
    }

    private func applyLocked() throws(StoreError) {
        try connection.execute(Schema.history)
        let promotion = try Self.promotion(on: connection)
        if promotion == .unfinished, !opensUnfinished {
            throw StoreError(
                .unavailable,
                "a pilot was to be promoted into it, and that isn't finished: run `hongbao promote` again"
            )
        }
        let applied = try connection.ask("SELECT number, id, checksum, is_done FROM hongbao_migration ORDER BY number")
        {
            row throws(StoreError) in
            (number: Int(row.integer(0)), id: row.text(1), checksum: row.text(2), isDone: row.integer(3) == 1)
        }
        let newest = migrations.last?.number ?? 0
        if let newer = applied.last, newer.number > newest {
            throw StoreError(
                .tooNew,
                "a newer version changed it (schema \(newer.id)); this one knows the schema up to \(newest)"
            )
        }
        for migration in migrations {
            let checksum = try checksum(of: migration)
            let earlier = applied.first { $0.number == migration.number }
            if let earlier, earlier.isDone {
                guard earlier.checksum == checksum, earlier.id == migration.id else {
                    throw StoreError(.corrupt, "schema \(earlier.id) is not what this program knows by that number")
                }
                continue
            }
            try apply(migration, checksum)
        }
    }

    /// Statements that define data can't be undone, so a step is noted before and after: one that broke off is applied
    /// again, which each of its statements allows.
    private func apply(_ migration: Schema.Migration, _ checksum: String) throws(StoreError) {
        try connection.execute(
            "REPLACE INTO hongbao_migration VALUES (\(migration.number), '\(migration.id)', '\(checksum)', 0)"
        )
        for statement in migration.statements { try connection.execute(statement) }
        try connection.execute("UPDATE hongbao_migration SET is_done = 1 WHERE number = \(migration.number)")
    }

    private func checksum(of migration: Schema.Migration) throws(StoreError) -> String {
        let text = migration.statements.joined(separator: ";\n")
        let sums = try connection.ask("SELECT sha2(?, 256)", [text]) { row throws(StoreError) in row.text(0) }
        guard let sum = sums.first, sum.count == 64 else { throw StoreError(.unavailable, "the server has no sha2") }
        return sum
    }
}
