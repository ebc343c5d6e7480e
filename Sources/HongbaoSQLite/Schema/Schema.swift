import GRDB

/// The steps that lead from an empty file to the tables of this build. A step that has shipped never changes.
enum Schema {
    struct Migration {
        /// `NNNN-name`: recorded in every file that it was applied to.
        let id: String
        let sql: String
    }

    static let migrations = [
        books0001, redPackets0002, rewards0003, identities0004, cluster0005, merges0006, promotion0007,
    ]

    /// Tells Hongbao's files from any other SQLite database: "HBAO".
    static let applicationID = 0x4842_414F

    static var newest: String { migrations.last?.id ?? "none" }

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in migrations {
            migrator.registerMigration(migration.id) { database in
                try database.execute(sql: migration.sql)
            }
        }
        return migrator
    }
}
