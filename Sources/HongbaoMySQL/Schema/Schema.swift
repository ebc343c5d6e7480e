/// The steps that lead from an empty database to the tables of this build. A step that has shipped never changes.
///
/// But for `reign` and `place`, the tables, columns, constraints and triggers are those of the SQLite file, in the
/// words of MariaDB; a test holds both against each other. Every statement may run twice, since one of data definition
/// can't be undone: what a step that broke off has done already is done again.
enum Schema {
    struct Migration {
        let number: Int
        let name: String
        let statements: [String]

        /// `NNNN-name`: recorded in every database that it was applied to.
        var id: String { "000\(number)".suffix(4) + "-\(name)" }
    }

    static let migrations = [
        books0001, redPackets0002, rewards0003, identities0004, cluster0005, merges0006, promotion0007, reign0008,
        place0009,
    ]

    static var newest: Int { migrations.last?.number ?? 0 }

    /// The table of what was applied to a database, with the checksum of each step (SHA-256, hexadecimal).
    static let history = table(
        "hongbao_migration",
        """
        number BIGINT NOT NULL PRIMARY KEY,
        id VARCHAR(64) NOT NULL,
        checksum VARCHAR(64) NOT NULL,
        is_done BIGINT NOT NULL CHECK (is_done IN (0, 1))
        """
    )

    static func table(_ name: String, _ body: String) -> String {
        """
        CREATE TABLE IF NOT EXISTS \(name) (
        \(body)
        ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
        """
    }

    /// A trigger that refuses a change of a row when the condition is true.
    ///
    /// - Parameter concern: what rows the condition is about, if they are few. A condition that asks other tables is
    ///   prepared anew for each row, at 3 µs and more, even when what stands before its question is false.
    static func refusal(
        _ name: String,
        _ event: String,
        of concern: String = "TRUE",
        when condition: String = "TRUE",
        _ message: String
    ) -> String {
        """
        CREATE OR REPLACE TRIGGER \(name) BEFORE \(event) FOR EACH ROW
        BEGIN
            IF \(concern) THEN
                IF \(condition) THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '\(message)'; END IF;
            END IF;
        END
        """
    }

    /// Whether an update changes any of these columns.
    static func changed(_ columns: String...) -> String {
        columns.map { "NOT (NEW.\($0) <=> OLD.\($0))" }.joined(separator: " OR ")
    }
}
