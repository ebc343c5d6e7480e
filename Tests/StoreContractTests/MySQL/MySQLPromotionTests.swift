#if MySQL
    import Foundation
    import GRDB
    import HongbaoCore
    import HongbaoEngine
    import HongbaoSQLite
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// A pilot's data in MariaDB (DP-1, DP-2).
    @Suite(.timeLimit(.minutes(15))) struct MySQLPromotionTests {
        /// Breaks off after so many batches of rows.
        private actor Breaking: PromotionTarget {
            private let database: PromotionDatabase
            private var left: Int
            /// Also when all is done but the last step.
            private let beforeEnd: Bool

            init(_ database: PromotionDatabase, after left: Int, beforeEnd: Bool) {
                self.database = database
                self.left = left
                self.beforeEnd = beforeEnd
            }

            func tables() async throws(StoreError) -> [StoredTable] { try await database.tables() }
            func rows(of table: StoredTable, after key: StoredRow?, limit: Int) async throws(StoreError) -> [StoredRow]
            {
                try await database.rows(of: table, after: key, limit: limit)
            }
            func prepare() async throws(StoreError) { try await database.prepare() }
            func begin() async throws(StoreError) { try await database.begin() }
            func add(_ rows: [StoredRow], to table: StoredTable) async throws(StoreError) {
                guard left > 0 else { throw StoreError(.unavailable, "broken off") }
                left -= 1
                try await database.add(rows, to: table)
            }
            func divide(among mints: Int) async throws(StoreError) { try await database.divide(among: mints) }
            func store() async throws(StoreError) -> any Store { try await database.store() }
            func finish() async throws(StoreError) {
                if beforeEnd { throw StoreError(.unavailable, "broken off") }
                try await database.finish()
            }
        }

        /// Promotes with the marks of the real command.
        private static func promote(
            _ pilot: Pilot,
            to address: ServerAddress,
            mints: Int = 3,
            breaking: (after: Int, beforeEnd: Bool)? = nil
        ) async throws -> Promotion.Report {
            let folder = DataFolder(pilot.rig.folder.path)
            let store = try await folder.openToPromote(to: "\(address)")
            let database = PromotionDatabase([address])
            let target: any PromotionTarget =
                breaking.map { Breaking(database, after: $0.after, beforeEnd: $0.beforeEnd) } ?? database
            let result: Result<Promotion.Report, any Error>
            do {
                let promotion = PromotionTests.promotion(of: pilot, store, to: target, mints: mints) {
                    () throws(StoreError) in
                    try folder.markPromoted(to: "\(address)")
                }
                result = .success(try await promotion.run())
            } catch {
                result = .failure(error)
            }
            await database.close()
            try await store.close()
            return try result.get()
        }

        private static func expectRefused(_ words: String, _ body: () async throws -> Void) async {
            await #expect {
                try await body()
            } throws: { error in
                "\(error)".contains(words)
            }
        }

        private static func triggers(_ address: ServerAddress) async throws -> [[String]] {
            let console = SQLConsole(address)
            let triggers = try await console.rows(
                """
                SELECT trigger_name, event_object_table, event_manipulation, action_statement, action_order
                FROM information_schema.triggers WHERE trigger_schema = database() ORDER BY trigger_name
                """,
                columns: 5
            )
            await console.close()
            return triggers
        }

        @Test func pilotGoesOnAsACluster() async throws {
            let pilot = try await Pilot.made()
            let (home, other) = (MySQLHome(), MySQLHome())
            let address = try await home.prepare()
            let report = try await Self.promote(pilot, to: address, mints: 4)
            #expect(report.audit.holds, "\(report.audit.checks.flatMap(\.breaches))")
            let empty = report.rows.filter { $0.count == 0 }.map(\.table)
            #expect(empty == ["merged_order", "pending_merge"])
            // The database refuses what every other one does.
            try await other.close(try await other.open())
            #expect(try await Self.triggers(address) == Self.triggers(try await other.address()))
            let store = try await home.open()
            try await PromotedTown.expectToGoOn(pilot, on: store, mints: 4)
            await store.close()
            await Self.expectRefused("says that these data were promoted to") {
                try await DataFolder(pilot.rig.folder.path).openToWrite().close()
            }
        }

        /// Nobody opens what isn't whole; once more, and it is.
        @Test(arguments: [(3, false), (1_000_000, true)])
        func brokenOffIsDoneAgain(after: Int, beforeEnd: Bool) async throws {
            let pilot = try await Pilot.made()
            let home = MySQLHome()
            let address = try await home.prepare()
            await Self.expectRefused("broken off") {
                _ = try await Self.promote(pilot, to: address, breaking: (after, beforeEnd))
            }
            await Self.expectRefused("run `hongbao promote` again") { _ = try await home.open() }
            if beforeEnd {
                await Self.expectRefused("promoted to another place") {
                    let elsewhere = try await MySQLHome().prepare()
                    _ = try await Self.promote(pilot, to: elsewhere)
                }
            } else {
                // Until the end the pilot is what counts.
                try await DataFolder(pilot.rig.folder.path).openToWrite().close()
            }
            let report = try await Self.promote(pilot, to: address)
            #expect(report.audit.holds, "\(report.audit.checks.flatMap(\.breaches))")
            await Self.expectRefused("a pilot has been promoted into it already") {
                _ = try await Self.promote(pilot, to: address)
            }
            let store = try await home.open()
            try await PromotedTown.expectSound(store, pilot, grants: pilot.grants.count)
            await store.close()
        }

        /// Two at once, and what is there already.
        @Test func onlyAnEmptyDatabaseIsTaken() async throws {
            let pilot = try await Pilot.made(unposted: 0)
            let home = MySQLHome()
            let address = try await home.prepare()
            let first = PromotionDatabase([address])
            try await first.prepare()
            await Self.expectRefused("another process is promoting into it") {
                _ = try await Self.promote(pilot, to: address)
            }
            await first.close()
            let store = try await home.open()
            try await store.fund(1_000)
            await store.close()
            await Self.expectRefused("a pilot is promoted into an empty database") {
                _ = try await Self.promote(pilot, to: address)
            }
            // Neither has changed anything.
            try await home.close(try await home.open())
            try await pilot.rig.run { engine in #expect(engine.granting.orderCount == pilot.grants.count) }
        }

        /// Every table that the schema's tests have rows of: the largest and smallest numbers, bytes, NULL.
        @Test func everyKindOfRowIsCopied() async throws {
            let folder = try TemporaryFolder()
            try await SQLiteStore(folder: folder.path).close()
            let queue = try DatabaseQueue(path: folder.file(SQLiteStore.fileName))
            try await queue.write { database in
                try database.execute(sql: SQLiteSchemaTests.valid)
                try database.execute(sql: SQLiteIdentitySchemaTests.valid)
                try database.execute(sql: Self.extremes)
            }
            try queue.close()
            let home = MySQLHome()
            let database = PromotionDatabase([try await home.prepare()])
            let pilot = try await SQLiteStore.reopened(folder: folder.path)
            try await database.prepare()
            try await database.begin()
            var count = 0
            for table in try await database.tables() {
                let rows = try await pilot.rows(of: table, after: nil, limit: 1_000)
                try await database.add(rows, to: table)
                #expect(try await database.rows(of: table, after: nil, limit: 1_000) == rows, "\(table.name)")
                // Pages follow each other.
                guard rows.count > 1 else { continue }
                let rest = try await database.rows(of: table, after: table.key(of: rows[0]), limit: 1_000)
                #expect(rest == Array(rows.dropFirst()), "\(table.name)")
                count += rows.count
            }
            #expect(count > 20)
            await database.close()
            try await pilot.close()
        }

        private static let extremes = """
            INSERT INTO account VALUES (65535, 3, -1, 0, 9223372036854775807, 0, 4294967295);
            INSERT INTO account VALUES (65535, 3, -9223372036854775808, 0, 0, 0, 0);
            INSERT INTO account VALUES (65535, 3, 9223372036854775807, 0, 0, 0, 0);
            INSERT INTO grant_batch (mint, sequence, epoch, count, total, at, record)
                VALUES (1, 90, 2, 1, 1, -1, zeroblob(3000000)), (1, 91, 2, 1, 1, -1, x'');
            """
    }
#endif
