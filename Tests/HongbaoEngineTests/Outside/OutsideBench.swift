import Crypto
import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import HongbaoEngine

/// What an alarm says, for tests to look at.
final class LogLines: Sendable {
    let lines = Mutex<[String]>([])

    struct Handler: LogHandler {
        let target: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .error
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = "\(event.message) \(event.metadata ?? [:])"
            target.lines.withLock { $0.append(line) }
        }
    }

    var logger: Logger { Logger(label: "test") { _ in Handler(target: self) } }
}

/// A store on disk, all four outside systems and virtual time.
struct OutsideBench: Sendable {
    static let claimant = PersonID(123_456_789)
    static let sender = PersonID(987_654_321)

    let base: PayoutBench
    let transfers: TestChannel
    let refunds: TestChannel
    let cashier: TestCashier
    let keyring = Keyring()
    let log = LogLines()
    let alarms: Alarms

    init() async throws {
        base = try await PayoutBench()
        let wall = base.wall
        transfers = TestChannel(now: { wall.now })
        refunds = TestChannel(now: { wall.now })
        cashier = TestCashier(now: { wall.now })
        alarms = Alarms(logger: log.logger)
    }

    var store: SQLiteStore { base.store }

    var clock: WallClock {
        let wall = base.wall
        return WallClock(timer: base.clock) { wall.now }
    }

    func channel(_ system: OutsideSystem) -> TestChannel? {
        switch system {
        case .payments: nil
        case .payouts: base.channel
        case .transfers: transfers
        case .refunds: refunds
        }
    }

    /// One life of the process, as far as it has to do with the outside.
    func life(
        _ mechanisms: OutsidePolicy.Mechanisms = .all,
        alarmAfterAttempts: UInt32 = 10,
        on other: (any Store)? = nil
    ) -> OutsideLife {
        OutsideLife(self, mechanisms, alarmAfterAttempts, other ?? store)
    }

    func read<Answer: Sendable>(
        _ body: @Sendable (any StoreSnapshot) throws(StoreError) -> Answer
    ) async throws -> Answer {
        try await store.read(body)
    }

    func fen(_ account: AccountID) async throws -> Int64 {
        try await read { (snapshot) throws(StoreError) in try snapshot.account(account).available }
    }

    func packet(_ id: RedPacketID) async throws -> RedPacket {
        try #require(try await read { (snapshot) throws(StoreError) in try snapshot.packet(id) })
    }

    func refunds(of id: RedPacketID) async throws -> [Refund] {
        try await read { (snapshot) throws(StoreError) in try snapshot.refunds(of: id) }
    }

    /// Lets virtual time pass, so many seconds at a time.
    func lets(pass seconds: Int64, by step: Int64 = 1) async throws {
        for _ in 0..<seconds / step {
            base.pass(milliseconds: step * 1_000)
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    /// Whatever happened, the books add up (M1, M2, M7, M8, M9, M10).
    func check(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        #expect(try await LedgerCheck.read(store).breaches == [], sourceLocation: sourceLocation)
        let report = try await Audit.run(store, keyring: keyring)
        // Grants are posted by the log, which isn't here.
        let breached = report.checks.filter { $0.breachCount > 0 && $0.invariant != "M4" }
        #expect(breached.isEmpty, "\(breached.flatMap(\.breaches))", sourceLocation: sourceLocation)
    }

    /// Runs the services while `body` runs.
    func running(_ life: OutsideLife, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await runningUntilKilled([life.outside], body)
    }
}

/// An order that waits for the outside, and how to see that it has come to its end.
struct OutsideCase: Sendable {
    let system: OutsideSystem
    let order: String
    let isEnded: @Sendable () async throws -> Bool
}

struct OutsideLife: Sendable {
    let bench: OutsideBench
    let outside: Outside
    let packets: Packets
    let sweeps: PacketSweeps

    init(
        _ bench: OutsideBench,
        _ mechanisms: OutsidePolicy.Mechanisms,
        _ alarmAfterAttempts: UInt32,
        _ store: any Store
    ) {
        self.bench = bench
        var policy = OutsidePolicy()
        policy.mechanisms = mechanisms
        policy.alarmAfterAttempts = alarmAfterAttempts
        var policies = Outside.Policies()
        policies.payments = policy
        policies.transfers = policy
        policies.refunds = policy
        let configuration = Packets.Configuration()
        let outside = Outside(
            Channels(
                cashier: bench.cashier,
                payouts: bench.base.channel,
                transfers: bench.transfers,
                refunds: bench.refunds
            ),
            Shards(store),
            payouts: policy,
            policies: policies,
            terms: Payment.Terms(
                payWithinSeconds: configuration.payWithinSeconds,
                lifeSeconds: configuration.lifeSeconds
            ),
            seed: 1,
            digestKey: bench.keyring.identityHash,
            surroundings: OutsideSurroundings(bench.clock),
            alarms: bench.alarms,
            logger: .silent
        )
        self.outside = outside
        packets = Packets(
            Shards(bench.store),
            clock: bench.clock,
            vault: SeedVault(bench.keyring),
            promised: { outside.transfers.promised($0) }
        )
        sweeps = PacketSweeps(
            Shards(bench.store),
            clock: bench.clock,
            refundPromised: { outside.refunds.promised($0) },
            logger: .silent
        )
    }

    func send(_ amount: Int64 = 1_000, _ count: Int = 4) async throws -> RedPacket {
        let draft = try PacketRig.draft(.c2c, .of(amount, count), sender: OutsideBench.sender.rawValue)
        guard case .sent(let packet) = await packets.send(draft) else { throw Unexpected("not sent") }
        return packet
    }

    /// Sent, paid and open for claims, without the cashier.
    func published(_ amount: Int64 = 1_000, _ count: Int = 4) async throws -> RedPacket {
        try await Till(bench.store, bench.clock).pay(for: try await send(amount, count))
    }

    /// Has something promised to a system.
    func promise(_ system: OutsideSystem) async throws -> OutsideCase {
        let bench = bench
        switch system {
        case .payouts:
            let withdrawal = try await bench.base.withdraw("w1", 300, outside.payouts)
            return OutsideCase(system: system, order: withdrawal.payoutOrder) {
                try await bench.base.state(withdrawal) == .paid
            }
        case .transfers:
            let packet = try await published()
            guard case .decided(.claimed(let claim, _)) = await packets.claim(packet.id, by: OutsideBench.claimant)
            else { throw Unexpected("not claimed") }
            return OutsideCase(system: system, order: claim.transferOrder) {
                let claims = try await bench.read { (snapshot) throws(StoreError) in try snapshot.claims([claim.key]) }
                return claims.first?.state == .done
            }
        case .refunds:
            let packet = try await published()
            bench.base.wall.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            await sweeps.sweep()
            return OutsideCase(system: system, order: "r_\(packet.id.rawValue)_1") {
                try await bench.packet(packet.id).state == .closed
            }
        case .payments:
            let packet = try await send()
            guard case .page = await outside.payments.open(packet) else { throw Unexpected("no page") }
            return OutsideCase(system: system, order: packet.paymentOrder) {
                try await bench.packet(packet.id).state == .published
            }
        }
    }
}
