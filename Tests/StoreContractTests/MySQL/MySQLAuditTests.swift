#if MySQL
    import Dispatch
    import HongbaoCore
    import HongbaoEngine
    import HongbaoTesting
    import Synchronization
    import Testing

    @testable import HongbaoMySQL

    /// Audits of a database that several processes use (DP-2, RC-5).
    @Suite(.timeLimit(.minutes(15))) struct MySQLAuditTests {
        private static func until(_ condition: () async throws -> Bool) async throws {
            while try await !condition() { try await Task.sleep(for: .milliseconds(5)) }
        }

        private static func reconciler(
            _ rig: EngineRig,
            _ store: MySQLStore,
            _ alarms: Alarms,
            _ paces: Paces
        ) -> Reconciler {
            var configuration = Reconciler.Configuration()
            configuration.every = .milliseconds(1)
            configuration.interval = .milliseconds(1)
            return Reconciler(
                Shards(store),
                keyring: rig.keyring,
                configuration: configuration,
                pace: { paces.make() },
                seed: 1,
                alarms: alarms,
                logger: .silent
            )
        }

        private static func grant(_ engine: Engine, rain: UInt16) async throws {
            let people = 1...50 as ClosedRange<UInt64>
            let requests = people.map { GrantRequest.forTests(person: $0, rain: rain, amount: 10) }
            for answer in await engine.granting.grant(requests) {
                guard case .granted = answer else { throw StoreError(.unavailable, "\(answer)") }
            }
        }

        /// An engine, and another process on the same database.
        private static func withEngine(
            _ body: @escaping @Sendable (Engine, EngineRig, MySQLStore, ServerAddress) async throws -> Void
        ) async throws {
            let rig = try EngineRig()
            let address = try await MySQLHome().prepare()
            let (own, other) = (try await MySQLStore(address), try await MySQLStore(address))
            let engine = try await rig.start(own)
            try await running(engine.services) { try await body(engine, rig, other, address) }
            await other.close()
            await own.close()
        }

        /// Whatever moves meanwhile, each audit sees a moment at which everything fits.
        @Test func whatMovesStaysClean() async throws {
            try await Self.withEngine { engine, rig, store, _ in
                let (alarms, paces) = (Alarms(logger: .silent), Paces())
                try await running([Self.reconciler(rig, store, alarms, paces)]) {
                    var rain: UInt16 = 0
                    while paces.count < 10 {
                        rain += 1
                        try await Self.grant(engine, rain: rain)
                    }
                }
                #expect(alarms.count(.auditBreach) == 0 && paces.rows > 500)
            }
        }

        @Test func aBreachIsFound() async throws {
            try await Self.withEngine { engine, rig, store, address in
                let (alarms, paces) = (Alarms(logger: .silent), Paces())
                try await running([Self.reconciler(rig, store, alarms, paces)]) {
                    try await Self.grant(engine, rain: 1)
                    try await engine.drain()
                    let rounds = paces.count
                    try await Self.until { paces.count > rounds + 1 }
                    #expect(alarms.count(.auditBreach) == 0)
                    try await SQLConsole.run(address, ["UPDATE account SET credits = credits + 1 WHERE kind = 3"])
                    try await Self.until { alarms.count(.auditBreach) > 0 }
                }
            }
        }

        /// A drain doesn't wait for a round to end, and leaves it to others.
        @Test func aDrainEndsARound() async throws {
            try await Self.withEngine { engine, rig, store, _ in
                try await Self.grant(engine, rain: 1)
                try await engine.drain()
                let (alarms, paces) = (Alarms(logger: .silent), Paces(rowsPerSecond: 1))
                let began = ContinuousClock.now
                try await running([Self.reconciler(rig, store, alarms, paces)]) {
                    try await Self.until { paces.rows > 0 }
                    let isOn = try await engine.store.isReadAlone()
                    #expect(isOn)
                }
                #expect(ContinuousClock.now - began < .seconds(40) && paces.count == 1)
                let isOn = try await engine.store.isReadAlone()
                #expect(!isOn)
            }
        }

        /// One that holds up the thread that reads.
        private final class Reading: Sendable {
            private let holds = Atomic(false)
            private let mayEnd = DispatchSemaphore(value: 0)
            var isHeld: Bool { holds.load(ordering: .relaxed) }

            func hold() {
                holds.store(true, ordering: .relaxed)
                mayEnd.wait()
            }

            func letGo() { mayEnd.signal() }
        }

        /// Of two processes one reads; when its connection is lost, the other may.
        @Test func oneAtATime() async throws {
            let address = try await MySQLHome().prepare()
            let (first, second) = (try await MySQLStore(address), try await MySQLStore(address))
            let reading = Reading()
            try await withThrowingTaskGroup(of: Int?.self) { group in
                group.addTask {
                    try await first.readAlone { (snapshot) throws(StoreError) in
                        reading.hold()
                        return try snapshot.mints().count
                    }
                }
                try await Self.until { reading.isHeld }
                #expect(try await second.readAlone { (_) throws(StoreError) in 1 } == nil)
                #expect(try await second.isReadAlone())
                // What isn't alone isn't in anybody's way.
                #expect(try await first.read { (snapshot) throws(StoreError) in try snapshot.mints().count } == 0)
                reading.letGo()
                #expect(try await group.next() == 0)
            }
            #expect(try await second.readAlone { (_) throws(StoreError) in 1 } == 1)
            #expect(try await !first.isReadAlone())
            await first.close()
            await second.close()
        }

        @Test func whoIsCutOffIsReplaced() async throws {
            let address = try await MySQLHome().prepare()
            let (first, second) = (try await MySQLStore(address), try await MySQLStore(address))
            let reading = Reading()
            await withTaskGroup(of: StoreError.Code?.self) { group in
                group.addTask {
                    do throws(StoreError) {
                        _ = try await first.readAlone { (snapshot) throws(StoreError) in
                            reading.hold()
                            return try snapshot.mints().count
                        }
                        return nil
                    } catch {
                        return error.code
                    }
                }
                await #expect(throws: Never.self) {
                    try await Self.until { reading.isHeld }
                    let lock = "IS_USED_LOCK(concat('hongbao.audit.', md5('\(address.database)')))"
                    let console = SQLConsole(address)
                    let holder = try await console.rows("SELECT \(lock)", columns: 1)[0][0]
                    try await console.run("KILL CONNECTION \(holder)")
                    await console.close()
                    try await Self.until { try await second.readAlone { (_) throws(StoreError) in 1 } == 1 }
                }
                reading.letGo()
                for await code in group { #expect(code == .unavailable) }
            }
            await first.close()
            await second.close()
        }
    }
#endif
