import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Every outside system by every mechanism (AS-1, AS-2, M9, M10, M15).
@Suite(.timeLimit(.minutes(15))) struct OutsideTests {
    private static let mechanisms: [OutsidePolicy.Mechanisms] = [.callback, .delayedQuery, .sweep]

    /// AS-1: each of the three alone brings each system's order to its end, also when another process goes on.
    @Test(arguments: OutsideSystem.allCases, mechanisms)
    func eachMechanismAloneIsEnough(_ system: OutsideSystem, _ mechanisms: OutsidePolicy.Mechanisms) async throws {
        for restarts in [false, true] {
            let bench = try await OutsideBench()
            let first = bench.life(mechanisms)
            let promised = Mutex<OutsideCase?>(nil)
            let finishOutside: @Sendable () async throws -> Void = {
                let order = try #require(promised.withLock { $0 })
                #expect(try await !order.isEnded())
                if system == .payments { bench.cashier.pay(order.order, try #require(Amount(fen: 1_000))) }
                bench.base.pass(milliseconds: system == .payments ? 60_000 : 3_600_000)
            }
            let end: @Sendable (OutsideLife) async throws -> Void = { life in
                let order = try #require(promised.withLock { $0 })
                try await bench.base.until("\(system) \(restarts)") {
                    // Again and again: virtual time may run out for a question that a busy machine is slow to ask.
                    if mechanisms == .callback { #expect(life.outside.callback(system, order: order.order)) }
                    return try await order.isEnded()
                }
            }
            let start = bench.base.wall.now
            bench.channel(system)?.state.withLock {
                $0.doneAt = start.advanced(bySeconds: (system == .refunds ? RedPacket.lifeSeconds : 0) + 3_600)
            }
            try await bench.running(first) {
                let order = try await first.promise(system)
                promised.withLock { $0 = order }
                if let channel = bench.channel(system) {
                    try await bench.base.until("a submission") { channel.state.withLock { $0.double.submissions } > 0 }
                }
                guard !restarts else { return }
                try await finishOutside()
                try await end(first)
            }
            if restarts {
                // While nobody runs: a new process asks for what is left of an old one as long as a clock that runs
                // evenly may need, and that hour passes at once.
                try await finishOutside()
                let second = bench.life(mechanisms)
                try await bench.running(second) { try await end(second) }
            }
            if let channel = bench.channel(system) {
                #expect(channel.state.withLock { $0.double.submissions } == 1, "\(restarts)")
            } else {
                #expect(bench.cashier.state.withLock { $0.opens } == 1, "\(restarts)")
            }
            #expect(Set(bench.log.lines.withLock { $0 }).isEmpty)
            try await bench.check()
        }
    }

    /// M15: a process that dies after the promise and before it's submitted loses nothing; nor does one whose store
    /// fails between the outside and the record.
    @Test(arguments: OutsideSystem.allCases, 0..<4 as Range<UInt64>)
    func nothingIsLostBetween(_ system: OutsideSystem, seed: UInt64) async throws {
        let bench = try await OutsideBench()
        // Its services don't run: it dies right after the promise.
        let order = try await bench.life().promise(system)
        if system == .payments { bench.cashier.pay(order.order, try #require(Amount(fen: 1_000))) }
        let mechanisms: OutsidePolicy.Mechanisms = seed % 2 == 0 ? .sweep : .delayedQuery
        for life in 0..<3 as Range<UInt64> {
            let faulty = FaultyStore(bench.store, seed: seed &* 31 &+ life, oneIn: 2)
            // Killed a few times within the first seconds.
            try await bench.running(bench.life(mechanisms, on: faulty)) {
                try await bench.lets(pass: 2)
            }
        }
        try await bench.running(bench.life(mechanisms)) {
            try await bench.base.until("\(system)") { try await order.isEnded() }
        }
        try await bench.check()
        if let channel = bench.channel(system) {
            #expect(channel.state.withLock { $0.double.orders.count } == 1)
        }
    }

    /// AS-2: whoever looks at an alarm can find the order, and learns nothing about a person.
    @Test(arguments: OutsideSystem.allCases)
    func alarmsSayWhatAPersonNeeds(_ system: OutsideSystem) async throws {
        let bench = try await OutsideBench()
        let life = bench.life(alarmAfterAttempts: 3)
        bench.channel(system)?.state.withLock { $0.doneAt = Timestamp(milliseconds: .max) }
        let kind: Alarms.Kind = system == .payouts ? .payoutStuck : .outsideStuck
        let text = Mutex("")
        try await bench.running(life) {
            let order = try await life.promise(system)
            text.withLock { $0 = order.order }
            if system == .payments {
                bench.cashier.state.withLock { $0.isDown = true }
            }
            try await bench.base.until("an alarm") { bench.alarms.count(kind) >= 2 }
        }
        let lines = bench.log.lines.withLock { $0 }.filter { $0.contains(kind.rawValue) }
        let line = try #require(lines.first)
        for word in ["attempts", "fen", "s old", "book"] { #expect(line.contains(word), "\(line)") }
        if system != .payouts { #expect(line.contains(system.rawValue)) }
        let parts = text.withLock { $0 }.split(separator: "_")
        let secrets = [text.withLock { $0 }, "123456789", "987654321"] + (parts[1].count > 5 ? [String(parts[1])] : [])
        for secret in secrets { #expect(!line.contains(secret), "\(line)") }
    }

    /// M9: a channel that lies about an amount changes nothing, and somebody is told.
    @Test(arguments: [OutsideSystem.payouts, .transfers, .refunds])
    func wrongAmountsChangeNothing(_ system: OutsideSystem) async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        let channel = try #require(bench.channel(system))
        channel.state.withLock { $0.surplus = 1 }
        let kind: Alarms.Kind = system == .payouts ? .payoutContradiction : .outsideContradiction
        try await bench.running(life) {
            let order = try await life.promise(system)
            try await bench.base.until("an alarm") { bench.alarms.count(kind) >= 2 }
            #expect(try await !order.isEnded())
            channel.state.withLock { $0.surplus = 0 }
            try await bench.base.until("the end") { try await order.isEnded() }
        }
        try await bench.check()
    }

    /// Lost replies: the order isn't submitted again while the outside knows it.
    @Test(arguments: [OutsideSystem.payouts, .transfers, .refunds])
    func lostRepliesAreAskedAbout(_ system: OutsideSystem) async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        let channel = try #require(bench.channel(system))
        channel.state.withLock { $0.behaviour = .losesReplies }
        try await bench.running(life) {
            let order = try await life.promise(system)
            try await bench.base.until("the end") { try await order.isEnded() }
        }
        #expect(channel.state.withLock { $0.double.submissions } == 1)
        try await bench.check()
    }

    /// What isn't an order of that system is no order.
    @Test func ordersAreReadExactly() async throws {
        let bench = try await OutsideBench()
        let outside = bench.life().outside
        let right: [OutsideSystem: String] = [
            .payments: "p_5", .payouts: "w_1_2_3", .transfers: "t_5_0", .refunds: "r_5_1",
        ]
        var texts = ["", "p", "p_", "p_0", "p_05", "p_-1", "p_5_1", "p_18446744073709551616", "t_5", "t_0_1", "🧧"]
        texts += ["t_5_1000000", "t_5_00", "r_5", "r_5_0", "r_0_1", "r_5_01", "r_5_4294967296", "x_5_1", "r_5_1 "]
        for system in OutsideSystem.allCases {
            for (other, text) in right { #expect(outside.callback(system, order: text) == (system == other)) }
            for text in texts { #expect(!outside.callback(system, order: text), "\(text)") }
        }
        #expect(Claim.id(of: "t_5_7") == ClaimPlace(packet: RedPacketID(5), position: 7))
    }

    /// RP-9: the transfer channel hangs for a minute, and nobody who claims waits for it.
    @Test func claimsNeverWaitForTheirTransfer() async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        bench.transfers.state.withLock { $0.behaviour = .hangs }
        try await bench.running(life) {
            let packet = try await life.published(1_000, 100)
            let began = bench.base.wall.now
            for second in 0..<60 as Range<UInt64> {
                // Time stands still while this waits for its answer.
                guard case .decided(.claimed) = await life.packets.claim(packet.id, by: PersonID(second + 1)) else {
                    throw Unexpected("not claimed")
                }
                bench.base.pass(milliseconds: 1_000)
                await Task.yield()
            }
            #expect(bench.base.wall.now == began.advanced(bySeconds: 60))
            #expect(try await bench.packet(packet.id).transferred == .zero)
            #expect(bench.transfers.state.withLock { $0.double.submissions } == 0)
            bench.transfers.state.withLock { $0.behaviour = .answers }
            try await bench.base.until("the transfers") {
                let packet = try await bench.packet(packet.id)
                return packet.transferred == packet.claimed
            }
        }
        #expect(bench.transfers.state.withLock { $0.double.orders.count } == 60)
        try await bench.check()
    }
}
