#if MySQL
    import Foundation
    import GRDB
    import HongbaoEngine
    import HongbaoSQLite
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// The tables of MariaDB say what those of SQLite say, and refuse what they refuse.
    @Suite struct MySQLSchemaTests {
        /// What a statement is refused for, in SQLite's words.
        private static func complaint(_ fault: ServerFault?) -> String {
            switch fault?.number {
            case nil: "accepted"
            case 4025, 1264: "CHECK"
            case 1062: "UNIQUE"
            case 1452: "FOREIGN"
            case 1048: "NOT NULL"
            default: fault?.text ?? ""
            }
        }

        /// In MariaDB's words.
        private static func translated(_ sql: some StringProtocol) -> String {
            String(sql).replacing(#/zeroblob\((\d+)\)/#) { "unhex(repeat('00', \($0.1)))" }
        }

        /// Runs the lines of tables in an empty database: what must be refused, and then what must be possible.
        ///
        /// What SQLite alone can't store is a number with a fraction: MariaDB rounds it.
        private static func check(valid: String, refused: String, allowed: String) async throws {
            let home = MySQLHome()
            try await home.close(try await home.open())
            let console = SQLConsole(try await home.address())
            let rows = valid.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
            for sql in rows where !sql.isEmpty { try await console.run(translated(sql)) }
            for line in Refusal.lines(refused) where line.complaint != "cannot store" {
                let complaint = complaint(try await console.fault(of: translated(line.sql)))
                #expect(complaint.contains(line.complaint), "\(line): \(complaint)")
            }
            for sql in allowed.split(separator: "\n") {
                let fault = try await console.fault(of: translated(sql))
                #expect(fault == nil, "\(sql)")
            }
            await console.close()
        }

        /// M1 to M15 in MariaDB.
        @Test func badRowsOfTheLedgerAreRefused() async throws {
            typealias Rows = SQLiteSchemaTests
            try await Self.check(valid: Rows.valid, refused: Rows.refused, allowed: Rows.allowed)
        }

        @Test func badPacketsAreRefused() async throws {
            typealias Rows = SQLitePacketSchemaTests
            try await Self.check(
                valid: Rows.validBeforeClaims + Rows.claims,
                refused: Rows.refused.replacing("$rest", with: Rows.rest),
                allowed: Rows.allowed
            )
        }

        /// M7: what the trigger keeps of the packet for the rows of one statement lets no other one pass.
        @Test func aBatchHidesNoBadClaim() async throws {
            typealias Rows = SQLitePacketSchemaTests
            let second = [
                "(1, 1, 74, 31, 1, 101, 15, 1, 0, 15, NULL)", "(1, 1, 74, 31, 1, 20, 20, 1, 0, 15, NULL)",
                "(1, 1, 74, 32, 1, 20, 15, 1, 0, 15, NULL)", "(1, 1, 74, 31, 2, 20, 15, 1, 0, 15, NULL)",
                "(1, 3, 74, 31, 1, 20, 15, 1, 0, 15, NULL)", "(2, 1, 74, 31, 1, 20, 15, 1, 0, 15, NULL)",
                "(99, 1, 74, 31, 1, 20, 15, 1, 0, 15, NULL)",
            ]
            let first = "INSERT INTO claim VALUES (1, 0, 73, 31, 1, 20, 15, 1, 0, 15, NULL)"
            try await Self.check(
                valid: Rows.validBeforeClaims,
                refused: second.map { "M7 | M7 | \(first), \($0)" }.joined(separator: "\n"),
                allowed: "\(first), (1, 1, 74, 31, 1, 20, 15, 1, 0, 15, NULL)"
            )
            // On one connection: what was so for the batch before isn't for the next one.
            try await Self.check(
                valid: Rows.validBeforeClaims + Rows.claims,
                refused: "M7 | M7 | INSERT INTO claim VALUES (1, 1, 73, 31, 1, 20, 15, 1, 0, 15, NULL)",
                allowed: "INSERT INTO claim VALUES (1, 2, 73, 31, 1, 20, 15, 1, 0, 15, NULL)"
            )
        }

        @Test func badUsersAreRefused() async throws {
            typealias Rows = SQLiteIdentitySchemaTests
            try await Self.check(valid: Rows.valid, refused: Rows.refused, allowed: Rows.allowed)
        }

        /// Tables, columns in their order, which may be NULL, which are keys, and the triggers. Each database has a
        /// table of what was applied to it, and only those of MariaDB have a reign and may be moved.
        @Test func bothSchemasSayTheSame() async throws {
            let folder = try TemporaryFolder()
            try await SQLiteStore(folder: folder.path).close()
            let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
            let file = try await queue.read { database in try Self.description(database) }
            try queue.close()

            let home = MySQLHome()
            try await home.close(try await home.open())
            let console = SQLConsole(try await home.address())
            let columns = try await console.rows(
                """
                SELECT table_name, column_name, is_nullable FROM information_schema.columns
                WHERE table_schema = database() AND table_name NOT IN ('hongbao_migration', 'reign', 'place')
                    AND generation_expression IS NULL
                ORDER BY table_name, ordinal_position
                """,
                columns: 3
            ).map { "\($0[0]).\($0[1])\($0[2] == "NO" ? " NOT NULL" : "")" }
            let keys = try await console.rows(
                """
                SELECT table_name, group_concat(column_name ORDER BY seq_in_index) FROM information_schema.statistics
                WHERE table_schema = database() AND non_unique = 0
                    AND table_name NOT IN ('hongbao_migration', 'reign', 'place')
                GROUP BY table_name, index_name
                """,
                columns: 2
            ).map { "\($0[0]) (\($0[1].replacing("open_packet", with: "packet")))" }
            let triggers = try await console.rows(
                """
                SELECT trigger_name, event_object_table, event_manipulation FROM information_schema.triggers
                WHERE trigger_schema = database()
                """,
                columns: 3
            ).map { $0.joined(separator: " ") }
            await console.close()

            #expect(columns == file.columns)
            #expect(keys.sorted() == file.keys)
            #expect(triggers.sorted() == file.triggers)
            #expect(columns.count > 100 && keys.count > 15 && triggers.count > 40)
        }

        private struct Description {
            var columns: [String] = []
            var keys: [String] = []
            var triggers: [String] = []
        }

        private static func description(_ database: Database) throws -> Description {
            var description = Description()
            let tables = try String.fetchAll(
                database,
                sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%migrations' ORDER BY name"
            )
            for table in tables {
                let columns = try Row.fetchAll(database, sql: "PRAGMA table_info(\(table))")
                for column in columns {
                    let name: String = column["name"]
                    // A primary key is never NULL in MariaDB, nor in a STRICT table WITHOUT ROWID or of one integer.
                    let isNotNull = column["notnull"] == 1 || column["pk"] != 0
                    description.columns.append("\(table).\(name)\(isNotNull ? " NOT NULL" : "")")
                }
                let primary = columns.filter { $0["pk"] != 0 }.sorted { ($0["pk"] as Int) < $1["pk"] }
                description.keys.append("\(table) (\(primary.map { $0["name"] as String }.joined(separator: ",")))")
                for index in try Row.fetchAll(database, sql: "PRAGMA index_list(\(table))")
                where index["unique"] == 1 && index["origin"] != "pk" {
                    let names = try Row.fetchAll(database, sql: "PRAGMA index_info(\(index["name"] as String))")
                    description.keys.append("\(table) (\(names.map { $0["name"] as String }.joined(separator: ",")))")
                }
            }
            let triggers = try Row.fetchAll(
                database,
                sql: "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
            )
            description.triggers = try triggers.map { trigger in
                let event = try #require((trigger["sql"] as String).firstMatch(of: #/BEFORE (INSERT|UPDATE|DELETE)/#))
                return "\(trigger["name"] as String) \(trigger["tbl_name"] as String) \(event.1)"
            }.sorted()
            description.keys.sort()
            return description
        }

        /// A parameter with a number is bound wherever it stands.
        @Test func numbersOfParametersArePlaces() {
            let page = NumberedText(Query.page(of: "t", "x", key: "a, b", ">="))
            #expect(page.sql == "SELECT x FROM t WHERE (a > ?) OR (a = ? AND b >= ?) ORDER BY a, b LIMIT ?")
            #expect(page.places == [[0, 1], [2], [3]])
            let plain = NumberedText("SELECT 1 WHERE a = ? AND b IN (?, ?)")
            #expect(plain.sql == "SELECT 1 WHERE a = ? AND b IN (?, ?)" && plain.places.isEmpty)
        }

        /// Each statement that the store runs finds its rows by a key, but for those that read whole tables.
        @Test func queriesUseTheirKeys() async throws {
            let home = MySQLHome()
            try await home.close(try await home.open())
            let console = SQLConsole(try await home.address())
            for query in Query.allCases where query.sql.contains("WHERE") && query.sql.hasPrefix("SELECT") {
                // Users and phones are bytes.
                let isOfBytes = query.sql.contains(#/(user|phone)\)? (=|>|IN)/#)
                let sql = query.sql.replacing(#/LIMIT \?\d?/#, with: "LIMIT 10")
                    .replacing(#/\?\d?/#, with: isOfBytes ? "x'01'" : "1")
                let plan = try await console.rows("EXPLAIN \(sql)", columns: 10)
                for row in plan {
                    #expect(row[3] != "ALL" && row[3] != "index", "\(sql): \(row)")
                }
            }
            await console.close()
        }
    }
#endif
