import Foundation
import GRDB
import HongbaoCore
import HongbaoEngine
import HongbaoSQLite
import HongbaoTesting
import Testing

/// The schema holds the invariants by itself, against any code: each line is refused by SQLite.
@Suite struct SQLiteSchemaTests {
    /// One valid row of each kind. The scene is 65536 × book 1 + 5, so a grant's part is 65541 << 32 and above.
    static let valid = """
        INSERT INTO account VALUES (1, 1, 0, 900, 0, 0, 0), (1, 2, 5, 100, 900, 0, 0), (1, 3, 7, 10, 100, 20, 2);
        INSERT INTO transfer VALUES (7, 65541 << 32 | 65536, 2, 5, 3, 7, 100, 1000, 2000, 3);
        INSERT INTO hold VALUES (7, 1 << 48 | 1, 3, 7, 4, 0, 10, 1000, 2), (7, 1 << 48 | 2, 3, 7, 4, 0, 20, 1000, 1);
        INSERT INTO withdrawal VALUES
            (7, 1, 'a', 1, 10, 1000, 2, 1, 1000, 1500), (7, 1, 'b', 2, 20, 1000, 1, 0, 1000, NULL);
        INSERT INTO budget (pool, total, allotted, kind) VALUES (65541, 900, 300, 1);
        INSERT INTO mint (id, epoch, last_sequence, posted_sequence) VALUES (1, 2, 10, 4);
        INSERT INTO lease VALUES (65541, 1, 2, 300, 100, 9999);
        INSERT INTO reward VALUES (7, 65541 << 32 | 65536, 65537, 9, 5, 1, 1, 1, 0, 6, NULL, NULL);
        INSERT INTO reward VALUES (7, 65541 << 32 | 65537, 65537, 9, 5, 1, 1, 2, 0, 6, 7, NULL);
        INSERT INTO reward VALUES (7, 65541 << 32 | 65538, 65537, 9, 5, 1, 0, 1, 0, 6, NULL, NULL);
        INSERT INTO epoch VALUES (1, 1, x'01', x'02', 1);
        INSERT INTO grant_batch VALUES (1, 10, 2, 1, 100, 1000, x'00', 0);
        """

    /// Invariant, SQLite's complaint, statement.
    static let refused = """
        M1  | CHECK    | INSERT INTO transfer VALUES (7, 1 << 48 | 9, 3, 7, 3, 7, 100, 1, 1, 0)
        M1  | CHECK    | INSERT INTO transfer VALUES (7, 1 << 48 | 9, 3, 7, 4, 0, 0, 1, 1, 0)
        M1  | CHECK    | INSERT INTO transfer VALUES (7, 1 << 48 | 9, 3, 7, 4, 0, -5, 1, 1, 0)
        M1  | CHECK    | INSERT INTO hold VALUES (7, 1 << 48 | 9, 3, 7, 3, 7, 10, 1, 1)
        M1  | NOT NULL | INSERT INTO transfer VALUES (7, 1 << 48 | 9, 3, NULL, 4, 0, 5, 1, 1, 0)
        M1  | cannot store | INSERT INTO transfer VALUES (7, 1 << 48 | 9, 3, 7, 4, 0, 1.5, 1, 1, 0)
        M2  | CHECK    | UPDATE account SET debits = 101 WHERE kind = 3
        M2  | CHECK    | UPDATE account SET held = 91 WHERE kind = 3
        M2  | CHECK    | UPDATE account SET debits = 901 WHERE kind = 2
        M2  | CHECK    | UPDATE account SET debits = -1 WHERE kind = 1
        M2  | CHECK    | INSERT INTO account VALUES (1, 10, 0, 0, 0, 0, 0)
        M2  | UNIQUE   | INSERT INTO account VALUES (1, 3, 7, 0, 0, 0, 0)
        M2  | M2       | UPDATE transfer SET amount = 101
        M2  | M2       | UPDATE transfer SET posted_at = 2001
        M2  | M2       | DELETE FROM transfer
        M2  | M2       | UPDATE hold SET amount = 21
        M2  | M2       | DELETE FROM hold
        M3  | UNIQUE   | INSERT INTO transfer VALUES (7, 65541 << 32 | 65536, 2, 5, 3, 7, 100, 1, 1, 0)
        M3  | CHECK    | INSERT INTO transfer VALUES (8, 65541 << 32 | 65536, 2, 5, 3, 7, 100, 1, 1, 0)
        M3  | CHECK    | INSERT INTO transfer VALUES (7, 65541 << 32 | 65537, 2, 5, 4, 7, 100, 1, 1, 0)
        M4  | CHECK    | INSERT INTO transfer VALUES (7, 65541 << 32 | 65537, 2, 6, 3, 7, 100, 1, 1, 0)
        M4  | CHECK    | INSERT INTO grant_batch VALUES (1, 11, 2, 0, 100, 1, x'00', 0)
        M4  | CHECK    | INSERT INTO grant_batch VALUES (1, 11, 2, 257, 1000, 1, x'00', 0)
        M4  | CHECK    | INSERT INTO grant_batch VALUES (1, 11, 2, 10, -1, 1, x'00', 0)
        M4  | CHECK    | INSERT INTO grant_batch VALUES (1, 11, 2, 10, 9, 1, x'00', 11)
        M4  | M4       | UPDATE grant_batch SET record = x'01'
        M5  | M5       | DELETE FROM grant_batch
        M5  | UNIQUE   | INSERT INTO grant_batch VALUES (1, 10, 2, 1, 100, 1000, x'00', 0)
        M5  | CHECK    | INSERT INTO grant_batch VALUES (1, 0, 2, 1, 100, 1000, x'00', 0)
        M5  | FOREIGN  | INSERT INTO grant_batch VALUES (2, 1, 2, 1, 100, 1000, x'00', 0)
        M5  | CHECK    | UPDATE mint SET posted_sequence = 11
        M6  | CHECK    | UPDATE budget SET allotted = 901
        M6  | CHECK    | UPDATE budget SET total = 299
        M6  | CHECK    | UPDATE budget SET allotted = -1
        M4  | M4       | UPDATE budget SET kind = 2
        M4  | CHECK    | INSERT INTO budget (pool, total, allotted, kind) VALUES (65549, 900, 300, 3)
        M4  | CHECK    | INSERT INTO budget (pool, total, allotted, kind) VALUES (4294967296, 9, 0, 2)
        BU  | CHECK    | UPDATE budget SET reserve = -1
        BU  | CHECK    | UPDATE budget SET quota = 5
        BU  | CHECK    | UPDATE budget SET slice = 5
        M6  | CHECK    | UPDATE lease SET issued = 301
        M6  | CHECK    | UPDATE lease SET allotted = 99
        M6  | M6       | UPDATE lease SET issued = 99
        M6  | M6       | UPDATE lease SET epoch = 1
        M6  | FOREIGN  | INSERT INTO lease VALUES (65542, 1, 2, 0, 0, 1)
        M9  | UNIQUE   | INSERT INTO withdrawal VALUES (7, 1, 'c', 2, 20, 1, 1, 0, 1, NULL)
        M10 | M10      | UPDATE hold SET state = 1 WHERE state = 2
        M10 | M10      | UPDATE hold SET state = 3 WHERE state = 2
        M10 | CHECK    | UPDATE hold SET state = 4 WHERE state = 1
        M10 | M10      | UPDATE withdrawal SET state = 1, final_at = NULL WHERE id = 'a'
        M10 | M10      | UPDATE withdrawal SET state = 3 WHERE id = 'a'
        M10 | M10      | UPDATE withdrawal SET final_at = 1501 WHERE id = 'a'
        M10 | CHECK    | UPDATE withdrawal SET state = 2 WHERE id = 'b'
        M10 | CHECK    | UPDATE withdrawal SET final_at = 1 WHERE id = 'b'
        M10 | M10      | UPDATE mint SET epoch = 1
        M10 | M10      | UPDATE mint SET last_sequence = 9
        M10 | M10      | UPDATE mint SET posted_sequence = 3
        M10 | M10      | UPDATE epoch SET revoked = 0
        DP  | DP-3     | UPDATE mint SET mints = 2
        DP  | CHECK    | INSERT INTO mint (id, epoch, last_sequence, posted_sequence, mints) VALUES (2, 1, 0, 0, 65)
        DP  | DP-3     | UPDATE mint SET common_sequence = 1
        M5  | CHECK    | INSERT INTO mint (id,epoch,last_sequence,posted_sequence,common_sequence) SELECT 2, 0, 9, 4, 5
        DP  | CHECK    | UPDATE mint SET holder = ''
        DP  | CHECK    | UPDATE mint SET beats = -1
        M14 | UNIQUE   | INSERT INTO withdrawal VALUES (7, 1, 'b', 3, 20, 1, 1, 0, 1, NULL)
        M15 | M15      | UPDATE withdrawal SET amount = 21 WHERE id = 'b'
        M15 | M15      | DELETE FROM withdrawal WHERE id = 'a'
        M3  | UNIQUE   | INSERT INTO reward VALUES (7, 65541 << 32 | 65536, 65537, 9, 5, 1, 1, 1, 0, 6, NULL, NULL)
        M3  | CHECK    | INSERT INTO reward VALUES (7, 1 << 48, 65537, 9, 5, 1, 1, 1, 0, 6, NULL, NULL)
        M4  | CHECK    | INSERT INTO reward VALUES (7, 65541 << 32 | 9, 65537, 2, 5, 1, 1, 1, 0, 6, NULL, NULL)
        M10 | CHECK    | INSERT INTO reward VALUES (7, 65541 << 32 | 9, 65537, 9, 5, 1, 1, 2, 0, 6, NULL, NULL)
        M10 | M10      | UPDATE reward SET state = 3, given_at = 7, redeemed_at = 8 WHERE state = 1
        M10 | M10      | UPDATE reward SET state = 1, given_at = NULL WHERE state = 2
        M10 | M10      | UPDATE reward SET given_at = 8 WHERE state = 2
        M10 | CHECK    | UPDATE reward SET state = 3 WHERE state = 2
        M13 | CHECK    | INSERT INTO reward VALUES (7, 65541 << 32 | 9, 131073, 9, 5, 1, 1, 1, 0, 6, NULL, NULL)
        M15 | M15      | UPDATE reward SET template = 65538
        M15 | M15      | DELETE FROM reward
        GR  | CHECK    | UPDATE reward SET state = 4 WHERE state = 1 AND retried = 1
        ID  | CHECK    | INSERT INTO withdrawal VALUES (7, 1, 'ü', 3, 20, 1, 1, 0, 1, NULL)
        ID  | CHECK    | INSERT INTO withdrawal VALUES (7, 1, '', 3, 20, 1, 1, 0, 1, NULL)
        """

    /// What must stay possible.
    static let allowed = """
        UPDATE hold SET state = 2 WHERE state = 1
        UPDATE withdrawal SET attempts = 1, next_check_at = 5 WHERE id = 'b'
        UPDATE withdrawal SET state = 3, final_at = 5 WHERE id = 'b'
        UPDATE lease SET issued = 300, epoch = 3
        UPDATE reward SET state = 4 WHERE retried = 0
        UPDATE reward SET state = 3, redeemed_at = 8 WHERE state = 2
        UPDATE reward SET state = 2, given_at = 8, attempts = 1 WHERE state = 1
        UPDATE account SET debits = 5000 WHERE kind = 1
        UPDATE mint SET posted_sequence = 10
        UPDATE epoch SET revoked = 1
        """

    @Test func badRowsAreRefused() async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore(folder: folder.path).close()
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        try await queue.write { database in try database.execute(sql: Self.valid) }
        try await queue.expect(refused: Self.refused, allowed: Self.allowed)
        try queue.close()
    }

    /// Each statement that the store runs finds its rows by a key, but for those that read whole tables.
    @Test func queriesUseTheirKeys() async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore(folder: folder.path).close()
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        let plans = try await queue.read { database in
            try SQLiteStore.statements.map { sql in
                let statement = try database.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
                let marks = sql.count { $0 == "?" }
                statement.setUncheckedArguments(StatementArguments(Array(repeating: 1, count: marks)))
                return (sql, try Row.fetchAll(statement).map { row -> String in row["detail"] })
            }
        }
        for (sql, plan) in plans where sql.contains("WHERE") {
            #expect(!plan.contains { $0.hasPrefix("SCAN") }, "\(sql): \(plan)")
            #expect(!plan.contains { $0.contains("TEMP B-TREE") }, "\(sql): \(plan)")
        }
        try queue.close()
    }
}
