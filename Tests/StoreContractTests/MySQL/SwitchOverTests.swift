#if MySQL
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Synchronization
    import Testing

    @testable import HongbaoMySQL

    /// A primary and its replica: which one the store uses, and how another becomes it (FC-8).
    @Suite(.timeLimit(.minutes(2))) struct SwitchOverTests {
        /// Two servers, of which the first is the primary.
        private static func withPair(_ body: (ServerPair) async throws -> Void) async throws {
            let pair = ServerPair(servers: try await MariaDBServer.pair())
            try await pair.switchOver(to: 0)
            try await body(pair)
            for server in pair.servers { try await server.stop() }
        }

        /// The one that takes writes and waits for its replica is used; anything less is refused with its name, by
        /// stores that are open, too.
        @Test func thePrimaryIsUsedIfItIsSafe() async throws {
            try await Self.withPair { pair in
                let store = try await pair.store([1, 0])
                try await store.fund(1_000_000)
                let console = SQLConsole(pair.addresses(MariaDBServer.operatorUser)[0])
                for (change, words, back) in Self.unsafe {
                    try await console.run(change)
                    await Self.expectRefusal(words) { _ = try await pair.store() }
                    await Self.expectRefusal(words) { try await store.untilRefused() }
                    try await console.run(back)
                    try await store.untilServed()
                }
                await console.close()
                await Self.expectRefusal("the user has the privilege READ") {
                    _ = try await MySQLStore(pair.addresses(MariaDBServer.operatorUser))
                }
                await store.close()
            }
        }

        private static let unsafe = [
            (
                "SET GLOBAL rpl_semi_sync_master_timeout = 10000", "rpl_semi_sync_master_timeout is 10000 and must be",
                "SET GLOBAL rpl_semi_sync_master_timeout = 31536000000"
            ),
            (
                "SET GLOBAL rpl_semi_sync_master_enabled = OFF", "rpl_semi_sync_master_enabled is OFF and must be ON",
                "SET GLOBAL rpl_semi_sync_master_enabled = ON"
            ),
            ("SET GLOBAL read_only = ON", "it's read-only", "SET GLOBAL read_only = OFF"),
        ]

        private static func expectRefusal(_ words: String, _ body: () async throws -> Void) async {
            await #expect {
                try await body()
            } throws: { error in
                (error as? StoreError)?.message.contains(words) == true
            }
        }

        /// What else would let a server acknowledge what is nowhere else, and who isn't the primary.
        @Test func refusalsNameWhatIsWrong() {
            let sound = Standing(
                isReadOnly: false,
                serverID: 2,
                reign: Reign(number: 7, server: 2, isAlone: false),
                acknowledging: Standing.Acknowledging(
                    waitPoint: "AFTER_SYNC",
                    timeoutMilliseconds: Standing.Acknowledging.timeoutLeast,
                    waitsWithoutReplica: true,
                    hasBinlog: true,
                    syncsBinlog: 1,
                    isStrict: true,
                    flushesAtCommit: 3
                ),
                waits: true,
                isWaiting: true
            )
            func refusal(seen: Int64 = 7, _ change: (inout Standing) -> Void) -> String {
                var standing = sound
                change(&standing)
                return standing.refusal(seen: seen) ?? "none"
            }
            #expect(refusal { _ in } == "none")
            #expect(refusal(seen: 8) { _ in } == "its reign 7 is over; there has been 8")
            #expect(refusal { $0.reign = nil } == "it knows of no reign; there has been 7")
            #expect(refusal(seen: 0) { $0.reign = nil } == "none")
            // A replica has its primary's reign.
            #expect(refusal { $0.serverID = 1 }.contains("isn't the primary of reign 7"))
            #expect(refusal { $0.isReadOnly = true } == "it's read-only")
            #expect(refusal { $0.acknowledging.waitPoint = "AFTER_COMMIT" }.contains("must be AFTER_SYNC"))
            #expect(refusal { $0.acknowledging.waitsWithoutReplica = false }.contains("wait_no_slave is OFF"))
            #expect(refusal { $0.acknowledging.timeoutMilliseconds -= 1 }.contains("must be 31536000000 or more"))
            #expect(refusal { $0.acknowledging.syncsBinlog = 0 }.contains("sync_binlog is 0 and must be 1"))
            #expect(refusal { $0.acknowledging.flushesAtCommit = 1 }.contains("is 1 and must be 3"))
            #expect(refusal { $0.acknowledging.hasBinlog = false }.contains("log_bin is OFF"))
            #expect(refusal { $0.acknowledging.isStrict = false }.contains("gtid_strict_mode is OFF"))
            #expect(refusal { $0.waits = false }.contains("rpl_semi_sync_master_enabled is OFF"))
            // It waited for too long once, and goes on without.
            #expect(refusal { $0.isWaiting = false }.contains("commits don't wait"))
            // The operator has said so.
            let alone = refusal { standing in
                standing.reign?.isAlone = true
                standing.waits = false
                standing.isWaiting = false
            }
            #expect(alone == "none")
        }

        @Test func positionsAreCompared() throws {
            let one = try #require(Position("0-1-100,1-1-5"))
            for text in ["", ",", "0-2-100", "1-3-4,0-1-99"] { #expect(Position(text).map(one.covers) == true) }
            for text in ["0-1-101", "2-1-1", "0-1-100,1-1-6"] { #expect(Position(text).map(one.covers) == false) }
            #expect(Position("0-1-7,0-2-9,\n1-1-5")?.sequences == [0: 9, 1: 5])
            for text in ["0-1", "0-1-x", "a-1-1", "0--1"] { #expect(Position(text) == nil) }
        }

        /// Everything that is acknowledged while the roles are swapped is there once, and writing goes on by itself. A
        /// second one may begin where a first has broken off.
        @Test func plannedSwitchOverLosesNothing() async throws {
            try await Self.withPair { pair in
                let store = try await pair.store()
                try await store.fund(1_000_000_000)
                let notes = try await Notes.whileWriting(to: store) { notes in
                    try await notes.more(200)
                    try await pair.switchOver(to: 1)
                    try await notes.more(200)
                    // As far as one that was killed may have come.
                    try await pair.asOperator(1, "SET GLOBAL read_only = ON")
                    try await pair.asOperator(0, "STOP SLAVE")
                    try await pair.switchOver(to: 0)
                    try await notes.more(200)
                }
                try await notes.check(store)
                #expect(try await pair.rows(0, "SELECT @@read_only") == [["0"]])
                #expect(try await pair.rows(1, "SELECT @@read_only") == [["1"]])
                // It follows whom it should: both have the same.
                try await pair.switchOver(to: 1)
                try await notes.check(store)
                await store.close()
            }
        }

        /// The primary is gone in the middle of commits: what was acknowledged is on the replica. The old one comes
        /// back as a replica; and when it's made writable by mistake before that, no process uses it.
        @Test func aLostPrimaryLosesNothing() async throws {
            try await Self.withPair { pair in
                let store = try await pair.store()
                try await store.fund(1_000_000_000)
                let notes = try await Notes.whileWriting(to: store) { notes in
                    try await notes.more(300)
                    try await pair.servers[0].kill()
                    await #expect(throws: SwitchOver.Refusal.self) { try await pair.switchOver(to: 1) }
                    try await pair.switchOver(to: 1, oldIsGone: true, alone: true)
                    try await notes.more(300)
                }
                try await notes.check(store)

                try await pair.servers[0].start()
                // Its own reign says that it's the primary.
                try await pair.asOperator(0, "SET GLOBAL rpl_semi_sync_master_enabled = ON")
                try await pair.asOperator(0, "SET GLOBAL read_only = OFF")
                let other = try await pair.store()
                try await notes.check(other)
                await other.close()
                // It was alone: nothing that it acknowledged a moment ago may be taken back when it starts again.
                for person in 9_000_000..<9_000_010 as Range<UInt64> { await notes.write(person, to: store) }
                try await pair.servers[1].kill()
                await Self.expectRefusal("is over; there has been") { try await store.untilRefused() }
                try await pair.servers[1].start()

                try await pair.switchOver(to: 1)
                try await store.untilServed()
                try await pair.switchOver(to: 0)
                try await notes.check(store)
                await store.close()
            }
        }

        /// A commit that waits for its replica for too long is given up, and done when the replica is back. Until that
        /// is decided nobody reads: who has given it up would take it for undone, and do it again.
        @Test func whatWasGivenUpIsReadBackWhenItIsDecided() async throws {
            try await Self.withPair { pair in
                var options = MySQLStore.Options()
                options.lockSeconds = 1
                let store = try await MySQLStore(pair.addresses(MariaDBServer.storeUser), options: options)
                try await store.prepareToMint()
                try await pair.asOperator(1, "STOP SLAVE")
                await expect(.outcomeUnknown) { try await store.append(Fixture.group([1])) }
                await expect(.unavailable) { _ = try await store.log() }
                await expect(.unavailable) { try await store.append(Fixture.group([1])) }
                try await pair.asOperator(1, "START SLAVE")
                var log: [LoggedBatch]?
                while log == nil {
                    do {
                        log = try await store.log()
                    } catch let fault as StoreError {
                        guard fault == .isDoubtful else { throw fault }
                    }
                }
                #expect(log?.map(\.sequence) == [1])
                try await store.append(Fixture.group([2]))
                await store.close()
            }
        }

        /// A server that may lack what was acknowledged isn't promoted, and the primary goes on.
        @Test func whoMayLackSomethingIsRefused() async throws {
            try await Self.withPair { pair in
                let store = try await pair.store()
                try await store.fund(1_000)
                await #expect(throws: SwitchOver.Refusal.self) { try await pair.switchOver(to: 1, oldIsGone: true) }
                try await pair.asOperator(1, "STOP SLAVE")
                try await pair.asOperator(1, "RESET SLAVE ALL")
                // The commit waits for a replica that is no more.
                async let late = store.fund(2_000, revision: 2)
                while try await pair.rows(0, Self.waiting) == [["0"]] { await Task.yield() }
                await #expect {
                    try await pair.switchOver(to: 1)
                } throws: { error in
                    "\(error)".contains("isn't its replica")
                }
                try await pair.switchOver(to: 0)
                _ = try await late
                #expect(try await store.account(.budget(of: Fixture.scene)).available == 2_000)
                try await pair.servers[0].kill()
                try await pair.asOperator(1, "STOP SLAVE")
                try await pair.asOperator(1, "RESET SLAVE ALL")
                await #expect {
                    try await pair.switchOver(to: 1, oldIsGone: true)
                } throws: { error in
                    "\(error)".contains("isn't a replica of")
                }
                await store.close()
            }
        }

        private static let waiting = """
            SELECT count(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for semi-sync ACK%'
            """
    }

    /// Two servers of one database, and what an operator does with them.
    struct ServerPair: Sendable {
        let servers: [MariaDBServer]

        func addresses(_ user: (name: String, password: String)) -> [ServerAddress] {
            servers.map { server in
                ServerAddress(
                    .host("127.0.0.1", port: server.port),
                    user: user.name,
                    password: user.password,
                    database: "hongbao"
                )
            }
        }

        func store(_ order: [Int] = [0, 1]) async throws -> MySQLStore {
            let addresses = addresses(MariaDBServer.storeUser)
            return try await MySQLStore(order.map { addresses[$0] })
        }

        func switchOver(to index: Int, oldIsGone: Bool = false, alone: Bool = false) async throws {
            let addresses = addresses(MariaDBServer.operatorUser)
            var options = SwitchOver.Options(target: addresses[index].place)
            options.oldIsGone = oldIsGone
            options.alone = alone
            try await SwitchOver(addresses, options: options) { _ in }.run()
        }

        func asOperator(_ index: Int, _ sql: String) async throws {
            try await SQLConsole.run(addresses(MariaDBServer.operatorUser)[index], [sql])
        }

        /// One column.
        func rows(_ index: Int, _ sql: String) async throws -> [[String]] {
            let console = SQLConsole(addresses(MariaDBServer.operatorUser)[index])
            let rows = try await console.rows(sql, columns: 1)
            await console.close()
            return rows
        }
    }

    extension MySQLStore {
        /// Writes until that is refused, which is the fault thrown.
        fileprivate func untilRefused() async throws {
            while true {
                do {
                    try await fund(1_000_000)
                } catch let fault as StoreError {
                    if fault.message.contains("none is the primary") { throw fault }
                }
            }
        }

        fileprivate func untilServed() async throws {
            while true {
                do {
                    return _ = try await fund(1_000_000_000)
                } catch let fault as StoreError {
                    guard fault.isRetryable else { throw fault }
                }
            }
        }
    }
#endif
