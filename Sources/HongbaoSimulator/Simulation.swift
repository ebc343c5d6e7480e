import HongbaoCore
import HongbaoEngine
import Synchronization

/// One run of the whole platform in virtual time: the real core and engine against a simulated store, payout channel,
/// clock, crashes and clients, decided by one seed. After each transaction and each answer the auditor checks the
/// invariants; at the end faults stop, and what was accepted must come to its end.
package struct Simulation: Sendable {
    package struct Report: Sendable {
        package let seed: UInt64
        /// Empty when all held; else the first twenty.
        package fileprivate(set) var violations: [String]
        /// Equal for equal runs.
        package let history: UInt64
        package let steps: Int
        package let kills: Int
        package let grants: Int
        package let virtualSeconds: Double
    }

    /// Of each seed, at least: grants that are asked for, wallets read, withdrawals, look-ups.
    package static let operations = 400
    /// Of so many seeds one ends with the engine's own audit, which checks each signature and takes as long as half of
    /// the rest.
    package static let seedsForAudit: UInt64 = 32
    /// In 9 of 32 seeds, some of them among those with an audit.
    private static func givesSubsidies(_ seed: UInt64) -> Bool { seed % 4 == 3 || seed % 32 == 16 }
    /// In 9 of 32 seeds, among them those with an audit.
    private static func givesCoupons(_ seed: UInt64) -> Bool { seed % 4 == 1 || seed % 32 == 0 }

    private static func coupons(_ random: inout SplitMix64) -> Setup.Coupons {
        func pieces() -> Int64 { Int64(random.next(below: 2) == 0 ? 4 + random.next(below: 12) : 1_000) }
        let quota = random.next(below: 4) == 0 ? Amount(fen: 3 + Int64(random.next(below: 4))) : nil
        return Setup.Coupons(
            pieces: [pieces(), 3 + Int64(random.next(below: 8))],
            reserveBasisPoints: random.next(below: 2) == 0 ? 0 : 2_000,
            quota: quota.map { Quota(amount: $0, seconds: 2) },
            blessing: random.next(below: 2) == 0 ? nil : "good luck"
        )
    }

    /// In 3 of 8 seeds, a third of them with subsidies, too; those with coupons have none.
    private static func merges(_ seed: UInt64) -> Bool { seed % 4 == 2 || seed % 8 == 3 }
    private static let clients = 8
    private static let stepsMax = 200_000
    /// How long everything accepted may take to come to its end, once nothing goes wrong any more.
    private static let settlingTime = Duration.seconds(120)

    let seed: UInt64
    private let trace: (@Sendable (String) -> Void)?

    /// - Parameter trace: is told all that happens, line by line.
    package init(seed: UInt64, trace: (@Sendable (String) -> Void)? = nil) {
        self.seed = seed
        self.trace = trace
    }

    /// Runs on the calling thread, to its end.
    package func run() -> Report {
        weak var left: World?
        var report = play { left = $0 }
        // A cycle of references in the engine or here; ten thousand of them fill the memory.
        if left != nil { report.violations.append("memory: something of the world is left when all has ended") }
        return report
    }

    private func play(_ begins: (World) -> Void) -> Report {
        var random = SplitMix64(seed: seed)
        let faults = Faults(using: &random)
        let budget = Int64(random.next(below: 2) == 0 ? 3_000 + random.next(below: 5_000) : 1_000_000)
        let grace: Int64 = random.next(below: 2) == 0 ? 0 : 5
        let epochSeconds: Int64 = random.next(below: 4) == 0 ? 2 : 20
        let batchMax = random.next(below: 2) == 0 ? 3 : 8
        let setup = Setup(
            budget: budget,
            graceSeconds: grace,
            epochSeconds: epochSeconds,
            batchMax: batchMax,
            givesSubsidies: Self.givesSubsidies(seed),
            coupons: Self.givesCoupons(seed) ? Self.coupons(&random) : nil,
            merges: Self.merges(seed)
        )
        let world = World(seed: random.next(), faults: faults, setup: setup, trace: trace)
        begins(world)
        let course = Course(world, setup)
        course.begin()
        for _ in 0..<Self.clients { course.startClient(operations: Self.operations / Self.clients) }
        if !course.advance(max: Self.stepsMax, until: { course.clientsLeft == 0 }) {
            world.auditor.violation("liveness: the clients never ended")
        }
        course.settle(within: Self.settlingTime, max: Self.stepsMax, audits: seed.isMultiple(of: Self.seedsForAudit))
        course.end()
        if world.scheduler.hasStrayed { world.auditor.violation("a task ran outside of the simulation") }
        return Report(
            seed: seed,
            violations: world.auditor.violations,
            history: world.auditor.history,
            steps: world.scheduler.steps,
            kills: course.kills,
            grants: course.memory.tokens.count,
            virtualSeconds: world.scheduler.now / .seconds(1)
        )
    }
}

/// The processes of one simulation, and what befalls them.
private final class Course: Sendable {
    let world: World
    let setup: Setup
    let memory = Memory()
    private let thief: Thief
    private let desk: Desk
    private let store: SimulatedStore
    private let outside: SimulatedOutside
    private let hot = SimulatedHotStates()
    private let state: Mutex<State>

    private struct State {
        var current: SimulatedProcess
        /// Taken over by `current`, and still running.
        var stale: SimulatedProcess?
        var started = 0
        var kills = 0
        var clientsLeft = 0
        var revocations = 0
    }

    init(_ world: World, _ setup: Setup) {
        self.world = world
        self.setup = setup
        store = SimulatedStore(auditor: world.auditor)
        outside = SimulatedOutside(world)
        thief = Thief(setup.keyring)
        desk = Desk(setup)
        state = Mutex(State(current: SimulatedProcess(world)))
    }

    private static let killsMax = 8
    /// More would leave the clients no time to do anything.
    private static let startsMax = 16
    /// How long a process that was asked to end may take.
    private static let endingTime = Duration.seconds(60)

    var kills: Int { state.withLock { $0.kills } }
    private var current: SimulatedProcess { state.withLock { $0.current } }

    var clientsLeft: Int { state.withLock { $0.clientsLeft } }

    private var client: Client {
        Client(
            world: world,
            memory: memory,
            setup: setup,
            thief: thief,
            desk: desk,
            cashier: outside.cashier,
            process: { self.state.withLock { $0.current } },
            staleProcess: { self.state.withLock { $0.stale ?? $0.current } },
            killSoon: { if self.kills < Self.killsMax { self.killSoon() } }
        )
    }

    /// An operator.
    private var someone: Operator {
        Operator(world: world, setup: setup, desk: desk) { self.state.withLock { $0.current } }
    }

    func startClient(operations: Int) {
        let client = client
        state.withLock { $0.clientsLeft += 1 }
        Task(executorPreference: world.scheduler) {
            await client.run(operations: operations)
            self.state.withLock { $0.clientsLeft -= 1 }
        }
    }

    func begin() { start(current) }

    private func start(_ process: SimulatedProcess, revoking: MintEpoch? = nil) {
        let number = state.withLock { state in
            state.started += 1
            return state.started
        }
        let desk = desk
        process.start(
            store,
            outside,
            setup,
            thief,
            hot,
            campaigns: { desk.campaigns },
            seed: UInt64(number),
            revoking: revoking
        )
    }

    /// Runs until `isDone` or until something is wrong, with everything that befalls; `false` when that takes too many
    /// steps.
    @discardableResult
    func advance(max: Int, until isDone: () -> Bool) -> Bool {
        for step in 0..<max {
            if isDone() || !world.auditor.isContent { return true }
            if step.isMultiple(of: 8) { lookAfterProcess() }
            if let mishap = world.mishap() { befall(mishap) }
            if !world.scheduler.step() { return isDone() }
        }
        return false
    }

    /// One that has ended is followed by another.
    private func lookAfterProcess() {
        let current = current
        if !current.isAlive { replace(keepingOld: false) }
        if let asked = current.askedToEndAt, world.scheduler.now - asked > Self.endingTime {
            world.auditor.violation("liveness: a shutdown never ends")
        }
    }

    private func befall(_ mishap: Mishap) {
        let (current, started, kills) = state.withLock { ($0.current, $0.started, $0.kills) }
        switch mishap {
        case .kill: if kills < Self.killsMax { replace(keepingOld: false) }
        case .takeOver:
            guard started < Self.startsMax else { return }
            replace(keepingOld: true)
            if world.faults.emptiedTotals > 0 { loseTotalsSoon() }
        case .shutDown: if started < Self.startsMax { current.shutDown() }
        case .clockJump: world.jump(milliseconds: Int64(world.draw(20_000)) - 10_000)
        case .detour: world.beginDetour()
        case .deadMint: if world.leasedUntil == nil, !world.isOnDetour { leaseToDeadMint() }
        case .revocation: revokeEpoch()
        case .reload:
            let someone = someone
            Task(executorPreference: world.scheduler) { await someone.change() }
            if world.faults.kills > 0, kills < Self.killsMax, world.draw(4) == 0 { killSoon() }
        case .chatter: outside.chatter()
        case .emptyTotals: hot.loseOne(world)
        case .switchTotals: current.setReadsBackup(world.draw(2) == 0)
        case .flush:
            guard let engine = current.engine else { return }
            engine.tokens.removeAll()
            world.auditor.flushedTokens()
        }
    }

    /// So that it falls into what is under way now.
    private func killSoon() {
        Task(executorPreference: world.scheduler) {
            await self.world.pause(milliseconds: self.world.draw(20))
            self.replace(keepingOld: false)
        }
    }

    /// While one process has given more than the other one, which still tells what it has given, knows of.
    private func loseTotalsSoon() {
        Task(executorPreference: world.scheduler) {
            for _ in 0..<8 {
                await self.world.pause(milliseconds: self.world.draw(250))
                self.hot.loseOne(self.world)
            }
        }
    }

    /// What another mint holds and doesn't issue can be given away when its lease has lapsed.
    private func leaseToDeadMint() {
        let kind = world.draw(4) == 0 ? PhaseKind.rollout : .live
        let book = BookID(campaign: Setup.number, phase: kind)
        let scene = SceneID(book: book, number: UInt16(world.draw(Setup.scenes.count) + 1))
        let isOfCoupons = setup.coupons != nil && world.draw(2) == 0
        let pool = isOfCoupons ? PoolID(TemplateID(book: book, number: 11)) : PoolID(scene)
        let now = world.now
        let until = now.advanced(bySeconds: setup.configuration.granting.leaseSeconds)
        world.leased(until: until)
        let connection = StoreConnection(base: store, world: world, life: Life(), thief: thief)
        Task(executorPreference: world.scheduler) {
            var footprint = Footprint()
            footprint.budgets = [pool]
            do throws(StoreError) {
                try await connection.transact(footprint) { books in
                    let half = (books.budget(pool)?.available.fen ?? 0) / 2
                    let id = LeaseID(pool: pool, mint: MintID(2))
                    _ = books.extendLease(id, epoch: 1, by: Amount(fen: half) ?? .zero, now: now, expiresAt: until)
                }
            } catch {
                self.world.auditor.note(-3)
            }
        }
    }

    private static let revocationsMax = 3

    private func revokeEpoch() {
        let epochs = store.snapshot.epochs()
        guard !epochs.isEmpty, state.withLock({ $0.revocations < Self.revocationsMax }) else { return }
        let epoch = epochs[epochs.count - 1 - world.draw(min(3, epochs.count))]
        let stale = state.withLock { state in
            state.revocations += 1
            defer { state.stale = nil }
            return state.stale
        }
        stale?.kill()
        replace(keepingOld: false, revoking: MintEpoch(mint: epoch.mint, epoch: epoch.epoch))
    }

    /// The process dies, or is taken for dead, and another one takes its place.
    private func replace(keepingOld: Bool, revoking: MintEpoch? = nil) {
        let new = SimulatedProcess(world)
        let gone = state.withLock { state in
            // One that is still starting could begin its epoch after its successor's, and be the newer one.
            let keepingOld = keepingOld && state.current.isReady
            let gone = keepingOld ? state.stale : state.current
            if keepingOld { state.stale = state.current } else if state.current.isAlive { state.kills += 1 }
            state.current = new
            return gone
        }
        gone?.kill()
        world.auditor.tell(keepingOld ? "another process takes over" : "the process is killed, and starts again")
        start(new, revoking: revoking)
    }

    /// Stops all faults and waits until everything has come to its end; then nothing may be open.
    func settle(within limit: Duration, max: Int, audits: Bool) {
        world.stopFaults()
        world.auditor.tell("faults stop")
        state.withLock { state in
            defer { state.stale = nil }
            return state.stale
        }?.kill()
        advance(max: max) { self.current.askedToEndAt == nil }
        complete(within: limit, max: max) {
            await self.someone.open()
            await self.client.useUpBudgets()
            await self.client.useUpInventories()
            await self.client.useRaisedBudget(of: self.someone)
        }
        // Now that no process dies any more: one that has said that it has heard may forget it in its end.
        outside.cashier.repeatCallbacks()
        let end = world.scheduler.now + limit
        var round = 0
        advance(max: max) {
            // Asking after each step would take longer than the steps.
            round += 1
            return round.isMultiple(of: 32) && (self.unsettled == nil || self.world.scheduler.now > end)
        }
        guard world.auditor.isContent else { return }
        if let unsettled { world.auditor.violation(unsettled) }
        world.auditor.settled(store.snapshot.tables, at: world.now)
        complete(within: limit, max: max) {
            await self.client.compareWallets()
            if audits { await self.audit() }
        }
    }

    /// Runs the simulation until `body` has ended.
    private func complete(within limit: Duration, max: Int, _ body: @escaping @Sendable () async -> Void) {
        guard world.auditor.isContent else { return }
        let ending = Ending()
        Task(executorPreference: world.scheduler) {
            await body()
            ending.note()
        }
        let end = world.scheduler.now + limit
        advance(max: max) { ending.hasCome || self.world.scheduler.now > end }
        if world.auditor.isContent, !ending.hasCome { world.auditor.violation("liveness: the end never comes") }
    }

    /// What is still open, which nothing may be.
    private var unsettled: String? {
        guard let engine = current.engine else { return "liveness: the engine doesn't start" }
        let tables = store.snapshot.tables
        if tables.mints.values.contains(where: { $0.postedSequence != $0.lastSequence }) {
            return "M5: accepted grants are never posted"
        }
        if engine.granting.backlog > 0 { return "M5: posted grants stay in the backlog" }
        let lease = world.now.advanced(bySeconds: setup.configuration.granting.leaseSeconds)
        if tables.leases.values.contains(where: { $0.id.mint == MintID(1) && $0.expiresAt > lease }) {
            return "M6: a lease lasts longer than any may"
        }
        let now = world.now
        if tables.packets.values.contains(where: { PacketBooks.isDue($0, at: now) }) {
            return "M10: a red packet never ends"
        }
        if tables.claims.values.contains(where: { $0.state == .pending }) { return "M15: a share never arrives" }
        if tables.refunds.values.joined().contains(where: { $0.state == .pending }) {
            return "M10: a refund never ends"
        }
        if world.auditor.isRewardOpen { return "M10: a coupon never arrives" }
        if world.auditor.isLeftBehind { return "M10: what comes to who was merged stays there" }
        if world.auditor.isPaymentUnnoticed { return "M9: a payment is never noticed" }
        if tables.withdrawals.values.contains(where: { $0.state == .pending }) {
            return "M10: a withdrawal never becomes final"
        }
        return unsettledTotals
    }

    /// M12: once nothing is lost any more, all that was given is shown, and both hot states know it.
    private var unsettledTotals: String? {
        for phase in [PhaseKind.rollout, .live] {
            let book = BookID(campaign: Setup.number, phase: phase)
            let accepted = world.auditor.accepted(in: book)
            guard current.showsExactly(accepted, in: book) else {
                return "M12: a running total never comes to what was given"
            }
            guard hot.sums(of: book).allSatisfy({ TotalBooks.Sum($0) == accepted }) else {
                return "M12: a hot state never comes to what was given"
            }
        }
        return nil
    }

    /// The engine's own audit must agree.
    private func audit() async {
        let connection = StoreConnection(base: store, world: world, life: Life(), thief: thief)
        do throws(StoreError) {
            // With no signature known: each is checked here.
            let report = try await Audit.run(connection, keyring: setup.keyring)
            for check in report.checks {
                for breach in check.breaches { world.auditor.violation("\(check.invariant): \(breach) (audit)") }
            }
        } catch {
            world.auditor.violation("audit: \(error)")
        }
    }

    /// Ends the processes, and lets their tasks run out so that nothing is left in memory.
    func end() {
        current.kill()
        var steps = 0
        while steps < 100_000, world.scheduler.step() { steps += 1 }
        outside.hangUp()
    }
}
