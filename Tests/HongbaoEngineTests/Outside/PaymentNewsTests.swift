import HongbaoCore
import HongbaoTesting
import Testing

@testable import HongbaoEngine

/// News of a payment that was called off, while somebody asks about it already (M9). Found by the simulator.
@Suite struct PaymentNewsTests {
    private typealias Machine = OutsideMachine<Payment>

    private static func payment(_ state: RedPacket.State) throws -> Payment {
        let draft = RedPacketDraft(
            key: try #require(SendKey(sender: PersonID(1), book: BookID(1), id: "a")),
            kind: .c2c,
            split: Split.of(100, 10, .equal),
            scope: .everyone,
            cover: try #require(RedPacket.Cover())
        )
        let now = Timestamp(milliseconds: 0)
        let packet = RedPacket(
            id: RedPacketID(7),
            draft,
            seal: RedPacket.Seal(commitment: [], sealedSeed: []),
            createdAt: now,
            RedPacket.Progress(
                state: state,
                funding: nil,
                publishedAt: nil,
                expiresAt: nil,
                closedAt: state == .abandoned ? now : nil,
                claimed: .zero,
                claimedCount: 0,
                luckiest: nil,
                transferred: .zero,
                refunded: .zero,
                attempts: 0,
                nextCheckAt: now
            )
        )
        return Payment(packet, Payment.Terms(payWithinSeconds: 60, lifeSeconds: 60))
    }

    /// The answer under way may be from before the payment, so it's asked for again, and forgotten only then.
    @Test(arguments: [
        (RedPacket.State.paying, PayoutReport.failed, OrderProgress.released),
        (.abandoned, .unreachable, .alreadyFinal), (.abandoned, .failed, .alreadyFinal),
    ])
    func isAskedAboutAgain(state: RedPacket.State, report: PayoutReport, progress: OrderProgress) throws {
        var machine = Machine(policy: OutsidePolicy(), seed: 1)
        let payment = try Self.payment(state)
        let abandoned = try Self.payment(.abandoned)
        #expect(machine.step(.callback(payment.id), now: .zero) == [.start(.find([payment.id]))])
        #expect(machine.step(.found([payment]), now: .zero) == [.start(.query([payment]))])
        #expect(machine.step(.callback(payment.id), now: .zero).isEmpty)
        _ = machine.step(.reported([payment.id], [report]), now: .zero)
        let applied = Machine.Applied(progress: progress, order: abandoned)
        let effects = machine.step(.applied([payment.id], [applied]), now: .zero)
        #expect(effects.contains(.start(.query([abandoned]))))
        _ = machine.step(.reported([payment.id], [.failed]), now: .zero)
        let again = machine.step(
            .applied([payment.id], [Machine.Applied(progress: .alreadyFinal, order: abandoned)]),
            now: .zero
        )
        #expect(again.isEmpty && machine.trackedCount == 0)
    }
}
