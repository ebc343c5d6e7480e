import HongbaoCore
import HongbaoEngine
import Synchronization

/// How often what goes wrong, for one seed. Many are zero in most seeds: faults that are rare together are found by
/// runs that have few of them (swarm testing, Groce et al. 2012).
struct Faults: Sendable {
    var writes = 0.0
    var reads = 0.0
    var slowStore = 0.0
    var kills = 0.0
    /// A second process takes over while the first still runs.
    var takeOvers = 0.0
    var clockJumps = 0.0
    /// The wall clock is hours away for a while, or even outside of the campaign.
    var detours = 0.0
    /// The token lists are lost.
    var flushes = 0.0
    var lostPayouts = 0.0
    var slowPayouts = 0.0
    var failedPayouts = 0.0
    var wrongPayouts = 0.0
    var callbacks = 0.5
    /// A request reaches a process that was replaced.
    var strays = 0.25
    /// A process is asked to end.
    var shutDowns = 0.0
    /// Another mint leases a part of a budget and is never heard of again.
    var deadMints = 0.0
    /// An operator stops the server, revokes a key epoch, and starts it again.
    var revocations = 0.0
    /// An operator changes the campaign file and has it reloaded.
    var reloads = 0.0
    /// Requests to hot states and answers that are lost, and those that are slow.
    var lostTotals = 0.0
    var slowTotals = 0.0
    /// A hot state of running totals loses everything.
    var emptiedTotals = 0.0
    /// An operator has another hot state shown.
    var switches = 0.0

    init() {}

    init(using random: inout SplitMix64) {
        func rate(_ most: Double) -> Double {
            random.next(below: 2) == 0 ? 0 : most * Double(random.next(below: 1_000) + 1) / 1_000
        }
        writes = rate(0.1)
        reads = rate(0.1)
        slowStore = rate(0.3)
        kills = rate(0.002)
        takeOvers = rate(0.002)
        clockJumps = rate(0.000_5)
        flushes = rate(0.000_5)
        lostPayouts = rate(0.5)
        slowPayouts = rate(0.5)
        failedPayouts = rate(0.5)
        wrongPayouts = rate(0.2)
        callbacks = rate(1)
        detours = rate(0.000_5)
        strays = rate(0.5)
        shutDowns = rate(0.000_5)
        deadMints = rate(0.000_5)
        revocations = rate(0.000_5)
        reloads = rate(0.004)
        lostTotals = rate(0.5)
        slowTotals = rate(0.3)
        emptiedTotals = rate(0.002)
        switches = rate(0.002)
    }
}

/// What befalls a world between two steps.
enum Mishap: CaseIterable, Sendable {
    case kill, takeOver, shutDown, clockJump, detour, deadMint, revocation, chatter, flush, reload, emptyTotals,
        switchTotals
}

extension Faults {
    /// How probable it is before a step.
    fileprivate func rate(of mishap: Mishap) -> Double {
        switch mishap {
        case .kill: kills
        case .takeOver: takeOvers
        case .shutDown: shutDowns
        case .clockJump: clockJumps
        case .detour: detours
        case .deadMint: deadMints
        case .revocation: revocations
        case .chatter: callbacks * 0.01
        case .flush: flushes
        case .reload: reloads
        case .emptyTotals: emptiedTotals
        case .switchTotals: switches
        }
    }
}

/// What all parts of a simulation share: time, chance, and who watches.
final class World: Sendable {
    let scheduler: Scheduler
    let auditor: Auditor
    let clock: VirtualClock
    private let state: Mutex<State>

    private struct State {
        var random: SplitMix64
        var faults: Faults { didSet { mishaps = Self.mishaps(faults) } }
        /// Each with its share of `Self.whole`, and all before it.
        var mishaps: [(mishap: Mishap, bound: UInt64)]
        /// What the wall clock is ahead of the virtual one, in milliseconds.
        var offset: Int64 = 0
        var jumps = 0
        /// The same, of hours; it ends when virtual time has come to `detourEnd`.
        var detour: Int64 = 0
        var detourEnd = Duration.zero
        var leasedUntil: Timestamp?
        /// Epochs that somebody has begun to revoke, and those of them that are.
        var suspects: Set<MintEpoch> = []
        var revoked: Set<MintEpoch> = []

        static let whole: UInt64 = 1_000_000_000

        init(random: SplitMix64, faults: Faults) {
            self.random = random
            self.faults = faults
            mishaps = Self.mishaps(faults)
        }

        var mishapsBound: UInt64 { mishaps.last?.bound ?? 0 }

        private static func mishaps(_ faults: Faults) -> [(mishap: Mishap, bound: UInt64)] {
            var bound: UInt64 = 0
            return Mishap.allCases.map { mishap in
                bound += UInt64(faults.rate(of: mishap) * Double(whole))
                return (mishap, bound)
            }
        }
    }

    static let start: Int64 = 1_643_630_400_000

    /// - Parameter trace: is told all that happens, line by line.
    init(seed: UInt64, faults: Faults, setup: Setup, trace: (@Sendable (String) -> Void)?) {
        let scheduler = Scheduler(seed: seed ^ 0x5EED)
        self.scheduler = scheduler
        clock = VirtualClock(scheduler)
        if let trace {
            auditor = Auditor(setup) { trace("\(scheduler.milliseconds) ms  \($0)") }
        } else {
            auditor = Auditor(setup, trace: nil)
        }
        state = Mutex(State(random: SplitMix64(seed: seed), faults: faults))
    }

    var faults: Faults { state.withLock { $0.faults } }
    /// From now on nothing goes wrong any more.
    func stopFaults() {
        state.withLock { $0.faults = Faults() }
        endDetour()
    }

    var now: Timestamp {
        let offset = state.withLock { $0.offset + $0.detour }
        return Timestamp(milliseconds: Self.start + scheduler.milliseconds + offset)
    }

    func jump(milliseconds: Int64) {
        state.withLock { state in
            state.offset += milliseconds
            state.jumps += 1
        }
        auditor.clockMoved("the wall clock jumps by \(milliseconds) ms")
    }

    /// Moves the wall clock by hours, both ways, seldom so far that the campaign hasn't begun or is over; some seconds
    /// later somebody puts it right. Either move may be the one back.
    func beginDetour() {
        guard !isOnDetour else { return }
        let isOutside = draw(6) == 0
        let isBack = draw(2) == 0
        let outside = isBack ? Setup.hoursSinceBegin : Setup.hoursToEnd
        let hours = isOutside ? outside + 10 : 1 + Int64(draw(20))
        let end = scheduler.now + .milliseconds(100 + draw(isOutside ? 2_000 : 8_000))
        state.withLock { state in
            state.detour = (isBack ? -hours : hours) * 3_600_000
            state.detourEnd = end
            state.jumps += 1
        }
        auditor.clockMoved("the wall clock goes \(hours) hours \(isBack ? "back" : "ahead")")
    }

    private func endDetour() {
        state.withLock { state in
            guard state.detour != 0 else { return }
            state.detour = 0
            state.jumps += 1
            auditor.tell("the wall clock is put right")
        }
    }

    /// Called before each step.
    func mishap() -> Mishap? {
        let (mishap, detourEnd) = state.withLock { state -> (Mishap?, Duration?) in
            let draw = state.random.next(below: State.whole)
            let mishap = draw < state.mishapsBound ? state.mishaps.first { draw < $0.bound }?.mishap : nil
            return (mishap, state.detour == 0 ? nil : state.detourEnd)
        }
        if let detourEnd, scheduler.now >= detourEnd { endDetour() }
        return mishap
    }

    /// How often the wall clock was moved.
    var jumps: Int { state.withLock { $0.jumps } }

    /// When the lease of a mint that is dead lapses; `nil` before there was one.
    var leasedUntil: Timestamp? { state.withLock { $0.leasedUntil } }
    var isOnDetour: Bool { state.withLock { $0.detour != 0 } }

    func leased(until time: Timestamp) { state.withLock { $0.leasedUntil = time } }

    var revoked: Set<MintEpoch> { state.withLock { $0.revoked } }
    /// Whether an epoch is revoked or may be at any time.
    func isSuspect(_ epoch: MintEpoch) -> Bool { state.withLock { $0.suspects.contains(epoch) } }
    func suspect(_ epoch: MintEpoch) { state.withLock { _ = $0.suspects.insert(epoch) } }
    func revoke(_ epoch: MintEpoch) { state.withLock { _ = $0.revoked.insert(epoch) } }

    /// A number in `0..<bound`.
    func draw(_ bound: Int) -> Int { state.withLock { Int($0.random.next(below: UInt64(bound))) } }

    func happens(_ rate: Double) -> Bool {
        rate > 0 && Double(draw(1_000_000)) < rate * 1_000_000
    }

    func pause(milliseconds: Int) async {
        do {
            // Directly: most steps of a simulation are pauses.
            try await scheduler.sleep(until: scheduler.now + .milliseconds(milliseconds))
        } catch {
            return
        }
    }

    /// Takes no time, some, or much.
    func dawdle(_ slow: Double) async {
        if happens(slow) {
            await pause(milliseconds: draw(1_200))
        } else if draw(3) == 0 {
            await pause(milliseconds: draw(5))
        }
    }
}
