import HongbaoCore
import HongbaoSQLite
import HongbaoTesting
import Synchronization
import Testing

@testable import HongbaoEngine

/// Payments that come, don't come, come wrong and come late; what goes back (RP-2, RP-4, M7, M9).
@Suite(.timeLimit(.minutes(15))) struct PaymentTests {
    private static func amount(_ fen: Int64) throws -> Amount { try #require(Amount(fen: fen)) }

    private static let cashier = AccountID.cashier(of: PacketRig.book)
    private static let refunds = AccountID.refunds(of: PacketRig.book)

    /// The same page again, as long as it can be paid; a callback that comes twice changes nothing.
    @Test func openingIsIdempotent() async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        try await bench.running(life) {
            let packet = try await life.send()
            let page = await life.outside.payments.open(packet)
            #expect(page == .page(url: "https://cashier.example/\(packet.paymentOrder)"))
            #expect(await life.outside.payments.open(packet) == page)
            #expect(try await bench.packet(packet.id).state == .paying)
            bench.cashier.pay(packet.paymentOrder, packet.split.amount)
            for _ in 0..<5 { #expect(life.outside.callback(.payments, order: packet.paymentOrder)) }
            try await bench.base.until("the packet") { try await bench.packet(packet.id).state == .published }
            for _ in 0..<5 {
                #expect(life.outside.callback(.payments, order: packet.paymentOrder))
                try await bench.lets(pass: 2)
            }
            #expect(await life.outside.payments.open(packet) == .unavailable)
            #expect(try await bench.fen(Self.cashier) == -1_000)
            #expect(try await bench.refunds(of: packet.id) == [])
            #expect(bench.log.lines.withLock { $0 }.isEmpty)
        }
        try await bench.check()
    }

    /// A page that never came there is asked for again, by whoever wants to pay and by the machine; nothing is lost.
    @Test(arguments: [true, false])
    func aCashierThatIsAwayLosesNothing(isDown: Bool) async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        try await bench.running(life) {
            bench.cashier.state.withLock { ($0.isDown, $0.losesReplies) = (isDown, !isDown) }
            let packet = try await life.send()
            #expect(await life.outside.payments.open(packet) == .unavailable)
            #expect(try await bench.packet(packet.id).state == .paying)
            bench.cashier.state.withLock { ($0.isDown, $0.losesReplies) = (false, false) }
            guard case .page = await life.outside.payments.open(packet) else { throw Unexpected("no page") }
            bench.cashier.pay(packet.paymentOrder, packet.split.amount)
            try await bench.base.until("the packet") { try await bench.packet(packet.id).state == .published }
        }
        try await bench.check()
    }

    /// Nobody pays: when the time is over the cashier is told to take nothing more, and the packet ends.
    @Test(arguments: [OutsidePolicy.Mechanisms.delayedQuery, .sweep])
    func whatIsNeverPaidIsCancelled(_ mechanisms: OutsidePolicy.Mechanisms) async throws {
        let bench = try await OutsideBench()
        let life = bench.life(mechanisms)
        try await bench.running(life) {
            let packet = try await life.send()
            _ = await life.outside.payments.open(packet)
            try await bench.base.until("its end") { try await bench.packet(packet.id).state == .abandoned }
            #expect(bench.base.wall.now >= packet.createdAt.advanced(bySeconds: 30 * 60))
            #expect(await life.outside.payments.open(packet) == .unavailable)
        }
        #expect(try await bench.fen(Self.cashier) == 0)
        try await bench.check()
    }

    /// Another amount than was asked for: no packet, an alarm, and all of it goes back, once.
    @Test(arguments: [1, 999, 1_001, 5_000] as [Int64])
    func anotherAmountGoesBack(_ fen: Int64) async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        try await bench.running(life) {
            let packet = try await life.send()
            _ = await life.outside.payments.open(packet)
            bench.cashier.pay(packet.paymentOrder, try Self.amount(fen))
            try await bench.base.until("a refund") {
                try await bench.refunds(of: packet.id).first?.state == .done
            }
            for _ in 0..<3 {
                #expect(life.outside.callback(.payments, order: packet.paymentOrder))
                #expect(life.outside.callback(.refunds, order: "r_\(packet.id.rawValue)_1"))
                try await bench.lets(pass: 2)
            }
            #expect(try await bench.packet(packet.id).state == .abandoned)
            let refunds = try await bench.refunds(of: packet.id)
            #expect(refunds.map(\.reason) == [.wrongAmount] && refunds.map(\.amount.fen) == [fen])
        }
        #expect(bench.alarms.count(.paymentReturned) == 1)
        #expect(try await bench.fen(Self.cashier) == -fen)
        #expect(try await bench.fen(Self.refunds) == fen)
        let sent = try #require(bench.refunds.state.withLock { $0.double.orders.values.first })
        #expect(sent.amount.fen == fen)
        try await bench.check()
    }

    /// What can't be an amount of money moves nothing and breaks nothing.
    @Test func impossibleAmountsAreOnlyAlarms() async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        try await bench.running(life) {
            let packet = try await life.send()
            _ = await life.outside.payments.open(packet)
            bench.cashier.pay(packet.paymentOrder, .zero)
            try await bench.base.until("an alarm") { bench.alarms.count(.outsideContradiction) > 0 }
            #expect(try await bench.packet(packet.id).state == .paying)
            bench.cashier.pay(packet.paymentOrder, packet.split.amount)
            try await bench.base.until("the packet") { try await bench.packet(packet.id).state == .published }
        }
        try await bench.check()
    }

    /// A payment that comes after all for a packet that was given up goes back, once, however often it's called back.
    @Test func latePaymentsGoBack() async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        try await bench.running(life) {
            let packet = try await life.send()
            _ = await life.outside.payments.open(packet)
            try await bench.base.until("its end") { try await bench.packet(packet.id).state == .abandoned }
            // Called back without a payment: nothing.
            #expect(life.outside.callback(.payments, order: packet.paymentOrder))
            try await bench.lets(pass: 20)
            #expect(try await bench.refunds(of: packet.id) == [])
            bench.cashier.pay(packet.paymentOrder, packet.split.amount)
            for _ in 0..<5 { #expect(life.outside.callback(.payments, order: packet.paymentOrder)) }
            try await bench.base.until("a refund") { try await bench.refunds(of: packet.id).first?.state == .done }
            for _ in 0..<5 {
                #expect(life.outside.callback(.payments, order: packet.paymentOrder))
                try await bench.lets(pass: 2)
            }
            let refunds = try await bench.refunds(of: packet.id)
            #expect(refunds.map(\.reason) == [.latePayment] && refunds.map(\.amount) == [packet.split.amount])
        }
        #expect(bench.alarms.count(.paymentReturned) == 1)
        #expect(try await bench.fen(Self.cashier) == -1_000)
        #expect(try await bench.fen(Self.refunds) == 1_000)
        try await bench.check()
    }

    /// RP-4: a refund that is refused for good is followed by another one, and exactly one is ever done.
    @Test(arguments: [OutsidePolicy.Mechanisms.delayedQuery, .sweep, .all])
    func refusedRefundsAreAskedForAgain(_ mechanisms: OutsidePolicy.Mechanisms) async throws {
        let bench = try await OutsideBench()
        let life = bench.life(mechanisms)
        bench.refunds.state.withLock { $0.fails = true }
        try await bench.running(life) {
            let order = try await life.promise(.refunds)
            let id = try #require(Refund.id(of: order.order))
            try await bench.base.until("a third, and who is told of it") {
                try await bench.refunds(of: id).count >= 3 && bench.alarms.count(.orderRefused) >= 2
            }
            bench.refunds.state.withLock { $0.fails = false }
            try await bench.base.until("the end") { try await order.isEnded() }
            let refunds = try await bench.refunds(of: id)
            #expect(refunds.count { $0.state == .done } == 1 && refunds.last?.state == .done)
            #expect(try await bench.fen(Self.refunds) == 1_000)
        }
        try await bench.check()
    }

    /// The last claim's transfer and the refund come in any order; the later one closes the packet (M8).
    @Test(arguments: [OutsideSystem.transfers, .refunds])
    func theLaterOneCloses(_ late: OutsideSystem) async throws {
        let bench = try await OutsideBench()
        let life = bench.life()
        let channel = try #require(bench.channel(late))
        let done = bench.base.wall.now.advanced(bySeconds: 2 * RedPacket.lifeSeconds)
        channel.state.withLock { $0.doneAt = done }
        try await bench.running(life) {
            let packet = try await life.published()
            for person in 1...3 as ClosedRange<UInt64> { _ = await life.packets.claim(packet.id, by: PersonID(person)) }
            bench.base.wall.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            await life.sweeps.sweep()
            try await bench.base.until("the other one") {
                let packet = try await bench.packet(packet.id)
                return late == .transfers ? packet.refunded == packet.unclaimed : packet.transferred == packet.claimed
            }
            #expect(try await bench.packet(packet.id).state == .closing)
            await life.sweeps.sweep()
            #expect(try await bench.refunds(of: packet.id).count == 1)
            bench.base.wall.advance(byMilliseconds: RedPacket.lifeSeconds * 1_000)
            try await bench.base.until("its end") { try await bench.packet(packet.id).state == .closed }
            #expect(try await bench.fen(packet.escrow) == 0)
        }
        try await bench.check()
    }
}
