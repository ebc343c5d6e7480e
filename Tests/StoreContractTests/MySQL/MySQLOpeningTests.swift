#if MySQL
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// What a server must be for the store to use it, and how a database is brought up to date.
    @Suite struct MySQLOpeningTests {
        private static let sound = ServerSettings(
            version: "10.11.6-MariaDB",
            flushesAtCommit: 1,
            sqlMode: "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION",
            engine: "InnoDB",
            syncsBinlog: 1,
            hasBinlog: true,
            packetBytesMax: 16 << 20,
            doublewrite: true,
            checksConstraints: true
        )

        /// DP-2: a server that would lose or bend what it acknowledges isn't used, and the message says what to change.
        @Test func unsafeSettingsAreNamed() {
            func problem(_ change: (inout ServerSettings) -> Void) -> String {
                var settings = Self.sound
                change(&settings)
                return settings.problem ?? "none"
            }
            #expect(Self.sound.problem == nil && Self.sound.warnings.isEmpty)
            #expect(problem { $0.flushesAtCommit = 2 }.hasPrefix("innodb_flush_log_at_trx_commit is 2 and must be 1"))
            #expect(problem { $0.flushesAtCommit = 0 }.hasPrefix("innodb_flush_log_at_trx_commit is 0 and must be 1"))
            #expect(problem { $0.sqlMode = "" }.contains("must contain STRICT_TRANS_TABLES"))
            #expect(problem { $0.sqlMode = "NOT_STRICT_TRANS_TABLES" }.contains("must contain STRICT_TRANS_TABLES"))
            #expect(problem { $0.engine = "Aria" } == "default_storage_engine is Aria and must be InnoDB")
            #expect(problem { $0.doublewrite = false }.hasPrefix("innodb_doublewrite is OFF and must be ON"))
            #expect(problem { $0.checksConstraints = false } == "check_constraint_checks is OFF and must be ON")
            #expect(problem { $0.packetBytesMax = 1 << 20 }.hasPrefix("max_allowed_packet is 1048576 and must be"))
            for version in ["10.5.26-MariaDB", "8.0.36", "5.7.25-TiDB-v8", "", "MariaDB"] {
                #expect(problem { $0.version = version }.contains("must be MariaDB 10.6 or newer"), "\(version)")
            }
            #expect(problem { $0.version = "11.4.2-MariaDB-log" } == "none")
            var unsynced = Self.sound
            unsynced.syncsBinlog = 0
            #expect(unsynced.problem == nil && unsynced.warnings.count == 1)
            unsynced.hasBinlog = false
            #expect(unsynced.warnings.isEmpty)
        }

        /// The same with a real server.
        @Test func unsafeServerIsRefused() async throws {
            let server = try await MariaDBServer.started(["--innodb-flush-log-at-trx-commit=2"])
            let home = MySQLHome { server }
            let address = try await home.prepare()
            await #expect {
                _ = try await home.open()
            } throws: { error in
                "\(error)".contains("innodb_flush_log_at_trx_commit is 2 and must be 1")
            }
            try await SQLConsole.run(
                address,
                ["SET GLOBAL innodb_flush_log_at_trx_commit = 1", "SET GLOBAL sql_mode = 'NO_ENGINE_SUBSTITUTION'"]
            )
            await #expect {
                _ = try await home.open()
            } throws: { error in
                "\(error)".contains("must contain STRICT_TRANS_TABLES")
            }
            try await SQLConsole.run(address, ["SET GLOBAL sql_mode = DEFAULT"])
            let store = try await home.open()
            #expect(store.warnings.isEmpty)
            await store.close()
            try await server.stop()
        }

        /// Over TCP, with a password that no message shows.
        @Test func passwordsAreKept() async throws {
            let server = try await MariaDBServer.forAll()
            let home = MySQLHome()
            let socket = try await home.prepare()
            let user = "u\(UInt32.random(in: 0 ... .max))"
            try await SQLConsole.run(
                socket,
                [
                    "CREATE USER \(user)@'127.0.0.1' IDENTIFIED BY 'open sesame'",
                    "GRANT ALL ON \(socket.database).* TO \(user)@'127.0.0.1'",
                ]
            )
            var address = ServerAddress(
                .host("127.0.0.1", port: server.port),
                user: user,
                password: "open sesame",
                database: socket.database
            )
            let store = try await MySQLStore(address)
            try await store.fund(1_000)
            await store.close()
            #expect(!"\(address)".contains("sesame"))

            address.password = "wrong password"
            await #expect {
                _ = try await MySQLStore(address)
            } throws: { error in
                let error = error as? StoreError
                return error?.code == .unavailable
                    && error?.message.contains("refuses the user or the password") == true
                    && error?.message.contains("wrong") == false
            }
            // The server has no certificate, so a connection that must be encrypted isn't made.
            address.password = "open sesame"
            address.tls = ServerAddress.TLS()
            await expect(.unavailable) { _ = try await MySQLStore(address) }
            address.tls = nil
            address.place = .host("127.0.0.1", port: 1)
            await expect(.unavailable) { _ = try await MySQLStore(address) }
        }

        /// Two processes that open a new database at the same time make its tables once.
        @Test func manyMayOpenAtOnce() async throws {
            let home = MySQLHome()
            let address = try await home.prepare()
            try await withThrowingTaskGroup { group in
                for _ in 1...4 {
                    group.addTask {
                        let store = try await MySQLStore(address)
                        try await store.fund(1_000)
                        await store.close()
                    }
                }
                try await group.waitForAll()
            }
            let store = try await home.open()
            #expect(try await store.account(.budget(of: Fixture.scene)).available == 1_000)
            await store.close()
        }

        @Test func otherVersionsAreTold() async throws {
            let home = MySQLHome()
            try await home.open().close()
            let address = try await home.address()
            // A step that broke off is done again.
            try await SQLConsole.run(
                address,
                ["UPDATE hongbao_migration SET is_done = 0 WHERE number = 4", "DROP TRIGGER phone_stays_one_person"]
            )
            try await home.open().close()
            let console = SQLConsole(address)
            let done = try await console.rows(
                "SELECT number, is_done FROM hongbao_migration ORDER BY number",
                columns: 2
            )
            let newest = Schema.newest
            #expect(done == Schema.migrations.map { ["\($0.number)", "1"] })
            let triggers =
                "SELECT count(*) FROM information_schema.triggers WHERE trigger_name = 'phone_stays_one_person'"
            let found = try await console.rows(triggers + " AND trigger_schema = database()", columns: 1)
            #expect(found == [["1"]])

            try await console.run(
                "INSERT INTO hongbao_migration VALUES (\(newest + 1), 'tomorrow', repeat('0', 64), 1)"
            )
            await expect(.tooNew) { _ = try await home.open() }
            try await console.run("DELETE FROM hongbao_migration WHERE number = \(newest + 1)")
            try await console.run("UPDATE hongbao_migration SET checksum = repeat('0', 64) WHERE number = 2")
            await expect(.corrupt) { _ = try await home.open() }
            await console.close()
        }

        @Test func closedStoreRefuses() async throws {
            let store = try await MySQLHome().open()
            await store.close()
            await expect(.unavailable) { try await store.fund(1) }
            await expect(.unavailable) { _ = try await store.log() }
        }
    }
#endif
