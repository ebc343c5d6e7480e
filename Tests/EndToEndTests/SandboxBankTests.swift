import HongbaoCore
import HongbaoEngine
import HongbaoGateway
import Testing

@testable import hongbao_dev

/// The sandbox's books: what the outside systems of the tests and the demo do, so that tests can rely on it (AS-1).
@Suite struct SandboxBankTests {
    private static let start = Timestamp(milliseconds: 1_643_630_400_000)
    private static let settings = SandboxSettings(delayMilliseconds: 1_000)

    private static func at(_ second: Int64) -> Timestamp { start.advanced(bySeconds: second) }

    private static func fen(_ fen: Int64) -> Amount { Amount(fen: fen) ?? .zero }

    private static func payment(_ order: String, _ amount: Int64, closesAt: Int64 = 600) -> SandboxOrder {
        SandboxOrder(PaymentOrder(order: order, person: PersonID(7), amount: fen(amount), closesAt: at(closesAt)))
    }

    private static func refund(_ order: String, _ amount: Int64, of payment: String, to person: UInt64 = 7)
        -> SandboxOrder
    {
        SandboxOrder(
            PayoutOrder(order: order, person: PersonID(person), amount: fen(amount), payment: payment)
        )
    }

    private static func key(_ system: OutsideSystem, _ order: String) -> SandboxEntry.Key {
        SandboxEntry.Key(system: system, order: order)
    }

    private static func report(_ bank: SandboxBank, _ system: OutsideSystem, _ order: String) -> PayoutReport {
        bank.result(of: key(system, order)).report
    }

    // MARK: The cashier

    @Test func aPaymentIsMadeOnceAndByAPerson() throws {
        var bank = SandboxBank(seed: 1)
        let order = Self.payment("p_1", 1_000)
        #expect(bank.accept(order, at: .payments, settings: Self.settings, now: Self.at(0)).result.state == .processing)
        #expect(bank.finish(now: Self.at(599)).entries == [])
        let paid = bank.pay("p_1", now: Self.at(10))
        #expect(paid.entries.map { $0.result.report } == [.paid(Self.fen(1_000))])
        // Again, given up, cancelled, and its closing time: it stays paid.
        #expect(bank.pay("p_1", now: Self.at(11)).entries == [])
        #expect(bank.giveUp("p_1", now: Self.at(12)).entries == [])
        #expect(bank.cancel("p_1", now: Self.at(13)).entries == [])
        #expect(bank.finish(now: Self.at(601)).entries == [])
        #expect(Self.report(bank, .payments, "p_1") == .paid(Self.fen(1_000)))
        let again = bank.accept(order, at: .payments, settings: Self.settings, now: Self.at(700))
        #expect(again.result.state == .paid && again.line == "")
        let other = Self.payment("p_1", 1_001)
        #expect(
            bank.accept(other, at: .payments, settings: Self.settings, now: Self.at(700)).result.state == .conflict
        )
        #expect(bank.totals(of: .payments) == SandboxBank.Totals(paid: 1, paidAmount: 1_000))
        #expect(bank.totals(of: .payouts) == SandboxBank.Totals())
    }

    @Test func aPaymentEndsUnpaid() throws {
        var bank = SandboxBank(seed: 1)
        for order in ["p_closed", "p_given_up", "p_cancelled"] {
            _ = bank.accept(Self.payment(order, 5), at: .payments, settings: Self.settings, now: Self.at(0))
        }
        #expect(bank.giveUp("p_given_up", now: Self.at(1)).entries.count == 1)
        #expect(bank.cancel("p_cancelled", now: Self.at(1)).entries.count == 1)
        #expect(bank.pay("p_closed", now: Self.at(600)).entries == [])
        #expect(bank.finish(now: Self.at(600)).entries.map(\.key.order) == ["p_closed"])
        for order in ["p_closed", "p_given_up", "p_cancelled"] {
            #expect(Self.report(bank, .payments, order) == .failed, "\(order)")
            #expect(bank.pay(order, now: Self.at(2)).entries == [])
        }
        #expect(Self.report(bank, .payments, "p_none") == .unknownOrder)
    }

    /// A cancellation that overtakes its order counts: the order can't be paid when it comes.
    @Test func cancelledBeforeItCame() throws {
        var bank = SandboxBank(seed: 1)
        #expect(bank.cancel("p_1", now: Self.at(0)).lines != "")
        #expect(bank.cancel("p_1", now: Self.at(1)).lines == "")
        #expect(Self.report(bank, .payments, "p_1") == .failed)
        let late = bank.accept(Self.payment("p_1", 5), at: .payments, settings: Self.settings, now: Self.at(2))
        #expect(late.result.state == .failed)
        #expect(bank.pay("p_1", now: Self.at(3)).entries == [])
        #expect(Self.report(bank, .payments, "p_1") == .failed)
    }

    @Test func anUnreliableCashier() throws {
        var bank = SandboxBank(seed: 1)
        var settings = Self.settings
        settings.latePayments = 1000
        settings.wrongAmounts = 1000
        settings.duplicateCallbacks = 1000
        _ = bank.accept(Self.payment("p_1", 500), at: .payments, settings: settings, now: Self.at(0))
        #expect(bank.cancel("p_1", now: Self.at(5)).entries.map(\.callbacks) == [3])
        #expect(Self.report(bank, .payments, "p_1") == .failed)
        let late = bank.finish(now: Self.at(6))
        #expect(late.entries.map { $0.result.report } == [.paid(Self.fen(501))])
        #expect(late.entries.map(\.callbacks) == [3])
        #expect(bank.totals(of: .payments) == SandboxBank.Totals(paid: 1, paidAmount: 501))
        settings = Self.settings
        settings.autoPays = 1000
        _ = bank.accept(Self.payment("p_2", 500), at: .payments, settings: settings, now: Self.at(10))
        _ = bank.accept(
            Self.payment("p_3", 500, closesAt: 11),
            at: .payments,
            settings: settings,
            now: Self.at(10)
        )
        #expect(bank.finish(now: Self.at(11)).entries.count == 2)
        #expect(Self.report(bank, .payments, "p_2") == .paid(Self.fen(500)))
        #expect(Self.report(bank, .payments, "p_3") == .failed)
    }

    // MARK: Refunds

    /// Never more than was paid, only to who has paid, and only of what was paid.
    @Test func refundsGiveBackWhatWasPaid() throws {
        var bank = SandboxBank(seed: 1)
        for (order, isPaid) in [("p_1", true), ("p_open", false)] {
            _ = bank.accept(Self.payment(order, 1_000), at: .payments, settings: Self.settings, now: Self.at(0))
            if isPaid { _ = bank.pay(order, now: Self.at(1)) }
        }
        for order in [
            Self.refund("r_1", 400, of: "p_1"), Self.refund("r_2", 601, of: "p_1"),
            Self.refund("r_3", 600, of: "p_1"), Self.refund("r_4", 1, of: "p_1"),
            Self.refund("r_5", 1, of: "p_open"), Self.refund("r_6", 1, of: "p_none"),
            Self.refund("r_7", 0, of: "p_1", to: 8),
        ] {
            let (result, _) = bank.accept(order, at: .refunds, settings: Self.settings, now: Self.at(2))
            #expect(result.state == .processing)
        }
        #expect(bank.finish(now: Self.at(3)).entries.count == 7)
        let paid = (1...7).map { Self.report(bank, .refunds, "r_\($0)") }
        let expected: [PayoutReport] = [.paid(Self.fen(400)), .failed, .paid(Self.fen(600)), .failed, .failed]
        #expect(paid == expected + [.failed, .failed])
        #expect(bank.totals(of: .refunds) == SandboxBank.Totals(paid: 2, failed: 5, paidAmount: 1_000))
    }

    /// For every seed and every disorder: what is given back of a payment is at most what was paid.
    @Test(arguments: 0..<20 as Range<UInt64>) func refundsNeverExceedPayments(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var bank = SandboxBank(seed: seed)
        var settings = SandboxSettings(delayMilliseconds: 3_000)
        settings.distribution = .uniform
        settings.failures = 200
        settings.wrongAmounts = 300
        settings.latePayments = 300
        settings.autoPays = 400
        var journal = ""
        for second in 0..<400 as Range<Int64> {
            let now = Self.at(second)
            let number = random.next(below: 20)
            let changes: SandboxBank.Changes
            switch random.next(below: 6) {
            case 0:
                let order = Self.payment("p_\(number)", 100, closesAt: second + 20)
                journal += bank.accept(order, at: .payments, settings: settings, now: now).line
                continue
            case 1, 2:
                let amount = Int64(random.next(below: 60))
                let order = Self.refund("r_\(second)", amount, of: "p_\(number)")
                journal += bank.accept(order, at: .refunds, settings: settings, now: now).line
                continue
            case 3: changes = bank.pay("p_\(number)", now: now)
            case 4: changes = bank.cancel("p_\(number)", now: now)
            default: changes = bank.finish(now: now)
            }
            journal += changes.lines
        }
        journal += bank.finish(now: Self.at(100_000)).lines
        let payments = bank.totals(of: .payments)
        let refunds = bank.totals(of: .refunds)
        #expect(payments.processing == 0 && refunds.processing == 0)
        #expect(refunds.paidAmount <= payments.paidAmount)
        var given: [String: Int64] = [:]
        for second in 0..<400 {
            guard let entry = bank[Self.key(.refunds, "r_\(second)")], let paid = entry.final?.paid,
                let payment = entry.terms?.payment
            else { continue }
            given[payment, default: 0] += paid.fen
        }
        for (payment, sum) in given {
            let paid = try #require(bank[Self.key(.payments, payment)]?.final?.paid)
            #expect(sum <= paid.fen, "\(payment)")
        }
        // The journal shows all: read back, it gives the same books, and goes on alike.
        var copy = SandboxBank(seed: seed)
        _ = try copy.replay(journal)
        for system in OutsideSystem.allCases {
            #expect(copy.totals(of: system) == bank.totals(of: system))
            #expect(copy.dailyFile(of: system, from: Self.start) == bank.dailyFile(of: system, from: Self.start))
        }
        for number in 0..<20 {
            let key = Self.key(.payments, "p_\(number)")
            #expect(copy[key] == bank[key])
        }
    }

    // MARK: The journal

    @Test func aRestartForgetsNothing() throws {
        var bank = SandboxBank(seed: 1)
        var settings = Self.settings
        settings.latePayments = 1000
        var journal = ""
        for system in [OutsideSystem.payouts, .transfers] {
            let order = SandboxOrder(PayoutOrder(order: "o_1", person: PersonID(.max), amount: Self.fen(9)))
            journal += bank.accept(order, at: system, settings: settings, now: Self.at(0)).line
        }
        journal += bank.accept(Self.payment("p_1", 1_000), at: .payments, settings: settings, now: Self.at(0)).line
        journal += bank.cancel("p_1", now: Self.at(0)).lines
        journal += bank.cancel("p_none", now: Self.at(0)).lines
        var copy = SandboxBank(seed: 1)
        #expect(try copy.replay(journal).map(\.key.order) == ["p_1"])
        // What was to come comes after the restart, too, also the late payment.
        let finished = copy.finish(now: Self.at(1))
        #expect(finished.entries.count == 3)
        journal += finished.lines
        #expect(Self.report(copy, .payments, "p_1") == .paid(Self.fen(1_000)))
        // Only a callback about the last that happened settles it.
        let first = try #require(bank[Self.key(.payments, "p_1")])
        let last = try #require(copy[Self.key(.payments, "p_1")])
        var third = SandboxBank(seed: 1)
        #expect(try third.replay(journal + SandboxBank.line(acknowledging: first)).count == 3)
        var fourth = SandboxBank(seed: 1)
        #expect(try fourth.replay(journal + SandboxBank.line(acknowledging: last)).count == 2)
        #expect(Self.report(fourth, .payments, "p_none") == .failed)
    }

    @Test(arguments: [
        "Z,payouts,o,1", "A,payouts,o", "A,bank,o,1,1,-,-,1,1,1,-,1,1", "A,payouts,o,1,-1,-,-,1,1,1,-,1,1",
        "A,payouts,o,1,1,-,-,1,1,1,-,1", "A,payouts,o,1,1,-,-,1,1,1,-,1,1,1", "F,payouts,o,1,1,-,-",
        "C,payouts,o,x", "A,payouts,o,1,1,-,-,1,1,1,-,1,1\nA,payouts,o,1,1,-,-,1,1,1,-,1,1",
    ])
    func damagedJournalsAreRefused(journal: String) {
        var bank = SandboxBank(seed: 1)
        #expect(throws: SandboxBank.Damage.self) { try bank.replay(journal) }
    }

    // MARK: The page

    @Test func amountsInYuan() throws {
        for (fen, text) in [
            (0, "¥0.00"), (1, "¥0.01"), (10, "¥0.10"), (1_288, "¥12.88"), (100_000_000, "¥1000000.00"),
            (.max, "¥92233720368547758.07"),
        ] as [(Int64, String)] { #expect(PaymentPage.yuan(Self.fen(fen)) == text) }
    }

    /// Nothing that a strict policy would have to allow: no script, no style and no handler in the page.
    @Test func thePageHasNoScript() throws {
        var bank = SandboxBank(seed: 1)
        _ = bank.accept(Self.payment("p_1", 1_288), at: .payments, settings: Self.settings, now: Self.at(0))
        let open = PaymentPage.html("p_1", bank[Self.key(.payments, "p_1")])
        #expect(open.contains("支付 ¥12.88") && open.contains("20:10:00") && open.contains("<form method=\"post\">"))
        _ = bank.pay("p_1", now: Self.at(1))
        let paid = PaymentPage.html("p_1", bank[Self.key(.payments, "p_1")])
        #expect(paid.contains("已支付") && !paid.contains("<form"))
        for html in [open, paid, PaymentPage.html("p_2", nil)] {
            for word in ["<script", "style=", "onclick", "javascript:", "<style"] { #expect(!html.contains(word)) }
        }
        #expect(PaymentPage.securityPolicy.contains("default-src 'none'"))
        #expect(!PaymentPage.securityPolicy.contains("unsafe") && !PaymentPage.securityPolicy.contains("script-src"))
    }
}
