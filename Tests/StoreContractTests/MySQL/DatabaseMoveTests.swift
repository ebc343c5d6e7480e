#if MySQL
    import Glibc
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Testing

    @testable import HongbaoMySQL

    /// A database moves to another server while it's in use, and loses nothing (DP-3, FC-8).
    @Suite(.timeLimit(.minutes(3))) struct DatabaseMoveTests {
        private static func withServers(
            _ numbers: [Int] = [1, 2],
            _ body: (MovableServers) async throws -> Void
        ) async throws {
            let servers = MovableServers(servers: try await MariaDBServer.movable(numbers))
            try await body(servers)
            for server in servers.servers { try await server.stop() }
        }

        private static func expectFault(_ words: String, _ body: () async throws -> Void) async {
            await #expect {
                try await body()
            } throws: { error in
                let text = (error as? StoreError)?.message ?? "\(error)"
                if !text.contains(words) { Issue.record("\(text)") }
                return text.contains(words)
            }
        }

        /// Everything that is acknowledged while the database is moved, and moved back, is there once; writers go on by
        /// themselves, with settings that name the old server. Nothing is written there once it's moved, and other
        /// databases of both servers are as they were.
        @Test func itMovesThereAndBackInUse() async throws {
            try await Self.withServers { servers in
                for index in 0..<2 {
                    try await servers.asRoot(index, "CREATE DATABASE other")
                    try await servers.asRoot(index, "CREATE TABLE other.t (n INT PRIMARY KEY)")
                }
                let store = try await servers.store()
                let idle = try await servers.store()
                try await store.fund(1_000_000_000)
                let notes = try await Notes.whileWriting(to: store) { notes in
                    try await notes.more(200)
                    try await servers.asRoot(0, "INSERT INTO other.t VALUES (1), (2)")
                    try await servers.move(to: 1) { line in
                        guard line.contains("are copied") else { return }
                        try await servers.asRoot(0, "INSERT INTO other.t VALUES (3)")
                        try await notes.more(50)
                    }
                    let left = try await servers.count(0)
                    try await notes.more(200)
                    #expect(try await servers.count(0) == left)
                    #expect(try await servers.count(1) > left)
                    try await servers.move(to: 0)
                    try await notes.more(200)
                }
                try await notes.check(store)
                // Its connections have been ended twice since it was opened.
                try await notes.check(idle)
                #expect(try await servers.rows(0, "SELECT n FROM other.t") == [["1"], ["2"], ["3"]])
                #expect(try await servers.rows(1, "SELECT n FROM other.t") == [])
                // Nothing follows anybody any more.
                for index in 0..<2 { #expect(try await servers.rows(index, "SHOW ALL SLAVES STATUS") == []) }
                await store.close()
                await idle.close()
            }
        }

        /// The log goes on without a gap, whoever knows what of it.
        @Test func theLogGoesOn() async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.prepareToMint(lease: 1_000_000)
                let appender = Task { try await Self.append(to: store) }
                try await servers.move(to: 1)
                try await servers.move(to: 0)
                try await servers.move(to: 1)
                appender.cancel()
                let acknowledged = try await appender.value
                let sequences = try await Self.sequences(store)
                #expect(sequences == Array(1...UInt64(sequences.count)))
                #expect(acknowledged > 3 && sequences.count >= acknowledged)
                // Also for those who come new, from the old server and from the new one.
                for index in 0..<2 {
                    let other = try await servers.store(index)
                    #expect(try await other.log().map(\.sequence) == sequences)
                    await other.close()
                }
                await store.close()
            }
        }

        /// One batch after the other, until it's cancelled. Answers the last that was acknowledged.
        private static func append(to store: MySQLStore) async throws -> Int {
            var next: UInt64 = 1
            var acknowledged = 0
            while !Task.isCancelled {
                do throws(StoreError) {
                    try await store.append(Fixture.group([next]))
                    acknowledged = Int(next)
                    next += 1
                } catch {
                    guard error.isRetryable else { throw error }
                    // What is there when it can be read again stays.
                    next = (try await Self.sequences(store).last ?? 0) + 1
                }
            }
            return acknowledged
        }

        /// As soon as it can be read.
        private static func sequences(_ store: MySQLStore) async throws -> [UInt64] {
            while true {
                do {
                    return try await store.log().map(\.sequence)
                } catch let fault as StoreError {
                    guard fault.isRetryable else { throw fault }
                    await Task.yield()
                }
            }
        }

        /// What was begun and broken off in the copy is begun anew, and the database was where it was meanwhile.
        @Test(arguments: ["are copied", "lags by nothing", "nobody is connected"])
        func brokenOffItIsBegunAnew(at words: String) async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.fund(1_000_000_000)
                let notes = try await Notes.whileWriting(to: store) { notes in
                    try await notes.more(100)
                    await #expect(throws: (any Error).self) {
                        try await servers.move(to: 1) { line in
                            if line.contains(words) { try await servers.endConnections(of: "operator", on: 1) }
                        }
                    }
                    try await notes.more(100)
                    #expect(try await servers.rows(0, "SELECT servers FROM hongbao.place") == [])
                    try await servers.move(to: 1)
                    try await notes.more(100)
                }
                try await notes.check(store)
                await store.close()
            }
        }

        /// When it fails while nobody can write, the old server goes on.
        @Test func whatFailsAtTheEndChangesNothing() async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.prepareToMint()
                let notes = try await Notes.whileWriting(to: store) { notes in
                    for (statement, words) in [
                        ("STOP SLAVE 'hongbao'", "somebody has stopped"),
                        ("UPDATE hongbao.mint SET beats = beats + 1", "table mint differs"),
                    ] {
                        await Self.expectFault(words) {
                            try await servers.move(to: 1) { line in
                                if line.contains("lags by nothing") { try await servers.asRoot(1, statement) }
                            }
                        }
                        try await notes.more(50)
                        #expect(try await servers.rows(0, "SELECT servers FROM hongbao.place") == [])
                        #expect(try await servers.rows(1, "SHOW ALL SLAVES STATUS") == [])
                    }
                    try await servers.move(to: 1)
                    try await notes.more(50)
                }
                try await notes.check(store)
                await store.close()
            }
        }

        /// The new server has gone without a word while nobody could write: the old one goes on soon, and it may be
        /// tried again when the new one is back.
        @Test func aTargetThatIsSilentIsGivenUp() async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.fund(1_000)
                let began = ContinuousClock.now
                await #expect(throws: (any Error).self) {
                    try await servers.move(to: 1) { line in
                        if line.contains("nobody is connected") { await servers.servers[1].signal(SIGSTOP) }
                    }
                }
                #expect(ContinuousClock.now - began < .seconds(30))
                try await store.untilFunded(2_000, revision: 2)
                await servers.servers[1].signal(SIGCONT)
                // Until it has noticed that nobody has the lock any more.
                while true {
                    do {
                        try await servers.move(to: 1)
                        break
                    } catch let fault as DatabaseMove.Fault {
                        guard fault.description.contains("another move is under way") else { throw fault }
                    }
                }
                try await store.untilFunded(3_000, revision: 3)
                await store.close()
            }
        }

        /// The command was killed while nobody could write: nobody has it until it's run again, whatever it's told.
        @Test(arguments: [0, 1]) func killedAtTheEndItGoesOn(to index: Int) async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.fund(1_000)
                await #expect(throws: (any Error).self) {
                    try await servers.move(to: 1) { line in
                        guard line.contains("nobody is connected") else { return }
                        for index in 0..<2 { try await servers.endConnections(of: "store", on: index) }
                    }
                }
                await Self.expectFault("is being moved") { try await store.fund(1_000) }
                await Self.expectFault("is being moved") { _ = try await servers.store(1) }
                try await servers.move(to: index)
                try await store.untilFunded(2_000, revision: 2)
                #expect(try await servers.rows(index, "SELECT servers FROM hongbao.place") == [])
                await store.close()
            }
        }

        /// From a server that is named alone to a primary with its replica, over to that, and back.
        @Test func aReplicaComesAlong() async throws {
            try await Self.withServers([3]) { servers in
                let pair = ServerPair(servers: try await MariaDBServer.pair())
                try await pair.switchOver(to: 0)
                let store = try await servers.store()
                try await store.fund(1_000_000_000)
                let notes = try await Notes.whileWriting(to: store) { notes in
                    try await notes.more(100)
                    try await servers.move(to: pair.addresses(MariaDBServer.storeUser).map(\.place))
                    try await notes.more(100)
                    try await pair.switchOver(to: 1)
                    try await notes.more(100)
                    try await servers.asRoot(0, "SET GLOBAL rpl_semi_sync_slave_enabled = ON")
                    try await servers.move(to: 0) { line in
                        guard line.contains("lags by nothing") else { return }
                        // Its word isn't a replica's.
                        let clients = try await pair.rows(1, Self.semiSyncClients)
                        let isOne = try await servers.rows(0, "SELECT @@rpl_semi_sync_slave_enabled")
                        #expect(clients == [["1"]] && isOne == [["0"]])
                    }
                    #expect(try await servers.rows(0, "SELECT @@rpl_semi_sync_slave_enabled") == [["1"]])
                    try await notes.more(100)
                }
                try await notes.check(store)
                await store.close()
                for server in pair.servers { try await server.stop() }
            }
        }

        private static let semiSyncClients = """
            SELECT variable_value FROM information_schema.global_status
            WHERE variable_name = 'RPL_SEMI_SYNC_MASTER_CLIENTS'
            """

        /// What the old server has can be removed, but for what says where the database is; processes that have been
        /// there need the old server no more; and it's moved back to what was cleared.
        @Test func theOldServerIsNeededNoMore() async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.fund(1_000)
                try await servers.move(to: 1)
                try await store.untilFunded(2_000, revision: 2)
                let tables = "FROM information_schema.tables WHERE table_schema = 'hongbao' AND table_name <> 'place'"
                let names = try await servers.rows(0, "SELECT table_name \(tables)").flatMap(\.self)
                #expect(names.count > 10)
                let drops = names.map { "DROP TABLE hongbao.\($0)" }
                try await servers.asRoot(0, ["SET foreign_key_checks = 0"] + drops)
                let other = try await servers.store()
                #expect(try await other.account(.budget(of: Fixture.scene)).available == 2_000)
                await other.close()

                try await servers.servers[0].kill()
                try await servers.endConnections(of: "store", on: 1)
                try await store.fund(3_000, revision: 3)
                try await servers.servers[0].start()
                try await servers.move(to: 0)
                try await store.untilFunded(4_000, revision: 4)
                #expect(try await servers.rows(0, "SELECT servers FROM hongbao.place") == [])
                await store.close()
            }
        }

        /// What would mix up histories or lose data of others is refused before anything is changed.
        @Test func whatCannotBeIsRefused() async throws {
            try await Self.withServers([1, 2, 3]) { servers in
                let store = try await servers.store()
                try await store.fund(1_000)
                let other = try await servers.store(2)
                try await other.fund(3_000)
                for (change, words, back) in [
                    ("gtid_domain_id = 1", "gtid_domain_id is 1 on both", "gtid_domain_id = 2"),
                    ("server_id = 1", "server_id is 1 on both", "server_id = 2"),
                    ("read_only = ON", "it's read-only", "read_only = OFF"),
                ] {
                    try await servers.asRoot(1, "SET GLOBAL \(change)")
                    await Self.expectFault(words) { try await servers.move(to: 1) }
                    try await servers.asRoot(1, "SET GLOBAL \(back)")
                }
                for (change, words, back) in [
                    ("binlog_format = MIXED", "must be ROW", "binlog_format = ROW"),
                    ("binlog_row_image = MINIMAL", "must be FULL", "binlog_row_image = FULL"),
                ] {
                    try await servers.asRoot(0, "SET GLOBAL \(change)")
                    await Self.expectFault(words) { try await servers.move(to: 1) }
                    try await servers.asRoot(0, "SET GLOBAL \(back)")
                }
                await Self.expectFault("there are data in its database") { try await servers.move(to: 2) }
                #expect(try await other.account(.budget(of: Fixture.scene)).available == 3_000)
                // What was left when another one moved away isn't for this one to remove: its nodes find it by that.
                try await servers.move(from: 2, to: 1)
                await Self.expectFault("is of another database") { try await servers.move(to: 2) }
                await Self.expectFault("there are data in its database") { try await servers.move(to: 1) }
                try await other.untilFunded(4_000, revision: 2)
                try await store.fund(2_000, revision: 2)
                await store.close()
                await other.close()
            }
        }

        /// Who may not see everybody's connections can't end them.
        @Test func anOperatorWithoutTheRightIsRefused() async throws {
            try await Self.withServers { servers in
                let store = try await servers.store()
                try await store.fund(1_000)
                let grantee = "operator@'127.0.0.1'"
                try await servers.asRoot(0, "REVOKE PROCESS ON *.* FROM \(grantee)")
                await Self.expectFault("lacks the privilege PROCESS") { try await servers.move(to: 1) }
                try await servers.asRoot(0, "GRANT PROCESS ON *.* TO \(grantee)")
                try await servers.asRoot(0, "REVOKE CONNECTION ADMIN ON *.* FROM \(grantee)")
                // It's found out at the end, when it changes nothing.
                await Self.expectFault("1095") { try await servers.move(to: 1) }
                try await store.fund(2_000, revision: 2)
                await store.close()
            }
        }
    }

    /// Servers between which a database is moved, and what an operator does.
    struct MovableServers: Sendable {
        let servers: [MariaDBServer]

        func address(_ index: Int) -> ServerAddress {
            let user = MariaDBServer.storeUser
            return ServerAddress(
                .host("127.0.0.1", port: servers[index].port),
                user: user.name,
                password: user.password,
                database: "hongbao"
            )
        }

        /// With the settings of one who knows that server.
        func store(_ index: Int = 0) async throws -> MySQLStore { try await MySQLStore(address(index)) }

        /// - Parameters:
        ///   - first: where the settings say it is.
        ///   - told: of each step, which waits for it.
        @discardableResult
        func move(
            from first: Int = 0,
            to index: Int,
            _ told: @escaping @Sendable (String) async throws -> Void = { _ in }
        ) async throws -> DatabaseMove.Report {
            try await move(from: first, to: [address(index).place], told)
        }

        @discardableResult
        func move(
            from first: Int = 0,
            to target: [ServerAddress.Place],
            _ told: @escaping @Sendable (String) async throws -> Void = { _ in }
        ) async throws -> DatabaseMove.Report {
            let login = MariaDBServer.operatorUser
            let move = DatabaseMove(
                [address(first)],
                login: (login.name, login.password),
                options: DatabaseMove.Options(target: target)
            ) { line in
                do { try await told(line) } catch { Issue.record(error) }
            }
            return try await move.run()
        }

        private func root(_ index: Int) -> ServerAddress {
            ServerAddress(.socket(servers[index].socket), user: "root", password: "", database: "mysql")
        }

        func asRoot(_ index: Int, _ sql: String) async throws { try await asRoot(index, [sql]) }

        func asRoot(_ index: Int, _ statements: [String]) async throws {
            try await SQLConsole.run(root(index), statements)
        }

        /// One column.
        func rows(_ index: Int, _ sql: String) async throws -> [[String]] {
            let console = SQLConsole(root(index))
            let rows = try await console.rows(sql, columns: 1)
            await console.close()
            return rows
        }

        /// How many transfers are there.
        func count(_ index: Int) async throws -> Int {
            try await rows(index, "SELECT count(*) FROM hongbao.transfer").first.flatMap { Int($0[0]) } ?? 0
        }

        /// As if the one who has them were gone.
        func endConnections(of user: String, on index: Int) async throws {
            let ids = try await rows(index, "SELECT id FROM information_schema.processlist WHERE user = '\(user)'")
            let console = SQLConsole(root(index))
            for id in ids.flatMap(\.self) { _ = try await console.fault(of: "KILL CONNECTION \(id)") }
            await console.close()
        }
    }

    extension MySQLStore {
        /// Again until it's done.
        fileprivate func untilFunded(_ total: Int64, revision: UInt16) async throws {
            while true {
                do {
                    return _ = try await fund(total, revision: revision)
                } catch let fault as StoreError {
                    guard fault.isRetryable else { throw fault }
                }
            }
        }
    }
#endif
