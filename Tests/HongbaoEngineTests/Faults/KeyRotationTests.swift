import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Key epochs while grants go on: every token verifies, sequences have no gap, and the clock may do what it likes
/// (TK-3).
@Suite(.timeLimit(.minutes(15))) struct KeyRotationTests {
    private static let book = BookID(campaign: 7, phase: .live)

    private static func token(_ engine: Engine, _ granted: Granted, at now: Timestamp) -> VerifiedToken? {
        let verdict = engine.verifier.verify(granted.token, now: now, person: granted.order.person, book: book)
        if case .valid(let token) = verdict { return token }
        Issue.record("\(verdict)")
        return nil
    }

    private static func epochs(_ engine: Engine) async throws -> [EpochRecord] {
        try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.epochs() }
    }

    @Test(arguments: [nil, FaultyStore<SQLiteStore>.Fault.before, .after, .lost])
    func keysRotateUnderLoad(fault: FaultyStore<SQLiteStore>.Fault?) async throws {
        var rig = try EngineRig()
        rig.configuration.granting.epochSeconds = 10
        let isRotationFailing = Mutex(false)
        rig.wrap = { base in
            FaultyStore(base) { call, number in
                // The third transaction that isn't a lease's: with nothing posted or leased, a rotation.
                call == .transact && isRotationFailing.withLock { $0 } && number % 2 == 0 ? fault : nil
            }
        }
        let clock = rig.clock
        try await rig.run { [rig] engine in
            isRotationFailing.withLock { $0 = true }
            let (asked, granted) = await withTaskGroup(of: (Int, [Granted]).self) { group in
                for lane in 0..<4 as Range<UInt64> {
                    group.addTask {
                        var asked = 0
                        var granted: [Granted] = []
                        var epochs: Set<UInt32> = []
                        // However slow the machine is: until this lane has seen a third epoch.
                        for round in 1...1000 as ClosedRange<UInt16> where round <= 30 || epochs.count < 3 {
                            let requests = (1...20).map { GrantRequest.forTests(person: lane * 20 + $0, rain: round) }
                            clock.advance(byMilliseconds: 250)
                            asked += requests.count
                            let new = await engine.granting.grant(requests).compactMap(\.granted)
                            if let last = new.last, let token = Self.token(engine, last, at: clock.now) {
                                epochs.insert(token.epoch)
                            }
                            granted += new
                        }
                        return (asked, granted)
                    }
                }
                return await group.reduce(into: (0, [])) { sum, lane in sum = (sum.0 + lane.0, sum.1 + lane.1) }
            }
            isRotationFailing.withLock { $0 = false }
            #expect(engine.granting.isAccepting)
            #expect(engine.alarms.count(.fenced) == 0)
            #expect(granted.count == asked || fault != nil)
            #expect(granted.count > 1000)
            let verified = granted.compactMap { Self.token(engine, $0, at: clock.now) }
            let used = Set(verified.map(\.epoch))
            #expect(used.count > 2)
            #expect(try await Self.epochs(engine).count >= used.count)
            // Later sequences never have earlier epochs, and there is no gap.
            let bySequence = Dictionary(grouping: verified, by: \.sequence).sorted { $0.key < $1.key }
            #expect(zip(bySequence, bySequence.dropFirst()).allSatisfy { $0.value[0].epoch <= $1.value[0].epoch })
            try await engine.drain()
            let report = try await Audit.run(engine.store, keyring: rig.keyring)
            #expect(report.holds)
            let mint = try await engine.store.read { (snapshot) throws(StoreError) in try snapshot.mints()[0] }
            #expect(mint.lastSequence == UInt64(bySequence.count) || fault != nil)
        }
    }

    /// A clock that is set back, by a little or by a day, and forth again: what is granted is good when it's granted.
    @Test(arguments: [-1_000, -299_000, -3_600_000, -86_400_000, 86_400_000, 400 * 86_400_000] as [Int64])
    func aClockThatJumps(span: Int64) async throws {
        let rig = try EngineRig()
        try await rig.run { engine in
            var sequences: [UInt64] = []
            for person in 1...6 as ClosedRange<UInt64> {
                let granted = try #require(await engine.granting.grant([.forTests(person: person)]).first?.granted)
                let token = try #require(Self.token(engine, granted, at: rig.clock.now))
                sequences.append(token.sequence)
                rig.clock.advance(byMilliseconds: person % 2 == 1 ? span : -span)
            }
            #expect(sequences == Array(1...6))
            try await engine.drain()
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
            #expect(engine.granting.isAccepting)
        }
        // And it may start in the past.
        rig.clock.advance(byMilliseconds: -abs(span))
        try await rig.run { engine in
            let granted = try #require(await engine.granting.grant([.forTests(person: 7)]).first?.granted)
            #expect(Self.token(engine, granted, at: rig.clock.now)?.sequence == 7)
        }
    }

    /// TK-3: a revoked epoch's tokens are refused from clients, now and after a restart; what is in the log is still
    /// owed.
    @Test func revokedEpochsTokensAreRefused() async throws {
        let rig = try EngineRig()
        let (old, epoch) = try await rig.run { engine in
            engine.poster.setPaused(true)
            let granted = try #require(await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted)
            let token = try #require(Self.token(engine, granted, at: rig.clock.now))
            return (granted, token.epoch)
        }
        try await rig.run { engine in
            engine.poster.setPaused(true)
            func read() async throws -> WalletReading {
                let answer = await engine.wallets.read(person: PersonID(1), campaign: "test", tokens: [old.token])
                guard case .wallet(let reading) = answer else { throw Unexpected("\(answer)") }
                return reading
            }
            #expect(try await read().rejectedTokens.isEmpty)
            engine.verifier.revoke(MintEpoch(mint: MintID(1), epoch: epoch))
            let reading = try await read()
            #expect(reading.rejectedTokens == [0])
            #expect(reading.view.balance == 70)
            let new = try #require(await engine.granting.grant([.forTests(person: 1, rain: 2)]).first?.granted)
            #expect(Self.token(engine, new, at: rig.clock.now)?.epoch == epoch + 1)
            #expect(engine.alarms.count(.forgedToken) == 0)
        }
        try await BrokenStore.alter(rig.folder, "UPDATE epoch SET revoked = 1 WHERE epoch = \(epoch)")
        try await rig.run { engine in
            let verdict = engine.verifier.verify(old.token, now: rig.clock.now)
            #expect(verdict == .refused(.revokedEpoch))
            #expect(await engine.granting.grant([.forTests(person: 1, amount: 70)]).first?.granted?.isReplay == true)
            try await engine.drain()
            #expect(try await Audit.run(engine.store, keyring: rig.keyring).holds)
        }
    }
}
