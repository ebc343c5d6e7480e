import GRDB
import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoSQLite

/// M7 and M8 in the schema, against any code: each line is refused by SQLite.
@Suite struct SQLitePacketSchemaTests {
    private static let fixed = "x'\(String(repeating: "00", count: 32))', x'00', '', ''"

    /// Packet 1 is published with 2 of 3 shares claimed, 2 created, 3 closed with a refund, 4 closing, 5 exhausted,
    /// 7 abandoned with a refund that is pending; 16 is published by a subsidy.
    static let valid = """
        INSERT INTO packet VALUES
            (1, 9, 31, 'a', 1, 2, 100, 3, 1, 5, 3, 1, 11, 10, 20, NULL, 70, 2, 0, 50, 50, 0, 0, 20, \(fixed), x''),
            (2, 9, 31, 'b', 1, 2, 100, 3, 4, 5, 1, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, 0, 0, 20,
                \(fixed), x'0000000000000001'),
            (3, 9, 31, 'c', 1, 2, 100, 3, 1, 5, 7, 3, 11, 10, 20, 30, 70, 2, 0, 50, 70, 30, 0, 20, \(fixed), x''),
            (4, 9, 31, 'd', 1, 2, 100, 3, 1, 5, 6, 4, 11, 10, 20, NULL, 70, 2, 0, 50, 50, 0, 0, 20, \(fixed), x''),
            (5, 9, 31, 'e', 1, 2, 100, 3, 1, 5, 4, 5, 11, 10, 20, NULL, 100, 3, 0, 50, 50, 0, 0, 20, \(fixed), x''),
            (7, 9, 31, 'g', 1, 2, 100, 3, 1, 5, 8, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, 0, 0, 20,
                \(fixed), x''),
            (16, 9, 31, 'z', 2, 2, 100, 3, 1, 5, 3, 9, (31 << 48) + (3 << 32) + 1, 10, 20, NULL,
                0, 0, NULL, NULL, 0, 0, 0, 20, \(fixed), x'');
        INSERT INTO refund VALUES (7, 1, 9, 31, 40, 3, 5, 1, 0, 5, NULL);
        INSERT INTO transfer VALUES
            (9, (31 << 48) + (3 << 32), 2, 3, 9, 9, 100, 1, 1, 0),
            (9, (31 << 48) + (3 << 32) + 1, 2, 3, 9, 9, 100, 1, 1, 0),
            (9, (31 << 48) + (3 << 32) + 3, 2, 3, 9, 9, 100, 1, 1, 0),
            (9, (31 << 48) + (3 << 32) + 4, 2, 3, 3, 9, 100, 1, 1, 0);
        INSERT INTO subsidy VALUES
            (9, (31 << 48) + (3 << 32), 100, 1, 1, NULL), (9, (31 << 48) + (3 << 32) + 1, 100, 1, 1, NULL);
        UPDATE subsidy SET state = 2, packet = 16 WHERE part & 65535 = 1;
        """

    /// Invariant, SQLite's complaint, statement. `$rest` stands for all columns after the sender's key.
    static let refused = """
        M7  | M7     | UPDATE packet SET claimed_count = 4 WHERE id = 1
        M7  | CHECK  | UPDATE packet SET claimed = 101 WHERE id = 1
        M7  | CHECK  | UPDATE packet SET claimed = 100 WHERE id = 1
        M7  | M7     | UPDATE packet SET claimed_count = 3 WHERE id = 1
        M7  | M7     | UPDATE packet SET claimed = 69 WHERE id = 1
        M7  | M7     | UPDATE packet SET claimed_count = 1 WHERE id = 1
        M7  | CHECK  | UPDATE packet SET claimed = 100, claimed_count = 3 WHERE id = 1
        M7  | M7     | UPDATE packet SET claimed = 50, claimed_count = 1 WHERE id = 2
        M7  | CHECK  | UPDATE packet SET state = 3 WHERE id = 2
        M7  | CHECK  | UPDATE packet SET funding_part = 1, funding_person = 1 WHERE id = 2
        M7  | CHECK  | UPDATE packet SET state = 8, funding_part = 1, funding_person = 1 WHERE id = 2
        M7  | M7     | UPDATE packet SET claimed = 99, claimed_count = 2 WHERE id = 4
        M7  | CHECK  | UPDATE packet SET refunded = 29 WHERE id = 4
        M7  | CHECK  | UPDATE packet SET refunded = 31 WHERE id = 4
        M7  | CHECK  | UPDATE packet SET refunded = 30 WHERE id = 1
        M7  | M7     | UPDATE packet SET refunded = 0, state = 7, transferred = 70 WHERE id = 3
        M7  | CHECK  | UPDATE packet SET luckiest_position = 2 WHERE id = 1
        M7  | CHECK  | UPDATE packet SET luckiest_position = NULL WHERE id = 1
        M8  | CHECK  | UPDATE packet SET transferred = 71 WHERE id = 1
        M8  | M7     | UPDATE packet SET transferred = 49 WHERE id = 1
        M8  | CHECK  | UPDATE packet SET state = 7, closed_at = 40 WHERE id = 4
        M8  | CHECK  | UPDATE packet SET state = 7, closed_at = 40, transferred = 70 WHERE id = 4
        M8  | CHECK  | UPDATE packet SET state = 7, closed_at = 40, refunded = 30 WHERE id = 4
        M10 | CHECK  | UPDATE packet SET state = 7, refunded = 30, transferred = 70 WHERE id = 4
        M10 | M10    | UPDATE packet SET state = 2 WHERE id = 1
        M10 | M10    | UPDATE packet SET state = 3 WHERE id = 4
        M10 | CHECK  | UPDATE packet SET state = 4 WHERE id = 1
        M10 | M10    | UPDATE packet SET state = 8 WHERE id = 1
        M10 | M10    | UPDATE packet SET state = 5 WHERE id = 5
        M10 | M10    | UPDATE packet SET state = 8, closed_at = NULL WHERE id = 3
        M10 | CHECK  | UPDATE packet SET closed_at = 7 WHERE id = 1
        M10 | M10    | UPDATE packet SET expires_at = 21 WHERE id = 1
        M10 | M10    | UPDATE packet SET funding_part = 12 WHERE id = 1
        M10 | CHECK  | UPDATE packet SET state = 9 WHERE id = 1
        M15 | M15    | UPDATE packet SET amount = 101 WHERE id = 1
        M15 | M15    | UPDATE packet SET count = 4 WHERE id = 1
        M15 | M15    | UPDATE packet SET sealed_seed = x'01' WHERE id = 1
        M15 | M15    | UPDATE packet SET commitment = sealed_seed WHERE id = 1
        M15 | M15    | UPDATE packet SET listed = x'' WHERE id = 2
        M15 | M15    | DELETE FROM packet WHERE id = 2
        M14 | UNIQUE | INSERT INTO packet SELECT 6, sender, book, send_id, $rest FROM packet WHERE id = 2
        SU4 | UNIQUE | INSERT INTO packet SELECT 6, sender, book, 'f', $rest FROM packet WHERE id = 1
        ID  | CHECK  | INSERT INTO packet SELECT 6, sender, book, 'ü', $rest FROM packet WHERE id = 2
        ID  | CHECK  | INSERT INTO packet SELECT 0, sender, book, 'f', $rest FROM packet WHERE id = 2
        M7  | UNIQUE | INSERT INTO claim VALUES (1, 2, 71, 31, 1, 20, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (1, 1, 73, 31, 1, 20, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (1, 3, 73, 31, 1, 20, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (1, 2, 73, 31, 1, 31, 15, 1, 0, 15, NULL)
        M7  | CHECK  | INSERT INTO claim VALUES (1, 2, 73, 31, 1, 0, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (1, 2, 73, 31, 1, 20, 20, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (2, 0, 73, 31, 1, 20, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (4, 2, 73, 31, 1, 20, 15, 1, 0, 15, NULL)
        M7  | M7     | INSERT INTO claim VALUES (6, 0, 73, 31, 1, 20, 15, 1, 0, 15, NULL)
        M13 | M7     | INSERT INTO claim VALUES (1, 2, 73, 32, 1, 20, 15, 1, 0, 15, NULL)
        M10 | CHECK  | UPDATE claim SET state = 2 WHERE person = 72
        M10 | CHECK  | UPDATE claim SET done_at = 5 WHERE person = 72
        M10 | M10    | UPDATE claim SET state = 1, done_at = NULL WHERE person = 71
        M10 | M10    | UPDATE claim SET attempts = 7 WHERE person = 71
        M15 | M15    | UPDATE claim SET share = 21 WHERE person = 72
        M15 | M15    | UPDATE claim SET person = 73 WHERE person = 72
        M15 | M15    | DELETE FROM claim WHERE person = 71
        M7  | M7     | INSERT INTO refund VALUES (4, 1, 9, 31, 29, 1, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (4, 1, 9, 31, 30, 2, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (4, 2, 9, 31, 30, 1, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (4, 1, 8, 31, 30, 1, 5, 1, 0, 5, NULL)
        M13 | M7     | INSERT INTO refund VALUES (4, 1, 9, 32, 30, 1, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (4, 1, 9, 31, 30, 1, 5, 2, 0, 5, 6)
        M7  | M7     | INSERT INTO refund VALUES (1, 1, 9, 31, 30, 1, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (3, 1, 9, 31, 30, 1, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (2, 1, 9, 31, 30, 3, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (6, 1, 9, 31, 30, 3, 5, 1, 0, 5, NULL)
        M7  | UNIQUE | INSERT INTO refund VALUES (7, 2, 9, 31, 40, 3, 5, 1, 0, 5, NULL)
        M7  | M7     | INSERT INTO refund VALUES (7, 2, 9, 31, 41, 3, 5, 1, 0, 5, NULL)
        M10 | CHECK  | UPDATE refund SET state = 2 WHERE packet = 7
        M10 | CHECK  | UPDATE refund SET final_at = 6 WHERE packet = 7
        M15 | M15    | UPDATE refund SET amount = 41 WHERE packet = 7
        M15 | M15    | UPDATE refund SET person = 8 WHERE packet = 7
        M15 | M15    | DELETE FROM refund WHERE packet = 7
        M2  | CHECK  | INSERT INTO account VALUES (31, 5, 1, 101, 100, 0, 0)
        M2  | CHECK  | INSERT INTO account VALUES (31, 7, 0, 1, 0, 0, 0)
        M2  | CHECK  | INSERT INTO account VALUES (31, 9, 9, 101, 100, 0, 0)
        M2  | CHECK  | INSERT INTO account VALUES (31, 10, 0, 0, 1, 0, 0)
        M7  | CHECK  | INSERT INTO transfer VALUES (1, (31 << 48) + (1 << 31), 5, 2, 7, 0, 5, 1, 1, 0)
        M7  | CHECK  | INSERT INTO transfer VALUES (1, 31 << 48 | 5, 5, 1, 7, 0, 5, 1, 1, 0)
        M3  | CHECK  | INSERT INTO transfer VALUES (1, (31 << 48) + (3 << 32), 2, 3, 7, 0, 5, 1, 1, 0)
        M3  | CHECK  | INSERT INTO transfer VALUES (1, (31 << 48) + (3 << 32), 2, 3, 5, 8, 5, 1, 1, 0)
        M3  | CHECK  | INSERT INTO transfer VALUES (1, (31 << 48) + (3 << 32), 2, 3, 9, 2, 5, 1, 1, 0)
        SU4 | CHECK  | INSERT INTO transfer VALUES (8, (31 << 48) + (1 << 32) - 1, 9, 9, 3, 9, 5, 1, 1, 0)
        SU4 | CHECK  | INSERT INTO transfer VALUES (8, (31 << 48) + (1 << 32) - 1, 9, 9, 5, 7, 5, 1, 1, 0)
        SU4 | CHECK  | INSERT INTO transfer VALUES (8, (31 << 48) + 5, 9, 9, 5, 8, 5, 1, 1, 0)
        WD  | CHECK  | INSERT INTO hold VALUES (9, 31 << 48 | 1, 9, 9, 4, 0, 5, 1, 1)
        M4  | M4     | INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 2, 100, 1, 1, NULL)
        M4  | M4     | INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 3, 99, 1, 1, NULL)
        M4  | M4     | INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 4, 100, 1, 1, NULL)
        SU4 | M4     | INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 3, 100, 1, 2, 16)
        M3  | UNIQUE | INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 1, 100, 1, 1, NULL)
        SU4 | CHECK  | UPDATE subsidy SET packet = 16 WHERE part & 65535 = 0
        SU4 | SU-4   | UPDATE subsidy SET state = 2 WHERE part & 65535 = 0
        SU4 | SU-4   | UPDATE subsidy SET state = 2, packet = 2 WHERE part & 65535 = 0
        SU4 | SU-4   | UPDATE subsidy SET state = 2, packet = 16 WHERE part & 65535 = 0
        SU4 | SU-4   | UPDATE subsidy SET state = 1, packet = NULL WHERE part & 65535 = 1
        SU4 | SU-4   | UPDATE subsidy SET packet = 2 WHERE part & 65535 = 1
        M15 | M15    | UPDATE subsidy SET amount = 99 WHERE part & 65535 = 0
        M15 | M15    | UPDATE subsidy SET part = part + 9 WHERE part & 65535 = 0
        M15 | M15    | DELETE FROM subsidy WHERE part & 65535 = 0
        """

    static let allowed = """
        INSERT INTO claim VALUES (1, 2, 73, 31, 1, 30, 15, 1, 0, 15, NULL)
        UPDATE packet SET claimed = 100, claimed_count = 3, state = 4 WHERE id = 1
        UPDATE claim SET attempts = 3, next_check_at = 99 WHERE person = 73
        UPDATE claim SET state = 2, done_at = 30 WHERE person = 73
        INSERT INTO refund VALUES (4, 1, 9, 31, 30, 1, 5, 1, 0, 5, NULL)
        UPDATE refund SET state = 3, final_at = 6 WHERE packet = 4
        INSERT INTO refund VALUES (4, 2, 9, 31, 30, 1, 5, 1, 0, 5, NULL)
        UPDATE refund SET attempts = 9, next_check_at = 8 WHERE packet = 4 AND number = 2
        UPDATE refund SET state = 2, final_at = 9 WHERE packet = 4 AND number = 2
        UPDATE packet SET state = 7, refunded = 30, transferred = 70, closed_at = 40 WHERE id = 4
        UPDATE packet SET state = 8 WHERE id = 2
        INSERT INTO account VALUES (31, 6, 0, 100, 0, 0, 0)
        INSERT INTO transfer VALUES (1, (31 << 48) + (1 << 31), 5, 1, 7, 0, 5, 1, 1, 0)
        INSERT INTO transfer VALUES (9, (31 << 48) + (3 << 32) + 9, 2, 3, 9, 9, 5, 1, 1, 0)
        INSERT INTO transfer VALUES (8, (31 << 48) + (1 << 32) - 1, 9, 9, 5, 8, 5, 1, 1, 0)
        INSERT INTO account VALUES (31, 9, 9, 100, 100, 0, 0)
        INSERT INTO subsidy VALUES (9, (31 << 48) + (3 << 32) + 3, 100, 1, 1, NULL)
        """

    /// All columns of a packet after its sender's key.
    static let rest = """
        kind, split, amount, count, scope, created_at, state, funding_person, funding_part, published_at, expires_at, \
        closed_at, claimed, claimed_count, luckiest_position, luckiest_share, transferred, refunded, attempts, \
        next_check_at, commitment, sealed_seed, greeting, video, listed
        """

    /// Claims come before their packets know of them.
    static let validBeforeClaims = valid.replacing(
        "70, 2, 0, 50, 50, 0, 0, 20",
        with: "0, 0, NULL, NULL, 0, 0, 0, 20",
        maxReplacements: 1
    )
    static let claims = """
        INSERT INTO claim VALUES
            (1, 0, 71, 31, 1, 50, 15, 2, 1, 15, 17), (1, 1, 72, 31, 1, 20, 15, 1, 0, 15, NULL);
        UPDATE packet SET claimed = 70, claimed_count = 2, luckiest_position = 0, luckiest_share = 50,
            transferred = 50 WHERE id = 1;
        """

    @Test func badRowsAreRefused() async throws {
        let folder = try TemporaryFolder()
        try await SQLiteStore(folder: folder.path).close()
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        try await queue.write { database in
            try database.execute(sql: Self.validBeforeClaims)
            try database.execute(sql: Self.claims)
        }
        try await queue.expect(refused: Self.refused.replacing("$rest", with: Self.rest), allowed: Self.allowed)
        try queue.close()
    }

    /// A file of the first schema keeps every row and what protects it.
    @Test func anOlderFileIsBroughtUpToDate() async throws {
        let folder = try TemporaryFolder()
        let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        try await queue.writeWithoutTransaction { database in
            try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        }
        try Schema.migrator.migrate(queue, upTo: "0001-books")
        try await queue.write { database in
            try database.execute(
                sql: """
                    INSERT INTO account VALUES
                        (31, 1, 0, 900, 0, 0, 0), (31, 2, 5, 100, 900, 0, 0), (31, 3, 7, 10, 100, 20, 2);
                    INSERT INTO transfer VALUES (7, (31 << 48) + (5 << 32) + 1, 2, 5, 3, 7, 100, 1000, 2000, 3);
                    INSERT INTO hold VALUES
                        (7, 31 << 48 | 1, 3, 7, 4, 0, 10, 1000, 2), (7, 31 << 48 | 2, 3, 7, 4, 0, 20, 1, 1);
                    """
            )
        }
        try queue.close()
        let store = try await SQLiteStore.reopened(folder: folder.path)
        let check = try await LedgerCheck.read(store)
        #expect(check.accounts.count == 3 && check.transfers.count == 1 && check.holds.count == 2)
        let person = AccountID.person(PersonID(7), in: BookID(31))
        #expect(check.account(person).available == 70 && check.account(person).holdsStarted == 2)
        #expect(check.transfers.values.first?.app == AppID(3))
        try await store.close()

        let again = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
        let (old, triggers) = try await again.read { database in
            let names = "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
            return (
                try String.fetchAll(database, sql: "SELECT name FROM sqlite_master WHERE name LIKE 'new_%'"),
                try String.fetchAll(database, sql: names)
            )
        }
        #expect(old == [])
        for name in [
            "transfer_is_final", "transfer_stays", "hold_goes_forward", "hold_is_final", "hold_stays",
        ] {
            #expect(triggers.contains(name))
        }
        try again.close()
    }
}
